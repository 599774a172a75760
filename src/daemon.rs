//! The daemon: every account's loop, the books, the server and the signals, started in order and ended in order.

pub mod account;
pub mod board;
pub mod crew;
pub mod pulse;
pub mod shelf;
pub mod vigil;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{AccountSettings, Config};
use crate::domain::tariff::Prices;
use crate::domain::time::SignedDuration;
use crate::domain::view::Mode;
use crate::engine::{Engine, Pass};
use crate::ledger::{Ledger, LedgerFault, OpenOptions};
use crate::notify::{self, Receivers};
use crate::server::{BindFault, Bound, Server};
use crate::signals::Signal;
use crate::supervisor::Supervisor;
use crate::telemetry::Telemetry;
use board::Board;
use crew::{Crew, Ground, Setup};
use pulse::{LONGEST_SLEEP, Pulse};

/// A single pass does not take longer than this, whatever pace it is given.
const LONGEST_PASS: SignedDuration = SignedDuration::from_hours(24);

/// Of the drain time, what is kept for writing the books and closing them.
const CLOSING: Duration = Duration::from_secs(2);

/// What notifications have at the end even where draining took all the time: for a receiver that answers, it is enough.
const LEAST_TELLING: Duration = Duration::from_millis(500);

/// Reads the configuration again, for a reload; what is wrong with it is a text for people.
pub type Reread = Box<dyn FnMut() -> Result<Setup, String> + Send>;

/// What the daemon stands on, opened in the order in which a fault should be found: books, then address.
pub struct Standing {
    pub clock: Clock,
    pub ledger: Ledger,
    pub telemetry: Arc<Telemetry>,
    pub bound: Option<Bound>,
    /// Who runs us as a service; nobody, unless that is said.
    pub supervisor: Arc<Supervisor>,
}

/// Why the daemon has nothing to stand on.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    #[error(transparent)]
    Books(#[from] LedgerFault),
    #[error(transparent)]
    Address(#[from] BindFault),
}

impl Standing {
    /// Opens the books and takes the address.
    pub async fn open(setup: &Setup, telemetry: Arc<Telemetry>, token: Option<SecretString>) -> Result<Self, OpenFault> {
        let standing = Self::open_books(setup, telemetry)?;
        let bound = Server::bind(&setup.config.server, token).await?;
        Ok(Self { bound: Some(bound), ..standing })
    }

    /// Opens the books alone, for a pass that nobody watches.
    pub fn open_books(setup: &Setup, telemetry: Arc<Telemetry>) -> Result<Self, LedgerFault> {
        let clock = Clock::start();
        let options = OpenOptions { retention: setup.config.store.retention, now: clock.now() };
        let ledger = Ledger::open(&setup.config.store.path, options)?;
        declare(&telemetry, &setup.config);
        Ok(Self { clock, ledger, telemetry, bound: None, supervisor: Arc::default() })
    }

    fn receivers(&self) -> Receivers {
        let ground = notify::Ground { clock: self.clock, ledger: self.ledger.clone(), metrics: self.telemetry.metrics().clone() };
        Receivers::new(ground, self.telemetry.notifier())
    }

    fn ground(&self, pulse: Arc<Pulse>) -> Ground {
        Ground { clock: self.clock, ledger: self.ledger.clone(), telemetry: self.telemetry.clone(), pulse }
    }
}

/// Watches until told to stop. Gives an error only where it could not start, or a loop broke.
pub async fn run(mut standing: Standing, mut setup: Setup, mut reread: Reread, mut wishes: mpsc::Receiver<Signal>) -> Result<(), String> {
    // From before the first write: a fault is told once.
    let mut health = standing.ledger.health();
    let flags = Flags::new(&setup.config, &standing.clock);
    // Before the accounts: what they find first is told too.
    let mut receivers = standing.receivers();
    receivers.follow(&setup.config.notifications, &setup.secrets).await?;
    let mut crew = Crew::new(standing.ground(flags.pulse.clone()), Pass::Daemon);
    crew.follow(&setup).await?;
    let shutdown = CancellationToken::new();
    let board = Arc::new(flags.board(&standing, &crew));
    let bound = standing.bound.take();
    let server = bound.map(|bound| tokio::spawn(bound.serve(board.clone(), standing.telemetry.metrics().clone(), shutdown.clone())));
    let supervisor = standing.supervisor.clone();
    supervisor.ready();
    let vigil = tokio::spawn(vigil::keep(board, supervisor.clone()));
    loop {
        flags.pulse.beat(&standing.clock);
        tokio::select! {
            () = tokio::time::sleep(LONGEST_SLEEP.unsigned_abs()) => {}
            Ok(()) = health.changed() => standing.telemetry.books(health.borrow_and_update().as_ref().copied().map_err(String::as_str)),
            wish = wishes.recv() => match wish {
                None | Some(Signal::Drain) => break,
                Some(Signal::Reload) => {
                    supervisor.reloading();
                    reload(&mut crew, &mut receivers, &mut setup, &mut reread, &standing.telemetry, &flags).await;
                    supervisor.ready();
                }
            },
            Some(ended) = crew.next_end() => match ended {
                // What it told after the reload that dismissed it is forgotten too.
                Ok(_) => declare(&standing.telemetry, &setup.config),
                Err(why) => {
                    tracing::error!(%why, "an account is not watched any more: restart the daemon");
                    flags.broken.store(true, Ordering::Relaxed);
                }
            },
        }
    }
    flags.draining.store(true, Ordering::Relaxed);
    supervisor.stopping();
    let until = tokio::time::Instant::now() + drain_within(&setup.config);
    let settled = drain(crew, until).await;
    // What was found out while draining is told too, in what is left of the time; the books keep what is not taken.
    let told = receivers.end(until.saturating_duration_since(tokio::time::Instant::now()).max(LEAST_TELLING)).await;
    shutdown.cancel();
    // A server that ended by a fault of its own has ended.
    let served = async { drop(futures_util::future::OptionFuture::from(server).await) };
    let (written, ()) = futures_util::future::join(standing.ledger.flush(CLOSING), served).await;
    tracing::info!(settled, told, written, "drained");
    close(standing.ledger).await;
    vigil.abort();
    if flags.broken.load(Ordering::Relaxed) { Err("an account's loop ended by a fault of its own; see the log".to_owned()) } else { Ok(()) }
}

/// One pass over all accounts: gives each account's engine as it ended, within the time that a release may take. Told to stop, it settles what was
/// requested, as far as the time for that allows.
pub async fn run_once(standing: Standing, setup: &Setup, mut wishes: mpsc::Receiver<Signal>) -> Result<Passed, String> {
    let pulse = Arc::new(Pulse::new(&standing.clock));
    let mut receivers = standing.receivers();
    receivers.follow(&setup.config.notifications, &setup.secrets).await?;
    let mut crew = Crew::new(standing.ground(pulse), Pass::Once);
    crew.follow(setup).await?;
    let mut passed = Passed::default();
    let mut deadline = tokio::time::Instant::now() + longest_pass(&setup.config);
    loop {
        tokio::select! {
            ended = crew.next_end() => match ended {
                Some(Ok((_, engine))) => passed.engines.push(engine),
                Some(Err(why)) => passed.unfinished = Some(why),
                None => break,
            },
            // There is nothing to read again: the pass is over before another configuration would matter.
            Some(wish) = wishes.recv() => if wish == Signal::Drain {
                passed.unfinished = Some("told to stop before the pass was over".to_owned());
                crew.drain().await;
                deadline = deadline.min(tokio::time::Instant::now() + drain_within(&setup.config));
            },
            () = tokio::time::sleep_until(deadline) => {
                let late = "not every account came to an end in time; what was requested is settled by the next run";
                passed.unfinished.get_or_insert(late.to_owned());
                break;
            }
        }
    }
    drop(crew);
    receivers.end(drain_within(&setup.config)).await;
    close(standing.ledger).await;
    Ok(passed)
}

/// What a single pass came to.
#[derive(Default)]
pub struct Passed {
    /// Each account that came to its end.
    pub engines: Vec<Engine>,
    /// Why the pass is not whole, where it is not.
    pub unfinished: Option<String>,
}

/// The listing with its tries, a poll's releases at the pace allowed, each with a reading, and the time in which the last one is confirmed.
fn longest_pass(config: &Config) -> Duration {
    let calls = f64::from(config.guardrails.max_releases_per_poll) * 2.0;
    let account = |account: &AccountSettings| {
        let paced = SignedDuration::try_from_secs_f64(calls / account.requests_per_second).unwrap_or(SignedDuration::MAX);
        account.request_timeout.saturating_mul(4).saturating_add(paced)
    };
    let longest = config.accounts.iter().map(account).max().unwrap_or_default().saturating_add(config.guardrails.confirm_within);
    Duration::try_from(longest.min(LONGEST_PASS)).unwrap_or_default()
}

/// What the server and the daemon tell each other.
struct Flags {
    enforcing: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
    /// Of the daemon's own loop.
    pulse: Arc<Pulse>,
    /// At which a forecast is priced.
    prices: Arc<RwLock<Prices>>,
}

impl Flags {
    fn new(config: &Config, clock: &Clock) -> Self {
        let flags = Self {
            enforcing: Arc::default(),
            draining: Arc::default(),
            broken: Arc::default(),
            pulse: Arc::new(Pulse::new(clock)),
            prices: Arc::default(),
        };
        flags.follow(config);
        flags
    }

    /// What the server shows of a configuration.
    fn follow(&self, config: &Config) {
        self.enforcing.store(config.mode == Mode::Enforce, Ordering::Relaxed);
        *self.prices.write().unwrap_or_else(PoisonError::into_inner) = crew::prices(config);
    }

    fn board(&self, standing: &Standing, crew: &Crew) -> Board {
        Board {
            clock: standing.clock,
            lines: crew.lines(),
            ledger: standing.ledger.clone(),
            enforcing: self.enforcing.clone(),
            draining: self.draining.clone(),
            broken: self.broken.clone(),
            pulse: self.pulse.clone(),
            prices: self.prices.clone(),
            shelf: Arc::default(),
        }
    }
}

/// A new configuration takes over whole, or not at all.
async fn reload(crew: &mut Crew, receivers: &mut Receivers, setup: &mut Setup, reread: &mut Reread, telemetry: &Telemetry, flags: &Flags) {
    let taken = match reread() {
        Ok(new) => take_over(crew, receivers, &new).await.map(|()| new),
        Err(why) => Err(why),
    };
    telemetry.reloaded(taken.as_ref().map(|_| ()).map_err(String::as_str));
    if let Ok(new) = taken {
        for key in needs_restart(&setup.config, &new.config) {
            tracing::warn!(key, "a change of this key takes effect at the next start");
        }
        flags.follow(&new.config);
        declare(telemetry, &new.config);
        *setup = new;
    }
}

/// Receivers can fail only before any of them changes, and accounts only before any of those does: the check of the one comes before the other's change.
async fn take_over(crew: &mut Crew, receivers: &mut Receivers, new: &Setup) -> Result<(), String> {
    receivers.check(&new.config.notifications, &new.secrets)?;
    crew.follow(new).await?;
    receivers.follow(&new.config.notifications, &new.secrets).await
}

fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = [("server", old.server != new.server), ("store", old.store != new.store)];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
}

/// Finishes what was asked for, as far as the time allows; the rest is settled at the next start. Gives whether there is no rest.
async fn drain(mut crew: Crew, until: tokio::time::Instant) -> bool {
    crew.drain().await;
    let settle = async { while crew.next_end().await.is_some() {} };
    tokio::time::timeout_at(until, settle).await.is_ok()
}

/// How long releases may be waited for while draining.
fn drain_within(config: &Config) -> Duration {
    let within = Duration::try_from(config.drain_timeout).unwrap_or_default();
    within.saturating_sub(CLOSING.min(within / 2))
}

/// Closing waits for the disk.
async fn close(ledger: Ledger) {
    drop(tokio::task::spawn_blocking(move || ledger.close()).await);
}

fn declare(telemetry: &Telemetry, config: &Config) {
    let policies = config.policies.iter().map(|policy| (policy.name.clone(), policy.rule.armed().collect())).collect();
    telemetry.metrics().declare(&config.accounts, &policies);
    telemetry.forget_all_but(|name| config.accounts.iter().any(|account| account.name == *name));
}
