//! What goes in and what comes out, one step at a time. Whole stories in virtual time are told by the scenarios.

use serde_json::json;

use super::*;
use crate::domain::fixtures::{at, mins, secs, session};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::hold::Pause;
use crate::domain::listing::{ClockReading, RejectedRow, Rows};
use crate::policy::max_age::MaxAge;
use crate::policy::selector::Selector;
use crate::policy::{Limits, Rule};

/// Everything is released at twenty minutes, and no guardrail stands in the way.
fn terms() -> Terms {
    let max_age = Some(MaxAge { limit: mins(20), tag: None, ceiling: None });
    Terms {
        account: "growth".into(),
        provider: Provider::Browserbase,
        mode: Mode::Enforce,
        poll_interval: secs(30),
        requests_per_second: 100.0,
        price_per_hour: 0.12,
        currency: "USD".to_owned(),
        policies: [Policy { name: "all".into(), selector: Selector::All, rule: Rule::Limits(Limits { max_age }) }].into(),
        guardrails: Guardrails {
            max_releases_per_poll: 100,
            max_release_fraction: 1.0,
            min_age: SignedDuration::ZERO,
            skip_expiring_within: SignedDuration::ZERO,
            confirm_within: mins(2),
        },
        pass: Pass::Daemon,
    }
}

fn started(now: Timestamp) -> Engine {
    Engine::new(terms(), Recall::default(), Arc::default(), now)
}

fn exchange<T>(result: Result<T, Fault>, now: Timestamp) -> Exchange<T> {
    Exchange { result, sent_at: now, clock: None, requests: Vec::new() }
}

fn listing(sessions: Vec<Session>) -> Listing {
    Listing::complete(Rows { sessions, rejected: Vec::new() })
}

/// Hands in a listing and gives what came of it.
fn list(engine: &mut Engine, listing: Listing, now: Timestamp) -> Vec<Command> {
    engine.handle(Input::Listed(exchange(Ok(listing), now)), now);
    drained(engine)
}

fn tick(engine: &mut Engine, now: Timestamp) -> Vec<Command> {
    engine.handle(Input::Tick, now);
    drained(engine)
}

fn drained(engine: &mut Engine) -> Vec<Command> {
    std::iter::from_fn(|| engine.next_command()).collect()
}

fn released(commands: &[Command]) -> Vec<&str> {
    let id = |command| match command {
        &Command::Release { ref permit, .. } => Some(permit.session().as_str()),
        _ => None,
    };
    commands.iter().filter_map(id).collect()
}

fn answer(engine: &mut Engine, id: &str, result: Result<Option<Session>, Fault>, now: Timestamp) -> Vec<Command> {
    engine.handle(Input::Answered { id: id.into(), answer: exchange(result, now) }, now);
    drained(engine)
}

/// The provider's clock is ahead of ours by this much.
fn ahead(now: Timestamp, by: SignedDuration) -> ClockReading {
    ClockReading { date: later(now, by), sent: now, received: now }
}

fn clocked(listing: Listing, by: SignedDuration, now: Timestamp) -> Input {
    Input::Listed(Exchange { clock: Some(ahead(now, by)), ..exchange(Ok(listing), now) })
}

#[test]
fn a_session_that_is_no_longer_due_because_a_clock_was_set_back_waits_in_line_again() {
    let now = later(at(0), mins(21));
    let mut engine = started(now);
    let pause = Pause { account: None, placed_at: now, reason: "freeze".to_owned() };
    engine.handle(Input::Orders(Arc::new(Orders { pauses: vec![pause], ..Orders::default() })), now);
    list(&mut engine, listing(vec![session("a", json!({}))]), now);
    engine.handle(clocked(listing(vec![session("a", json!({}))]), mins(-60), now), now);
    engine.handle(Input::Orders(Arc::default()), now);
    assert_eq!(released(&drained(&mut engine)), [""; 0]);
    let seen = list(&mut engine, listing(vec![session("a", json!({}))]), later(now, mins(58)));
    assert_eq!(released(&seen), [""; 0]);
    assert_eq!(released(&tick(&mut engine, later(now, mins(59)))), ["a"]);
}

/// A session that fell due, and whose first request was answered so.
fn asked_once(result: Result<Option<Session>, Fault>) -> (Engine, Timestamp) {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    assert_eq!(released(&list(&mut engine, listing(vec![session("a", json!({}))]), now)), ["a"]);
    answer(&mut engine, "a", result, later(now, SignedDuration::from_millis(50)));
    (engine, now)
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "no")
}

/// What the last row written for the session says.
fn row(commands: &[Command]) -> Option<Release> {
    let release = |command: &Command| match command {
        Command::Write(Record::Release(row)) => Some(row.as_ref().clone()),
        Command::Release { row, .. } => Some(row.as_ref().clone()),
        _ => None,
    };
    commands.iter().rev().find_map(release)
}

/// The session is gone from the listing, and a reading says that its owner's program ended it then.
fn owner_ended(engine: &mut Engine, ended_at: Timestamp, now: Timestamp) -> Release {
    list(engine, listing(vec![session("other", json!({ "k": 1 }))]), now);
    let ended = Session { ended_at: Some(ended_at), ..crate::domain::fixtures::in_phase(crate::domain::session::Phase::Completed, session("a", json!({}))) };
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(ended), now) }, now);
    row(&drained(engine)).expect("a final row")
}

#[test]
fn an_end_after_a_request_that_did_nothing_is_not_our_doing() {
    for kind in [FaultKind::Throttled, FaultKind::Forbidden, FaultKind::Rejected, FaultKind::PaymentRequired, FaultKind::Redirected] {
        let (mut engine, asked) = asked_once(Err(fault(kind)));
        let row = owner_ended(&mut engine, later(asked, secs(1)), later(asked, secs(2)));
        assert_eq!((row.outcome.as_str(), row.saved_runtime), ("already_ended", None), "{kind}");
    }
}

#[test]
fn an_end_after_a_404_for_a_session_that_is_listed_is_not_our_doing() {
    let (mut engine, asked) = asked_once(Err(fault(FaultKind::NotFound)));
    list(&mut engine, listing(vec![session("a", json!({}))]), later(asked, secs(1)));
    let row = owner_ended(&mut engine, later(asked, secs(2)), later(asked, secs(3)));
    assert_eq!((row.outcome.as_str(), row.saved_runtime), ("already_ended", None));
}

#[test]
fn an_end_after_a_request_that_may_have_been_applied_is_ours_though_a_later_one_was_turned_away() {
    let (mut engine, asked) = asked_once(Err(fault(FaultKind::TimedOut)));
    let read_at = later(asked, secs(2));
    engine.handle(Input::Tick, read_at);
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(session("a", json!({}))), read_at) }, read_at);
    let again_at = later(asked, secs(4));
    assert_eq!(released(&tick(&mut engine, again_at)), ["a"]);
    answer(&mut engine, "a", Err(fault(FaultKind::Throttled)), again_at);
    let row = owner_ended(&mut engine, later(asked, secs(3)), later(asked, secs(5)));
    assert_eq!((row.outcome.as_str(), row.attempts), ("confirmed", 2));
}

#[test]
fn a_repeated_request_whose_intent_could_not_be_written_changes_nothing() {
    let (mut engine, asked) = asked_once(Err(fault(FaultKind::Throttled)));
    let again_at = later(asked, secs(6));
    assert_eq!(released(&tick(&mut engine, again_at)), ["a"]);
    engine.handle(Input::NotWritten { id: "a".into(), why: "disk full".to_owned() }, again_at);
    let row = owner_ended(&mut engine, later(asked, secs(7)), later(asked, secs(8)));
    assert_eq!((row.outcome.as_str(), row.attempts), ("already_ended", 1));
}
