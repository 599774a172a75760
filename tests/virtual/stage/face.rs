//! By which face the engine sees the world: the shipped provider of one of its APIs, over calls that take no time to carry.

use std::sync::Arc;

use session_reaper::domain::activity::Sign;
use session_reaper::domain::name::{ApiVersion, Kind};
use session_reaper::domain::session::{Metadata, Parts, Phase, Session, Status, Target};
use session_reaper::domain::time::Timestamp;
use session_reaper::provider::{self, Connected};
use session_reaper::simulator::agent::Agent;
use session_reaper::simulator::in_process::{Api, Carrier, Client};
use session_reaper::simulator::life::Life;
use session_reaper::simulator::{SharedWorld, World};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Face(Api);

impl Face {
    /// Browserbase's, where there is no version of Browser Use.
    pub(crate) fn of(version: Option<ApiVersion>) -> Self {
        Self(version.map_or(Api::Browserbase, Api::BrowserUse))
    }

    /// The key behind which the sessions of a story live.
    pub(crate) const fn key(self) -> &'static str {
        match self.0 {
            Api::Browserbase => "bb_demo_stage",
            Api::BrowserUse(_) => "bu_demo_stage",
        }
    }

    pub(crate) const fn is_v4(self) -> bool {
        matches!(self.0, Api::BrowserUse(ApiVersion::V4))
    }

    /// A way into the world, for one life of a process: it has learnt nothing yet.
    pub(crate) fn connect(self, world: &SharedWorld, now: Timestamp) -> (Arc<Carrier>, Connected) {
        let carrier = Arc::new(Carrier::new(world.clone(), Client::new(self.key()), self.0, now));
        let account = match self.0 {
            Api::Browserbase => provider::browserbase_over(carrier.clone(), None),
            Api::BrowserUse(version) => provider::browser_use_over(carrier.clone(), version),
        };
        (carrier, account)
    }

    /// The session as its row would show it while it runs, from the world's truth.
    pub(crate) fn as_running(self, target: &Target, world: &World) -> Session {
        let browser = target.parts.browser.as_ref().unwrap_or(&target.id);
        let (life, agent) = (world.life(browser), world.agent(&target.id));
        let own = life.map(|life| life.started_at);
        let since = match self.0 {
            // A session of v2 says when it started; those of the others do not, and their browsers do.
            Api::BrowserUse(ApiVersion::V2) => agent.map(|agent| agent.created_at).or(own),
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
