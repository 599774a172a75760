//! Policies and a session, drawn from an input's bytes.

use std::collections::BTreeMap;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde_json::Value;
use session_reaper::domain::activity::{Activity, Finding, Heard, Question, Said, Sign, Testimony};
use session_reaper::domain::name::{Kind, PolicyName, Provider};
use session_reaper::domain::session::{Metadata, Parts, Phase, Session, Status};
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::policy::budget::{Budget, Every};
use session_reaper::policy::crowd::{Crowds, Order};
use session_reaper::policy::idle::{Idle, WithoutEvidence};
use session_reaper::policy::max_age::MaxAge;
use session_reaper::policy::max_running::MaxRunning;
use session_reaper::policy::per::{Group, Per};
use session_reaper::policy::selector::{Match, Matcher, Selector};
use session_reaper::policy::window::Window;
use session_reaper::policy::{Limits, Policy, Rule};

use super::super::cut::Cut;
use super::super::dealt::noon;
use super::{Case, FAR};

const WORDS: [&str; 8] = ["env", "team", "ttl", "env.team", "ci", "5h", "5", "true"];
const REGIONS: [&str; 2] = ["us-west-2", "eu-central-1"];
const ACCOUNTS: [&str; 2] = ["growth", "research"];
/// With clocks that are changed by an hour, by half of one, and never, and one that skipped a day.
const ZONES: [&str; 6] = ["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"];
/// A match within a match within a match.
const DEEPEST: u8 = 3;

pub(super) fn case(cut: &mut Cut<'_>) -> Case {
    let policies = (0..1 + cut.below(4)).map(|at| policy(cut, PolicyName::from(format!("p{at}")))).collect();
    let (account, provider) = (cut.of(&ACCOUNTS).into(), cut.of(&[Provider::Browserbase, Provider::BrowserUse]));
    let now = instant(cut);
    let (crowds, activity) = (crowds(cut), activity(cut));
    Case { policies, account, provider, now, crowds, activity, session: session(cut) }
}

fn policy(cut: &mut Cut<'_>, name: PolicyName) -> Policy {
    let selector = if cut.flag() { Selector::Match(a_match(cut, DEEPEST)) } else { Selector::All };
    let rule = if cut.below(4) == 1 { Rule::Protect } else { Rule::Limits(limits(cut)) };
    Policy { name, selector, rule, shadow: cut.below(4) == 1 }
}

fn limits(cut: &mut Cut<'_>) -> Limits {
    Limits {
        max_age: cut.maybe(|cut| MaxAge { limit: length(cut), tag: cut.maybe(word), ceiling: cut.maybe(length) }),
        idle: cut.maybe(|cut| Idle { limit: length(cut), without_evidence: cut.of(&[WithoutEvidence::Keep, WithoutEvidence::Release]) }),
        max_running: cut.maybe(|cut| MaxRunning { count: 1 + u32::from(cut.byte()), per: cut.maybe(per), release: order(cut) }),
        budget: cut.maybe(|cut| Budget {
            allowed: length(cut),
            per: cut.maybe(per),
            every: cut.of(&[Every::Day, Every::Week, Every::Month]),
            time_zone: zone(cut),
            release: order(cut),
        }),
        warn_before: None,
    }
}

fn order(cut: &mut Cut<'_>) -> Order {
    cut.of(&[Order::Oldest, Order::Idlest])
}

fn per(cut: &mut Cut<'_>) -> Per {
    match cut.below(5) {
        0 => Per::Provider,
        1 => Per::Kind,
        2 => Per::Region,
        3 => Per::KeepAlive,
        _ => Per::Metadata(word(cut)),
    }
}

fn a_match(cut: &mut Cut<'_>, depth: u8) -> Match {
    Match {
        accounts: cut.maybe(|cut| vec![cut.of(&ACCOUNTS).into()]),
        providers: cut.maybe(|cut| vec![cut.of(&[Provider::Browserbase, Provider::BrowserUse])]),
        kinds: cut.maybe(|cut| vec![cut.of(Kind::ALL)]),
        regions: cut.maybe(|cut| vec![cut.of(&REGIONS).into()]),
        keep_alive: cut.maybe(Cut::flag),
        window: cut.maybe(window),
        metadata: cut.some(3, |cut| (word(cut), matcher(cut, DEEPEST))).into_iter().collect::<BTreeMap<_, _>>(),
        not: if depth > 0 { cut.maybe(|cut| Box::new(a_match(cut, depth - 1))) } else { None },
        any: if depth > 0 { cut.some(2, |cut| a_match(cut, depth - 1)) } else { Vec::new() },
    }
}

fn matcher(cut: &mut Cut<'_>, depth: u8) -> Matcher {
    match cut.below(if depth > 0 { 7 } else { 5 }) {
        0 => Matcher::Equals(word(cut).into()),
        1 => Matcher::Equals(scalar(cut)),
        2 => Matcher::Exists(cut.flag()),
        3 => glob(&cut.text()),
        4 => regex(&cut.text()),
        5 => Matcher::Not(Box::new(matcher(cut, depth - 1))),
        _ => Matcher::AnyOf(cut.some(3, |cut| matcher(cut, depth - 1))),
    }
}

fn scalar(cut: &mut Cut<'_>) -> Value {
    match cut.below(3) {
        0 => cut.number().into(),
        1 => cut.flag().into(),
        _ => f64::from_bits(cut.number().cast_unsigned()).into(),
    }
}

/// A pattern that is none is taken by its letters.
fn glob(pattern: &str) -> Matcher {
    globset::Glob::new(pattern).map_or_else(|_| Matcher::Equals(pattern.into()), |glob| Matcher::Glob(glob.compile_matcher()))
}

fn regex(pattern: &str) -> Matcher {
    let built = regex::RegexBuilder::new(pattern).size_limit(1 << 14).build();
    built.map_or_else(|_| Matcher::Equals(pattern.into()), Matcher::Regex)
}

fn window(cut: &mut Cut<'_>) -> Window {
    let days = 1 + cut.below(127);
    Window { days: std::array::from_fn(|day| days >> day & 1 == 1), from: time(cut), to: cut.maybe(time), time_zone: zone(cut) }
}

fn time(cut: &mut Cut<'_>) -> Time {
    let minute = cut.below(24 * 4) * 15;
    Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).expect("a time of day")
}

fn zone(cut: &mut Cut<'_>) -> TimeZone {
    TimeZone::get(cut.of(&ZONES)).expect("a zone that is built in")
}

/// A word that keys and values have in common, or any.
fn word(cut: &mut Cut<'_>) -> String {
    match cut.below(WORDS.len() + 1) {
        0 => cut.text(),
        at => WORDS[at - 1].to_owned(),
    }
}

/// Mostly near the noon of the fixtures, where limits matter; else anywhere.
fn instant(cut: &mut Cut<'_>) -> Timestamp {
    if cut.below(8) == 7 {
        return Timestamp::from_second(cut.number() % FAR).expect("an instant");
    }
    let quarters = i64::from(cut.byte()) - 128;
    later(noon(), SignedDuration::from_mins(15 * quarters) + SignedDuration::from_nanos(cut.of(&[0, 1, -1])))
}

/// From a second to ten years.
fn length(cut: &mut Cut<'_>) -> SignedDuration {
    match cut.below(8) {
        7 => SignedDuration::from_secs(1 + cut.number().rem_euclid(10 * 365 * 86_400)),
        _ => SignedDuration::from_mins(15 * (1 + i64::from(cut.byte()))),
    }
}

fn crowds(cut: &mut Cut<'_>) -> Crowds {
    let name = |cut: &mut Cut<'_>| PolicyName::from(format!("p{}", cut.below(4)));
    Crowds {
        over: cut.some(2, |cut| ((name(cut), "s-1".into()), instant(cut))).into_iter().collect(),
        spent: cut.some(2, |cut| ((name(cut), Group(cut.maybe(word).map(Into::into))), instant(cut))).into_iter().collect(),
    }
}

fn activity(cut: &mut Cut<'_>) -> Activity {
    Activity {
        first_seen: cut.maybe(instant),
        sightings: cut.of(&[0, 1, 2]),
        last_active: cut.maybe(instant),
        proxy_bytes: None,
        pages: None,
        heard: cut.maybe(|cut| Heard {
            asked_at: instant(cut),
            finding: cut.of(Finding::ALL),
            failures: u32::from(cut.byte()),
            testimonies: vec![Testimony { asked: cut.of(Question::ALL), said: Said::Nothing { why: "its log is empty".to_owned() } }],
        }),
    }
}

fn session(cut: &mut Cut<'_>) -> Session {
    let phases = [Phase::Running, Phase::Running, Phase::Running, Phase::Pending, Phase::Unknown, Phase::Completed, Phase::Errored, Phase::TimedOut];
    Session {
        id: "s-1".into(),
        kind: cut.of(Kind::ALL),
        status: Status::new("as it is", cut.of(&phases)),
        created_at: instant(cut),
        started_at: cut.maybe(instant),
        expires_at: cut.maybe(instant),
        ended_at: None,
        region: cut.maybe(|cut| cut.of(&REGIONS).into()),
        keep_alive: cut.maybe(Cut::flag),
        keep_alive_unlearnt: cut.below(8) == 1,
        project: None,
        proxy_bytes: None,
        sign: Sign::Nothing,
        metadata: metadata(cut),
        parts: Parts::default(),
    }
}

/// What is left of the input, as JSON; of another shape than an object too.
fn metadata(cut: &mut Cut<'_>) -> Metadata {
    match cut.below(8) {
        6 => Metadata::Unlearnt { why: "not asked for" },
        7 => Metadata::NotKept,
        _ => Metadata::from_json(serde_json::from_slice(cut.0).unwrap_or_default()),
    }
}
