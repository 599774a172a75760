//! What is believed of ends, and when a pass is over.

use super::*;
use crate::domain::release::Outcome;

/// Twenty-one minutes past: session `a` is due.
fn now() -> Timestamp {
    later(at(0), mins(21))
}

fn one() -> Listing {
    listing(vec![session("a", json!({}))])
}

/// Its release was asked for and accepted, as a session that goes on.
fn accepted(pass: Pass) -> Engine {
    let mut engine = Engine::new(Terms { pass, ..terms() }, Recall::default(), Arc::default(), now());
    drained(&mut engine);
    assert_eq!(released(&list(&mut engine, one(), now())), ["a"]);
    answer(&mut engine, "a", Ok(Some(session("a", json!({})))), now());
    engine
}

fn reads(commands: &[Command]) -> usize {
    commands.iter().filter(|command| matches!(command, Command::Read { .. })).count()
}

fn read(engine: &mut Engine, result: Result<Session, Fault>, now: Timestamp) -> Vec<Command> {
    engine.handle(Input::Read { id: "a".into(), answer: exchange(result, now) }, now);
    drained(engine)
}

fn outcomes(commands: &[Command]) -> Vec<Outcome> {
    let written = |command: &Command| if let Command::Write(Record::Release(row)) = command { Some(row.outcome) } else { None };
    commands.iter().filter_map(written).collect()
}

/// Ended, as a provider says that has yet to say when.
fn undated() -> Session {
    in_phase(Phase::Completed, session("a", json!({})))
}

#[test]
fn a_pass_is_not_over_while_a_release_or_a_reading_is_under_way() {
    let mut engine = Engine::new(Terms { pass: Pass::Once, ..terms() }, Recall::default(), Arc::default(), now());
    drained(&mut engine);
    assert!(!engine.is_over(), "the listing is under way");
    list(&mut engine, one(), now());
    assert!(!engine.is_settled() && !engine.is_over(), "the release is");
    answer(&mut engine, "a", Ok(Some(session("a", json!({})))), now());
    assert!(!engine.is_settled(), "its end is awaited");
    let soon = later(now(), secs(2));
    assert_eq!(reads(&tick(&mut engine, soon)), 1);
    assert!(!engine.is_settled(), "it is being read");
    let end = Session { ended_at: Some(soon), expires_at: Some(later(soon, mins(60))), ..undated() };
    read(&mut engine, Ok(end), soon);
    assert!(engine.is_settled() && engine.is_over());
    let tally = engine.tally();
    assert_eq!((tally.released, tally.saved, tally.failed), (1, mins(60), 0));
}

#[test]
fn a_drain_does_not_wait_for_what_waits_in_line_and_others_do() {
    let throttled = Fault { retry_after: Some(secs(60)), ..Fault::new(FaultKind::Throttled, "slow down") };
    let mut engine = started(now());
    list(&mut engine, one(), now());
    answer(&mut engine, "a", Err(throttled), now());
    assert!(!engine.is_settled(), "it is asked for again");
    engine.handle(Input::Drain, now());
    assert!(engine.is_settled());
}

#[test]
fn an_end_without_its_instant_is_believed_only_when_it_is_late() {
    let mut engine = accepted(Pass::Daemon);
    let soon = later(now(), secs(2));
    tick(&mut engine, soon);
    assert_eq!(outcomes(&read(&mut engine, Ok(undated()), soon)), [Outcome::Requested], "the provider may yet say when");
    let late = later(now(), mins(3));
    tick(&mut engine, late);
    assert_eq!(outcomes(&read(&mut engine, Ok(undated()), late)), [Outcome::Confirmed]);
}

#[test]
fn a_reading_that_fails_makes_a_release_stuck_only_when_it_is_late() {
    let fault = || Err(Fault::new(FaultKind::Unavailable, "no"));
    let mut engine = accepted(Pass::Daemon);
    let soon = later(now(), secs(2));
    tick(&mut engine, soon);
    assert_eq!(outcomes(&read(&mut engine, fault(), soon)), [Outcome::Requested]);
    let late = later(now(), mins(3));
    tick(&mut engine, late);
    assert_eq!(outcomes(&read(&mut engine, fault(), late)), [Outcome::Stuck]);
}

#[test]
fn a_session_that_the_provider_does_not_know_is_gone_by_a_listing_begun_after_that() {
    let gone = || Err(Fault::new(FaultKind::NotFound, "no such session"));
    let mut engine = accepted(Pass::Daemon);
    let soon = later(now(), secs(2));
    tick(&mut engine, soon);
    let commands = read(&mut engine, gone(), soon);
    assert!(commands.iter().any(|command| matches!(command, Command::List)), "asked at once: {commands:?}");
    let other = || Listing::complete(Rows { sessions: vec![Session { started_at: Some(soon), ..session("b", json!({})) }], rejected: Vec::new() });
    engine.handle(Input::Listed(exchange(Ok(other()), now())), soon);
    assert_eq!(outcomes(&drained(&mut engine)), [], "that one left before the provider said so");
    engine.handle(Input::Listed(exchange(Ok(other()), later(soon, secs(1)))), later(soon, secs(1)));
    assert_eq!(outcomes(&drained(&mut engine)), [Outcome::Confirmed]);
}

#[test]
fn in_a_plan_any_number_of_calls_may_be_under_way() {
    let many = || listing((0..MAX_CALLS_UNDER_WAY + 6).map(|index| session(&format!("s{index:03}"), json!({}))).collect());
    for (pass, most) in [(Pass::Daemon, MAX_CALLS_UNDER_WAY), (Pass::Plan, MAX_CALLS_UNDER_WAY + 6)] {
        let mut engine = Engine::new(Terms { pass, ..terms() }, Recall::default(), Arc::default(), now());
        drained(&mut engine);
        assert_eq!(released(&list(&mut engine, many(), now())).len(), most, "{pass:?}");
    }
}
