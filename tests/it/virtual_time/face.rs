//! By which face the engine sees the world: a client of Browserbase, or the shipped Browser Use provider over calls that take no time to carry.

use std::sync::Arc;

use futures_util::FutureExt;
use session_reaper::domain::activity::{Evidence, Sign};
use session_reaper::domain::exchange::Exchange;
use session_reaper::domain::listing::Listing;
use session_reaper::domain::name::{ApiVersion, Kind};
use session_reaper::domain::session::{Metadata, Parts, Phase, Session, Status, Target};
use session_reaper::domain::time::Timestamp;
use session_reaper::provider::{self, Connected};
use session_reaper::simulator::agent::Agent;
use session_reaper::simulator::in_process::{Carrier, Client};
use session_reaper::simulator::life::Life;
use session_reaper::simulator::{SharedWorld, World};

pub(crate) enum Face {
    Browserbase,
    BrowserUse { version: ApiVersion, way: Option<Way> },
}

/// What one life of the process holds.
pub(crate) struct Way {
    carrier: Arc<Carrier>,
    account: Connected,
}

impl std::fmt::Debug for Face {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}

impl Face {
    pub(crate) fn of(version: Option<ApiVersion>) -> Self {
        version.map_or(Self::Browserbase, |version| Self::BrowserUse { version, way: None })
    }

    /// The key behind which the sessions of a story live.
    pub(crate) const fn key(&self) -> &'static str {
        match self {
            Self::Browserbase => "bb_demo_stage",
            Self::BrowserUse { .. } => "bu_demo_stage",
        }
    }

    pub(crate) const fn is_v4(&self) -> bool {
        matches!(self, Self::BrowserUse { version: ApiVersion::V4, .. })
    }

    /// A new life of the process has learnt nothing.
    pub(crate) fn restarts(&mut self) {
        if let Self::BrowserUse { way, .. } = self {
            *way = None;
        }
    }

    fn client(&self) -> Client {
        Client::new(self.key())
    }

    /// The account as calls that leave now find it.
    fn account(&mut self, world: &SharedWorld, now: Timestamp) -> Option<&Connected> {
        let client = self.client();
        let Self::BrowserUse { version, way } = self else { return None };
        let way = way.get_or_insert_with(|| {
            let carrier = Arc::new(Carrier::new(world.clone(), client, *version, now));
            Way { account: provider::browser_use_over(carrier.clone(), *version), carrier }
        });
        way.carrier.leave_at(now);
        Some(&way.account)
    }

    pub(crate) fn list(&mut self, world: &SharedWorld, now: Timestamp) -> Exchange<Listing> {
        match self.account(world, now) {
            Some(account) => at_once(account.lister.list()),
            None => world.with(|world| self.client().list(world, now)),
        }
    }

    pub(crate) fn read(&mut self, world: &SharedWorld, target: &Target, now: Timestamp) -> Exchange<Session> {
        match self.account(world, now) {
            Some(account) => at_once(account.lister.read(target)),
            None => world.with(|world| self.client().read(world, &target.id, now)),
        }
    }

    pub(crate) fn evidence(&mut self, world: &SharedWorld, target: &Target, now: Timestamp) -> Exchange<Evidence> {
        match self.account(world, now) {
            Some(account) => at_once(account.lister.evidence(target)),
            None => Exchange { result: Ok(Evidence::default()), sent_at: now, clock: None, requests: Vec::new() },
        }
    }

    pub(crate) fn release(&mut self, world: &SharedWorld, target: &Target, now: Timestamp) -> Exchange<Option<Session>> {
        match self.account(world, now) {
            Some(account) => at_once(account.releaser.release(target)),
            None => world.with(|world| self.client().release(world, &target.id, now)),
        }
    }

    /// The session as its row would show it while it runs, from the world's truth.
    pub(crate) fn as_running(&self, target: &Target, world: &World) -> Session {
        let browser = target.parts.browser.as_ref().unwrap_or(&target.id);
        let (life, agent) = (world.lives().find(|life| life.id == *browser), world.agent(&target.id));
        let own = life.map(|life| life.started_at);
        let since = match self {
            // A session of v2 says when it started; those of the others do not, and their browsers do.
            Self::BrowserUse { version: ApiVersion::V2, .. } => agent.map(|agent| agent.created_at).or(own),
            _ => own.or_else(|| agent.and_then(Agent::latest).map(|run| run.created_at)).or_else(|| agent.map(|agent| agent.created_at)),
        };
        let since = since.expect("a session of this world");
        Session {
            id: target.id.clone(),
            kind: target.kind,
            status: Status::new("RUNNING", Phase::Running),
            created_at: since,
            started_at: Some(since),
            expires_at: life.map(|life| life.expires_at),
            ended_at: None,
            region: life.map(|life| life.region.clone()),
            keep_alive: life.map(|life| life.keep_alive),
            keep_alive_unlearnt: false,
            project: None,
            proxy_bytes: None,
            sign: Sign::Nothing,
            metadata: tags(life, agent.filter(|_| target.kind == Kind::Agent)),
            parts: Parts::default(),
        }
    }
}

/// Those of the browser have the first word, then those of its tasks.
fn tags(life: Option<&Life>, agent: Option<&Agent>) -> Metadata {
    let own = life.and_then(|life| life.metadata.clone());
    let Some(agent) = agent else { return Metadata::from_json(own) };
    let mut tags = own.and_then(|own| own.as_object().cloned()).unwrap_or_default();
    for task in agent.tasks.iter().rev() {
        for (key, value) in &task.metadata {
            tags.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Metadata::Tags(tags)
}

fn at_once<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("calls that take no time to carry are answered at once")
}
