//! Overrun: from a session's deadline to the arrival of the request to release it, as the provider's journal has it, in whole milliseconds.
//!
//! `cargo bench --bench overrun` runs the program as it ships, with its ledger on disk, against the simulated provider over HTTP, beside a script of the
//! usual kind that lists every [`POLL`] and releases what is too old; then once more with many other sessions in each listing. Both know the sessions
//! from their first listing on. Ends with 1 where a request came early or not at all.

#![expect(clippy::print_stdout, reason = "what a benchmark is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use session_reaper::clock::Clock;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{SignedDuration, Timestamp, between, later};
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::{NewSession, Running, SharedWorld, Simulator, World, WorldClock};

const POLL: Duration = Duration::from_secs(20);
const LIMIT: SignedDuration = SignedDuration::from_mins(5);

const MEASURED: u32 = 150;
const SPREAD: SignedDuration = SignedDuration::from_secs(25);
/// From the beginning to the first deadline: whoever releases has started by then and made a listing.
const LEAD: SignedDuration = SignedDuration::from_secs(3);
const OTHERS: u32 = 2_000;

/// Past the last deadline by more than one of the script's rounds.
const PATIENCE: Duration = Duration::from_secs(50);

const DAEMON: &str = "bb_demo_daemon";
const CROWDED: &str = "bb_demo_crowded";
const SCRIPT: &str = "bb_demo_script";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            println!("overrun: {why}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn measure() -> Result<bool> {
    println!("{MEASURED} sessions fall due over {} s; listings every {} s\n", SPREAD.as_secs(), POLL.as_secs());
    println!("{:<40}{:>8}{:>8}{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}", "milliseconds", "count", "missing", "early", "min", "p50", "p99", "max", "mean");
    let provider = Provider::start().await?;
    let (by_daemon, by_script) = (provider.add_due(DAEMON), provider.add_due(SCRIPT));
    let daemon = Daemon::start(DAEMON, &provider)?;
    let script = tokio::spawn(poll(provider.server.base_url(), provider.clock));
    provider.released(&[(DAEMON, &by_daemon), (SCRIPT, &by_script)]).await;
    script.abort();
    drop(daemon);
    let (daemon, script) = (Overrun::of(&provider, DAEMON, &by_daemon), Overrun::of(&provider, SCRIPT, &by_script));
    daemon.print("session-reaper");
    script.print("a script that polls");

    let provider = Provider::start().await?;
    let in_crowd = provider.add_due(CROWDED);
    provider.add_others(CROWDED);
    let crowded = Daemon::start(CROWDED, &provider)?;
    provider.released(&[(CROWDED, &in_crowd)]).await;
    drop(crowded);
    let crowded = Overrun::of(&provider, CROWDED, &in_crowd);
    crowded.print(&format!("session-reaper, {OTHERS} others live"));

    println!("\nmean of the script / mean of session-reaper: {:.0}", script.mean() / daemon.mean());
    Ok([daemon, script, crowded].iter().all(Overrun::is_sound))
}

/// Each session's deadline.
type Deadlines = BTreeMap<SessionId, Timestamp>;

/// A served world without faults.
struct Provider {
    world: SharedWorld,
    clock: WorldClock,
    server: Running,
}

impl Provider {
    async fn start() -> Result<Self> {
        let clock = WorldClock::new(Clock::start(), 1.0);
        let world = SharedWorld::new(World::new(1, clock.now()));
        let server = Simulator::serve(([127, 0, 0, 1], 0).into(), world.clone(), clock).await?;
        Ok(Self { world, clock, server })
    }

    fn add_due(&self, key: &str) -> Deadlines {
        let now = self.clock.now();
        let lasts = |at: u32| LEAD + SPREAD * i32::try_from(at).unwrap_or(0) / i32::try_from(MEASURED).unwrap_or(1);
        let new = |at| NewSession { age: LIMIT - lasts(at), metadata: Some(json!({ "env": "ci" })), ..NewSession::default() };
        self.world.with(|world| {
            let ids: Vec<SessionId> = (0..MEASURED).filter_map(|at| world.create(key, new(at), now)).collect();
            let truth = world.truth().into_iter().filter(|truth| ids.contains(&truth.id));
            truth.map(|truth| (truth.id, later(truth.started_at, LIMIT))).collect()
        })
    }

    fn add_others(&self, key: &str) {
        let other = || NewSession { metadata: Some(json!({ "env": "production" })), ..NewSession::default() };
        self.world.with(|world| {
            for _ in 0..OTHERS {
                world.create(key, other(), self.clock.now());
            }
        });
    }

    /// When the first request to release each session arrived.
    fn arrivals(&self, key: &str) -> BTreeMap<SessionId, Timestamp> {
        self.world.with(|world| {
            let own = world.journal().iter().rev().filter(|request| request.asked == Asked::Release && request.key.as_deref() == Some(key));
            own.filter_map(|request| Some((request.session.clone()?, request.at))).collect()
        })
    }

    /// Waits until every session has been asked for, or for so long that one never will be.
    async fn released(&self, all: &[(&str, &Deadlines)]) {
        let done = || all.iter().all(|(key, deadlines)| self.arrivals(key).len() >= deadlines.len());
        let waiting = async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        // What is missing then is told with the figures.
        let _ = tokio::time::timeout(PATIENCE, waiting).await;
    }
}

/// The program, enforcing; killed when dropped.
struct Daemon {
    child: Child,
    _home: tempfile::TempDir,
}

impl Daemon {
    fn start(key: &str, provider: &Provider) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let file = home.path().join("session-reaper.toml");
        std::fs::write(&file, configuration(&provider.server.base_url()))?;
        let child = program(&file).env("OVERRUN_KEY", key).spawn()?;
        Ok(Self { child, _home: home })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nobody to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_session-reaper"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SESSION_REAPER")) {
        command.env_remove(name);
    }
    command.arg("--config").arg(file).args(["--log-level", "warn", "run"]).stdin(Stdio::null());
    command
}

fn configuration(base_url: &str) -> String {
    format!(
        r#"
        mode = "enforce"
        poll_interval = "{poll}s"
        [server]
        listen = "127.0.0.1:0"
        [[accounts]]
        name = "overrun"
        provider = "browserbase"
        api_key_env = "OVERRUN_KEY"
        base_url = "{base_url}"
        [[policies]]
        name = "production"
        match = {{ metadata = {{ env = "production" }} }}
        protect = true
        [[policies]]
        name = "ci"
        match = {{ metadata = {{ env = "ci" }} }}
        max_age = "{limit}s"
        [guardrails]
        max_releases_per_poll = 1000
        max_release_fraction = 1.0
        "#,
        poll = POLL.as_secs(),
        limit = LIMIT.as_secs(),
    )
}

/// What a cron job or a loop in a shell does.
async fn poll(base_url: String, clock: WorldClock) -> reqwest::Result<()> {
    // Where one is installed already it is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut rounds = tokio::time::interval(POLL);
    loop {
        rounds.tick().await;
        let rows: Vec<Value> = http.get(format!("{base_url}/v1/sessions?status=RUNNING")).header("x-bb-api-key", SCRIPT).send().await?.json().await?;
        for id in rows.iter().filter_map(|row| too_old(row, clock.now())) {
            let release = http.post(format!("{base_url}/v1/sessions/{id}")).json(&json!({ "status": "REQUEST_RELEASE" }));
            release.header("x-bb-api-key", SCRIPT).send().await?;
        }
    }
}

fn too_old(row: &Value, now: Timestamp) -> Option<&str> {
    let started_at: Timestamp = row["startedAt"].as_str()?.parse().ok()?;
    row["id"].as_str().filter(|_| between(started_at, now) >= LIMIT)
}

/// The overrun of each release in milliseconds, the smallest first, and how many sessions were never asked for.
struct Overrun {
    millis: Vec<i128>,
    missing: usize,
}

impl Overrun {
    fn of(provider: &Provider, key: &str, deadlines: &Deadlines) -> Self {
        let arrivals = provider.arrivals(key);
        let late = |(id, deadline): (&SessionId, &Timestamp)| Some(between(*deadline, *arrivals.get(id)?).as_millis());
        let mut millis: Vec<i128> = deadlines.iter().filter_map(late).collect();
        millis.sort_unstable();
        Self { missing: MEASURED as usize - millis.len(), millis }
    }

    fn early(&self) -> usize {
        self.millis.iter().filter(|millis| **millis < 0).count()
    }

    fn is_sound(&self) -> bool {
        self.missing == 0 && self.early() == 0
    }

    /// The smallest overrun that so many percent do not exceed.
    fn percentile(&self, percent: usize) -> i128 {
        let rank = (self.millis.len() * percent).div_ceil(100).max(1);
        self.millis.get(rank - 1).copied().unwrap_or_default()
    }

    fn mean(&self) -> f64 {
        self.millis.iter().sum::<i128>() as f64 / self.millis.len().max(1) as f64
    }

    fn print(&self, who: &str) {
        let (count, missing, early) = (self.millis.len(), self.missing, self.early());
        let [min, p50, p99, max] = [0, 50, 99, 100].map(|percent| self.percentile(percent));
        println!("{who:<40}{count:>8}{missing:>8}{early:>8}{min:>10}{p50:>10}{p99:>10}{max:>10}{:>10.1}", self.mean());
    }
}
