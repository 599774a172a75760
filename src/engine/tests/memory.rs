//! Memory has an end: however long an account is watched, and whatever its provider shows.

use super::*;
use crate::engine::polling::MOST_UNSEEN;
use crate::engine::runtime::MOST_GROUPS;
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::Order;
use crate::policy::per::Per;

fn hour(count: i64) -> Timestamp {
    later(at(0), SignedDuration::from_hours(count))
}

/// Everything that is kept of sessions which no listing shows any more.
fn remembered(engine: &Engine) -> [usize; 9] {
    [
        engine.would_release.len(),
        engine.shadowed.len(),
        engine.rails.live_in_window(0),
        engine.runtime.remembers(),
        engine.done.len(),
        engine.told_tags.len(),
        engine.remembered.len(),
        engine.roster.len(),
        engine.flights.len(),
    ]
}

/// A shadow that is stricter, and a policy with a tag and a budget.
fn everything(mode: Mode) -> Terms {
    let old = |minutes| Some(MaxAge { limit: mins(minutes), tag: Some("ttl".to_owned()), ceiling: None });
    let budget = Budget { allowed: mins(600), per: None, every: Every::Day, time_zone: jiff::tz::TimeZone::UTC, release: Order::Oldest };
    let shadow = Rule::Limits(Limits { max_age: old(1), ..Limits::default() });
    let shadow = Policy { name: "shadow".into(), selector: Selector::All, rule: shadow, shadow: true };
    let rule = Rule::Limits(Limits { max_age: old(4), budget: Some(budget), ..Limits::default() });
    let all = Policy { name: "all".into(), selector: Selector::All, rule, shadow: false };
    Terms { mode, policies: [shadow, all].into(), poll_interval: mins(20), ..terms() }
}

/// Each hour shows ten sessions that were never seen before, due soon, with a tag that is no duration; gives what is remembered in the end.
fn after(hours: i64, mode: Mode, show: impl Fn(Vec<Session>) -> Listing) -> [usize; 9] {
    let mut engine = Engine::new(everything(mode), Recall::default(), Arc::default(), at(0));
    for now in (0..hours).map(hour) {
        let fresh = |n: i64| Session { started_at: Some(later(now, -mins(2))), ..session(&format!("{now}-{n}"), json!({ "ttl": "soon" })) };
        list(&mut engine, show((0..10).map(fresh).collect()), now);
        tick(&mut engine, later(now, mins(2)));
    }
    remembered(&engine)
}

#[test]
fn what_comes_and_goes_while_nothing_is_released_is_forgotten() {
    let [two_days, five_days] = [48, 120].map(|hours| after(hours, Mode::Observe, listing));
    assert_eq!(two_days, five_days);
    // A day of what was counted, an hour of who was live.
    assert!(two_days[..2].iter().all(|count| (230..=250).contains(count)) && two_days[2] <= 20, "{two_days:?}");
}

#[test]
fn what_was_seen_to_end_is_forgotten_where_no_listing_is_ever_whole() {
    let browsers = |sessions: Vec<Session>| {
        let rows = Rows { sessions: sessions.into_iter().map(|session| Session { kind: Kind::Browser, ..session }).collect(), rejected: Vec::new() };
        let why = Fault::new(FaultKind::Forbidden, "no agents");
        Listing::Partial { rows: Rows::default(), whole: Some(crate::domain::listing::Complete::of(&[Kind::Browser], rows)), why }
    };
    let [two_days, five_days] = [48, 120].map(|hours| after(hours, Mode::Observe, browsers));
    assert_eq!(two_days, five_days);
}

#[test]
fn what_no_listing_shows_any_more_is_forgotten_after_a_day_where_none_says_that_it_is_gone() {
    let cut = |sessions| Listing::partial(Rows { sessions, rejected: Vec::new() }, Fault::new(FaultKind::Unreadable, "cut"));
    let [two_days, five_days] = [72, 120].map(|hours| after(hours, Mode::Observe, cut));
    assert_eq!(two_days, five_days);
}

#[test]
fn of_what_went_out_of_sight_only_so_much_is_remembered_and_what_was_seen_last() {
    let mut engine = Engine::new(everything(Mode::Observe), Recall::default(), Arc::default(), at(0));
    let cut = |sessions| Listing::partial(Rows { sessions, rejected: Vec::new() }, Fault::new(FaultKind::Unreadable, "cut"));
    let many = |word: &str, count: usize| (0..count).map(|n| session(&format!("{word}-{n}"), json!({}))).collect::<Vec<_>>();
    list(&mut engine, cut(many("first", 10)), at(0));
    list(&mut engine, cut(many("then", MOST_UNSEEN)), hour(1));
    assert_eq!(engine.roster.len(), MOST_UNSEEN + 10, "these are in sight");
    list(&mut engine, cut(many("last", 5)), hour(3));
    assert_eq!(engine.roster.len(), MOST_UNSEEN + 5);
    let known = |id: &str| engine.roster.get(&id.into()).is_some();
    assert!(known("last-0") && known("then-0") && !known("first-0"));
}

#[test]
fn groups_beyond_those_that_are_counted_are_told_of_once_and_break_nothing() {
    let per = Some(Per::Metadata("team".to_owned()));
    let budget = Budget { allowed: mins(10_000), per, every: Every::Month, time_zone: jiff::tz::TimeZone::UTC, release: Order::Oldest };
    let all = Policy {
        name: "all".into(),
        selector: Selector::All,
        rule: Rule::Limits(Limits { budget: Some(budget), ..Limits::default() }),
        shadow: false,
    };
    let mut engine = Engine::new(Terms { policies: [all].into(), ..terms() }, Recall::default(), Arc::default(), at(0));
    let told = |commands: &[Command]| {
        let is_told = |command: &&Command| matches!(command, Command::Tell(Event { what: What::TooManyGroups { .. }, .. }));
        commands.iter().filter(is_told).count()
    };
    let teams = |from: usize, to: usize| listing((from..=to).map(|n| session(&format!("s{n}"), json!({ "team": n }))).collect());
    let one_more = MOST_GROUPS + 1;
    let shown = [teams(0, MOST_GROUPS), teams(one_more, one_more), teams(one_more, one_more), teams(0, 0), teams(0, 0)];
    let said: Vec<usize> = shown.into_iter().zip([1, 2, 4, 5, 7].map(hour)).map(|(shown, now)| told(&list(&mut engine, shown, now))).collect();
    assert_eq!((said, engine.runtime.remembers()), (vec![0, 1, 0, 0, 0], MOST_GROUPS));
}
