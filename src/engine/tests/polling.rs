//! When an account is listed, what each poll opens, and when a single pass has made its last.

use super::*;
use crate::domain::event::PollOutcome;

fn by(terms: Terms) -> Engine {
    Engine::new(terms, Recall::default(), Arc::default(), at(0))
}

fn once() -> Engine {
    by(Terms { pass: Pass::Once, ..terms() })
}

fn after(seconds: i64) -> Timestamp {
    later(at(0), secs(seconds))
}

fn lists(commands: &[Command]) -> bool {
    commands.iter().any(|command| matches!(command, Command::List))
}

fn one() -> Listing {
    listing(vec![session("a", json!({}))])
}

fn failed(engine: &mut Engine, fault: Fault, now: Timestamp) -> Vec<Command> {
    engine.handle(Input::Listed(exchange(Err(fault), now)), now);
    drained(engine)
}

fn down(retry_after: Option<SignedDuration>) -> Fault {
    Fault { retry_after, ..fault(FaultKind::Unavailable) }
}

#[test]
fn polls_keep_to_their_times_and_those_that_were_missed_are_not_made_up_for() {
    let mut engine = started(at(0));
    list(&mut engine, one(), after(1));
    let mut polls = Vec::new();
    for second in [29, 30, 31, 59, 65, 89, 90, 200, 201, 229, 230] {
        if lists(&tick(&mut engine, after(second))) {
            polls.push(second);
            list(&mut engine, one(), after(second));
        }
    }
    assert_eq!(polls, [30, 65, 90, 200, 230]);
}

#[test]
fn no_listing_leaves_while_one_is_under_way_or_before_the_provider_may_be_asked() {
    let mut engine = started(at(0));
    assert!(lists(&drained(&mut engine)));
    assert!(!lists(&tick(&mut engine, after(60))), "one is under way");
    assert!(!lists(&failed(&mut engine, down(Some(secs(300))), after(60))));
    assert!(!lists(&tick(&mut engine, after(359))));
    assert!(lists(&tick(&mut engine, after(360))));
}

#[test]
fn while_draining_nothing_is_listed() {
    let mut engine = started(at(0));
    list(&mut engine, one(), after(1));
    engine.handle(Input::Drain, after(2));
    assert!(!lists(&tick(&mut engine, after(60))));
}

#[test]
fn a_listing_is_a_call_under_way() {
    let mut engine = started(at(0));
    assert!(!engine.is_settled());
    list(&mut engine, one(), after(1));
    assert!(engine.is_settled());
}

#[test]
fn a_shorter_interval_of_a_new_configuration_counts_from_now_on() {
    for (interval, due) in [(10, 12), (600, 30)] {
        let mut engine = started(at(0));
        list(&mut engine, one(), after(1));
        let terms = Terms { poll_interval: secs(interval), ..terms() };
        let runtime = Runtime::new(terms.account.clone(), terms.provider, terms.policies.clone());
        engine.handle(Input::Reconfigured { terms: Box::new(terms), runtime: Box::new(runtime), new_credential: false }, after(2));
        assert_eq!(engine.listing_due_at(after(2)), Some(after(due)));
    }
}

#[test]
fn a_single_pass_tries_a_failing_listing_three_times() {
    let mut engine = once();
    let mut tries = 0;
    let mut commands = drained(&mut engine);
    for second in 0..120 {
        if lists(&commands) {
            tries += 1;
            failed(&mut engine, down(None), after(second));
        }
        assert_eq!(engine.is_over(), tries == 3, "after {tries}");
        commands = tick(&mut engine, after(second + 1));
    }
    assert_eq!(tries, 3);
}

#[test]
fn a_single_pass_waits_for_a_provider_that_comes_back_within_half_a_minute() {
    for (wait, waits) in [(1, true), (29, true), (30, false), (31, false), (300, false)] {
        let mut engine = once();
        failed(&mut engine, down(Some(secs(wait))), at(0));
        assert_eq!(engine.is_over(), !waits, "{wait} seconds");
        assert_eq!(lists(&tick(&mut engine, after(wait))), waits, "{wait} seconds");
    }
}

#[test]
fn a_refusal_introduces_an_account_and_an_outage_does_not() {
    let mut engine = started(at(0));
    failed(&mut engine, down(None), at(0));
    assert!(!engine.is_introduced());
    failed(&mut engine, fault(FaultKind::Unauthorized), after(1));
    assert!(engine.is_introduced());
    failed(&mut engine, down(None), after(2));
    assert!(engine.is_introduced(), "once and for all");
}

#[test]
fn a_time_without_listings_is_a_gap_from_three_intervals_on_and_from_a_minute_at_least() {
    for (interval, gap) in [(5, 60), (30, 90), (300, 900)] {
        let mut engine = by(Terms { poll_interval: secs(interval), ..terms() });
        let written = list(&mut engine, one(), at(0));
        let gaps =
            written.iter().filter_map(|command| if let Command::Write(Record::Polled { gap_after, .. }) = command { Some(*gap_after) } else { None });
        assert_eq!(gaps.collect::<Vec<_>>(), [secs(gap)]);
    }
}

#[test]
fn each_poll_by_the_interval_that_shows_something_opens_an_allowance() {
    let guardrails = Guardrails { max_releases_per_poll: 1, ..terms().guardrails };
    let start = 21 * 60;
    let mut engine = Engine::new(Terms { guardrails, ..terms() }, Recall::default(), Arc::default(), after(start));
    let rows = || listing(["a", "b", "c"].map(|id| session(id, json!({}))).to_vec());
    let mut polled = |second: i64, result: Result<Listing, Fault>| {
        let mut commands = tick(&mut engine, after(start + second));
        engine.handle(Input::Listed(exchange(result, after(start + second))), after(start + second));
        commands.extend(drained(&mut engine));
        released(&commands).len()
    };
    assert_eq!(polled(0, Ok(rows())), 1);
    assert_eq!(polled(10, Ok(rows())), 0, "a listing beside the regular ones");
    assert_eq!(polled(30, Err(down(None))), 0);
    assert_eq!(polled(31, Ok(rows())), 1, "made up for by the next try");
    assert_eq!(polled(60, Ok(Listing::partial(Rows { sessions: vec![], rejected: vec![] }, down(None)))), 1);
}

#[test]
fn how_many_rows_could_not_be_read_is_shown_until_another_listing_was_made() {
    let mut engine = started(at(0));
    let rejected = vec![RejectedRow { id: Some("b".into()), why: "`status` is missing".to_owned() }];
    list(&mut engine, Listing::complete(Rows { sessions: vec![session("a", json!({}))], rejected }), at(0));
    failed(&mut engine, down(None), after(1));
    let view = engine.account_view(after(1));
    assert_eq!((view.rejected_rows, view.listing, view.last_complete_at), (1, Some(PollOutcome::Failed), Some(at(0))));
    list(&mut engine, one(), after(2));
    assert_eq!(engine.account_view(after(2)).rejected_rows, 0);
}

#[test]
fn what_has_ended_is_remembered_for_a_day() {
    let now = later(at(0), mins(20));
    for (hours, late, live) in [(24, -1, 0), (24, 0, 1)] {
        let (mut engine, _) = asked_once(Ok(None));
        let ended = Session { ended_at: Some(later(now, secs(1))), ..in_phase(Phase::Completed, session("a", json!({}))) };
        engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(ended), now) }, now);
        let day = later(later(now, mins(60 * hours)), SignedDuration::from_millis(late));
        list(&mut engine, one(), day);
        list(&mut engine, one(), day);
        assert_eq!(engine.session_views(day).len(), live, "{late}");
    }
}

#[test]
fn a_listing_that_fails_is_tried_again_after_waits_that_double_up_to_the_interval() {
    let mut engine = started(at(0));
    let mut now = at(0);
    for full in [1, 2, 4, 8, 16] {
        failed(&mut engine, down(None), now);
        let wait = engine.listing_due_at(now).expect("another try").duration_since(now).as_secs_f64();
        assert!(wait <= f64::from(full) && wait >= f64::from(full) * 0.75, "{wait} for {full}");
        now = later(now, SignedDuration::from_secs_f64(wait));
        assert!(lists(&tick(&mut engine, now)));
    }
}

#[test]
fn an_allowance_of_an_earlier_life_is_carried_on_until_its_interval_is_over() {
    let now = later(at(0), mins(21));
    let guardrails = Guardrails { max_releases_per_poll: 3, ..terms().guardrails };
    let carried = |pass, opened_at| {
        let gone = |id, asked_at| Release { outcome: crate::domain::release::Outcome::Confirmed, ..crate::domain::fixtures::release(id, asked_at) };
        let before = later(opened_at, SignedDuration::from_millis(-1));
        let releases = vec![gone("x", opened_at), gone("y", before), gone("z", before)];
        let recall = Recall { releases, allowance_opened_at: Some(opened_at), ..Recall::default() };
        let mut engine = Engine::new(Terms { pass, guardrails: guardrails.clone(), ..terms() }, recall, Arc::default(), now);
        let rows = ["a", "b", "c", "d"].map(|id| session(id, json!({}))).to_vec();
        let commands = list(&mut engine, listing(rows), now);
        let opened = commands.iter().any(|command| matches!(command, Command::Write(Record::Allowance { .. })));
        (released(&commands).len(), opened)
    };
    for millis in [0, 10_000, 29_999] {
        assert_eq!(carried(Pass::Daemon, later(now, SignedDuration::from_millis(-millis))), (2, false), "one of three was used {millis} ms ago");
    }
    assert_eq!(carried(Pass::Daemon, later(now, secs(-30))), (3, true), "the interval is over");
    assert_eq!(carried(Pass::Daemon, later(now, secs(1))), (3, true), "a clock was set back");
    assert_eq!(carried(Pass::Once, later(now, secs(-10))), (3, true), "an operator's own pass has its own");
}
