//! Why a session is what it is: what `explain` says of each policy and each limit.

use super::*;
use crate::domain::view::{Explanation, LimitCheck};
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::Order;
use crate::policy::idle::{Idle, WithoutEvidence};
use crate::policy::max_running::MaxRunning;
use crate::policy::per::Per;
use crate::policy::selector::{Match, Matcher};

fn minute(count: i64) -> Timestamp {
    later(at(0), mins(count))
}

fn tagged(value: &str) -> Selector {
    Selector::Match(Match { metadata: [("team".to_owned(), Matcher::Equals(json!(value)))].into(), ..Match::default() })
}

fn budget(minutes: i64) -> Budget {
    let per = Some(Per::Metadata("team".to_owned()));
    Budget { allowed: mins(minutes), per, every: Every::Day, time_zone: jiff::tz::TimeZone::UTC, release: Order::Oldest }
}

/// Each limit, one policy for the team of `ml` and one for all others, and a shadow before both.
fn everything() -> Terms {
    let limits = |age, minutes| Limits {
        max_age: Some(MaxAge { limit: mins(age), tag: None, ceiling: None }),
        idle: Some(Idle { limit: mins(30), without_evidence: WithoutEvidence::Keep }),
        max_running: Some(MaxRunning { count: 1, per: Some(Per::Metadata("team".to_owned())), release: Order::Oldest }),
        budget: Some(budget(minutes)),
        warn_before: None,
    };
    let policy = |name: &str, selector, limits, shadow| Policy { name: name.into(), selector, rule: Rule::Limits(limits), shadow };
    let policies = [
        policy("shadow", Selector::All, limits(5, 7), true),
        policy("ml", tagged("ml"), limits(60, 100), false),
        policy("rest", Selector::All, limits(90, 200), false),
    ];
    Terms { policies: policies.into(), poll_interval: mins(20), mode: Mode::Observe, ..terms() }
}

fn of(team: &str, id: &str, started: i64) -> Session {
    let browser = Some(format!("{id}.browser").as_str().into());
    Session { started_at: Some(minute(started)), parts: Parts { browser, ..Parts::default() }, ..session(id, json!({ "team": team })) }
}

fn explained(id: &str, now: Timestamp) -> Explanation {
    let mut engine = Engine::new(everything(), Recall::default(), Arc::default(), at(0));
    list(&mut engine, listing(vec![of("ml", "a", 0), of("ml", "b", 2), of("web", "c", 0)]), now);
    engine.explain(&id.into(), now).expect("a live session")
}

fn limit(explained: &Explanation, limit: Limit) -> &LimitCheck {
    explained.limits.iter().find(|check| check.limit == limit).expect("a limit of the policy")
}

#[test]
fn every_policy_says_whether_it_fits_and_one_governs() {
    let said = |id: &str| -> Vec<(String, Option<bool>, bool)> {
        explained(id, minute(10)).policies.into_iter().map(|policy| (policy.name.to_string(), policy.fits, policy.governs)).collect()
    };
    let row = |name: &str, fits, governs| (name.to_owned(), Some(fits), governs);
    assert_eq!(said("a"), [row("shadow", true, false), row("ml", true, true), row("rest", true, false)]);
    assert_eq!(said("c"), [row("shadow", true, false), row("ml", false, false), row("rest", true, true)]);
    let mut engine = Engine::new(everything(), Recall::default(), Arc::default(), at(0));
    let unreadable = Session { metadata: crate::domain::session::Metadata::Unreadable { found: "a list" }, ..of("", "x", 0) };
    list(&mut engine, listing(vec![unreadable]), minute(1));
    assert_eq!(engine.explain(&"x".into(), minute(1)).expect("live").policies[1].fits, None, "nobody knows");
}

#[test]
fn a_session_is_found_by_its_browser_and_no_other_is() {
    assert_eq!(explained("b.browser", minute(10)).session.id.as_str(), "b");
    let engine = Engine::new(everything(), Recall::default(), Arc::default(), at(0));
    assert!(engine.explain(&"nobody".into(), minute(1)).is_none());
}

#[test]
fn the_limits_are_those_of_the_policy_that_governs() {
    let ages: Vec<f64> = ["a", "c"].map(|id| limit(&explained(id, minute(10)), Limit::MaxAge).value_seconds.unwrap_or_default()).to_vec();
    assert_eq!(ages, [3_600.0, 5_400.0]);
    assert_eq!(explained("a", minute(10)).limits.len(), 4);
}

#[test]
fn a_budget_says_what_the_sessions_own_group_has_left() {
    let explained = explained("a", minute(10));
    let budget = limit(&explained, Limit::Budget);
    assert_eq!((budget.value.as_str(), budget.value_seconds), ("1h 40m a day for metadata.team = ml", Some(6_000.0)));
    assert_eq!(budget.note.as_deref(), Some("18m spent, 1h 22m left until 2026-11-21T00:00:00.000Z"));
    assert_eq!((budget.since, budget.deadline), (Some(minute(-720)), Some(minute(51))), "two run: what is left lasts half as long");
}

#[test]
fn a_count_says_since_when_a_session_is_over_it() {
    let (over, within) = (explained("a", minute(10)), explained("b", minute(10)));
    let (over, within) = (limit(&over, Limit::MaxRunning), limit(&within, Limit::MaxRunning));
    assert_eq!((over.value.as_str(), over.since, over.note.as_deref()), ("1 for metadata.team = ml", Some(minute(10)), None));
    assert_eq!((within.since, within.note.as_deref()), (None, Some("not among those over the count in the last complete listing")));
}

#[test]
fn idleness_says_what_is_missing() {
    let once = explained("c", minute(40));
    let idle = limit(&once, Limit::Idle);
    assert_eq!(
        (idle.since, idle.deadline, idle.note.as_deref()),
        (Some(minute(0)), Some(minute(30)), Some("seen in one listing only: never idle yet"))
    );
    assert_eq!(once.session.reason, "seen in one listing only: never idle yet");
    let mut engine = Engine::new(everything(), Recall::default(), Arc::default(), at(0));
    for count in [10, 20] {
        list(&mut engine, listing(vec![of("web", "c", 0)]), minute(count));
    }
    let twice = engine.explain(&"c".into(), minute(20)).expect("live");
    let note = limit(&twice, Limit::Idle).note.as_deref();
    assert_eq!(note, Some("no activity is known since then; its provider is asked at the deadline"));
    assert_eq!(twice.session.reason, "10m of 30m idle left, until 12:30:00, if nothing is done until then");
}

#[test]
fn each_shadow_says_its_verdict_beside_the_one_in_force() {
    let shadow = explained("b", minute(10)).session.shadows.remove(0);
    assert_eq!((shadow.policy.as_str(), shadow.verdict.as_str(), shadow.limit), ("shadow", "due", Some(Limit::MaxAge)));
    assert_eq!(shadow.reason, "older than 5m since 12:02:00");
}
