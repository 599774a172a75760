//! `session-reaper demo`: the whole thing with nothing to set up, against simulated providers over real HTTP.

mod narrate;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;

use crate::cli::table::say;
use crate::cli::{Failure, Globals, run, runtime};
use crate::clock::Clock;
use crate::config::{self, Credentials, Source};
use crate::daemon::crew::Setup;
use crate::daemon::{self, Standing};
use crate::domain::time::{SignedDuration, human, parse_duration};
use crate::simulator::{BROWSER_USE_KEY, BROWSERBASE_KEY, Population, Running, Settings, SharedWorld, Simulator, World, WorldClock};

#[derive(Debug, clap::Args)]
pub struct Flags {
    /// Address of the page, the metrics and the API, loopback only; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The same seed gives the same sessions
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Stop by itself after this long
    #[arg(long = "for", value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    stop_after: SignedDuration,
}

/// What the demonstration runs on; an ordinary configuration file.
const CONFIGURATION: &str = include_str!("demo/demo.toml");

pub fn run(flags: &Flags, _globals: &Globals) -> Result<(), Failure> {
    if !flags.listen.ip().is_loopback() {
        return Err(Failure::usage(format!("--listen {}: the demonstration has no token, so it listens on loopback only", flags.listen)));
    }
    runtime::block_on(demonstrate(flags))
}

async fn demonstrate(flags: &Flags) -> Result<(), Failure> {
    let wishes = run::wishes(Some(Duration::try_from(flags.stop_after).unwrap_or_default()), None)?;
    let clock = Clock::start();
    let simulator = simulate(flags.seed, clock).await?;
    let setup = setup(flags.listen, &simulator)?;
    let standing = Standing::open(&setup, run::telemetry()?, None).await.map_err(run::unopened)?;
    introduce(&setup, &standing, flags)?;
    let began = clock.now();
    let reader = standing.ledger.reader();
    let narrator = tokio::spawn(narrate::narrate(reader, clock));
    let no_file = Box::new(|| Err("the demonstration has no configuration file".to_owned()));
    daemon::run(standing, setup, no_file, wishes).await.map_err(Failure::work)?;
    simulator.stop().await;
    narrator.abort();
    say("")?;
    say(format!("That was {}. The README's next step sets it up for a real account, in observe mode.", human(clock.now().duration_since(began))))
}

async fn simulate(seed: u64, clock: Clock) -> Result<Running, Failure> {
    let settings = Settings { population: Population::brisk(), ..Settings::seeded(seed) };
    let world = SharedWorld::new(World::with(settings, clock.now()));
    let listening = Simulator::serve((Ipv4Addr::LOCALHOST, 0).into(), world, WorldClock::new(clock, 1.0)).await;
    listening.map_err(|why| Failure::work(format!("the simulated providers cannot listen: {why}")))
}

fn setup(listen: SocketAddr, simulator: &Running) -> Result<Setup, Failure> {
    let source = Source { text: Some(CONFIGURATION.to_owned()), credentials: Credentials::Skip, ..Source::default() };
    let mut config = config::load(&source).map_err(Failure::work)?.config;
    config.server.listen = listen;
    let mut keys = std::collections::BTreeMap::new();
    for account in &mut config.accounts {
        let (path, key) = match account.api_version {
            None => (String::new(), BROWSERBASE_KEY),
            Some(version) => (format!("/api/{version}"), BROWSER_USE_KEY),
        };
        account.base_url = simulator.base_url() + &path;
        keys.insert(account.name.clone(), SecretString::from(key));
    }
    Ok(Setup { config, keys, secrets: std::collections::BTreeMap::new() })
}

fn introduce(setup: &Setup, standing: &Standing, flags: &Flags) -> Result<(), Failure> {
    let address = standing.bound.as_ref().map(|bound| bound.addr().to_string()).unwrap_or_default();
    say("Simulated accounts in which clients crash and keep-alive sessions are forgotten, and the real daemon, enforcing, over HTTP:")?;
    let accounts: Vec<String> = setup.config.accounts.iter().map(|account| format!("{} ({})", account.name, account.provider)).collect();
    say(format!("  accounts   {}", accounts.join(", ")))?;
    let policies: Vec<&str> = setup.config.policies.iter().map(|policy| policy.name.as_str()).collect();
    say(format!("  policies   {} (the first that fits governs)", policies.join(", ")))?;
    say(format!("  page       http://{address}/"))?;
    say(format!("  metrics    http://{address}/metrics"))?;
    say(format!("  as JSON    http://{address}/api/v1/sessions, http://{address}/api/v1/releases"))?;
    say(format!("It ends by itself after {}, or with Ctrl-C.", human(flags.stop_after)))?;
    say("")
}
