//! What comes of a request: how it is counted, what is told and written, and when the next one leaves.

use super::*;
use crate::domain::release::{Outcome, RequestOutcome};

fn now() -> Timestamp {
    later(at(0), mins(20))
}

fn running() -> Session {
    session("a", json!({}))
}

fn by(terms: Terms) -> Engine {
    let mut engine = Engine::new(terms, Recall::default(), Arc::default(), now());
    drained(&mut engine);
    engine
}

fn counted(commands: &[Command]) -> Vec<RequestOutcome> {
    let outcome =
        |command: &Command| if let Command::Tell(Event { what: What::Answered { outcome, .. }, .. }) = command { Some(*outcome) } else { None };
    commands.iter().filter_map(outcome).collect()
}

fn told_failed(commands: &[Command]) -> usize {
    commands.iter().filter(|command| matches!(command, Command::Tell(Event { what: What::Failed { .. }, .. }))).count()
}

fn ended(ended_at: Timestamp) -> Session {
    Session { ended_at: Some(ended_at), ..in_phase(Phase::Completed, running()) }
}

#[test]
fn each_answer_is_counted_by_what_it_was_and_a_404_only_once_it_is_known_what_it_meant() {
    use FaultKind::*;
    let cases = [
        (Throttled, vec![RequestOutcome::Throttled], Outcome::Requested),
        (AtCapacity, vec![RequestOutcome::Throttled], Outcome::Requested),
        (Unauthorized, vec![RequestOutcome::Denied], Outcome::Denied),
        (Forbidden, vec![RequestOutcome::Denied], Outcome::Denied),
        (NotFound, vec![], Outcome::Requested),
        (Rejected, vec![RequestOutcome::Failed], Outcome::Failed),
        (PaymentRequired, vec![RequestOutcome::Failed], Outcome::Failed),
        (Redirected, vec![RequestOutcome::Failed], Outcome::Failed),
        (Unavailable, vec![RequestOutcome::Failed], Outcome::Requested),
        (TimedOut, vec![RequestOutcome::Failed], Outcome::Requested),
    ];
    for (kind, count, outcome) in cases {
        let mut engine = by(terms());
        list(&mut engine, listing(vec![running()]), now());
        let commands = answer(&mut engine, "a", Err(fault(kind)), now());
        assert_eq!((counted(&commands), row(&commands).map(|row| row.outcome)), (count, Some(outcome)), "{kind}");
        assert_eq!(told_failed(&commands), usize::from(outcome == Outcome::Failed), "{kind}");
    }
    let mut engine = by(terms());
    list(&mut engine, listing(vec![running()]), now());
    assert_eq!(counted(&answer(&mut engine, "a", Ok(Some(running())), now())), [RequestOutcome::Accepted]);
}

#[test]
fn what_the_provider_will_not_do_is_asked_for_again_after_a_minute() {
    let (mut engine, asked) = asked_once(Err(fault(FaultKind::Rejected)));
    let read_at = later(asked, SignedDuration::from_millis(60));
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(running()), read_at) }, read_at);
    assert_eq!(released(&tick(&mut engine, later(asked, secs(44)))), [""; 0]);
    assert_eq!(released(&tick(&mut engine, later(asked, secs(61)))), ["a"]);
}

#[test]
fn when_a_session_was_asked_for_is_when_its_first_request_left() {
    let mut engine = by(terms());
    list(&mut engine, listing(vec![running()]), now());
    let left_at = |seconds| later(now(), secs(seconds));
    let commands = answer(&mut engine, "a", Err(fault(FaultKind::AtCapacity)), left_at(3));
    let first = row(&commands).expect("a row");
    assert_eq!((first.requested_at, first.overrun), (left_at(3), secs(3)));
    assert_eq!(released(&tick(&mut engine, left_at(5))), ["a"]);
    let second = row(&answer(&mut engine, "a", Ok(None), left_at(6))).expect("a row");
    assert_eq!((second.requested_at, second.overrun, second.attempts), (left_at(3), secs(3), 2));
}

#[test]
fn an_answer_that_shows_it_running_makes_the_end_ours_whatever_the_clocks_say() {
    for (answered, outcome) in
        [(Some(running()), Outcome::Confirmed), (Some(in_phase(Phase::Unknown, running())), Outcome::AlreadyEnded), (None, Outcome::AlreadyEnded)]
    {
        let (mut engine, asked) = asked_once(Ok(answered));
        let soon = later(asked, secs(2));
        tick(&mut engine, soon);
        engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(ended(later(asked, secs(-30)))), soon) }, soon);
        assert_eq!(row(&drained(&mut engine)).map(|row| row.outcome), Some(outcome));
    }
}

#[test]
fn a_session_whose_end_the_books_had_gives_its_place_to_another_if_nothing_was_sent_for_it() {
    let guardrails = Guardrails { max_releases_per_poll: 1, ..terms().guardrails };
    for (sent_before, others) in [(false, vec!["b"]), (true, vec![])] {
        let mut engine = by(Terms { guardrails: guardrails.clone(), poll_interval: mins(20), ..terms() });
        assert_eq!(released(&list(&mut engine, listing(vec![running(), session("b", json!({}))]), now())), ["a"]);
        let mut later_on = now();
        if sent_before {
            answer(&mut engine, "a", Err(fault(FaultKind::AtCapacity)), now());
            later_on = later(now(), secs(2));
            assert_eq!(released(&tick(&mut engine, later_on)), ["a"]);
        }
        engine.handle(Input::InBooks { id: "a".into() }, later_on);
        assert_eq!(released(&drained(&mut engine)), others);
    }
}

#[test]
fn a_single_pass_does_not_wait_for_the_hour_of_a_trip() {
    for pass in [Pass::Once, Pass::Daemon] {
        let guardrails = Guardrails { max_release_fraction: 0.01, ..terms().guardrails };
        let mut engine = by(Terms { pass, guardrails, poll_interval: mins(90), ..terms() });
        let rows = (0..12).map(|n| session(&n.to_string(), json!({}))).collect();
        let commands = list(&mut engine, listing(rows), now());
        assert!(released(&commands).is_empty());
        assert_eq!(engine.is_over(), pass == Pass::Once);
        assert_eq!(engine.poll_timeout(now()), (pass == Pass::Daemon).then(|| later(now(), mins(60))), "{pass:?}");
    }
}

#[test]
fn a_single_pass_waits_a_little_for_its_turn_to_release_and_not_for_long_and_a_daemon_does() {
    for (pass, per_second, waits) in [
        (Pass::Once, 1.0, true),
        (Pass::Once, 1.0 / 29.0, true),
        (Pass::Once, 1.0 / 30.0, false),
        (Pass::Once, 1.0 / 60.0, false),
        (Pass::Daemon, 1.0 / 60.0, true),
    ] {
        let mut engine = by(Terms { pass, requests_per_second: per_second, poll_interval: mins(90), ..terms() });
        assert_eq!(released(&list(&mut engine, listing(vec![running()]), now())), [""; 0], "the listing took what there was");
        assert_eq!(engine.is_over(), !waits, "{pass:?} {per_second}");
        let turn = later(now(), SignedDuration::from_secs_f64(1.0 / per_second));
        assert_eq!(engine.poll_timeout(now()).is_some_and(|at| at <= turn), waits, "{pass:?} {per_second}");
    }
}

#[test]
fn an_end_is_told_before_its_row_is_written_and_trouble_too() {
    let told =
        |command: &Command| matches!(command, Command::Tell(Event { what: What::Confirmed { .. } | What::Failed { .. } | What::Stuck { .. }, .. }));
    let written = |command: &Command| matches!(command, Command::Write(Record::Release(row)) if row.outcome != Outcome::Requested);
    let in_order =
        |commands: &[Command]| commands.iter().position(told).zip(commands.iter().position(written)).is_some_and(|(told, written)| told < written);
    let (mut engine, asked) = asked_once(Ok(Some(running())));
    let soon = later(asked, secs(2));
    tick(&mut engine, soon);
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(ended(soon)), soon) }, soon);
    assert!(in_order(&drained(&mut engine)), "confirmed");
    let mut engine = by(terms());
    list(&mut engine, listing(vec![running()]), now());
    assert!(in_order(&answer(&mut engine, "a", Err(fault(FaultKind::Rejected)), now())), "failed");
}
