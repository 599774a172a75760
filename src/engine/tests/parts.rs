//! Sessions of several parts, sessions that come back to life under their id, and listings that are whole for some kinds only.

use super::*;
use crate::domain::event::PollOutcome;
use crate::domain::listing::Complete;
use crate::domain::name::Kind;
use crate::domain::release::Outcome;
use crate::domain::session::{Parts, Target};

fn parts(own: bool, browser: Option<&str>, run: Option<&str>) -> Parts {
    Parts { own, browser: browser.map(Into::into), run: run.map(Into::into) }
}

fn agent(id: &str, parts: Parts) -> Session {
    Session { kind: Kind::Agent, parts, ..session(id, json!({})) }
}

fn browser(id: &str) -> Session {
    Session { kind: Kind::Browser, ..session(id, json!({})) }
}

fn ended(session: Session, ended_at: Timestamp) -> Session {
    Session { ended_at: Some(ended_at), ..in_phase(Phase::Completed, session) }
}

fn sent(commands: &[Command]) -> Vec<&Target> {
    commands.iter().filter_map(|command| if let Command::Release { target, .. } = command { Some(target) } else { None }).collect()
}

fn read(commands: &[Command]) -> Vec<&Target> {
    commands.iter().filter_map(|command| if let Command::Read { target } = command { Some(target) } else { None }).collect()
}

fn rows(sessions: Vec<Session>) -> Rows {
    Rows { sessions, rejected: Vec::new() }
}

fn live(engine: &Engine, now: Timestamp) -> Vec<String> {
    engine.session_views(now).iter().map(|view| view.id.to_string()).collect()
}

/// Due, asked for and accepted; gives the engine and the moment at which it is read.
fn accepted(listed: Session, now: Timestamp) -> (Engine, Timestamp) {
    let mut engine = started(now);
    let id = listed.id.to_string();
    assert_eq!(released(&list(&mut engine, listing(vec![listed]), now)), [id.as_str()]);
    answer(&mut engine, &id, Ok(None), now);
    (engine, later(now, secs(2)))
}

/// Due and denied: a conversation whose next run may open another browser.
fn denied_with_a_life_to_come() -> (Engine, Timestamp) {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    list(&mut engine, listing(vec![agent("a", parts(false, Some("b"), None))]), now);
    answer(&mut engine, "a", Err(Fault::new(FaultKind::Forbidden, "no")), now);
    (engine, now)
}

fn confirm(engine: &mut Engine, answer: Session, now: Timestamp) -> Vec<Command> {
    tick(engine, now);
    engine.handle(Input::Read { id: answer.id.clone(), answer: exchange(Ok(answer), now) }, now);
    drained(engine)
}

fn confirmed(commands: &[Command]) -> usize {
    commands.iter().filter(|command| matches!(command, Command::Tell(Event { what: What::Confirmed { .. }, .. }))).count()
}

#[test]
fn a_pair_is_asked_for_once_and_read_with_both_its_parts() {
    let pair = parts(true, Some("b"), None);
    let (mut engine, now) = accepted(agent("a", pair.clone()), later(at(0), mins(20)));
    let commands = tick(&mut engine, now);
    assert_eq!(read(&commands), [&Target { id: "a".into(), kind: Kind::Agent, parts: pair }]);
}

#[test]
fn what_a_first_request_left_alive_of_a_pair_is_asked_for_and_both_are_read() {
    let (mut engine, now) = accepted(agent("a", parts(true, Some("b"), None)), later(at(0), mins(20)));
    let orphan = agent("a", parts(false, Some("b"), None));
    let late = later(now, mins(3));
    confirm(&mut engine, orphan.clone(), late);
    let mut commands = list(&mut engine, listing(vec![orphan]), late);
    commands.extend(tick(&mut engine, later(late, mins(2))));
    assert_eq!(sent(&commands), [&Target { id: "a".into(), kind: Kind::Agent, parts: parts(false, Some("b"), None) }]);
    answer(&mut engine, "a", Ok(None), later(late, mins(2)));
    let reads = tick(&mut engine, later(late, mins(3)));
    assert_eq!(read(&reads).iter().map(|target| &target.parts).collect::<Vec<_>>(), [&parts(true, Some("b"), None)]);
}

#[test]
fn a_listing_that_lags_shows_parts_that_have_ended_and_nothing_is_asked_again() {
    let pair = agent("a", parts(true, Some("b"), None));
    let (mut engine, now) = accepted(pair.clone(), later(at(0), mins(20)));
    assert_eq!(confirmed(&confirm(&mut engine, ended(pair.clone(), now), now)), 1);
    for lagging in [pair, agent("a", Parts::default()), agent("a", parts(false, Some("b"), None))] {
        let mut commands = list(&mut engine, listing(vec![lagging]), later(now, secs(1)));
        commands.extend(tick(&mut engine, later(now, mins(5))));
        assert_eq!(released(&commands), [""; 0]);
        assert_eq!(live(&engine, now), [""; 0]);
    }
}

#[test]
fn a_conversation_that_comes_back_to_life_is_another_session_with_a_row_of_its_own() {
    let first = agent("a", parts(false, Some("b"), None));
    let (mut engine, now) = accepted(first.clone(), later(at(0), mins(20)));
    assert_eq!(confirmed(&confirm(&mut engine, ended(first, now), now)), 1);
    let second = Session { started_at: Some(now), ..agent("a", parts(false, Some("c"), None)) };
    let commands = list(&mut engine, listing(vec![second.clone()]), later(now, secs(5)));
    assert_eq!((released(&commands).len(), live(&engine, now)), (0, vec!["a".to_owned()]), "it is young");
    let commands = list(&mut engine, listing(vec![second]), later(now, mins(20)));
    let row = commands.iter().find_map(|command| if let Command::Release { row, .. } = command { Some(row) } else { None }).expect("it is due");
    assert_eq!((row.life.as_ref(), row.attempts), (Some(&"c".into()), 1));
}

#[test]
fn the_release_of_an_earlier_life_is_settled_before_anything_is_asked_of_the_next() {
    let (mut engine, now) = denied_with_a_life_to_come();
    // It ended by itself, and a run opened another browser that is due as well.
    let commands = list(&mut engine, listing(vec![agent("a", parts(false, Some("c"), None))]), later(now, secs(5)));
    assert_eq!(
        (sent(&commands).len(), read(&commands).iter().map(|target| &target.parts).collect::<Vec<_>>()),
        (0, vec![&parts(false, Some("b"), None)])
    );
    let over = ended(agent("a", parts(false, Some("b"), None)), later(at(0), mins(1)));
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(over), later(now, secs(6))) }, later(now, secs(6)));
    drained(&mut engine);
    let mut commands = list(&mut engine, listing(vec![agent("a", parts(false, Some("c"), None))]), later(now, secs(35)));
    commands.extend(tick(&mut engine, later(now, mins(2))));
    assert_eq!(sent(&commands).iter().map(|target| &target.parts).collect::<Vec<_>>(), [&parts(false, Some("c"), None)]);
}

#[test]
fn while_the_earlier_life_is_said_to_go_on_nothing_is_asked_of_the_next() {
    let (mut engine, now) = denied_with_a_life_to_come();
    list(&mut engine, listing(vec![agent("a", parts(false, Some("c"), None))]), later(now, secs(5)));
    let running = agent("a", parts(false, Some("b"), None));
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(running), later(now, secs(6))) }, later(now, secs(6)));
    drained(&mut engine);
    assert_eq!(released(&tick(&mut engine, later(now, mins(1)))), [""; 0]);
}

#[test]
fn an_account_is_introduced_by_a_definite_refusal_of_a_part_of_it() {
    for (kind, introduced) in [(FaultKind::Forbidden, true), (FaultKind::Unavailable, false)] {
        let mut engine = started(at(0));
        list(&mut engine, Listing::partial(rows(vec![browser("b")]), Fault::new(kind, "no")), at(0));
        assert_eq!(engine.is_introduced(), introduced, "{kind}");
    }
}

#[test]
fn a_part_of_a_listing_that_is_whole_says_who_is_gone_of_its_kinds_and_of_no_other() {
    let now = later(at(0), mins(5));
    let mut engine = started(now);
    list(&mut engine, listing(vec![agent("a", Parts::default()), browser("b"), browser("c")]), now);
    let refused = Fault { status: Some(403), ..Fault::new(FaultKind::Forbidden, "missing required scope: sessions") };
    let whole = Some(Complete::of(&[Kind::Browser], rows(vec![browser("c")])));
    let commands = list(&mut engine, Listing::Partial { rows: Rows::default(), whole, why: refused }, later(now, secs(1)));
    assert_eq!(live(&engine, now), ["a", "c"]);
    let outcome =
        |command: &Command| matches!(command, Command::Tell(Event { what: What::Polled { outcome: PollOutcome::Partial, live: 1, .. }, .. }));
    assert!(commands.iter().any(outcome), "{commands:?}");
    assert!(engine.is_introduced(), "a definite refusal");
    assert_eq!(engine.listing_due_at(later(now, secs(1))), Some(later(now, secs(30))), "no sooner than the next poll");
}

#[test]
fn a_partial_listing_that_was_throttled_silences_the_key() {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    let throttled = Fault { retry_after: Some(secs(300)), ..Fault::new(FaultKind::Throttled, "rate_limited") };
    let partial = Listing::Partial { rows: rows(vec![browser("b")]), whole: None, why: throttled };
    assert_eq!(released(&list(&mut engine, partial, now)), [""; 0], "it is due, and not asked for");
    assert_eq!(engine.listing_due_at(now), Some(later(now, secs(300))));
    assert_eq!(released(&tick(&mut engine, later(now, secs(299)))), [""; 0]);
}

#[test]
fn an_inventory_that_is_suddenly_empty_is_doubted_though_the_other_is_not() {
    let now = later(at(0), mins(5));
    let mut engine = started(now);
    let agents = || agent("a", Parts::default());
    list(&mut engine, listing(vec![agents(), browser("b")]), now);
    let commands = list(&mut engine, listing(vec![agents()]), later(now, secs(30)));
    assert_eq!(read(&commands).iter().map(|target| target.id.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(live(&engine, now), ["a", "b"]);
    engine.handle(Input::Read { id: "b".into(), answer: exchange(Err(Fault::new(FaultKind::NotFound, "gone")), now) }, later(now, secs(31)));
    drained(&mut engine);
    list(&mut engine, listing(vec![agents()]), later(now, secs(32)));
    assert_eq!(live(&engine, now), ["a"]);
}

#[test]
fn an_answer_about_concurrent_sessions_is_no_order_to_be_silent() {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    list(&mut engine, listing(vec![browser("b")]), now);
    answer(&mut engine, "b", Err(Fault::new(FaultKind::AtCapacity, "too many concurrent active sessions")), now);
    assert!(engine.listing_due_at(now).is_some_and(|at| at <= later(now, secs(30))), "the next poll is as it was");
    assert_eq!(released(&tick(&mut engine, later(now, secs(3)))), ["b"]);
}

#[test]
fn where_no_listing_is_ever_whole_what_was_not_seen_for_a_day_is_forgotten() {
    let now = at(0);
    let mut engine = started(now);
    let partial = |sessions| Listing::partial(rows(sessions), Fault::new(FaultKind::Unreadable, "does not add up"));
    list(&mut engine, partial(vec![agent("a", Parts::default()), browser("b")]), now);
    list(&mut engine, partial(vec![browser("b")]), later(now, mins(23 * 60)));
    assert_eq!(live(&engine, now), ["a", "b"]);
    list(&mut engine, partial(vec![browser("b")]), later(now, mins(24 * 60)));
    assert_eq!(live(&engine, now), ["b"]);
}

#[test]
fn an_answer_about_the_part_that_was_left_alive_is_not_the_end_of_the_whole() {
    let (mut engine, now) = accepted(agent("a", parts(false, Some("b"), Some("r"))), later(at(0), mins(20)));
    let run = agent("a", parts(false, None, Some("r")));
    let late = later(now, mins(3));
    confirm(&mut engine, run.clone(), late);
    let mut commands = list(&mut engine, listing(vec![run.clone()]), late);
    commands.extend(tick(&mut engine, later(late, mins(2))));
    assert_eq!(sent(&commands).len(), 1, "{commands:?}");
    let answered = answer(&mut engine, "a", Ok(Some(ended(run, later(late, mins(2))))), later(late, mins(2)));
    assert_eq!(confirmed(&answered), 0);
    let reads = tick(&mut engine, later(late, mins(3)));
    assert_eq!(read(&reads).iter().map(|target| &target.parts).collect::<Vec<_>>(), [&parts(false, Some("b"), Some("r"))]);
}

#[test]
fn an_earlier_life_that_was_said_to_go_on_is_read_again_until_it_is_over() {
    let (mut engine, now) = denied_with_a_life_to_come();
    list(&mut engine, listing(vec![agent("a", parts(false, Some("c"), None))]), later(now, secs(5)));
    let running = agent("a", parts(false, Some("b"), None));
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(running), later(now, secs(6))) }, later(now, secs(6)));
    drained(&mut engine);
    let commands = tick(&mut engine, later(now, mins(2)));
    assert_eq!(read(&commands).iter().map(|target| &target.parts).collect::<Vec<_>>(), [&parts(false, Some("b"), None)]);
    let over = ended(agent("a", parts(false, Some("b"), None)), later(at(0), mins(1)));
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(over), later(now, mins(2))) }, later(now, mins(2)));
    drained(&mut engine);
    let mut commands = list(&mut engine, listing(vec![agent("a", parts(false, Some("c"), None))]), later(now, mins(3)));
    commands.extend(tick(&mut engine, later(now, mins(4))));
    assert_eq!(sent(&commands).iter().map(|target| &target.parts).collect::<Vec<_>>(), [&parts(false, Some("c"), None)]);
}

#[test]
fn an_earlier_life_that_the_provider_does_not_know_is_gone_where_the_next_is_listed() {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    list(&mut engine, listing(vec![agent("a", parts(false, Some("b"), None))]), now);
    answer(&mut engine, "a", Err(fault(FaultKind::NotFound)), now);
    let next = || listing(vec![agent("a", parts(false, Some("c"), None))]);
    let commands = list(&mut engine, next(), later(now, secs(1)));
    assert_eq!(row(&commands).map(|row| (row.outcome, row.parts.browser)), Some((Outcome::AlreadyEnded, Some("b".into()))));
    let mut commands = list(&mut engine, next(), later(now, secs(31)));
    commands.extend(tick(&mut engine, later(now, secs(40))));
    assert_eq!(sent(&commands).iter().map(|target| &target.parts).collect::<Vec<_>>(), [&parts(false, Some("c"), None)]);
}

#[test]
fn an_inventory_is_doubted_each_time_that_it_is_suddenly_empty_though_the_other_is_never_read() {
    let now = later(at(0), mins(5));
    let mut engine = started(now);
    let browsers = |ids: &[&str]| {
        let whole = Some(Complete::of(&[Kind::Browser], rows(ids.iter().map(|id| browser(id)).collect())));
        Listing::Partial { rows: Rows::default(), whole, why: fault(FaultKind::Forbidden) }
    };
    list(&mut engine, browsers(&["b"]), now);
    list(&mut engine, browsers(&[]), later(now, secs(1)));
    engine.handle(Input::Read { id: "b".into(), answer: exchange(Err(fault(FaultKind::NotFound)), now) }, later(now, secs(2)));
    drained(&mut engine);
    list(&mut engine, browsers(&[]), later(now, secs(3)));
    assert_eq!(live(&engine, now), [""; 0], "its end is believed");
    list(&mut engine, browsers(&["c"]), later(now, secs(4)));
    let commands = list(&mut engine, browsers(&[]), later(now, secs(5)));
    assert_eq!((read(&commands).len(), live(&engine, now)), (1, vec!["c".to_owned()]));
}

#[test]
fn a_single_pass_does_not_wait_for_a_whole_listing_that_will_not_come() {
    for kind in [FaultKind::Forbidden, FaultKind::Unavailable] {
        let now = later(at(0), mins(20));
        let mut engine = Engine::new(Terms { pass: Pass::Once, ..terms() }, Recall::default(), Arc::default(), now);
        let partial = || Listing::partial(rows(vec![agent("a", Parts::default())]), fault(kind));
        assert_eq!(released(&list(&mut engine, partial(), now)), ["a"]);
        let mut commands = answer(&mut engine, "a", Err(fault(FaultKind::NotFound)), now);
        assert!(!engine.is_over());
        for minute in 1..5 {
            let now = later(now, mins(minute));
            let lists = commands.iter().any(|command| matches!(command, Command::List));
            commands = if lists { list(&mut engine, partial(), now) } else { tick(&mut engine, now) };
        }
        assert!(engine.is_over(), "{kind}");
        assert_eq!(engine.unfinished().count(), 1);
    }
}

#[test]
fn a_provider_that_says_when_to_come_back_is_left_alone_until_then_whatever_else_it_says() {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    drained(&mut engine);
    let down = Fault { retry_after: Some(secs(300)), ..fault(FaultKind::Unavailable) };
    engine.handle(Input::Listed(exchange(Err(down), now)), now);
    assert_eq!(engine.listing_due_at(now), Some(later(now, secs(300))));
}

#[test]
fn where_no_listing_is_ever_whole_a_404_is_stuck_in_the_end_and_asked_again() {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    let partial = || Listing::partial(rows(vec![browser("b")]), fault(FaultKind::Forbidden));
    assert_eq!(released(&list(&mut engine, partial(), now)), ["b"]);
    answer(&mut engine, "b", Err(fault(FaultKind::NotFound)), now);
    let stuck = |commands: &[Command]| commands.iter().any(|command| matches!(command, Command::Tell(Event { what: What::Stuck { .. }, .. })));
    assert!(!stuck(&list(&mut engine, partial(), later(now, secs(119)))));
    let mut commands = list(&mut engine, partial(), later(now, secs(121)));
    assert!(stuck(&commands));
    let unasked = |command: &Command| matches!(command, Command::Write(Record::Release(row)) if row.asked_at.is_none());
    assert!(commands.iter().any(unasked), "it was not applied: an end from now on is not our doing");
    commands.extend(tick(&mut engine, later(now, mins(3))));
    assert_eq!(released(&commands), ["b"]);
}

#[test]
fn an_inventory_that_is_suddenly_empty_is_doubted_though_a_row_of_the_other_cannot_be_read() {
    let now = later(at(0), mins(5));
    let mut engine = started(now);
    list(&mut engine, listing(vec![agent("a", Parts::default()), browser("b")]), now);
    let rejected = vec![RejectedRow { id: Some("a".into()), why: "`status` is missing".to_owned() }];
    let commands = list(&mut engine, Listing::complete(Rows { sessions: Vec::new(), rejected }), later(now, secs(30)));
    assert_eq!(read(&commands).iter().map(|target| target.id.as_str()).collect::<Vec<_>>(), ["b"], "the other one is there");
    assert_eq!(live(&engine, now), ["a", "b"]);
}

#[test]
fn a_refusal_that_asks_for_silence_is_both() {
    let mut engine = started(at(0));
    let refused = Fault { retry_after: Some(secs(300)), ..fault(FaultKind::Unauthorized) };
    engine.handle(Input::Listed(exchange(Err(refused), at(0))), at(0));
    let told = drained(&mut engine);
    assert!(told.iter().any(|command| matches!(command, Command::Tell(Event { what: What::Refused { .. }, .. }))));
    assert_eq!(engine.listing_due_at(at(0)), Some(later(at(0), secs(300))));
}
