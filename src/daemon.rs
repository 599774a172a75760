//! The daemon: every account's loop, the books, the server and the signals, started in order and ended in order.

pub mod account;
pub mod board;
pub mod crew;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::name::PolicyName;
use crate::domain::view::Mode;
use crate::engine::{Engine, Pass};
use crate::ledger::{Ledger, OpenOptions};
use crate::server::{Bound, Server};
use crate::signals::Signal;
use crate::telemetry::Telemetry;
use board::Board;
use crew::{Crew, Ground, Setup};

/// Of the drain time, what is kept for writing the books and closing them.
const CLOSING: Duration = Duration::from_secs(2);

/// Reads the configuration again, for a reload; what is wrong with it is a text for people.
pub type Reread = Box<dyn FnMut() -> Result<Setup, String> + Send>;

/// What the daemon stands on, opened in the order in which a fault should be found: books, then address.
pub struct Standing {
    pub clock: Clock,
    pub ledger: Ledger,
    pub telemetry: Arc<Telemetry>,
    pub bound: Option<Bound>,
}

impl Standing {
    /// Opens the books and takes the address.
    pub async fn open(setup: &Setup, telemetry: Arc<Telemetry>, token: Option<SecretString>) -> Result<Self, String> {
        let standing = Self::open_books(setup, telemetry)?;
        let bound = Server::bind(&setup.config.server, token).await.map_err(|fault| fault.to_string())?;
        Ok(Self { bound: Some(bound), ..standing })
    }

    /// Opens the books alone, for a pass that nobody watches.
    pub fn open_books(setup: &Setup, telemetry: Arc<Telemetry>) -> Result<Self, String> {
        let clock = Clock::start();
        let options = OpenOptions { retention: setup.config.store.retention, now: clock.now() };
        let ledger = Ledger::open(&setup.config.store.path, options).map_err(|fault| fault.to_string())?;
        declare(&telemetry, &setup.config);
        Ok(Self { clock, ledger, telemetry, bound: None })
    }

    fn ground(&self) -> Ground {
        Ground { clock: self.clock, ledger: self.ledger.clone(), telemetry: self.telemetry.clone() }
    }
}

/// Watches until told to stop. Gives an error only where it could not start, or a loop broke.
pub async fn run(mut standing: Standing, mut setup: Setup, mut reread: Reread, mut wishes: mpsc::Receiver<Signal>) -> Result<(), String> {
    let mut crew = Crew::new(standing.ground(), Pass::Daemon);
    crew.follow(&setup).await?;
    let flags = Flags::new(setup.config.mode);
    let shutdown = CancellationToken::new();
    let server = standing.bound.take().map(|bound| {
        let source = Arc::new(flags.board(&standing, &crew));
        tokio::spawn(bound.serve(source, standing.telemetry.metrics().clone(), shutdown.clone()))
    });
    let mut health = standing.ledger.health();
    loop {
        tokio::select! {
            Ok(()) = health.changed() => standing.telemetry.books(health.borrow_and_update().as_ref().copied().map_err(String::as_str)),
            wish = wishes.recv() => match wish {
                None | Some(Signal::Drain) => break,
                Some(Signal::Reload) => reload(&mut crew, &mut setup, &mut reread, &standing.telemetry, &flags).await,
            },
            Some(ended) = crew.next_end() => if let Err(why) = ended {
                tracing::error!(%why, "an account is not watched any more: restart the daemon");
                flags.broken.store(true, Ordering::Relaxed);
            },
        }
    }
    flags.draining.store(true, Ordering::Relaxed);
    drain(crew, &standing, &setup.config).await;
    shutdown.cancel();
    if let Some(server) = server {
        drop(server.await);
    }
    close(standing.ledger).await;
    if flags.broken.load(Ordering::Relaxed) { Err("an account's loop ended by a fault of its own; see the log".to_owned()) } else { Ok(()) }
}

/// One pass over all accounts: gives each account's engine as it ended, within the time that a release may take.
pub async fn run_once(standing: Standing, setup: &Setup, mut wishes: mpsc::Receiver<Signal>) -> Result<Vec<Engine>, String> {
    let mut crew = Crew::new(standing.ground(), Pass::Once);
    crew.follow(setup).await?;
    let longest =
        setup.config.accounts.iter().map(|account| account.request_timeout).max().unwrap_or_default() * 4 + setup.config.guardrails.confirm_within;
    let mut ended = Vec::new();
    let wait = async {
        while let Some(end) = crew.next_end().await {
            ended.push(end?.1);
        }
        Ok::<(), String>(())
    };
    let finished = tokio::select! {
        finished = tokio::time::timeout(Duration::try_from(longest).unwrap_or(Duration::MAX), wait) => finished,
        _ = wishes.recv() => Ok(Ok(())),
    };
    close(standing.ledger).await;
    match finished {
        Ok(done) => done.map(|()| ended),
        Err(_) => Err("not every account came to an end in time; what was requested is settled by the next run".to_owned()),
    }
}

/// What the server and the daemon tell each other.
struct Flags {
    enforcing: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
}

impl Flags {
    fn new(mode: Mode) -> Self {
        Self { enforcing: Arc::new((mode == Mode::Enforce).into()), draining: Arc::default(), broken: Arc::default() }
    }

    fn board(&self, standing: &Standing, crew: &Crew) -> Board {
        Board {
            clock: standing.clock,
            lines: crew.lines(),
            reader: standing.ledger.reader(),
            enforcing: self.enforcing.clone(),
            draining: self.draining.clone(),
            broken: self.broken.clone(),
        }
    }
}

/// A new configuration takes over whole, or not at all.
async fn reload(crew: &mut Crew, setup: &mut Setup, reread: &mut Reread, telemetry: &Telemetry, flags: &Flags) {
    let taken = match reread() {
        Ok(new) => crew.follow(&new).await.map(|()| new),
        Err(why) => Err(why),
    };
    telemetry.reloaded(taken.as_ref().map(|_| ()).map_err(String::as_str));
    if let Ok(new) = taken {
        for key in needs_restart(&setup.config, &new.config) {
            tracing::warn!(key, "a change of this key takes effect at the next start");
        }
        flags.enforcing.store(new.config.mode == Mode::Enforce, Ordering::Relaxed);
        declare(telemetry, &new.config);
        *setup = new;
    }
}

fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = [("server", old.server != new.server), ("store", old.store != new.store)];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
}

/// Finishes what was asked for, as far as the time allows; the rest is settled at the next start.
async fn drain(mut crew: Crew, standing: &Standing, config: &Config) {
    let within = Duration::try_from(config.drain_timeout).unwrap_or_default();
    crew.drain().await;
    let settle = async { while crew.next_end().await.is_some() {} };
    let settled = tokio::time::timeout(within.saturating_sub(CLOSING.min(within / 2)), settle).await.is_ok();
    let written = standing.ledger.flush(CLOSING).await;
    tracing::info!(settled, written, "drained");
}

/// Closing waits for the disk.
async fn close(ledger: Ledger) {
    drop(tokio::task::spawn_blocking(move || ledger.close()).await);
}

fn declare(telemetry: &Telemetry, config: &Config) {
    let policies: Vec<PolicyName> = config.policies.iter().map(|policy| policy.name.clone()).collect();
    telemetry.metrics().declare(&config.accounts, &policies);
}
