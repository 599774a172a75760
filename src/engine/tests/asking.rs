//! Whom the provider is asked about, and who comes first.

use super::*;
use crate::domain::activity::{Evidence, Question, Said, Testimony};
use crate::policy::idle::{Idle, WithoutEvidence};

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
