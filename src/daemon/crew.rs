//! The accounts that are being watched: one loop each, started, changed and ended together or one by one.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{AccountSettings, Config};
use crate::daemon::account::{AccountLoop, Control, Pulse, in_our_time};
use crate::domain::name::AccountName;
use crate::domain::view::Mode;
use crate::engine::{Engine, Pass, Terms};
use crate::executor::Executor;
use crate::ledger::Ledger;
use crate::provider;
use crate::telemetry::Telemetry;

/// Messages that may wait for one loop.
const CONTROL_QUEUE: usize = 64;

/// A checked configuration with the credentials that it names.
#[derive(Clone, Debug)]
pub struct Setup {
    pub config: Config,
    pub keys: BTreeMap<AccountName, SecretString>,
}

/// What the loops share.
#[derive(Clone)]
pub struct Ground {
    pub clock: Clock,
    pub ledger: Ledger,
    pub telemetry: Arc<Telemetry>,
}

/// How to reach one loop from outside.
#[derive(Clone)]
pub struct Line {
    pub account: AccountName,
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
    tasks: JoinSet<(AccountName, Engine)>,
    lines: Lines,
}

struct Member {
    line: Line,
    settings: AccountSettings,
    key: SecretString,
}

impl Crew {
    pub fn new(ground: Ground, pass: Pass) -> Self {
        Self { ground, pass, members: BTreeMap::new(), tasks: JoinSet::new(), lines: Lines::default() }
    }

    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Makes the crew what a configuration says: new accounts start, those that stay are told, those that are gone settle what they began and end.
    pub async fn follow(&mut self, setup: &Setup) -> Result<(), String> {
        let mut staffed = Vec::new();
        for settings in &setup.config.accounts {
            let key = setup.keys.get(&settings.name).ok_or_else(|| format!("account {}: no credential was read", settings.name))?;
            staffed.push((settings.clone(), key.clone(), self.executor(setup.config.mode, settings, key)?));
        }
        let gone: Vec<AccountName> =
            self.members.keys().filter(|name| !staffed.iter().any(|(settings, ..)| settings.name == **name)).cloned().collect();
        for name in gone {
            if let Some(member) = self.members.remove(&name) {
                send(&member.line, Control::Drain).await;
            }
        }
        for (settings, key, executor) in staffed {
            let terms = terms(&setup.config, &settings, self.pass);
            match self.members.get_mut(&settings.name) {
                Some(member) => {
                    let new_credential = member.key.expose_secret() != key.expose_secret() || member.settings.base_url != settings.base_url;
                    (member.settings, member.key) = (settings, key);
                    let control = Control::Reconfigure { terms: Box::new(terms), executor: Box::new(executor), new_credential };
                    send(&member.line, control).await;
                }
                None => self.start(settings, key, terms, executor).await?,
            }
        }
        *self.lines.write().unwrap_or_else(PoisonError::into_inner) = self.members.values().map(|member| member.line.clone()).collect();
        Ok(())
    }

    async fn start(&mut self, settings: AccountSettings, key: SecretString, terms: Terms, executor: Executor) -> Result<(), String> {
        let Ground { clock, ledger, .. } = self.ground.clone();
        let name = settings.name.clone();
        let recall = ledger.recall(&name, clock.now()).await.map_err(|fault| fault.to_string())?;
        let mut orders = ledger.orders();
        let said = Arc::new(in_our_time(&orders.borrow_and_update(), &clock));
        let engine = Engine::new(terms, recall, said, clock.now());
        let (control, inbox) = mpsc::channel(CONTROL_QUEUE);
        let pulse = Arc::new(Pulse::new(&clock));
        let line = Line { account: name.clone(), control, pulse: pulse.clone() };
        let account = AccountLoop { engine, executor, clock, orders, control: inbox, pulse };
        self.tasks.spawn(async move { (name, account.run().await) });
        self.members.insert(settings.name.clone(), Member { line, settings, key });
        Ok(())
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

/// What one account's engine is told of a configuration.
pub fn terms(config: &Config, settings: &AccountSettings, pass: Pass) -> Terms {
    Terms {
        account: settings.name.clone(),
        provider: settings.provider,
        mode: config.mode,
        poll_interval: settings.poll_interval,
        requests_per_second: settings.requests_per_second,
        price_per_hour: settings.price_per_hour,
        currency: settings.currency.clone(),
        policies: config.policies.clone().into(),
        guardrails: config.guardrails.clone(),
        pass,
    }
}

/// A loop that has ended meanwhile has nobody to tell.
async fn send(line: &Line, control: Control) {
    drop(line.control.send(control).await);
}
