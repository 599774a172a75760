//! The accounts that are being watched: one loop each, started, changed and ended together or one by one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{AccountSettings, Config, Secrets};
use crate::daemon::account::{AccountLoop, Control, in_our_time};
use crate::daemon::pulse::Pulse;
use crate::domain::name::{AccountName, Provider, ReceiverName};
use crate::domain::record::{Lived, Recall, Record};
use crate::domain::tariff::{Price, Prices, Tariff};
use crate::domain::view::Mode;
use crate::engine::{Engine, Lately, Pass, Runtime, Terms};
use crate::executor::Executor;
use crate::ledger::Ledger;
use crate::policy::{Occasion, Policy};
use crate::provider;
use crate::telemetry::Telemetry;

/// Messages that may wait for one loop.
const CONTROL_QUEUE: usize = 64;

/// A checked configuration with the credentials that it names.
#[derive(Clone, Debug)]
pub struct Setup {
    pub config: Config,
    pub keys: BTreeMap<AccountName, SecretString>,
    /// What each receiver of notifications is reached by.
    pub secrets: BTreeMap<ReceiverName, Secrets>,
}

/// What the loops share.
#[derive(Clone)]
pub struct Ground {
    pub clock: Clock,
    pub ledger: Ledger,
    pub telemetry: Arc<Telemetry>,
    /// Of the daemon's own loop, which waits while accounts are made ready one after the other.
    pub pulse: Arc<Pulse>,
}

/// How to reach one loop from outside.
#[derive(Clone)]
pub struct Line {
    pub account: AccountName,
    pub provider: Provider,
    pub control: mpsc::Sender<Control>,
    pub pulse: Arc<Pulse>,
}

/// The lines to every loop, as the server sees them.
pub type Lines = Arc<RwLock<Vec<Line>>>;

/// Every loop that runs.
pub struct Crew {
    ground: Ground,
    pass: Pass,
    members: BTreeMap<AccountName, Member>,
    /// Told to end, and settling what they began.
    leaving: Vec<Member>,
    tasks: JoinSet<(AccountName, Engine)>,
    lines: Lines,
}

/// Whose sessions an account's are: the provider, its address, and the project. An account that moves is another one under the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Home(String);

impl Home {
    fn of(settings: &AccountSettings) -> Self {
        let project = settings.project_id.as_ref().map(|project| format!(" project {project}")).unwrap_or_default();
        Self(format!("{} {}{project}", settings.provider, settings.base_url))
    }
}

struct Member {
    line: Line,
    home: Home,
    key: SecretString,
}

/// An account of a configuration, ready to be watched.
struct Recruit {
    settings: AccountSettings,
    terms: Box<Terms>,
    runtime: Box<Runtime>,
    home: Home,
    key: SecretString,
    executor: Executor,
    /// What the books know of it, where it has no loop yet.
    recall: Option<Recall>,
    lately: Option<Lately>,
}

impl Crew {
    pub fn new(ground: Ground, pass: Pass) -> Self {
        Self { ground, pass, members: BTreeMap::new(), leaving: Vec::new(), tasks: JoinSet::new(), lines: Lines::default() }
    }

    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Makes the crew what a configuration says: new accounts start, those that stay are told, those that are gone settle what they began and end. Fails
    /// before any of them is told.
    pub async fn follow(&mut self, setup: &Setup) -> Result<(), String> {
        let mut recruits = Vec::new();
        for settings in &setup.config.accounts {
            recruits.push(self.recruit(setup, settings).await?);
            self.ground.pulse.beat(&self.ground.clock);
        }
        self.dismiss(&recruits).await;
        for recruit in recruits {
            match self.members.get_mut(&recruit.settings.name) {
                Some(member) => {
                    let new_credential = member.key.expose_secret() != recruit.key.expose_secret();
                    member.key = recruit.key;
                    let control =
                        Control::Reconfigure { terms: recruit.terms, runtime: recruit.runtime, executor: Box::new(recruit.executor), new_credential };
                    send(&member.line, control).await;
                }
                None => self.start(recruit),
            }
        }
        *self.lines.write().unwrap_or_else(PoisonError::into_inner) = self.members.values().map(|member| member.line.clone()).collect();
        Ok(())
    }

    async fn recruit(&mut self, setup: &Setup, settings: &AccountSettings) -> Result<Recruit, String> {
        let name = &settings.name;
        let key = setup.keys.get(name).ok_or_else(|| format!("account {name}: no credential was read"))?;
        let executor = self.executor(setup.config.mode, settings, key)?;
        let home = Home::of(settings);
        self.call_back(name, &home).await;
        let known = match self.members.get(name) {
            Some(member) if member.home == home => None,
            _ => Some(self.ground.ledger.recall(name, self.ground.clock.now()).await.map_err(|fault| fault.to_string())?),
        };
        let has_moved = known.as_ref().is_some_and(|known| has_moved(known, settings));
        let recall = known.map(|known| recall_at_home(known, settings));
        let lately = match &recall {
            Some(recall) if self.pass == Pass::Daemon => Some(self.lately(&setup.config.policies, settings, recall).await),
            _ => None,
        };
        let terms = Box::new(terms(&setup.config, settings, self.pass));
        let runtime = Box::new(self.runtime(&terms, has_moved).await?);
        Ok(Recruit { settings: settings.clone(), terms, runtime, home, key: key.clone(), executor, recall, lately })
    }

    /// An account that is wanted again while its loop still settles what it began keeps that loop: two would release and count the same sessions twice.
    async fn call_back(&mut self, name: &AccountName, home: &Home) {
        self.leaving.retain(|member| !member.line.control.is_closed());
        let Some(at) = self.leaving.iter().position(|member| member.line.account == *name && member.home == *home) else { return };
        let member = self.leaving.swap_remove(at);
        let (reply, stays) = oneshot::channel();
        send(&member.line, Control::Stay(reply)).await;
        if stays.await.is_err() {
            return;
        }
        self.settle_down(name, home);
        if let Some(other) = self.members.insert(name.clone(), member) {
            self.let_go(other).await;
        }
    }

    /// Lets those go whom the configuration does not have, or has elsewhere.
    async fn dismiss(&mut self, recruits: &[Recruit]) {
        let stays = |member: &Member| recruits.iter().any(|recruit| recruit.settings.name == member.line.account && recruit.home == member.home);
        let gone: Vec<AccountName> = self.members.iter().filter(|(_, member)| !stays(member)).map(|(name, _)| name.clone()).collect();
        for member in gone.iter().filter_map(|name| self.members.remove(name)).collect::<Vec<_>>() {
            self.let_go(member).await;
        }
    }

    async fn let_go(&mut self, member: Member) {
        send(&member.line, Control::Drain).await;
        self.leaving.push(member);
    }

    fn start(&mut self, recruit: Recruit) {
        let Ground { clock, ledger, .. } = self.ground.clone();
        let Recruit { settings, terms, runtime, home, key, executor, recall, lately } = recruit;
        let name = settings.name;
        let mut orders = ledger.orders();
        let said = Arc::new(in_our_time(&orders.borrow_and_update(), &clock));
        let mut engine = Engine::new(*terms, recall.unwrap_or_default(), said, clock.now());
        engine.account_for(*runtime, clock.now());
        engine.recollect(lately.unwrap_or_default(), clock.now());
        let (control, inbox) = mpsc::channel(CONTROL_QUEUE);
        let pulse = Arc::new(Pulse::new(&clock));
        let line = Line { account: name.clone(), provider: settings.provider, control, pulse: pulse.clone() };
        let account = AccountLoop { engine, executor, clock, orders, control: inbox, pulse };
        let task_name = name.clone();
        self.tasks.spawn(async move { (task_name, account.run().await) });
        self.settle_down(&name, &home);
        self.members.insert(name, Member { line, home, key });
    }

    /// What the books have of the runtime that budgets count. An account that has moved begins anew.
    async fn runtime(&self, terms: &Terms, has_moved: bool) -> Result<Runtime, String> {
        let now = self.ground.clock.now();
        let runtime = Runtime::new(terms.account.clone(), terms.provider, terms.policies.clone());
        let Some(since) = runtime.since(now).filter(|_| !has_moved) else { return Ok(runtime) };
        let counted = Arc::new(Mutex::new(runtime));
        let counting = counted.clone();
        let each = move |lived| counting.lock().unwrap_or_else(PoisonError::into_inner).add(lived, now);
        self.ground.ledger.lived(&terms.account, since, each).await.map_err(|fault| fault.to_string())?;
        let runtime = counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(runtime)
    }

    /// What the books tell of when each policy governed a session, and when one fell due by each limit.
    async fn lately(&self, policies: &[Policy], settings: &AccountSettings, recall: &Recall) -> Lately {
        let lately = Arc::new(Mutex::new(Lately::recalled(&recall.fell_due)));
        let (learning, account, provider, policies) = (lately.clone(), settings.name.clone(), settings.provider, policies.to_vec());
        let each = move |lived: Lived| {
            let occasion = Occasion { account: &account, provider, at: lived.until };
            let knows_all = learning.lock().unwrap_or_else(PoisonError::into_inner).saw(&lived, occasion, &policies);
            if knows_all { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        if let Err(fault) = self.ground.ledger.latest(&settings.name, each).await {
            tracing::warn!(account = %settings.name, %fault, "when its policies last governed a session cannot be read; that counts from now on");
        }
        lately.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has the books know where the account is now.
    fn settle_down(&self, name: &AccountName, home: &Home) {
        self.ground.ledger.record(Record::Home { account: name.clone(), home: home.0.clone() });
    }

    fn executor(&self, mode: Mode, settings: &AccountSettings, key: &SecretString) -> Result<Executor, String> {
        let place = |why: String| format!("account {}: {why}", settings.name);
        let clock = self.ground.clock;
        let (lister, releaser) = match mode {
            Mode::Observe => (provider::lister(settings, key.clone(), clock).map_err(place)?, None),
            Mode::Enforce => {
                let connected = provider::connect(settings, key.clone(), clock).map_err(place)?;
                (connected.lister, Some(connected.releaser))
            }
        };
        Ok(Executor {
            account: settings.name.clone(),
            lister,
            releaser,
            ledger: self.ground.ledger.clone(),
            telemetry: self.ground.telemetry.clone(),
        })
    }

    /// Asks every loop to settle what it began and end.
    pub async fn drain(&self) {
        for member in self.members.values() {
            send(&member.line, Control::Drain).await;
        }
    }

    /// The next loop that ended, with its engine; an error where a loop panicked. Nothing once all have ended.
    pub async fn next_end(&mut self) -> Option<Result<(AccountName, Engine), String>> {
        let ended = self.tasks.join_next().await?;
        Some(ended.map_err(|error| format!("an account's loop ended by a fault of its own: {error}")))
    }
}

/// What the books know of an account, where it is now: what was learnt at another address or of another project says nothing of this one. What
/// guardrails hold back stays held back.
pub fn recall_at_home(recall: Recall, settings: &AccountSettings) -> Recall {
    if has_moved(&recall, settings) {
        Recall { releases: Vec::new(), seen: Vec::new(), activities: Vec::new(), fell_due: Vec::new(), last_complete_at: None, ..recall }
    } else {
        recall
    }
}

/// The books were written where the account is no longer; so were the runtimes in them.
pub fn has_moved(recall: &Recall, settings: &AccountSettings) -> bool {
    recall.home.as_ref().is_some_and(|home| *home != Home::of(settings).0)
}

/// What one account's engine is told of a configuration.
pub fn terms(config: &Config, settings: &AccountSettings, pass: Pass) -> Terms {
    Terms {
        account: settings.name.clone(),
        provider: settings.provider,
        mode: config.mode,
        poll_interval: settings.poll_interval,
        requests_per_second: settings.requests_per_second,
        evidence_per_minute: settings.evidence_requests_per_minute,
        tariff: price(settings).tariff,
        currency: settings.currency.clone(),
        policies: config.policies.clone().into(),
        guardrails: config.guardrails.clone(),
        pass,
    }
}

/// What an account's sessions cost.
fn price(settings: &AccountSettings) -> Price {
    Price { tariff: Tariff { price_per_hour: settings.price_per_hour, refunded_by: settings.refunded_by }, currency: settings.currency.clone() }
}

/// What every account's sessions cost.
pub fn prices(config: &Config) -> Prices {
    config.accounts.iter().map(|account| (account.name.clone(), price(account))).collect()
}

/// A loop that has ended meanwhile has nobody to tell.
async fn send(line: &Line, control: Control) {
    drop(line.control.send(control).await);
}

#[cfg(test)]
mod tests;
