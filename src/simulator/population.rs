//! How sessions come to be in the live world: seeded births, and what becomes of each.

use std::ops::Range;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::agent::{NewAgent, NewTask};
use super::life::{Cause, NewSession};
use crate::domain::session::scalar_text;
use crate::domain::time::SignedDuration;

/// How many sessions are born, how, and what becomes of them. Durations are of the world's time.
#[derive(Clone, Debug, PartialEq)]
pub struct Population {
    /// Mean time between two births.
    pub every: SignedDuration,
    /// How long births have been going on when the world opens.
    pub warm_up: SignedDuration,
    /// How many forgotten sessions are there from the start, and how old they are.
    pub already_leaked: u32,
    pub leaked_age: Range<SignedDuration>,
    /// How long a session is worked.
    pub worked_for: Range<SignedDuration>,
    /// From creation to the hard end.
    pub timeout: Range<SignedDuration>,
    /// What the `ttl` tags say; one that is no duration belongs among them.
    pub ttls: &'static [&'static str],
}

impl Population {
    /// A team account as it is: a birth every 20 s, most of them worked for some minutes, some forgotten for hours.
    pub fn steady() -> Self {
        Self {
            every: SignedDuration::from_secs(20),
            warm_up: SignedDuration::from_mins(20),
            already_leaked: 8,
            leaked_age: SignedDuration::from_mins(5)..SignedDuration::from_mins(50),
            worked_for: SignedDuration::from_secs(30)..SignedDuration::from_mins(15),
            timeout: SignedDuration::from_hours(1)..SignedDuration::from_hours(6),
            ttls: &["30m", "2h", "5h", "soon"],
        }
    }

    /// The same in short, for a demonstration: a birth every second, worked for some seconds, and a few leaked when it opens.
    pub fn brisk() -> Self {
        Self {
            every: SignedDuration::from_secs(1),
            warm_up: SignedDuration::from_secs(15),
            already_leaked: 6,
            leaked_age: SignedDuration::from_secs(5)..SignedDuration::from_secs(40),
            worked_for: SignedDuration::from_secs(3)..SignedDuration::from_secs(20),
            ttls: &["12s", "25s", "45s", "soon"],
            ..Self::steady()
        }
    }

    /// From one birth to the next.
    pub(super) fn gap(&self, rng: &mut Rng) -> SignedDuration {
        within(rng, &(self.every / 2..self.every * 3 / 2)).max(SignedDuration::from_millis(1))
    }

    /// Somebody's new session.
    pub(super) fn birth(&self, rng: &mut Rng) -> NewSession {
        let behaviour = Behaviour::draw(rng);
        let team = &TEAMS[rng.usize(..TEAMS.len())];
        let worked = within(rng, &self.worked_for);
        let timeout = within(rng, &self.timeout);
        NewSession {
            metadata: team.tags(rng, self.ttls),
            keep_alive: behaviour != Behaviour::Worked || rng.u8(..4) == 0,
            region: REGIONS[rng.usize(..REGIONS.len())].into(),
            timeout,
            pending_for: SignedDuration::from_millis(rng.i64(100..1_500)),
            bytes_per_second: rng.u64(2_000..200_000),
            worked_for: if behaviour == Behaviour::Busy { timeout } else { worked },
            logs: rng.u8(..5) > 0,
            fate: behaviour.fate(worked),
            ..NewSession::default()
        }
    }

    /// A session that was forgotten before the world opened, and whose work is over.
    pub(super) fn leaked(&self, rng: &mut Rng) -> NewSession {
        let age = within(rng, &self.leaked_age);
        let worked_for = within(rng, &self.worked_for).min(age / 2);
        NewSession { age, keep_alive: true, fate: None, worked_for, ..self.birth(rng) }
    }
}

/// Browser Use ends whatever has gone on for this long.
const LONGEST_AT_BROWSER_USE: SignedDuration = SignedDuration::from_hours(4);

/// What comes into the live world of Browser Use.
pub(super) enum Birth {
    Browser(Box<NewSession>),
    Agent(Box<NewAgent>),
}

impl Birth {
    /// Most are agent sessions with a browser, some are browsers that somebody drives without an agent, a few are agents without a browser, or leave theirs
    /// behind.
    pub(super) fn at_browser_use(new: NewSession, rng: &mut Rng) -> Self {
        let tags = labels(new.metadata.as_ref());
        let timeout = new.timeout.min(LONGEST_AT_BROWSER_USE);
        let new = NewSession { pending_for: SignedDuration::ZERO, metadata: None, timeout, ..new };
        let draw = rng.u8(..10);
        if draw < 4 {
            return Self::Browser(Box::new(NewSession { metadata: Some(Value::Object(tags)), ..new }));
        }
        let task = NewTask { metadata: tags, takes: Some(new.worked_for) };
        let (age, keep_alive) = (new.age, new.keep_alive);
        let left_browser_after = (draw == 8).then_some(new.worked_for);
        // Nobody's agent session is kept for ever.
        let fate = new.fate.or(Some((LONGEST_AT_BROWSER_USE, Cause::TimedOut)));
        let browser = (draw < 9).then_some(new);
        Self::Agent(Box::new(NewAgent { browser, tasks: vec![task], keep_alive, age, fate, left_browser_after, ..NewAgent::default() }))
    }
}

/// Tags as Browser Use keeps them: texts under plain keys.
fn labels(tags: Option<&Value>) -> Map<String, Value> {
    let mut flat = Map::new();
    for (key, value) in tags.and_then(Value::as_object).into_iter().flatten() {
        match value {
            Value::Object(inner) => flat.extend(inner.iter().map(|(below, value)| (format!("{key}.{below}"), text(value)))),
            value => _ = flat.insert(key.clone(), text(value)),
        }
    }
    flat
}

fn text(value: &Value) -> Value {
    scalar_text(value).map_or_else(|| value.to_string(), std::borrow::Cow::into_owned).into()
}

/// What becomes of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    /// Worked, then closed by its client.
    Worked,
    /// Worked, then left behind alive until its hard end.
    Forgotten,
    /// Its browser dies under the work.
    Crashed,
    /// Worked until its hard end.
    Busy,
}

impl Behaviour {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(..20) {
            0..10 => Self::Worked,
            10..17 => Self::Forgotten,
            17..19 => Self::Crashed,
            _ => Self::Busy,
        }
    }

    fn fate(self, worked: SignedDuration) -> Option<(SignedDuration, Cause)> {
        match self {
            Self::Worked => Some((worked, Cause::Closed)),
            Self::Crashed => Some((worked / 2, Cause::Crashed)),
            Self::Forgotten | Self::Busy => None,
        }
    }
}

const REGIONS: [&str; 4] = ["us-west-2", "us-east-1", "eu-central-1", "ap-southeast-1"];

/// Somebody who creates sessions, with their habit of tagging.
enum Team {
    /// Tags team, environment and branch: a build.
    Ci(&'static str),
    /// Tags team, environment and ticket, and often how long it may live.
    Ticketed(&'static str),
    /// Tags what customers depend on.
    Production(&'static str),
    /// Tags in a nested object, as some tools do.
    Nested(&'static str),
    /// Tags nothing but what its tool stamps, or nothing at all.
    Careless,
}

const TEAMS: [Team; 8] = [
    Team::Ci("growth"),
    Team::Ci("growth"),
    Team::Ci("checkout"),
    Team::Ticketed("research"),
    Team::Ticketed("ml"),
    Team::Production("checkout"),
    Team::Nested("platform"),
    Team::Careless,
];

impl Team {
    fn tags(&self, rng: &mut Rng, ttls: &[&str]) -> Option<Value> {
        let number = rng.u32(100..1_000);
        match self {
            Self::Ci(team) => Some(json!({ "team": team, "env": "ci", "branch": format!("feature/{number}"), "attempt": rng.u8(1..4) })),
            Self::Ticketed(team) => {
                let mut tags = json!({ "team": team, "env": "dev", "ticket": format!("{}-{number}", team.to_uppercase()) });
                if let Some(ttl) = rng.choice(ttls).filter(|_| rng.bool()) {
                    tags["ttl"] = json!(ttl);
                }
                Some(tags)
            }
            Self::Production(team) => Some(json!({ "team": team, "env": "production", "service": "price-watch" })),
            Self::Nested(team) => Some(json!({ "owner": { "team": team, "oncall": rng.bool() }, "env": "staging" })),
            Self::Careless => rng.bool().then(|| json!({ "stagehand": "true" })),
        }
    }
}

/// A whole number of milliseconds within the range.
pub(super) fn within(rng: &mut Rng, range: &Range<SignedDuration>) -> SignedDuration {
    let (low, high) = (range.start.as_millis() as i64, range.end.as_millis() as i64);
    SignedDuration::from_millis(if low < high { rng.i64(low..high) } else { low })
}
