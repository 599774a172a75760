//! `session-reaper run`: the daemon, or one pass of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cli::table::say;
use crate::cli::{Failure, Globals, configured, runtime, store, watch};
use crate::daemon::crew::Setup;
use crate::daemon::{self, OpenFault, Standing};
use crate::domain::event::PollOutcome;
use crate::domain::release::Outcome;
use crate::domain::time::{SignedDuration, Timestamp, human};
use crate::domain::view::Mode;
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::signals::{Signal, Signals};
use crate::supervisor::Supervisor;
use crate::telemetry::Telemetry;

#[derive(Debug, clap::Args)]
pub struct Flags {
    /// Make one pass over all accounts, release what is due, confirm, and exit
    #[arg(long)]
    once: bool,
}

pub fn run(flags: &Flags, globals: &Globals) -> Result<(), Failure> {
    if flags.once { runtime::block_on(once(configured::setup(globals)?)) } else { for_ever(globals.clone()) }
}

fn for_ever(globals: Globals) -> Result<(), Failure> {
    let watch = watch::Shared::default();
    let setup = watch::setup(&globals, &watch)?;
    runtime::block_on(serve(setup, globals, watch))
}

async fn serve(setup: Setup, globals: Globals, watch: watch::Shared) -> Result<(), Failure> {
    let wishes = wishes(None, Some(watch.clone()))?;
    let token = configured::token(&setup.config)?;
    let opening = store::opening();
    let mut standing = Standing::open(&setup, telemetry()?, token).await.map_err(unopened)?;
    drop(opening);
    standing.supervisor = Arc::new(Supervisor::from_environment());
    announce(&setup, &standing);
    let reread = Box::new(move || match watch::setup(&globals, &watch) {
        Ok(setup) => Ok(setup),
        Err(Failure::Usage(why) | Failure::Work(why)) => Err(why),
        Err(Failure::Silent) => Err("it could not be read".to_owned()),
    });
    daemon::run(standing, setup, reread, wishes).await.map_err(Failure::work)
}

/// A store that cannot be where the configuration has it is a matter of the configuration; an address in use is not.
pub(super) fn unopened(fault: OpenFault) -> Failure {
    match fault {
        OpenFault::Books(fault) => store::failure(fault),
        OpenFault::Address(fault) => Failure::work(fault),
    }
}

fn announce(setup: &Setup, standing: &Standing) {
    let listen = standing.bound.as_ref().map(|bound| bound.addr().to_string()).unwrap_or_default();
    let config = &setup.config;
    let (accounts, policies) = (config.accounts.len(), config.policies.len());
    match config.mode {
        Mode::Observe => tracing::info!(%listen, accounts, policies, "watching in observe mode: nothing will be released"),
        Mode::Enforce => tracing::info!(%listen, accounts, policies, "watching in enforce mode"),
    }
}

async fn once(setup: Setup) -> Result<(), Failure> {
    let wishes = wishes(None, None)?;
    let opening = store::opening();
    let standing = Standing::open_books(&setup, telemetry()?).map_err(store::failure)?;
    drop(opening);
    let clock = standing.clock;
    let passed = daemon::run_once(standing, &setup, wishes).await.map_err(Failure::work)?;
    let troubles: Vec<String> = passed.engines.iter().flat_map(|engine| troubles(engine, clock.now())).chain(passed.unfinished).collect();
    say(summary(&passed.engines))?;
    if troubles.is_empty() { Ok(()) } else { Err(Failure::work(troubles.join("; "))) }
}

/// What did not work in one account's pass.
fn troubles(engine: &Engine, now: Timestamp) -> Vec<String> {
    let view = engine.account_view(now);
    let unlisted = (view.listing != Some(PollOutcome::Complete)).then(|| {
        let why = view.error.unwrap_or_else(|| "no listing was made".to_owned());
        format!("account {} could not be listed: {why}", view.name)
    });
    let unfinished = engine.unfinished().map(|row| format!("session {} on {}: {}", row.id, row.account, row.outcome));
    let unwritten =
        engine.unwritten().map(|id| format!("session {id} on {}: not asked for, because the books could not be written", engine.terms().account));
    unlisted.into_iter().chain(unfinished).chain(unwritten).collect()
}

/// What this pass did, by the providers' own word.
fn summary(engines: &[Engine]) -> String {
    let count = |number: fn(&Engine) -> usize| engines.iter().map(number).sum::<usize>();
    let unfinished = |engine: &Engine, stuck: bool| engine.unfinished().filter(|row| (row.outcome == Outcome::Stuck) == stuck).count();
    let stuck: usize = engines.iter().map(|engine| unfinished(engine, true)).sum();
    let failed = count(|engine| engine.tally().failed) + engines.iter().map(|engine| unfinished(engine, false)).sum::<usize>();
    let saved = engines.iter().fold(SignedDuration::ZERO, |sum, engine| sum.saturating_add(engine.tally().saved));
    let (released, already_ended) = (count(|engine| engine.tally().released), count(|engine| engine.tally().already_ended));
    format!("{released} released, {} saved; {already_ended} had ended already, {failed} failed, {stuck} stuck", human(saved))
}

pub(super) fn telemetry() -> Result<Arc<Telemetry>, Failure> {
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), env!("SESSION_REAPER_COMMIT"));
    Ok(Arc::new(Telemetry::new(metrics.map_err(|why| Failure::work(format!("metrics could not be set up: {why}")))?)))
}

/// What the operating system asks of us; a wish to end after a while where one is given, and one to reload whenever what is watched has changed.
pub(super) fn wishes(stop_after: Option<Duration>, watch: Option<watch::Shared>) -> Result<mpsc::Receiver<Signal>, Failure> {
    let mut signals = Signals::install().map_err(|why| Failure::work(format!("signals cannot be received: {why}")))?;
    let (wish, wishes) = mpsc::channel(1);
    if let Some(watch) = watch {
        tokio::spawn(watch::report(watch, wish.clone()));
    }
    tokio::spawn(async move {
        let mut over = Box::pin(tokio::time::sleep(stop_after.unwrap_or(Duration::MAX)));
        loop {
            let next = tokio::select! {
                signal = signals.next() => signal,
                () = over.as_mut() => Signal::Drain,
            };
            // Nobody listens any more once the daemon drains; a second signal exits by itself.
            if wish.send(next).await.is_err() || next == Signal::Drain {
                break std::future::pending::<()>().await;
            }
        }
    });
    Ok(wishes)
}
