//! What a seed makes: a configuration, the sessions of a day, and what goes wrong in it.

use std::fmt::Write;

use fastrand::Rng;
use serde_json::{Value, json};
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::ApiVersion;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::activity::Act as Deed;
use session_reaper::simulator::{BadRow, Cause, Fault, NewAgent, NewSession, NewTask, Target};

use crate::scenarios::terms;
use crate::stage::sabotage::Sabotage;
use crate::stage::{Act, CrashPoint, Lasts, Newcomer};

/// Up to now things go wrong.
pub(super) const TROUBLE: SignedDuration = SignedDuration::from_hours(21);
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// One day, or some, of one key.
#[derive(Clone, Debug)]
pub(super) struct Storm {
    pub seed: u64,
    pub version: Option<ApiVersion>,
    pub skew: SignedDuration,
    /// The configuration at the start, and after the trouble: the same policies, and guardrails that hold nothing back for long.
    pub config: String,
    pub calm: String,
    pub daemons: usize,
    pub days: i32,
    pub newcomers: Vec<(SignedDuration, String, Newcomer)>,
    pub mishaps: Vec<(SignedDuration, usize, Act)>,
    /// Whose release always fails.
    pub poisoned: Option<String>,
    pub sabotage: Sabotage,
}

impl Storm {
    pub(super) fn of(seed: u64) -> Self {
        Self::lasting(seed, 1, 1)
    }

    pub(super) fn lasting(seed: u64, days: i32, daemons: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let version = match rng.u8(..8) {
            0 => Some(ApiVersion::V2),
            1 => Some(ApiVersion::V3),
            2 => Some(ApiVersion::V4),
            _ => None,
        };
        let skew = SignedDuration::from_secs(*rng.choice(&[0, 0, 0, 40, -40, 3_600, -3_600]).unwrap_or(&0));
        let policies = policies(&mut rng, version.is_some());
        let config = format!("{}{}{policies}", top(&mut rng), guardrails(&mut rng));
        let calm = format!("poll_interval = \"2m\"\n[guardrails]\nmax_release_fraction = 1.0\nmax_releases_per_poll = 1000\n{policies}");
        let length = DAY * days;
        let newcomers = newcomers(&mut rng, version, length);
        let mut storm =
            Self { seed, version, skew, config, calm, daemons, days, newcomers, mishaps: Vec::new(), poisoned: None, sabotage: Sabotage::Nothing };
        for _ in 0..rng.usize(8..40) * days.unsigned_abs() as usize {
            storm.mishap(&mut rng, &policies);
        }
        let trouble = storm.trouble();
        storm.poisoned = if rng.u8(..4) == 0 { storm.somebody(&mut rng, trouble) } else { None };
        storm
    }

    /// When the last trouble ends.
    pub(super) fn trouble(&self) -> SignedDuration {
        DAY * (self.days - 1) + TROUBLE
    }

    /// Nothing happens to a session that is not there.
    pub(super) fn is_possible(&self) -> bool {
        let there = |name: &String| self.newcomers.iter().any(|(_, known, _)| known == name);
        let named = self.mishaps.iter().all(|(_, _, act)| match act {
            Act::Hold { name, .. } | Act::Haunt { name, .. } | Act::OwnerEnds { name } | Act::SomebodyReleases { name } => there(name),
            Act::Break { on, .. } => on.as_ref().is_none_or(there),
            _ => true,
        });
        named && self.poisoned.as_ref().is_none_or(there)
    }

    fn mishap(&mut self, rng: &mut Rng, policies: &str) {
        let (at, node) = (within(rng, self.trouble()), rng.usize(..self.daemons));
        let act = match rng.u8(..30) {
            0..13 => return self.mishaps.push((at, node, self.fault(rng, at))),
            13 | 14 => Act::Kill {
                down: SignedDuration::from_secs(rng.i64(1..3_600)),
                clock_set: SignedDuration::from_secs(*rng.choice(&[0, 0, 0, 5, -5, 600, -600]).unwrap_or(&0)),
            },
            15..19 => Act::KillIn { steps: rng.u32(1..80) },
            19 => Act::Crash(if rng.bool() { CrashPoint::BeforeCall } else { CrashPoint::AfterCall }),
            20 | 21 => Act::BooksRefuse { length: within(rng, minutes(30)) },
            22 => Act::SlowDisk { latency: SignedDuration::from_millis(rng.i64(0..2_000)) },
            23 => {
                self.mishaps.push((at + within(rng, minutes(90)), node, Act::Resume));
                Act::Pause { reason: "incident".to_owned() }
            }
            24 => Act::Resume,
            25 | 26 => {
                let config = format!("{}{}{policies}", top(rng), guardrails(rng));
                Act::Reload(Box::new(terms(&config, self.version).expect("a configuration")))
            }
            _ => match self.somebody(rng, at) {
                None => return,
                Some(name) => match rng.u8(..4) {
                    0 => Act::Hold { name, length: within(rng, minutes(240)), reason: "debugging".to_owned() },
                    1 if self.version.is_none() => Act::Haunt { name, length: within(rng, minutes(30)) },
                    2 => Act::OwnerEnds { name },
                    _ => Act::SomebodyReleases { name },
                },
            },
        };
        self.mishaps.push((at, node, act));
    }

    /// A session that was created before this instant.
    fn somebody(&self, rng: &mut Rng, at: SignedDuration) -> Option<String> {
        let there: Vec<&String> = self.newcomers.iter().filter(|(created, ..)| *created < at).map(|(_, name, _)| name).collect();
        rng.choice(there).cloned()
    }

    fn fault(&self, rng: &mut Rng, at: SignedDuration) -> Act {
        let operation =
            *rng.choice(&[Operation::List, Operation::List, Operation::Read, Operation::Release, Operation::Evidence]).unwrap_or(&Operation::List);
        let fault = fault(rng, operation);
        let forever = minutes(if rng.u8(..6) == 0 { 180 } else { 20 });
        let lasts = if rng.bool() { Lasts::For(within(rng, forever)) } else { Lasts::Times(rng.u32(1..6)) };
        // A `Date` that is ahead is not believed from one answer; what every answer says is the provider's time.
        let lasts = if matches!(fault, Fault::DateOff(_)) { Lasts::Times(1) } else { lasts };
        let on = (operation != Operation::List && rng.u8(..3) == 0).then(|| self.somebody(rng, at)).flatten();
        let inventory = self.version.is_some().then(|| rng.choice(["browsers", "sessions", "tasks", "runs"])).flatten().filter(|_| rng.bool());
        let target = inventory.map_or(Target::from(operation), |inventory| Target::from(operation).status(inventory));
        Act::Break { target, on, fault, lasts }
    }
}

/// An empty list is a lie that only a listing can tell, a release that never ends one that only a release can.
fn fault(rng: &mut Rng, operation: Operation) -> Fault {
    let listing = operation == Operation::List;
    match rng.u8(..24) {
        0 => Fault::status(500, "arranged"),
        1 => Fault::status(503, "arranged"),
        2 => Fault::status(401, "arranged"),
        3 => Fault::status(403, "arranged"),
        4 => Fault::status(404, "Route not found"),
        5 => Fault::status(409, "arranged"),
        6 => Fault::status(422, "arranged"),
        7 | 8 => Fault::throttled(rng.u32(1..600)),
        9 => Fault::status(429, "arranged"),
        10 => Fault::Hang,
        11 => Fault::Reset,
        12 => Fault::TruncatedJson,
        13 => Fault::Html,
        14 => Fault::Redirect { location: "http://127.0.0.1/".to_owned() },
        15 => Fault::Slow(SignedDuration::from_millis(rng.i64(100..9_900))),
        16 if !listing => Fault::HugeBody(1_100_000),
        17 | 16 if listing => Fault::EmptyList,
        18 if listing => Fault::DuplicateRows,
        19 if listing => Fault::BadRow(*rng.choice(&[BadRow::NoId, BadRow::WrongTypes, BadRow::UnknownStatus]).unwrap_or(&BadRow::NoId)),
        20 if listing => Fault::WrongTotal(rng.i64(-3..4)),
        21 => Fault::DateOff(SignedDuration::from_secs(*rng.choice(&[30, -30, 7_200, -7_200]).unwrap_or(&30))),
        _ if operation == Operation::Release => {
            if rng.bool() {
                Fault::AppliedUnanswered
            } else {
                Fault::NeverEnding
            }
        }
        _ => Fault::status(502, "arranged"),
    }
}

fn top(rng: &mut Rng) -> String {
    let poll = *rng.choice(&["2m", "5m", "10m"]).unwrap_or(&"2m");
    let mode = if rng.u8(..12) == 0 { "mode = \"observe\"\n" } else { "" };
    format!("{mode}poll_interval = \"{poll}\"\nrequests_per_second = {}\n", rng.choice([1, 2, 5, 20]).unwrap_or(5))
}

fn guardrails(rng: &mut Rng) -> String {
    let fraction = rng.choice(["0.2", "0.5", "0.8", "1.0"]).unwrap_or("1.0");
    let min_age = rng.choice(["0s", "60s", "8m"]).unwrap_or("60s");
    format!(
        "[guardrails]\nmax_releases_per_poll = {}\nmax_release_fraction = {fraction}\nmin_age = \"{min_age}\"\nconfirm_within = \"{}\"\n",
        rng.u32(1..30),
        rng.choice(["30s", "2m"]).unwrap_or("2m")
    )
}

/// At Browser Use ages alone: what its agents do is in no log that a story could compare with.
fn policies(rng: &mut Rng, by_age_alone: bool) -> String {
    let mut text = String::new();
    let mut add = |policy: String| writeln!(text, "[[policies]]\n{policy}").expect("a text takes all");
    let age = |rng: &mut Rng| rng.u32(6..240);
    if by_age_alone {
        add(format!("name = \"all\"\nmatch = \"all\"\nmax_age = \"{}m\"", age(rng)));
        return text;
    }
    if rng.bool() {
        add("name = \"trial\"\nmatch = \"all\"\nmax_age = \"5m\"\nidle = \"5m\"\nshadow = true".to_owned());
    }
    add("name = \"production\"\nmatch = { metadata = { env = \"production\" } }\nprotect = true".to_owned());
    if rng.bool() {
        let window = "window = { days = \"Mon-Sun\", from = \"22:00\", to = \"05:00\", time_zone = \"Europe/London\" }";
        add(format!("name = \"night\"\nmatch = {{ {window}, metadata = {{ team = \"c\" }} }}\nidle = \"{}m\"", rng.u32(2..30)));
    }
    let (ticket, ceiling) = (age(rng), rng.u32(240..400));
    add(format!(
        "name = \"ticketed\"\nmatch = {{ metadata = {{ ticket = {{ exists = true }} }} }}\nmax_age = \"{ticket}m\"\nmax_age_tag = \"ttl\"\nmax_age_ceiling = \"{ceiling}m\""
    ));
    let count = rng.u32(1..6);
    let crowd = ["", &format!("max_running = {{ count = {count}, per = \"metadata.team\", release = \"idlest\" }}\n")][rng.usize(..2)].to_owned();
    let budget = ["", "budget = { browser_hours = 6, per = \"metadata.team\", every = \"day\" }\n"][rng.usize(..2)].to_owned();
    let idle = if rng.bool() { format!("idle = \"{}m\"\n", rng.u32(3..60)) } else { String::new() };
    add(format!("name = \"teams\"\nmatch = {{ metadata = {{ team = [\"a\", \"b\"] }} }}\nmax_age = \"{}m\"\n{crowd}{budget}{idle}", age(rng)));
    add(format!("name = \"rest\"\nmatch = {{ not = {{ metadata = {{ owner = \"somebody else\" }} }} }}\nmax_age = \"{}m\"", age(rng)));
    text
}

fn newcomers(rng: &mut Rng, version: Option<ApiVersion>, length: SignedDuration) -> Vec<(SignedDuration, String, Newcomer)> {
    let crowd = if rng.u8(..5) == 0 { 40 } else { 8 };
    let count = rng.usize(20..80) * length.as_hours().unsigned_abs() as usize / 24;
    let one = |index: usize| {
        let at = if index < crowd { SignedDuration::ZERO } else { within(rng, length) };
        let name = format!("s{index}");
        (at, name, if version.is_some() { at_browser_use(rng) } else { session(rng).into() })
    };
    let mut all: Vec<_> = (0..count.max(crowd + 2)).map(one).collect();
    all.sort_by_key(|(at, ..)| *at);
    all
}

fn session(rng: &mut Rng) -> NewSession {
    let timeout = minutes(rng.i64(10..600));
    let worked = within(rng, timeout);
    let fate = match rng.u8(..5) {
        0 | 1 => Some((worked, Cause::Closed)),
        2 => Some((SignedDuration::from_millis(worked.as_millis() as i64 / 2), Cause::Crashed)),
        _ => None,
    };
    let acts = (0..rng.usize(..5)).map(|_| (within(rng, timeout), deed(rng))).collect();
    let slow = rng.u8(..12) == 0;
    NewSession {
        metadata: metadata(rng),
        keep_alive: rng.bool(),
        timeout,
        pending_for: SignedDuration::from_millis(rng.i64(0..90_000)),
        bytes_per_second: rng.u64(..3) * 1_000,
        worked_for: if rng.bool() { worked } else { SignedDuration::ZERO },
        acts,
        logs: rng.u8(..4) > 0,
        fate,
        release_latency: slow.then(|| SignedDuration::from_secs(rng.i64(2..400))),
        ..NewSession::default()
    }
}

fn deed(rng: &mut Rng) -> Deed {
    match rng.u8(..3) {
        0 => Deed::Command,
        1 => Deed::Page,
        _ => Deed::Bytes(rng.u64(1..100_000)),
    }
}

/// What people tag with, and what nobody should.
fn metadata(rng: &mut Rng) -> Option<Value> {
    let team = rng.choice(["a", "b", "c"]).unwrap_or("a");
    let ttl = rng.choice(["30m", "5h", "soon", "-1h", "9999999d", ""]).unwrap_or("30m");
    Some(match rng.u8(..14) {
        0 | 1 => json!({ "team": team, "env": "production" }),
        2 => json!({ "team": team, "ticket": "T-1", "ttl": ttl }),
        3 => json!({ "ticket": { "a": [1, null] }, "ttl": 7 }),
        4 => json!({ "owner": "somebody else" }),
        5 => json!({ "owner": { "team": team }, "env": ["production"] }),
        6 => Value::Null,
        7 => json!(["not", "an", "object"]),
        8 => json!({ "team": "x".repeat(300) }),
        9 => return None,
        _ => json!({ "team": team, "env": "ci" }),
    })
}

/// A browser alone, an agent alone, a pair, or a browser whose agent session is over.
fn at_browser_use(rng: &mut Rng) -> Newcomer {
    let browser = NewSession { timeout: minutes(rng.i64(10..240)), release_latency: None, ..NewSession::default() };
    let kind = rng.u8(..4);
    if kind == 0 {
        return browser.into();
    }
    let left_browser_after = (kind == 3).then_some(SignedDuration::from_secs(rng.i64(1..1_000)));
    let browser = (kind > 1).then_some(browser);
    let fate = Some((minutes(240), Cause::TimedOut));
    Newcomer::Agent(Box::new(NewAgent { browser, tasks: vec![NewTask::default()], left_browser_after, fate, ..NewAgent::default() }))
}

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

/// A whole number of milliseconds below this.
fn within(rng: &mut Rng, length: SignedDuration) -> SignedDuration {
    SignedDuration::from_millis(rng.i64(1..(length.as_millis() as i64).max(2)))
}
