//! Several lives under one id: what was asked of the one before is settled before the next one's turn comes.

use super::*;
use crate::domain::listing::Complete;

fn life(browser: &str) -> Session {
    Session { parts: Parts { own: false, ..with_browser(browser).parts }, ..with_browser(browser) }
}

fn reads(commands: &[Command]) -> usize {
    commands.iter().filter(|command| matches!(command, Command::Read { .. })).count()
}

fn partial(sessions: Vec<Session>) -> Listing {
    Listing::partial(Rows { sessions, rejected: Vec::new() }, fault(FaultKind::Unavailable))
}

fn read_running(engine: &mut Engine, browser: &str, now: Timestamp) -> Vec<Command> {
    engine.handle(Input::Read { id: "agent".into(), answer: exchange(Ok(life(browser)), now) }, now);
    drained(engine)
}

/// The release of the first life was denied, twenty minutes past.
fn denied() -> (Engine, Timestamp) {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    assert_eq!(released(&list(&mut engine, listing(vec![life("first")]), now)), ["agent"]);
    answer(&mut engine, "agent", Err(fault(FaultKind::Forbidden)), now);
    (engine, now)
}

#[test]
fn the_life_before_is_read_as_soon_as_any_listing_shows_the_next_though_that_is_young() {
    let (mut engine, now) = denied();
    let second = Session { started_at: Some(now), ..life("second") };
    assert_eq!(reads(&list(&mut engine, partial(vec![life("first")]), later(now, secs(1)))), 0);
    assert_eq!(reads(&list(&mut engine, partial(vec![second]), later(now, secs(2)))), 1);
}

#[test]
fn a_listing_of_another_kind_says_nothing_of_it() {
    let (mut engine, now) = denied();
    let second = Session { started_at: Some(now), ..life("second") };
    list(&mut engine, partial(vec![second]), later(now, secs(1)));
    read_running(&mut engine, "first", later(now, secs(1)));
    let whole = Some(Complete::of(
        &[Kind::Browser],
        Rows { sessions: vec![Session { kind: Kind::Browser, ..session("b", json!({ "k": 1 })) }], rejected: vec![] },
    ));
    let browsers = Listing::Partial { rows: Rows::default(), whole, why: fault(FaultKind::Unavailable) };
    assert_eq!(reads(&list(&mut engine, browsers, later(now, SignedDuration::from_millis(1_100)))), 0);
}

#[test]
fn a_life_before_that_goes_on_is_read_less_and_less_often() {
    let (mut engine, now) = denied();
    list(&mut engine, partial(vec![life("second")]), now);
    let mut times = vec![0];
    read_running(&mut engine, "first", now);
    for second in 1..100 {
        let now = later(now, secs(second));
        if reads(&tick(&mut engine, now)) > 0 {
            times.push(second);
            read_running(&mut engine, "first", now);
        }
    }
    let waits: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.len() >= 4 && waits.windows(2).all(|pair| pair[0] <= pair[1]) && waits.last() >= Some(&16), "{waits:?}");
}

fn target(commands: &[Command]) -> Parts {
    let target = |command: &Command| if let Command::Release { target, .. } = command { Some(target.parts.clone()) } else { None };
    commands.iter().find_map(target).expect("it is due")
}

#[test]
fn a_pair_goes_with_the_browser_that_it_was_last_listed_with() {
    let young = later(at(0), mins(19));
    let mut engine = started(young);
    list(&mut engine, listing(vec![with_browser("first")]), young);
    list(&mut engine, listing(vec![with_browser("second")]), later(young, secs(1)));
    let alone = Session { parts: Parts::default(), ..with_browser("first") };
    let parts = target(&list(&mut engine, partial(vec![alone]), later(at(0), mins(20))));
    assert_eq!(parts, with_browser("second").parts);
}

#[test]
fn a_run_that_has_outlived_its_browser_goes_alone() {
    let young = later(at(0), mins(19));
    let mut engine = started(young);
    let run = |browser: Option<&str>| {
        let parts = Parts { own: false, browser: browser.map(Into::into), run: Some("run".into()) };
        Session { parts, ..with_browser("first") }
    };
    list(&mut engine, listing(vec![run(Some("first"))]), young);
    let parts = target(&list(&mut engine, listing(vec![run(None)]), later(at(0), mins(20))));
    assert_eq!(parts, run(None).parts);
}
