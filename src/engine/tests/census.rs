//! What the gauges are told, and why a session is what it is, in a sentence.

use super::*;
use crate::domain::verdict::VerdictWord;
use crate::domain::view::{Change, SessionView};
use crate::policy::crowd::Order;
use crate::policy::idle::{Idle, WithoutEvidence};
use crate::policy::max_running::MaxRunning;

fn minute(count: i64) -> Timestamp {
    later(at(0), mins(count))
}

fn millis(count: i64) -> SignedDuration {
    SignedDuration::from_millis(count)
}

fn since(id: &str, minutes: i64) -> Session {
    Session { started_at: Some(minute(minutes)), ..session(id, json!({})) }
}

fn paused() -> Orders {
    let pause = Pause { account: None, placed_at: at(0), reason: "freeze".to_owned() };
    Orders { pauses: vec![pause], ..Orders::default() }
}

fn by(limits: Limits, mode: Mode) -> Engine {
    let all = Policy { name: "all".into(), selector: Selector::All, rule: Rule::Limits(limits), shadow: false };
    Engine::new(Terms { policies: [all].into(), mode, poll_interval: mins(600), ..terms() }, Recall::default(), Arc::default(), at(0))
}

fn max_age(minutes: i64) -> Limits {
    Limits { max_age: Some(MaxAge { limit: mins(minutes), tag: None, ceiling: None }), ..Limits::default() }
}

fn idle(minutes: i64) -> Limits {
    Limits { idle: Some(Idle { limit: mins(minutes), without_evidence: WithoutEvidence::Keep }), ..Limits::default() }
}

fn first(engine: &Engine, now: Timestamp) -> SessionView {
    engine.session_views(now).remove(0)
}

fn told(commands: &[Command]) -> bool {
    commands.iter().any(|command| matches!(command, Command::Tell(Event { what: What::Census { .. }, .. })))
}

#[test]
fn sessions_are_counted_by_verdict_hold_and_what_a_shadow_would_change() {
    let shadow = Policy { name: "shadow".into(), selector: Selector::All, rule: Rule::Protect, shadow: true };
    let policies = [shadow, terms().policies[0].clone()];
    let mut engine = Engine::new(Terms { policies: policies.into(), mode: Mode::Observe, ..terms() }, Recall::default(), Arc::default(), at(0));
    let commands = list(&mut engine, listing(vec![since("a", 0), since("b", 0), since("c", 20), since("d", 21)]), minute(25));
    let census = commands.into_iter().find_map(|command| match command {
        Command::Tell(Event { what: What::Census(census), .. }) => Some((census.sessions, census.holds, census.shadows)),
        _ => None,
    });
    let (sessions, holds, shadows) = census.expect("a census");
    assert_eq!(sessions, [((Some("all".into()), VerdictWord::Due), 2), ((Some("all".into()), VerdictWord::Keep), 2)].into());
    assert_eq!(holds, [(Hold::Observe, 2)].into());
    assert_eq!(shadows, [(("shadow".into(), Change::WouldSpare), 2)].into());
}

#[test]
fn the_gauges_hear_of_a_change_at_once_or_a_second_after_the_last_time() {
    let mut engine = by(max_age(60), Mode::Enforce);
    assert!(told(&list(&mut engine, listing(vec![since("a", 0)]), minute(1))));
    engine.handle(Input::Orders(Arc::new(paused())), later(minute(1), millis(400)));
    assert!(!told(&drained(&mut engine)), "so soon");
    let second = later(minute(1), secs(1));
    assert_eq!(engine.poll_timeout(later(minute(1), millis(400))), Some(second));
    assert!(!told(&tick(&mut engine, later(second, millis(-1)))));
    assert!(told(&tick(&mut engine, second)));
    assert!(!told(&tick(&mut engine, later(second, secs(30)))), "nothing has changed");
    engine.handle(Input::Orders(Arc::default()), later(second, secs(31)));
    assert!(told(&drained(&mut engine)));
}

#[test]
fn a_hold_is_shown_on_what_is_due_and_not_asked_for_yet() {
    let mut engine = by(max_age(20), Mode::Enforce);
    engine.handle(Input::Orders(Arc::new(paused())), at(0));
    list(&mut engine, listing(vec![since("a", 0)]), minute(1));
    assert_eq!(first(&engine, minute(1)).hold, None, "it stays anyway");
    tick(&mut engine, minute(20));
    assert_eq!(first(&engine, minute(20)).hold, Some(Hold::Paused));
    engine.handle(Input::Orders(Arc::default()), minute(20));
    assert_eq!(released(&drained(&mut engine)), ["a"]);
    engine.handle(Input::Orders(Arc::new(paused())), minute(20));
    assert_eq!(first(&engine, minute(20)).hold, None, "it is under way");
}

#[test]
fn an_age_says_what_is_left_and_from_its_deadline_on_since_when_it_is_over() {
    let mut engine = by(max_age(20), Mode::Observe);
    list(&mut engine, listing(vec![since("a", 0)]), minute(5));
    let deadline = minute(20);
    assert_eq!(first(&engine, later(deadline, secs(-1))).reason, "1s of 20m left, until 12:20:00");
    tick(&mut engine, deadline);
    assert!(first(&engine, deadline).reason.starts_with("older than 20m since 12:00:00; mode"), "{}", first(&engine, deadline).reason);
}

#[test]
fn where_a_limit_is_long_the_day_is_said_too() {
    for (hours, since) in [(11, "12:00:00"), (12, "2026-11-20T12:00:00.000Z")] {
        let mut engine = by(max_age(hours * 60), Mode::Observe);
        list(&mut engine, listing(vec![Session { started_at: Some(at(0)), expires_at: None, ..session("a", json!({})) }]), minute(hours * 60));
        let reason = first(&engine, minute(hours * 60)).reason;
        assert!(reason.starts_with(&format!("older than {hours}h since {since};")), "{reason}");
    }
}

#[test]
fn a_count_of_all_together_names_nobody() {
    let limit = MaxRunning { count: 2, per: None, release: Order::Oldest };
    let mut engine = by(Limits { max_running: Some(limit), ..Limits::default() }, Mode::Observe);
    list(&mut engine, listing(vec![since("a", 0), since("b", 1), since("c", 2)]), minute(5));
    assert!(first(&engine, minute(5)).reason.starts_with("one of more than 2 running since 12:05:00;"));
}

#[test]
fn idleness_says_what_is_left_whom_it_waits_for_and_what_is_missing() {
    let mut engine = by(idle(30), Mode::Enforce);
    engine.handle(Input::Orders(Arc::new(paused())), at(0));
    list(&mut engine, listing(vec![since("a", 0)]), minute(1));
    assert_eq!(first(&engine, minute(29)).reason, "1m of 30m idle left, until 12:30:00, if nothing is done until then");
    assert_eq!(first(&engine, minute(30)).reason, "seen in one listing only: never idle yet");
    list(&mut engine, listing(vec![since("a", 0)]), minute(2));
    assert_eq!(first(&engine, minute(29)).reason, "1m of 30m idle left, until 12:30:00, if nothing is done until then");
    assert_eq!(first(&engine, minute(30)).reason, "no activity known since 12:00:00; its provider is asked before it counts as idle");
}

#[test]
fn what_no_listing_has_shown_for_long_says_since_when() {
    let mut engine = started(at(0));
    list(&mut engine, listing(vec![since("a", 0)]), minute(1));
    assert_eq!(first(&engine, minute(4)).reason, "kept: not seen in a listing since 12:01:00");
    assert_eq!(first(&engine, minute(4)).deadline, None);
    assert_eq!(first(&engine, minute(3)).reason, "17m of 20m left, until 12:20:00");
}
