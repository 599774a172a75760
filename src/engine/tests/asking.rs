//! Whom the provider is asked about, and who comes first.

use super::*;
use crate::domain::activity::{Evidence, Question, Said, Testimony};
use crate::policy::idle::{Idle, WithoutEvidence};
use crate::policy::selector::{Match, Matcher};

fn minute(count: i64) -> Timestamp {
    later(at(0), mins(count))
}

fn quiet() -> Limits {
    Limits { idle: Some(Idle { limit: mins(5), without_evidence: WithoutEvidence::Keep }), ..Limits::default() }
}

fn policy(name: &str, limits: Limits, shadow: bool) -> Policy {
    Policy { name: name.into(), selector: Selector::All, rule: Rule::Limits(limits), shadow }
}

/// A session stays in sight for as long as these stories last.
fn by(policies: Vec<Policy>) -> Terms {
    Terms { policies: policies.into(), poll_interval: mins(20), ..terms() }
}

fn asked(commands: &[Command]) -> Vec<&str> {
    commands.iter().filter_map(|command| if let Command::Ask { target } = command { Some(target.id.as_str()) } else { None }).collect()
}

fn told_census(commands: &[Command]) -> bool {
    commands.iter().any(|command| matches!(command, Command::Tell(Event { what: What::Census { .. }, .. })))
}

fn one() -> Listing {
    listing(vec![session("a", json!({}))])
}

#[test]
fn whoever_waits_for_the_pace_takes_a_place_of_those_that_may_go() {
    let limits = Limits { max_age: Some(MaxAge { limit: mins(30), tag: None, ceiling: None }), ..quiet() };
    let guardrails = Guardrails { max_releases_per_poll: 2, ..terms().guardrails };
    let slow = Terms { guardrails, requests_per_second: 1.0, ..by(vec![policy("both", limits, false)]) };
    let mut engine = Engine::new(slow, Recall::default(), Arc::default(), at(0));
    let started = |id, minutes| Session { started_at: Some(minute(minutes)), ..session(id, json!({})) };
    let rows = || listing(vec![started("oldest", -24), started("old", -23), started("quiet", 0)]);
    list(&mut engine, rows(), at(0));
    let mut commands = list(&mut engine, rows(), minute(8));
    for second in 1..5 {
        commands.extend(tick(&mut engine, later(minute(8), secs(second))));
    }
    assert_eq!((released(&commands), asked(&commands)), (vec!["oldest", "old"], vec![]));
}

#[test]
fn whoever_waits_for_a_right_that_is_lacking_takes_a_place_as_well() {
    let limits = Limits { max_age: Some(MaxAge { limit: mins(30), tag: None, ceiling: None }), ..Limits::default() };
    let tagged = Match { metadata: [("ttl".to_owned(), Matcher::Exists(true))].into(), ..Match::default() };
    let aged = Policy { selector: Selector::Match(tagged), ..policy("aged", limits, false) };
    let guardrails = Guardrails { max_releases_per_poll: 2, ..terms().guardrails };
    let terms = Terms { guardrails, ..by(vec![aged, policy("quiet", quiet(), false)]) };
    let mut engine = Engine::new(terms, Recall::default(), Arc::default(), at(0));
    let second = |count: i64| later(at(0), secs(count));
    let started = |id, tags, seconds: i64| Session { started_at: Some(second(seconds)), ..session(id, tags) };
    let aged = |id, seconds: i64| started(id, json!({ "ttl": 1 }), seconds - 1_800);
    let rows = || listing(vec![aged("oldest", 460), aged("old", 470), started("quiet", json!({}), 180)]);
    list(&mut engine, rows(), second(200));
    list(&mut engine, rows(), second(400));
    assert_eq!(released(&tick(&mut engine, second(460))), ["oldest"]);
    answer(&mut engine, "oldest", Err(fault(FaultKind::Forbidden)), second(461));
    assert_eq!(released(&tick(&mut engine, second(470))), [""; 0], "not for half a minute");
    assert_eq!(asked(&tick(&mut engine, second(480))), [""; 0], "the second place is taken");
}

#[test]
fn an_answer_that_changes_a_verdict_is_told_to_the_gauges() {
    for (said, told) in [(Said::Nothing { why: "its log is empty".to_owned() }, true), (Said::Busy, false)] {
        let mut engine = Engine::new(by(vec![policy("quiet", quiet(), false)]), Recall::default(), Arc::default(), at(0));
        list(&mut engine, one(), minute(0));
        assert_eq!(asked(&list(&mut engine, one(), minute(6))), ["a"]);
        let now = later(minute(6), secs(2));
        tick(&mut engine, now);
        let evidence = Evidence { testimonies: vec![Testimony { asked: Question::Logs, said }], fault: None };
        engine.handle(Input::Evidence { id: "a".into(), answer: exchange(Ok(evidence), now) }, now);
        assert_eq!(told_census(&drained(&mut engine)), told);
    }
}

#[test]
fn what_only_a_shadow_policy_would_know_is_asked_for_as_well() {
    let longer = Limits { max_age: Some(MaxAge { limit: mins(60), tag: None, ceiling: None }), ..Limits::default() };
    let terms = by(vec![policy("shadow", quiet(), true), policy("all", longer, false)]);
    let mut engine = Engine::new(terms, Recall::default(), Arc::default(), at(0));
    list(&mut engine, one(), minute(0));
    assert_eq!(asked(&list(&mut engine, one(), minute(4))), [""; 0]);
    assert_eq!(asked(&tick(&mut engine, minute(5))), ["a"]);
}
