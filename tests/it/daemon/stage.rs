//! A provider in this process and the program beside it, which knows nothing of the test.

mod activity;
mod agents;
mod api;
mod daemon;
mod hook;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use session_reaper::clock::Clock;
use session_reaper::domain::name::{ApiVersion, SessionId};
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::world::Request;
use session_reaper::simulator::{Cause, Extent, Fault, NewSession, Running, Settings, SharedWorld, Simulator, Target, Truth, World, WorldClock};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(super) use self::activity::left;
pub(super) use self::agents::linked;
pub(super) use self::api::Api;
pub(super) use self::daemon::Daemon;
pub(super) use self::hook::{Hook, Manner};
use crate::support::{Process, eventually, session_reaper};

/// The limit of the policy `ci`, which is the one that the usual script releases by.
pub(super) const MAX_AGE: SignedDuration = SignedDuration::from_mins(20);

/// A configuration, as far as tests differ in it. Accounts have keys of their own, in worlds that start empty.
pub(super) struct Script {
    pub(super) api: Api,
    pub(super) mode: &'static str,
    pub(super) poll_interval: &'static str,
    /// Further keys at the top.
    pub(super) top: &'static str,
    pub(super) accounts: &'static [&'static str],
    /// Instead of what the usual script has, which is every guardrail wide open.
    pub(super) guardrails: &'static [(&'static str, &'static str)],
    pub(super) policies: &'static str,
}

impl Default for Script {
    fn default() -> Self {
        Self { api: Api::Browserbase, mode: "enforce", poll_interval: "1s", top: "", accounts: &["growth"], guardrails: &[], policies: POLICIES }
    }
}

const POLICIES: &str = r#"
[[policies]]
name = "production"
match = { metadata = { env = "production" } }
protect = true

[[policies]]
name = "ci"
match = { metadata = { env = "ci" } }
max_age = "20m"
"#;

impl Script {
    fn text(&self, base_url: &str) -> String {
        let Self { mode, poll_interval, top, policies, .. } = self;
        let open = [("min_age", "\"0s\""), ("skip_expiring_within", "\"0s\""), ("max_releases_per_poll", "1000"), ("max_release_fraction", "1.0")];
        let guardrails: BTreeMap<&str, &str> = open.into_iter().chain(self.guardrails.iter().copied()).collect();
        let guardrails: String = guardrails.into_iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let (provider, base_url) = (self.api.provider(), self.api.address(base_url));
        let account = |name: &&str| {
            format!("[[accounts]]\nname = {name:?}\nprovider = {provider:?}\napi_key_env = {:?}\nbase_url = {base_url:?}\n", variable(name))
        };
        let accounts: String = self.accounts.iter().map(account).collect();
        format!(
            "mode = {mode:?}\npoll_interval = {poll_interval:?}\n{top}\n[server]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"books.db\"\n\
             [guardrails]\n{guardrails}{accounts}{policies}"
        )
    }
}

fn variable(account: &str) -> String {
    format!("KEY_OF_{}", account.to_uppercase())
}

/// The world, its server, and a folder with the program's configuration and books.
pub(super) struct Stage {
    pub(super) world: SharedWorld,
    pub(super) api: Api,
    clock: WorldClock,
    server: Running,
    // After what runs on it: dropping it ends that.
    _runtime: Runtime,
    folder: TempDir,
}

impl Stage {
    /// The usual script, over a world that ends sessions soon after it is asked to.
    pub(super) fn new() -> Self {
        Self::skewed(SignedDuration::ZERO)
    }

    pub(super) fn playing(script: &Script) -> Self {
        let mut stage = Self::new();
        stage.api = script.api;
        stage.write(script);
        stage
    }

    /// The usual script with an account of Browser Use.
    pub(super) fn of_browser_use(version: ApiVersion) -> Self {
        Self::playing(&Script { api: Api::BrowserUse(version), ..Script::default() })
    }

    /// A world whose clock is ahead of ours by this much.
    pub(super) fn skewed(skew: SignedDuration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let clock = WorldClock::new(Clock::start(), 1.0);
        let settings = Settings { release_latency: SignedDuration::from_millis(20)..SignedDuration::from_millis(400), skew, ..Settings::seeded(1) };
        let world = SharedWorld::new(World::with(settings, clock.now()));
        let server = runtime.block_on(Simulator::serve(([127, 0, 0, 1], 0).into(), world.clone(), clock)).expect("loopback has a free port");
        let stage = Self { world, api: Api::Browserbase, clock, server, _runtime: runtime, folder: tempfile::tempdir().expect("a folder") };
        stage.write(&Script::default());
        stage
    }

    pub(super) fn write(&self, script: &Script) {
        self.write_text(&script.text(&self.server.base_url()));
    }

    pub(super) fn write_text(&self, configuration: &str) {
        std::fs::write(self.path("session-reaper.toml"), configuration).expect("a writable folder");
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Ours; the world's is ahead by its skew.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The key of an account.
    pub(super) fn key(&self, account: &str) -> String {
        self.api.key(account)
    }

    pub(super) fn add_to(&self, account: &str, new: NewSession) -> SessionId {
        self.world.with(|world| world.create(&self.key(account), new, self.clock.now())).expect("the key is one of this world's")
    }

    pub(super) fn add(&self, new: NewSession) -> SessionId {
        self.add_to("growth", new)
    }

    /// A session of `ci` that falls due so many milliseconds from now.
    pub(super) fn due_in(&self, millis: i64) -> SessionId {
        self.add(ci(millis))
    }

    /// From now on, every request that fits goes wrong in this way.
    pub(super) fn inject(&self, target: impl Into<Target>, fault: Fault) {
        self.world.with(|world| world.inject(target, fault, Extent::Forever));
    }

    pub(super) fn clear_faults(&self) {
        self.world.with(World::clear_faults);
    }

    pub(super) fn journal(&self) -> Vec<Request> {
        self.world.with(|world| world.journal().to_vec())
    }

    /// Every release request that arrived, in order.
    pub(super) fn requested(&self) -> Vec<Request> {
        self.journal().into_iter().filter(|request| request.asked == Asked::Release).collect()
    }

    pub(super) fn requests_for(&self, id: &SessionId) -> Vec<Request> {
        self.requested().into_iter().filter(|request| request.session.as_ref() == Some(id)).collect()
    }

    /// What became of a session; of an agent session's browser, where it has one: that is what bills.
    pub(super) fn truth(&self, id: &SessionId) -> Truth {
        self.truths().remove(id).expect("it was created here")
    }

    /// The same of every session that there is.
    pub(super) fn truths(&self) -> BTreeMap<SessionId, Truth> {
        self.world.with(|world| {
            world.advance(self.clock.now());
            let owners: BTreeMap<SessionId, SessionId> = world.lives().filter_map(|life| Some((life.id.clone(), life.agent.clone()?))).collect();
            world.truth().into_iter().map(|truth| (owners.get(&truth.id).unwrap_or(&truth.id).clone(), truth)).collect()
        })
    }

    /// The instant of the world's clock at which a session of `ci` falls due.
    pub(super) fn deadline(&self, id: &SessionId) -> Timestamp {
        later(self.truth(id).started_at, MAX_AGE)
    }

    pub(super) fn has_ended(&self, id: &SessionId) -> bool {
        self.truth(id).end.is_some()
    }

    /// What releasing these saved in truth, in seconds.
    pub(super) fn saved(&self, ids: &[SessionId]) -> f64 {
        let truths = self.truths();
        ids.iter().map(|id| truths[id].saved().as_secs_f64()).sum()
    }

    /// The program with this stage's configuration and credentials.
    pub(super) fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = session_reaper(arguments);
        command.current_dir(self.folder.path()).env("SESSION_REAPER_CONFIG", self.path("session-reaper.toml"));
        for account in ["growth", "research"] {
            command.env(variable(account), self.key(account));
        }
        command
    }

    pub(super) fn output<const N: usize>(&self, arguments: [&str; N]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// What a command that works prints.
    pub(super) fn printed<const N: usize>(&self, arguments: [&str; N]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    pub(super) fn json<const N: usize>(&self, arguments: [&str; N]) -> Value {
        serde_json::from_str(&self.printed(arguments)).expect("JSON")
    }

    pub(super) fn daemon(&self) -> Daemon {
        self.daemon_with(self.command(["run"]))
    }

    pub(super) fn daemon_with(&self, command: Command) -> Daemon {
        Daemon::started(Process::start(command))
    }

    /// Starts a daemon that finds this due session ended when it asks for its release: held until then, and no poll between, if the script polls rarely.
    pub(super) fn ends_before_it_is_asked(&self, id: &SessionId) -> Daemon {
        self.printed(["hold", id.as_str(), "--for", "10m", "--reason", "until it has closed itself"]);
        let daemon = self.daemon();
        daemon.is_held(id, "operator");
        self.closes_at(id, self.world.with(|world| world.time(self.clock.now())));
        self.printed(["hold", "--lift", id.as_str()]);
        daemon
    }

    /// Somebody else ends it, or is going to, at this instant of the world's clock. At no whole second: such an end might have been a moment later.
    pub(super) fn closes_at(&self, id: &SessionId, at: Timestamp) {
        let odd = if at.subsec_millisecond() == 0 { later(at, SignedDuration::from_millis(1)) } else { at };
        self.world.with(|world| world.end(id, Cause::Closed, odd));
    }

    /// Waits until the provider has ended all of these.
    pub(super) fn all_end(&self, ids: &[SessionId]) {
        eventually("every one of them ends", || {
            let truths = self.truths();
            ids.iter().all(|id| truths[id].end.is_some()).then_some(())
        });
    }
}

impl Drop for Stage {
    /// Whatever a test is about: what a session leaves behind is its owner's, and a conversation has nothing that could be patched but its title.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let meddled: Vec<Request> =
                self.journal().into_iter().filter(|request| matches!(request.asked, Asked::Destroy | Asked::Rename | Asked::Garbled)).collect();
            assert!(meddled.is_empty(), "the provider was asked for what nobody may ask for: {meddled:?}");
        }
    }
}

/// A session of `ci` that falls due so many milliseconds from now, and would end by itself in forty minutes more.
pub(super) fn ci(millis: i64) -> NewSession {
    NewSession { metadata: Some(json!({ "env": "ci" })), age: MAX_AGE - SignedDuration::from_millis(millis), ..NewSession::default() }
}

/// Plays every case on a stage of its own, all at once: they wait most of their time. A failure is told under the name of its case.
pub(super) fn side_by_side<T: Send + std::fmt::Debug>(cases: impl IntoIterator<Item = T>, play: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            let play = &play;
            std::thread::Builder::new().name(format!("{case:?}")).spawn_scoped(scope, move || play(case)).expect("a thread");
        }
    });
}
