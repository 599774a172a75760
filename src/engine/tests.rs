//! What goes in and what comes out, one step at a time. Whole stories in virtual time are told by the scenarios.

use serde_json::json;

use super::*;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::fixtures::{at, in_phase, mins, secs, session};
use crate::domain::hold::{Hold, OperatorHold, Pause};
use crate::domain::listing::{ClockReading, Listing, RejectedRow, Rows};
use crate::domain::name::{Kind, Provider};
use crate::domain::session::{Phase, Session};
use crate::domain::verdict::Limit;
use crate::domain::view::Mode;
use crate::guardrails::Guardrails;
use crate::policy::max_age::MaxAge;
use crate::policy::selector::Selector;
use crate::policy::{Limits, Policy, Rule};

/// Everything is released at twenty minutes, and no guardrail stands in the way.
fn terms() -> Terms {
    let max_age = Some(MaxAge { limit: mins(20), tag: None, ceiling: None });
    Terms {
        account: "growth".into(),
        provider: Provider::Browserbase,
        mode: Mode::Enforce,
        poll_interval: secs(30),
        requests_per_second: 100.0,
        evidence_per_minute: 60,
        tariff: crate::domain::tariff::Tariff { price_per_hour: 0.12, refunded_by: SignedDuration::ZERO },
        currency: "USD".to_owned(),
        policies: [Policy {
            name: "all".into(),
            selector: Selector::All,
            rule: Rule::Limits(Limits { max_age, ..Limits::default() }),
            shadow: false,
        }]
        .into(),
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
    commands.iter().filter_map(asked_for).collect()
}

fn asked_for(command: &Command) -> Option<&str> {
    match command {
        Command::Release { permit, .. } => Some(permit.session().as_str()),
        _ => None,
    }
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

/// A release that an earlier life asked for, of which nobody knows what became.
fn unanswered(id: &str, now: Timestamp) -> Release {
    let mut engine = started(now);
    let commands = list(&mut engine, listing(vec![session(id, json!({}))]), now);
    commands
        .into_iter()
        .find_map(|command| match command {
            Command::Release { row, .. } => Some(*row),
            _ => None,
        })
        .expect("it is due")
}

/// An agent's session that has this browser.
fn with_browser(browser: &str) -> Session {
    let parts = Parts { browser: Some(browser.into()), ..Parts::default() };
    Session { kind: Kind::Agent, parts, ..session("agent", json!({})) }
}

#[test]
fn a_hold_on_a_browser_spares_its_session_also_while_the_browsers_cannot_be_listed() {
    let now = later(at(0), mins(21));
    let hold = OperatorHold { session: "browser".into(), placed_at: at(0), until: later(now, mins(5)), reason: "debugging".to_owned() };
    let orders = Orders { holds: [("browser".into(), hold)].into(), ..Orders::default() };
    // Whether the row without its browser changes the session's place in line or not.
    for expires_at in [session("a", json!({})).expires_at, None] {
        let mut engine = Engine::new(terms(), Recall::default(), Arc::new(orders.clone()), now);
        assert_eq!(released(&list(&mut engine, listing(vec![with_browser("browser")]), now)), Vec::<&str>::new());
        let alone = Session { expires_at, parts: Parts::default(), ..with_browser("browser") };
        let partial = Listing::partial(Rows { sessions: vec![alone], rejected: Vec::new() }, Fault::new(FaultKind::Unavailable, "no browsers"));
        assert_eq!(released(&list(&mut engine, partial, later(now, secs(30)))), Vec::<&str>::new());
        assert_eq!(engine.explain(&"browser".into(), later(now, secs(31))).map(|found| found.session.hold), Some(Some(Hold::Operator)));
        let whole = listing(vec![with_browser("browser")]);
        assert_eq!(released(&list(&mut engine, whole, later(now, mins(5)))), ["agent"], "the hold has ended");
    }
}

#[test]
fn the_books_hear_of_a_browser_that_is_new_to_its_session() {
    let mut engine = started(at(0));
    let seen = |commands: Vec<Command>| -> Vec<Option<SessionId>> {
        let sightings = commands.into_iter().filter_map(|command| match command {
            Command::Write(Record::Seen(sightings)) => Some(sightings),
            _ => None,
        });
        sightings.flatten().map(|sighting| sighting.browser).collect()
    };
    let alone = Session { parts: Parts::default(), ..with_browser("browser") };
    assert_eq!(seen(list(&mut engine, listing(vec![alone]), at(0))), [None]);
    assert_eq!(seen(list(&mut engine, listing(vec![with_browser("browser")]), at(1_000))), [Some("browser".into())]);
    assert_eq!(seen(list(&mut engine, listing(vec![with_browser("browser")]), at(2_000))), []);
}

#[test]
fn what_an_earlier_life_asked_for_in_vain_is_asked_for_again_as_soon_as_a_listing_shows_it() {
    for listed_first in [true, false] {
        let now = later(at(0), mins(21));
        let recall = Recall { releases: vec![unanswered("a", now)], ..Recall::default() };
        let mut engine = Engine::new(terms(), recall, Arc::default(), now);
        let running = session("a", json!({}));
        let mut commands = drained(&mut engine);
        let read = Input::Read { id: "a".into(), answer: exchange(Ok(running.clone()), now) };
        let listed = Input::Listed(exchange(Ok(listing(vec![running])), now));
        let answers = if listed_first { [listed, read] } else { [read, listed] };
        for input in answers {
            engine.handle(input, now);
            commands.extend(drained(&mut engine));
        }
        commands.extend(tick(&mut engine, later(now, secs(2))));
        assert_eq!(released(&commands), ["a"], "listed first: {listed_first}");
    }
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

/// What the last row written for the session `a` says.
fn row(commands: &[Command]) -> Option<Release> {
    let release = |command: &Command| match command {
        Command::Write(Record::Release(row)) => Some(row.as_ref().clone()),
        Command::Release { row, .. } => Some(row.as_ref().clone()),
        _ => None,
    };
    commands.iter().rev().filter_map(release).find(|row| row.id.as_str() == "a")
}

/// The session is gone from the listing, and a reading says that its owner's program ended it then.
fn owner_ended(engine: &mut Engine, ended_at: Timestamp, now: Timestamp) -> Release {
    list(engine, listing(vec![session("other", json!({ "k": 1 }))]), now);
    let ended = Session { ended_at: Some(ended_at), ..in_phase(Phase::Completed, session("a", json!({}))) };
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

#[test]
fn a_session_that_the_books_refused_is_known_until_it_is_asked_for() {
    let due_at = later(at(0), mins(20));
    let mut engine = started(at(0));
    list(&mut engine, listing(vec![session("a", json!({}))]), later(due_at, secs(-1)));
    assert_eq!(released(&tick(&mut engine, due_at)), ["a"]);
    engine.handle(Input::NotWritten { id: "a".into(), why: "disk full".to_owned() }, due_at);
    assert_eq!(engine.unwritten().collect::<Vec<_>>(), [&SessionId::from("a")]);
    assert_eq!(released(&tick(&mut engine, later(due_at, secs(1)))), ["a"]);
    assert_eq!(engine.unwritten().count(), 0);
}

#[test]
fn a_row_that_says_it_has_ended_takes_the_session_out_of_the_line() {
    let mut engine = started(at(0));
    list(&mut engine, listing(vec![session("a", json!({})), session("b", json!({}))]), later(at(0), mins(19)));
    let ended = in_phase(Phase::Completed, session("a", json!({})));
    list(&mut engine, listing(vec![ended, session("b", json!({}))]), later(at(0), secs(1_199)));
    assert_eq!(released(&tick(&mut engine, later(at(0), mins(20)))), ["b"]);
}

#[test]
fn a_session_whose_row_can_be_read_no_longer_is_spared_until_it_can() {
    let now = later(at(0), mins(20));
    let mut engine = started(at(0));
    list(&mut engine, listing(vec![session("a", json!({}))]), later(now, secs(-30)));
    let rejected = vec![RejectedRow { id: Some("a".into()), why: "createdAt has a form that cannot be read".to_owned() }];
    list(&mut engine, Listing::complete(Rows { sessions: Vec::new(), rejected }), later(now, secs(-1)));
    assert_eq!(released(&tick(&mut engine, now)), [""; 0]);
    let view = engine.session_views(now).remove(0);
    assert_eq!((view.verdict.as_str(), view.hold), ("unknown", None));
    assert_eq!(view.reason, "kept: its row in the listing cannot be read: createdAt has a form that cannot be read");
    assert_eq!(released(&list(&mut engine, listing(vec![session("a", json!({}))]), later(now, secs(1)))), ["a"]);
}

#[test]
fn a_404_is_contradicted_by_the_sessions_own_row_only() {
    let (mut engine, asked) = asked_once(Err(fault(FaultKind::NotFound)));
    let nameless = Rows { sessions: Vec::new(), rejected: vec![RejectedRow { id: None, why: "id is missing".to_owned() }] };
    let told = list(&mut engine, Listing::complete(nameless), later(asked, secs(1)));
    assert!(!told.iter().any(|command| matches!(command, Command::Tell(Event { what: What::Failed { .. }, .. }))));
    let told = list(&mut engine, listing(vec![session("b", json!({}))]), later(asked, secs(2)));
    assert_eq!(row(&told).map(|row| row.outcome.as_str()), Some("already_ended"));
}

#[test]
fn a_witness_against_an_empty_listing_is_read_when_the_silence_is_over() {
    let mut engine = started(at(0));
    list(&mut engine, listing(vec![session("a", json!({})), session("b", json!({}))]), later(at(0), secs(1_199)));
    let now = later(at(0), mins(20));
    assert_eq!(released(&tick(&mut engine, now)), ["a", "b"]);
    let throttled = Fault { retry_after: Some(secs(60)), ..fault(FaultKind::Throttled) };
    answer(&mut engine, "a", Err(throttled), now);
    list(&mut engine, listing(vec![session("c", json!({}))]), now);
    let reads = |commands: &[Command]| commands.iter().filter(|command| matches!(command, Command::Read { .. })).count();
    assert_eq!(reads(&list(&mut engine, listing(Vec::new()), later(now, secs(1)))), 0);
    assert!(engine.poll_timeout(later(now, secs(1))) >= Some(later(now, secs(60))));
    assert!(reads(&tick(&mut engine, later(now, secs(60)))) > 0);
}

#[test]
fn a_trip_that_is_over_is_told_with_whose_word_it_was() {
    let sessions = || (0..12).map(|n| session(&n.to_string(), json!({}))).collect();
    let now = later(at(0), mins(20));
    let guardrails = Guardrails { max_release_fraction: 0.25, ..terms().guardrails };
    let mut engine = Engine::new(Terms { guardrails, ..terms() }, Recall::default(), Arc::default(), now);
    assert_eq!(released(&list(&mut engine, listing(sessions()), now)).len(), 3);
    let resumed_at = [("growth".into(), later(now, secs(1)))].into();
    engine.handle(Input::Orders(Arc::new(Orders { resumed_at, ..Orders::default() })), later(now, secs(1)));
    let untripped = |commands: &[Command], operator: bool| {
        commands
            .iter()
            .any(|command| matches!(command, Command::Tell(Event { what: What::Untripped { by_operator }, .. }) if *by_operator == operator))
    };
    let told = drained(&mut engine);
    assert_eq!(released(&told).len(), 3);
    assert!(untripped(&told, true));
    assert!(untripped(&tick(&mut engine, later(now, mins(61))), false), "the second trip rolled on");
}

/// While no listing came, some of those that are gone ended more than an hour ago: nobody knows which, so that they are not counted.
#[test]
fn of_the_rolling_hour_are_those_that_were_seen_in_it() {
    let some = |count: usize| listing((0..count).map(|n| session(&n.to_string(), json!({}))).collect());
    let guardrails = Guardrails { max_release_fraction: 0.25, ..terms().guardrails };
    for (blind, allowed) in [(mins(60), 3), (SignedDuration::from_mins(59), 6)] {
        let mut engine = Engine::new(Terms { guardrails: guardrails.clone(), ..terms() }, Recall::default(), Arc::default(), at(0));
        list(&mut engine, some(24), at(0));
        assert_eq!(released(&list(&mut engine, some(12), later(at(0), blind))).len(), allowed, "{blind:#}");
    }
}

#[test]
fn an_early_answer_of_a_clock_that_was_set_back_gives_no_negative_overrun() {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    list(&mut engine, listing(vec![session("a", json!({}))]), now);
    let set_back = Exchange { clock: Some(ahead(now, mins(-60))), ..exchange(Ok(Some(session("a", json!({})))), now) };
    engine.handle(Input::Answered { id: "a".into(), answer: set_back }, now);
    assert_eq!(row(&drained(&mut engine)).map(|row| row.overrun), Some(SignedDuration::ZERO));
}

mod announcing;
mod asking;
mod census;
mod confirming;
mod counting;
mod crowds;
mod doubting;
mod ends;
mod flights;
mod idle;
mod lives;
mod memory;
mod parts;
mod polling;
mod precedence;
mod properties;
mod releasing;
mod runtime;
mod shown;
mod sighting;

/// The books know of a request that was never answered, and the provider has read it out as still running before any listing came.
#[test]
fn a_release_of_an_earlier_life_waits_a_moment_before_it_is_asked_for_again_as_after_any_try() {
    let now = later(at(0), mins(20));
    let row = crate::domain::fixtures::release("a", later(now, secs(-3)));
    let mut engine = Engine::new(terms(), Recall { releases: vec![row], ..Recall::default() }, Arc::default(), now);
    drained(&mut engine);
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(session("a", json!({}))), now) }, now);
    let listed = list(&mut engine, listing(vec![session("a", json!({}))]), later(now, SignedDuration::from_millis(10)));
    assert_eq!(released(&listed), [""; 0]);
    assert_eq!(released(&tick(&mut engine, later(now, secs(1)))), ["a"]);
}

/// Not listed and still running: nobody may ask for it, and every listing has it read again.
#[test]
fn a_release_that_no_listing_shows_is_read_after_each_of_them() {
    let now = later(at(0), mins(20));
    let row = crate::domain::fixtures::release("a", later(now, secs(-3)));
    let mut engine = Engine::new(terms(), Recall { releases: vec![row], ..Recall::default() }, Arc::default(), now);
    for poll in 0..3 {
        let now = later(now, secs(30 * poll));
        engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(session("a", json!({}))), now) }, now);
        drained(&mut engine);
        let commands = list(&mut engine, listing(Vec::new()), now);
        assert_eq!(commands.iter().filter(|command| matches!(command, Command::Read { .. })).count(), 1);
        assert_eq!(released(&commands), [""; 0]);
    }
}

#[test]
fn a_session_that_the_books_have_ended_long_ago_is_said_once_and_not_asked_for_again() {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    let live = || listing(vec![session("a", json!({}))]);
    assert_eq!(released(&list(&mut engine, live(), now)), ["a"]);
    engine.handle(Input::InBooks { id: "a".into() }, now);
    let told = drained(&mut engine);
    assert!(told.iter().any(|command| matches!(command, Command::Tell(Event { what: What::Reappeared { .. }, .. }))));
    let later_on = list(&mut engine, live(), later(now, mins(10)));
    assert!(!later_on.iter().any(|command| matches!(command, Command::Release { .. } | Command::Tell(Event { what: What::Reappeared { .. }, .. }))));
}

/// A stop does not wait long for anybody: what was accepted is read every second, however long the waits had become.
#[test]
fn while_draining_an_end_is_looked_for_every_second() {
    let (mut engine, now) = asked_once(Ok(Some(session("a", json!({})))));
    let mut reads = Vec::new();
    for second in 1..40 {
        let now = later(now, secs(second));
        if second == 20 {
            engine.handle(Input::Drain, now);
        }
        let commands = tick(&mut engine, now);
        if commands.iter().any(|command| matches!(command, Command::Read { .. })) {
            reads.push(second);
            engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(session("a", json!({}))), now) }, now);
        }
    }
    let before = reads.iter().filter(|second| **second < 20).count();
    assert!(before <= 5, "{reads:?}");
    assert!(reads.len() - before >= 17, "{reads:?}");
}

#[test]
fn a_guardrail_of_a_new_configuration_holds_from_then_on() {
    let now = later(at(0), mins(19));
    let mut engine = started(now);
    list(&mut engine, listing(vec![session("a", json!({}))]), now);
    let mut stricter = terms();
    stricter.guardrails.min_age = mins(30);
    let runtime = Runtime::new(stricter.account.clone(), stricter.provider, stricter.policies.clone());
    engine.handle(Input::Reconfigured { terms: Box::new(stricter), runtime: Box::new(runtime), new_credential: false }, now);
    drained(&mut engine);
    assert_eq!(released(&tick(&mut engine, later(now, mins(2)))), [""; 0]);
    list(&mut engine, listing(vec![session("a", json!({}))]), later(now, mins(10)));
    assert_eq!(released(&tick(&mut engine, later(now, mins(11)))), ["a"], "and no longer than it says");
}
