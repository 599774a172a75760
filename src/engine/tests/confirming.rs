//! Reading what was asked for until it has ended: when, how often, and what is said where it does not.

use super::*;
use crate::domain::release::Outcome;

fn running() -> Session {
    session("a", json!({}))
}

fn reads(commands: &[Command]) -> usize {
    commands.iter().filter(|command| matches!(command, Command::Read { .. })).count()
}

fn read(engine: &mut Engine, result: Result<Session, Fault>, now: Timestamp) -> Vec<Command> {
    engine.handle(Input::Read { id: "a".into(), answer: exchange(result, now) }, now);
    drained(engine)
}

fn told_stuck(commands: &[Command]) -> usize {
    commands.iter().filter(|command| matches!(command, Command::Tell(Event { what: What::Stuck { .. }, .. }))).count()
}

/// How many are stuck by the next census, and since when.
fn stuck(engine: &Engine, now: Timestamp) -> (usize, Option<Timestamp>) {
    let census = engine.census(now);
    (census.stuck, census.stuck_since)
}

fn recalled(row: Release, now: Timestamp) -> (Engine, Vec<Command>) {
    let mut engine = Engine::new(terms(), Recall { releases: vec![row], ..Recall::default() }, Arc::default(), now);
    let commands = drained(&mut engine);
    (engine, commands)
}

#[test]
fn readings_are_calls_under_way_of_which_there_are_only_so_many() {
    let now = later(at(0), mins(20));
    let releases = (0..MAX_CALLS_UNDER_WAY + 6).map(|index| crate::domain::fixtures::release(&format!("s{index:03}"), now)).collect();
    let mut engine = Engine::new(terms(), Recall { releases, ..Recall::default() }, Arc::default(), now);
    assert_eq!(reads(&drained(&mut engine)), MAX_CALLS_UNDER_WAY - 1, "the listing is one more");
    let young = Session { started_at: Some(now), ..running() };
    assert_eq!(reads(&list(&mut engine, listing(vec![young]), now)), 1);
}

#[test]
fn a_reading_that_was_brought_forward_is_made_once() {
    let (mut engine, asked) = asked_once(Ok(Some(running())));
    let soon = later(asked, SignedDuration::from_millis(200));
    assert_eq!(reads(&list(&mut engine, listing(vec![session("b", json!({ "k": 1 }))]), soon)), 1, "it is not listed any more");
    assert_eq!(reads(&tick(&mut engine, later(asked, secs(5)))), 0, "the answer is awaited");
}

#[test]
fn a_stop_delays_no_reading() {
    let (mut engine, asked) = asked_once(Ok(Some(running())));
    let due = engine.poll_timeout(later(asked, SignedDuration::from_millis(60))).expect("a reading");
    assert!(due < later(asked, secs(2)));
    engine.handle(Input::Drain, later(due, SignedDuration::from_millis(-1)));
    assert_eq!(reads(&drained(&mut engine)), 0);
    assert_eq!(reads(&tick(&mut engine, due)), 1);
}

#[test]
fn a_listing_that_left_at_the_very_instant_of_a_404_counts_as_begun_after_it() {
    let (mut engine, asked) = asked_once(Err(fault(FaultKind::NotFound)));
    let answered = later(asked, SignedDuration::from_millis(50));
    for (sent_at, settled) in [(later(answered, SignedDuration::from_millis(-1)), None), (answered, Some(Outcome::AlreadyEnded))] {
        let others = listing(vec![session("b", json!({ "k": 1 }))]);
        engine.handle(Input::Listed(exchange(Ok(others), sent_at)), later(asked, secs(1)));
        assert_eq!(row(&drained(&mut engine)).map(|row| row.outcome), settled);
    }
}

/// A wrong address may answer 404 for readings only.
#[test]
fn a_404_for_a_reading_that_a_listing_contradicts_is_one_more_try() {
    let (mut engine, asked) = asked_once(Ok(Some(running())));
    let now = later(asked, secs(2));
    assert_eq!(reads(&tick(&mut engine, now)), 1);
    read(&mut engine, Err(fault(FaultKind::NotFound)), now);
    let told = list(&mut engine, listing(vec![running()]), now);
    assert_eq!(row(&told).map(|row| row.outcome), Some(Outcome::Failed));
    assert_eq!(released(&tick(&mut engine, later(now, secs(89)))), [""; 0], "two tries: two minutes, shortened by a quarter at most");
    assert_eq!(released(&tick(&mut engine, later(now, secs(120)))), ["a"]);
}

#[test]
fn how_many_releases_are_stuck_is_told_and_since_when_the_first_was_asked_for() {
    let (mut engine, asked) = asked_once(Ok(Some(running())));
    let late = later(asked, mins(3));
    assert_eq!(reads(&tick(&mut engine, late)), 1);
    let told = read(&mut engine, Ok(running()), late);
    let sent = later(asked, SignedDuration::from_millis(50));
    assert_eq!((told_stuck(&told), stuck(&engine, late)), (1, (1, Some(sent))));
    let again = later(late, secs(2));
    assert_eq!(released(&list(&mut engine, listing(vec![running()]), again)), ["a"]);
    let ended = Session { ended_at: Some(again), ..in_phase(Phase::Completed, running()) };
    assert_eq!(stuck(&engine, again), (1, Some(sent)), "asked for again it is stuck still");
    answer(&mut engine, "a", Ok(Some(ended)), again);
    assert_eq!(stuck(&engine, again), (0, None));
}

#[test]
fn a_release_that_an_earlier_life_called_stuck_is_counted_and_not_told_again() {
    let now = later(at(0), mins(30));
    let before = later(now, mins(-5));
    let row = Release { outcome: Outcome::Stuck, accepted_at: Some(before), ..crate::domain::fixtures::release("a", before) };
    let (mut engine, _) = recalled(row, now);
    assert_eq!(stuck(&engine, now), (1, Some(before)));
    list(&mut engine, listing(vec![running()]), now);
    let late = later(now, mins(2));
    read(&mut engine, Ok(running()), later(late, secs(-20)));
    assert_eq!(reads(&tick(&mut engine, late)), 1);
    let told = read(&mut engine, Ok(running()), late);
    assert_eq!((told_stuck(&told), stuck(&engine, late)), (0, (1, Some(before))));
}

#[test]
fn a_release_that_an_earlier_life_had_accepted_is_stuck_when_this_life_has_waited_as_long_as_allowed() {
    let now = later(at(0), mins(30));
    let before = later(now, mins(-5));
    let row = Release { accepted_at: Some(before), ..crate::domain::fixtures::release("a", before) };
    let (mut engine, commands) = recalled(row, now);
    assert_eq!((reads(&commands), stuck(&engine, now)), (1, (0, None)));
    assert_eq!(told_stuck(&read(&mut engine, Ok(running()), later(now, secs(119)))), 0);
    let late = later(now, mins(2));
    assert_eq!(reads(&tick(&mut engine, late)), 1);
    assert_eq!(told_stuck(&read(&mut engine, Ok(running()), late)), 1);
}

#[test]
fn a_session_is_asked_for_again_at_the_very_instant_at_which_its_wait_is_over() {
    let (mut engine, asked) = asked_once(Err(fault(FaultKind::AtCapacity)));
    let over = engine.poll_timeout(later(asked, secs(0))).expect("an alarm");
    assert!(over <= later(asked, SignedDuration::from_millis(1_050)), "a second at most");
    assert_eq!(released(&tick(&mut engine, later(over, SignedDuration::from_micros(-1)))), [""; 0]);
    assert_eq!(released(&tick(&mut engine, over)), ["a"]);
}

#[test]
fn a_single_pass_does_not_wait_for_a_right_that_it_lacks() {
    let now = later(at(0), mins(21));
    for (kind, over) in [(FaultKind::Forbidden, true), (FaultKind::Throttled, false)] {
        let mut engine = Engine::new(Terms { pass: Pass::Once, ..terms() }, Recall::default(), Arc::default(), now);
        drained(&mut engine);
        assert_eq!(released(&list(&mut engine, listing(vec![running()]), now)), ["a"]);
        answer(&mut engine, "a", Err(fault(kind)), now);
        assert_eq!((engine.is_settled(), engine.is_over()), (over, over), "{kind}");
    }
}

/// It may have been applied, and what was due then is due no more for a while: asked for blindly later, its end would be taken for somebody else's.
#[test]
fn long_after_a_request_that_nobody_answered_the_session_is_read_before_it_is_asked_for_again() {
    let (mut engine, asked) = asked_once(Err(fault(FaultKind::TimedOut)));
    let read_at = later(asked, secs(2));
    assert_eq!(reads(&tick(&mut engine, read_at)), 1);
    let pause = Pause { account: None, placed_at: at(0), reason: "incident".to_owned() };
    engine.handle(Input::Orders(Arc::new(Orders { pauses: vec![pause], ..Orders::default() })), read_at);
    read(&mut engine, Ok(running()), read_at);
    let long_after = later(read_at, mins(3));
    engine.handle(Input::Orders(Arc::default()), long_after);
    drained(&mut engine);
    let commands = list(&mut engine, listing(vec![running()]), long_after);
    assert_eq!((reads(&commands), released(&commands)), (1, Vec::new()), "nobody knows what the first request did");
    let ended_at = later(asked, secs(40));
    let told = read(&mut engine, Ok(Session { ended_at: Some(ended_at), ..in_phase(Phase::Completed, running()) }), long_after);
    assert_eq!(row(&told).map(|row| (row.outcome, row.attempts)), Some((Outcome::Confirmed, 1)));
}

#[test]
fn a_session_that_was_just_read_alive_is_asked_for_again_without_another_reading() {
    let (mut engine, asked) = asked_once(Err(fault(FaultKind::TimedOut)));
    let read_at = later(asked, secs(2));
    tick(&mut engine, read_at);
    read(&mut engine, Ok(running()), read_at);
    let commands = list(&mut engine, listing(vec![running()]), later(read_at, mins(2)));
    assert_eq!((reads(&commands), released(&commands)), (0, vec!["a"]));
}
