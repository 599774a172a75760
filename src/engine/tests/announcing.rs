//! What is coming is announced once, in time, and only where it would come.

use super::*;
use crate::domain::event::Coming;
use crate::domain::session::Metadata;
use crate::policy::idle::{Idle, WithoutEvidence};

/// Released at twenty minutes, announced five minutes before; in sight for as long as these stories last.
fn warning() -> Terms {
    let max_age = Some(MaxAge { limit: mins(20), tag: Some("ttl".to_owned()), ceiling: None });
    with(Limits { max_age, warn_before: Some(mins(5)), ..Limits::default() })
}

fn with(limits: Limits) -> Terms {
    let all = Policy { name: "all".into(), selector: Selector::All, rule: Rule::Limits(limits), shadow: false };
    Terms { policies: [all].into(), poll_interval: mins(20), ..terms() }
}

fn minute(count: i64) -> Timestamp {
    later(at(0), mins(count))
}

fn watching(terms: Terms, session: Session) -> Engine {
    let mut engine = Engine::new(terms, Recall::default(), Arc::default(), at(0));
    assert!(coming(&list(&mut engine, listing(vec![session]), minute(1))).is_empty());
    engine
}

fn coming(commands: &[Command]) -> Vec<&Coming> {
    commands.iter().filter_map(told).collect()
}

fn told(command: &Command) -> Option<&Coming> {
    if let Command::Tell(Event { what: What::Coming(coming), .. }) = command { Some(coming) } else { None }
}

fn announced(commands: &[Command]) -> Vec<(&str, Timestamp)> {
    coming(commands).into_iter().map(|coming| (coming.id.as_str(), coming.release_at)).collect()
}

fn orders(hold: Option<Timestamp>, paused: bool) -> Input {
    let hold = hold.map(|until| OperatorHold { session: "a".into(), placed_at: at(0), until, reason: "debugging".to_owned() });
    let pause = paused.then(|| Pause { account: None, placed_at: at(0), reason: "a deploy".to_owned() });
    let holds = hold.into_iter().map(|hold| (hold.session.clone(), hold)).collect();
    Input::Orders(Arc::new(Orders { holds, pauses: pause.into_iter().collect(), ..Orders::default() }))
}

fn said(engine: &mut Engine, orders: Input, now: Timestamp) -> Vec<Command> {
    engine.handle(orders, now);
    drained(engine)
}

#[test]
fn it_is_announced_by_an_alarm_once_and_leaves_at_its_deadline() {
    let mut engine = watching(warning(), session("a", json!({ "team": "ml" })));
    assert_eq!(engine.poll_timeout(minute(2)), Some(minute(15)), "the alarm");
    assert!(coming(&tick(&mut engine, later(minute(15), -SignedDuration::from_millis(1)))).is_empty());
    let commands = tick(&mut engine, minute(15));
    let [told] = coming(&commands)[..] else { panic!("announced once: {commands:?}") };
    assert_eq!((told.deadline, told.release_at, told.limit), (minute(20), minute(20), Limit::MaxAge));
    assert_eq!(told.reason, "older than 20m since 12:00:00");
    assert_eq!(engine.poll_timeout(minute(15)), Some(minute(20)));
    for now in [minute(15), minute(16), minute(19)] {
        assert!(coming(&list(&mut engine, listing(vec![session("a", json!({ "team": "ml" }))]), now)).is_empty());
    }
    let commands = tick(&mut engine, minute(20));
    assert_eq!((released(&commands), announced(&commands)), (vec!["a"], vec![]));
}

#[test]
fn one_that_is_seen_late_is_announced_at_once_and_one_that_is_due_already_is_released_without_a_word() {
    for (first_seen, told, gone) in [(17, vec![("a", minute(20))], vec![]), (20, vec![], vec!["a"]), (30, vec![], vec!["a"])] {
        let mut engine = Engine::new(warning(), Recall::default(), Arc::default(), minute(first_seen));
        let commands = list(&mut engine, listing(vec![session("a", json!({}))]), minute(first_seen));
        assert_eq!((announced(&commands), released(&commands)), (told, gone), "seen at {first_seen}");
    }
}

#[test]
fn another_deadline_is_announced_again() {
    let mut engine = watching(warning(), session("a", json!({})));
    assert_eq!(announced(&tick(&mut engine, minute(15))), [("a", minute(20))]);
    let longer = listing(vec![session("a", json!({ "ttl": "30m" }))]);
    assert!(announced(&list(&mut engine, longer, minute(16))).is_empty());
    assert!(announced(&tick(&mut engine, minute(24))).is_empty());
    assert_eq!(announced(&tick(&mut engine, minute(25))), [("a", minute(30))]);
}

#[test]
fn nothing_is_announced_that_would_not_be_released() {
    let soon_over = Session { expires_at: Some(later(minute(20), secs(30))), ..session("a", json!({})) };
    let guardrails = Guardrails { skip_expiring_within: mins(1), ..terms().guardrails };
    let limits =
        Limits { warn_before: Some(mins(5)), idle: Some(Idle { limit: mins(20), without_evidence: WithoutEvidence::Keep }), ..Limits::default() };
    let protected = Policy { name: "kept".into(), selector: Selector::All, rule: Rule::Protect, shadow: false };
    let shadow = Policy { shadow: true, ..warning().policies[0].clone() };
    let unreadable = Session { metadata: Metadata::Unlearnt { why: "no answer" }, ..session("a", json!({})) };
    let cases = [
        ("observe mode", Terms { mode: Mode::Observe, ..warning() }, session("a", json!({}))),
        ("a plan", Terms { pass: Pass::Plan, ..warning() }, session("a", json!({}))),
        ("a session that ends by itself first", Terms { guardrails, ..warning() }, soon_over),
        ("idle, which nobody knows beforehand", with(limits), session("a", json!({}))),
        ("a protected session", Terms { policies: [protected].into(), ..warning() }, session("a", json!({}))),
        ("a shadow policy", Terms { policies: [shadow].into(), ..warning() }, session("a", json!({}))),
        ("a session whose tag may say otherwise", warning(), unreadable),
        ("a policy that announces nothing", Terms { poll_interval: mins(20), ..terms() }, session("a", json!({}))),
    ];
    for (about, terms, session) in cases {
        let mut engine = watching(terms, session);
        assert!(coming(&tick(&mut engine, minute(15))).is_empty(), "{about}");
        assert!(coming(&tick(&mut engine, minute(19))).is_empty(), "{about}");
    }
}

#[test]
fn one_that_is_held_is_announced_before_the_hold_runs_out() {
    let mut engine = watching(warning(), session("a", json!({})));
    said(&mut engine, orders(Some(minute(40)), false), minute(2));
    for now in [15, 20, 34] {
        assert!(coming(&tick(&mut engine, minute(now))).is_empty(), "at {now}");
        list(&mut engine, listing(vec![session("a", json!({}))]), minute(now));
    }
    assert_eq!(announced(&tick(&mut engine, minute(35))), [("a", minute(40))]);
    assert_eq!(released(&tick(&mut engine, minute(40))), ["a"]);
}

#[test]
fn one_that_is_held_no_longer_is_announced_at_once() {
    let mut engine = watching(warning(), session("a", json!({})));
    said(&mut engine, orders(Some(minute(60)), false), minute(2));
    assert!(coming(&tick(&mut engine, minute(16))).is_empty());
    assert_eq!(announced(&said(&mut engine, orders(None, false), minute(17))), [("a", minute(20))]);
}

#[test]
fn while_an_account_rests_nothing_is_announced_and_once_it_works_again_what_is_left_is() {
    let mut engine = watching(warning(), session("a", json!({})));
    said(&mut engine, orders(None, true), minute(2));
    assert!(coming(&tick(&mut engine, minute(16))).is_empty());
    assert_eq!(announced(&said(&mut engine, orders(None, false), minute(18))), [("a", minute(20))]);
}

#[test]
fn a_stop_announces_nothing_more() {
    let mut engine = watching(warning(), session("a", json!({})));
    engine.handle(Input::Drain, minute(2));
    assert!(coming(&tick(&mut engine, minute(16))).is_empty());
}

#[test]
fn what_is_announced_of_a_session_is_forgotten_with_it() {
    let mut engine = watching(warning(), session("a", json!({})));
    list(&mut engine, listing(vec![session("a", json!({})), session("b", json!({}))]), minute(14));
    tick(&mut engine, minute(15));
    assert_eq!(engine.announced.len(), 2);
    list(&mut engine, listing(vec![session("b", json!({}))]), minute(16));
    list(&mut engine, listing(vec![session("b", json!({}))]), minute(17));
    assert_eq!(engine.announced.len(), 1);
}
