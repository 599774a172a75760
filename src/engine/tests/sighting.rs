//! What a listing shows of each session, what the books hear of it, and when what is known is too old.

use super::*;

fn millis(count: i64) -> SignedDuration {
    SignedDuration::from_millis(count)
}

fn one() -> Session {
    session("a", json!({}))
}

fn seen(commands: &[Command]) -> usize {
    commands.iter().map(|command| if let Command::Write(Record::Seen(sightings)) = command { sightings.len() } else { 0 }).sum()
}

fn reappeared(commands: &[Command]) -> usize {
    commands.iter().filter(|command| matches!(command, Command::Tell(Event { what: What::Reappeared { .. }, .. }))).count()
}

fn word(engine: &Engine, now: Timestamp) -> &'static str {
    engine.session_views(now)[0].verdict.as_str()
}

#[test]
fn a_session_that_is_listed_as_running_long_after_its_end_is_worth_one_word() {
    let (mut engine, asked) = asked_once(Ok(None));
    let ended = Session { ended_at: Some(asked), ..in_phase(Phase::Completed, one()) };
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(ended), asked) }, asked);
    let lag = later(asked, mins(2));
    for (row, left_at, told) in [
        (one(), lag, 0),
        (in_phase(Phase::Pending, one()), later(lag, millis(1)), 0),
        (one(), later(lag, millis(1)), 1),
        (one(), later(lag, mins(1)), 0),
    ] {
        engine.handle(Input::Listed(exchange(Ok(listing(vec![row])), left_at)), later(lag, mins(2)));
        assert_eq!(reappeared(&drained(&mut engine)), told, "{left_at}");
        assert!(engine.session_views(lag).is_empty());
    }
}

#[test]
fn the_books_hear_at_once_of_what_changes_and_every_ten_minutes_of_what_does_not() {
    let changed = [
        Session { expires_at: None, ..one() },
        Session { started_at: Some(at(1_000)), ..one() },
        in_phase(Phase::Unknown, one()),
        Session { proxy_bytes: Some(1), ..one() },
    ];
    for row in changed {
        let mut engine = started(at(0));
        assert_eq!(seen(&list(&mut engine, listing(vec![one()]), at(0))), 1);
        list(&mut engine, listing(vec![one()]), at(1_000));
        assert_eq!(seen(&list(&mut engine, listing(vec![row.clone()]), at(2_000))), 1, "{row:?}");
        assert_eq!(seen(&list(&mut engine, listing(vec![row]), at(3_000))), 0);
    }
    let mut engine = started(at(0));
    list(&mut engine, listing(vec![one()]), at(0));
    list(&mut engine, listing(vec![one()]), at(1_000));
    let due = later(at(1_000), mins(10));
    assert_eq!(seen(&list(&mut engine, listing(vec![one()]), later(due, millis(-1)))), 0);
    assert_eq!(seen(&list(&mut engine, listing(vec![one()]), due)), 1);
}

#[test]
fn what_waits_for_a_browser_has_not_begun_to_run() {
    for (phase, began) in [(Phase::Pending, None), (Phase::Running, Some(at(0)))] {
        let mut engine = started(at(0));
        let written = list(&mut engine, listing(vec![in_phase(phase, one())]), at(0));
        let started_at =
            written.iter().find_map(|command| if let Command::Write(Record::Seen(seen)) = command { Some(seen[0].started_at) } else { None });
        assert_eq!(started_at, Some(began), "{phase:?}");
    }
}

#[test]
fn a_session_is_judged_by_its_row_for_three_polls_and_for_two_minutes_at_least() {
    for (interval, bound) in [(5, 120), (40, 120), (60, 180), (600, 1_800)] {
        let mut engine = Engine::new(Terms { poll_interval: secs(interval), ..terms() }, Recall::default(), Arc::default(), at(0));
        list(&mut engine, listing(vec![Session { started_at: Some(at(0)), ..one() }]), at(0));
        let last = later(at(0), secs(bound));
        assert_ne!(word(&engine, last), "unknown", "{interval}");
        assert_eq!(word(&engine, later(last, millis(1))), "unknown", "{interval}");
    }
}

#[test]
fn a_session_that_was_out_of_sight_is_released_when_it_is_seen_again() {
    let mut engine = started(at(0));
    list(&mut engine, listing(vec![one()]), at(0));
    let due = later(at(0), mins(20));
    assert_eq!(released(&tick(&mut engine, due)), [""; 0]);
    assert_eq!(released(&list(&mut engine, listing(vec![one()]), later(due, secs(1)))), ["a"]);
}

#[test]
fn a_session_that_was_to_end_by_itself_is_looked_at_again_when_its_end_is_put_off() {
    let guardrails = Guardrails { skip_expiring_within: mins(1), ..terms().guardrails };
    let now = later(at(0), mins(20));
    let mut engine = Engine::new(Terms { guardrails, ..terms() }, Recall::default(), Arc::default(), now);
    let ends = |end| listing(vec![Session { expires_at: Some(end), ..one() }]);
    for _ in 0..2 {
        assert_eq!(released(&list(&mut engine, ends(later(now, secs(30))), now)), [""; 0]);
    }
    assert_eq!(released(&list(&mut engine, ends(later(now, mins(60))), later(now, secs(1)))), ["a"]);
}

#[test]
fn a_session_keeps_its_place_in_line_through_listings_that_show_nothing_new() {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    let pause = Pause { account: None, placed_at: now, reason: "freeze".to_owned() };
    engine.handle(Input::Orders(Arc::new(Orders { pauses: vec![pause], ..Orders::default() })), now);
    for second in 0..3 {
        assert_eq!(released(&list(&mut engine, listing(vec![one()]), later(now, secs(second)))), [""; 0]);
    }
    engine.handle(Input::Orders(Arc::default()), later(now, secs(3)));
    assert_eq!(released(&drained(&mut engine)), ["a"]);
}
