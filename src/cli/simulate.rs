//! `session-reaper simulate`: the simulated providers alone, over HTTP, until told to stop.

use std::io::Write;
use std::net::SocketAddr;

use futures_util::StreamExt;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_tokio::Signals;

use crate::cli::{Failure, Globals};
use crate::clock::Clock;
use crate::domain::time::{SignedDuration, parse_duration};
use crate::simulator::{BROWSER_USE_KEY, BROWSERBASE_KEY, Running, SharedWorld, Simulator, World, WorldClock};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "To use a session: POST /v1/sessions/ID/simulate (or /api/vN/browsers/ID/simulate) with {\"act\": \"command\" | \"page\" | \"bytes\"}"
)]
pub struct Flags {
    /// Address to listen on, loopback only; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9754")]
    listen: SocketAddr,
    /// The same seed gives the same sessions
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many seconds pass in the simulated world per second
    #[arg(long, value_name = "X", default_value = "1", value_parser = speed)]
    speed: f64,
    /// Stop after this long [default: when told to]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    stop_after: Option<SignedDuration>,
}

/// A faster world would be over before a client had read its first listing.
const FASTEST: f64 = 10_000.0;

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed <= FASTEST => Ok(speed),
        _ => Err(format!("a number above 0 and up to {FASTEST} is expected")),
    }
}

pub fn run(flags: &Flags, _globals: &Globals) -> Result<(), Failure> {
    if !flags.listen.ip().is_loopback() {
        return Err(Failure::usage(format_args!(
            "--listen {}: the simulator's keys are known to everybody, so it listens on loopback only; use 127.0.0.1:{}",
            flags.listen,
            flags.listen.port()
        )));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::work(format_args!("the runtime could not be started: {why}")))?;
    runtime.block_on(serve(flags))
}

async fn serve(flags: &Flags) -> Result<(), Failure> {
    // Before the first line: whoever reads it may send a signal at once.
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|why| Failure::work(format_args!("signals cannot be received: {why}")))?;
    let clock = WorldClock::new(Clock::start(), flags.speed);
    let world = SharedWorld::new(World::new(flags.seed, clock.now()));
    let server = Simulator::serve(flags.listen, world, clock)
        .await
        .map_err(|why| Failure::work(format_args!("cannot listen on {}: {why}; choose another address with --listen", flags.listen)))?;
    announce(flags, &server).map_err(|why| Failure::work(format_args!("cannot write to standard output: {why}")))?;
    tokio::select! {
        _ = signals.next() => {}
        () = passed(flags.stop_after) => {}
    }
    server.stop().await;
    Ok(())
}

fn announce(flags: &Flags, server: &Running) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "simulate: Browserbase at {} with the key {BROWSERBASE_KEY}", server.base_url())?;
    writeln!(out, "simulate: Browser Use at {}/api/v2, /api/v3 and /api/v4 with the key {BROWSER_USE_KEY}", server.base_url())?;
    writeln!(out, "simulate: seed {}, speed {}; other keys that begin so start empty", flags.seed, flags.speed)?;
    out.flush()
}

async fn passed(duration: Option<SignedDuration>) {
    match duration.and_then(|duration| duration.try_into().ok()) {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
