//! Limits that hang on several sessions are found by complete listings alone; shadow policies are judged beside the others and release nothing.

use super::*;
use crate::domain::activity::Sign;
use crate::domain::view::{BudgetView, Change};
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::Order;
use crate::policy::max_running::MaxRunning;
use crate::policy::per::Per;
use crate::policy::window::Window;

fn minute(count: i64) -> Timestamp {
    later(at(0), mins(count))
}

fn by(limits: Limits) -> Terms {
    let all = Policy { name: "all".into(), selector: Selector::All, rule: Rule::Limits(limits), shadow: false };
    Terms { policies: [all].into(), poll_interval: mins(20), ..terms() }
}

fn at_most(count: u32, per: Option<&str>, release: Order) -> Terms {
    let per = per.map(|key| Per::Metadata(key.to_owned()));
    by(Limits { max_running: Some(MaxRunning { count, per, release }), ..Limits::default() })
}

/// So many minutes a day for each team.
fn allowance(minutes: i64) -> Budget {
    let per = Some(Per::Metadata("team".to_owned()));
    Budget { allowed: mins(minutes), per, every: Every::Day, time_zone: jiff::tz::TimeZone::UTC, release: Order::Oldest }
}

fn budgeted(minutes: i64) -> Terms {
    by(Limits { budget: Some(allowance(minutes)), ..Limits::default() })
}

fn engine(terms: Terms) -> Engine {
    Engine::new(terms, Recall::default(), Arc::default(), at(0))
}

/// A session of a team, started at this minute.
fn of(team: &str, id: &str, started: i64) -> Session {
    let tags = if team.is_empty() { json!({}) } else { json!({ "team": team }) };
    Session { started_at: Some(minute(started)), ..session(id, tags) }
}

fn partial(sessions: Vec<Session>) -> Listing {
    Listing::partial(Rows { sessions, rejected: Vec::new() }, Fault::new(FaultKind::Unavailable, "half of it"))
}

fn ended(id: &str, minutes: i64) -> Session {
    Session { ended_at: Some(minute(minutes)), ..in_phase(Phase::Completed, session(id, json!({}))) }
}

fn budgets(engine: &Engine, now: Timestamp) -> Vec<(Option<String>, i64, i64)> {
    let shown = |view: BudgetView| (view.group, view.spent.as_mins(), view.left.as_mins());
    engine.budget_views(now).into_iter().map(shown).collect()
}

#[test]
fn the_oldest_over_the_count_go_and_no_others() {
    let four = || vec![of("", "b", 1), of("", "a", 1), of("", "d", 3), of("", "c", 2)];
    let mut engine = engine(at_most(2, None, Order::Oldest));
    let commands = list(&mut engine, listing(four()), minute(5));
    assert_eq!(released(&commands), ["a", "b"]);
    assert_eq!(released(&list(&mut engine, listing(four()), minute(6))), [""; 0], "whose release is under way counts no more");
}

#[test]
fn each_group_has_its_count_and_those_without_the_tag_are_one() {
    let rows = vec![of("ml", "a", 1), of("ml", "b", 2), of("web", "c", 1), of("", "d", 1), of("", "e", 2)];
    assert_eq!(released(&list(&mut engine(at_most(1, Some("team"), Order::Oldest)), listing(rows), minute(5))), ["a", "d"]);
}

#[test]
fn a_count_is_never_decided_by_a_listing_that_is_not_complete() {
    let mut engine = engine(at_most(1, None, Order::Oldest));
    let both = || vec![of("", "a", 1), of("", "b", 2)];
    assert_eq!(released(&list(&mut engine, partial(both()), minute(5))), [""; 0]);
    assert_eq!(released(&list(&mut engine, listing(both()), minute(6))), ["a"]);
}

#[test]
fn what_a_count_found_is_withdrawn_when_the_next_listing_is_not_complete() {
    let pause = Pause { account: None, placed_at: at(0), reason: "incident".to_owned() };
    let mut engine = engine(at_most(1, None, Order::Oldest));
    engine.handle(Input::Orders(Arc::new(Orders { pauses: vec![pause], ..Orders::default() })), at(0));
    list(&mut engine, listing(vec![of("", "a", 1), of("", "b", 2)]), minute(5));
    assert_eq!(engine.session_views(minute(5))[0].limit, Some(Limit::MaxRunning));
    list(&mut engine, partial(vec![of("", "b", 2)]), minute(6));
    engine.handle(Input::Orders(Arc::default()), minute(7));
    assert_eq!(released(&drained(&mut engine)), [""; 0]);
}

#[test]
fn the_idlest_go_first_where_the_policy_says_so() {
    let mut engine = engine(at_most(2, None, Order::Idlest));
    let rows = |bytes: [u64; 3]| {
        let sending = |(index, bytes): (usize, u64)| Session { proxy_bytes: Some(bytes), ..of("", ["a", "b", "c"][index], 1) };
        listing(bytes.into_iter().enumerate().map(sending).collect())
    };
    let hold = |id: &str| OperatorHold { session: id.into(), placed_at: at(0), until: minute(9), reason: "until all have worked".to_owned() };
    let holds = ["a", "b", "c"].map(|id| (SessionId::from(id), hold(id))).into();
    engine.handle(Input::Orders(Arc::new(Orders { holds, ..Orders::default() })), at(0));
    list(&mut engine, rows([1, 1, 1]), minute(2));
    list(&mut engine, rows([1, 2, 1]), minute(3));
    list(&mut engine, rows([2, 2, 2]), minute(4));
    assert_eq!(released(&list(&mut engine, rows([2, 2, 2]), minute(9))), ["b"], "all but b did something at minute four");
}

#[test]
fn a_session_of_which_nobody_knows_where_it_counts_counts_nowhere() {
    let unlearnt = Session { metadata: crate::domain::session::Metadata::Unlearnt { why: "they could not be read" }, ..of("", "x", 0) };
    let mut engine = engine(at_most(1, Some("team"), Order::Oldest));
    assert_eq!(released(&list(&mut engine, listing(vec![unlearnt, of("", "a", 1)]), minute(5))), [""; 0]);
}

#[test]
fn whose_release_is_under_way_is_one_of_those_that_go_and_is_asked_again_where_that_fails() {
    let both = Limits {
        max_age: Some(MaxAge { limit: mins(4), tag: None, ceiling: None }),
        max_running: Some(MaxRunning { count: 2, per: None, release: Order::Idlest }),
        ..Limits::default()
    };
    let mut engine = engine(by(both));
    let rows = || {
        let used = |id, started, sign| Session { sign, ..of("", id, started) };
        // By the order alone x would go: it was used longest ago.
        let at = Sign::At(minute(3));
        listing(vec![used("old", 0, Sign::Busy), used("x", 2, at), used("y", 3, at)])
    };
    assert_eq!(released(&list(&mut engine, rows(), minute(5))), ["old"], "too old, and with it gone the count holds");
    let throttled = Fault { retry_after: Some(secs(5)), ..Fault::new(FaultKind::Throttled, "slow down") };
    assert_eq!(released(&answer(&mut engine, "old", Err(throttled), minute(5))), [""; 0]);
    assert_eq!(released(&list(&mut engine, rows(), later(minute(5), secs(6)))), ["old"], "the same one again");
}

#[test]
fn what_an_older_count_found_is_not_released_by_a_newer_listing_that_finds_it_no_more() {
    let few = Guardrails { max_releases_per_poll: 1, ..terms().guardrails };
    let rows = |ids: &[&str]| listing(ids.iter().enumerate().map(|(index, id)| of("", id, index as i64)).collect());
    for next in [rows(&["b", "c"]), partial(vec![of("", "b", 1), of("", "c", 2), of("", "d", 3)])] {
        let mut engine = engine(Terms { guardrails: few.clone(), ..at_most(2, None, Order::Oldest) });
        assert_eq!(released(&list(&mut engine, rows(&["a", "b", "c", "d"]), minute(5))), ["a"], "b waits for the next poll");
        // The next poll opens an allowance.
        tick(&mut engine, minute(25));
        assert_eq!(released(&list(&mut engine, next, minute(25))), [""; 0]);
    }
}

#[test]
fn a_raised_count_of_a_new_configuration_spares_whom_the_old_one_found() {
    let pause = Pause { account: None, placed_at: at(0), reason: "incident".to_owned() };
    let mut engine = engine(at_most(1, None, Order::Oldest));
    engine.handle(Input::Orders(Arc::new(Orders { pauses: vec![pause], ..Orders::default() })), at(0));
    list(&mut engine, listing(vec![of("", "a", 1), of("", "b", 2)]), minute(5));
    engine.orders = Arc::default();
    let terms = at_most(2, None, Order::Oldest);
    let runtime = Box::new(engine.runtime.clone());
    engine.handle(Input::Reconfigured { terms: Box::new(terms), runtime, new_credential: false }, minute(6));
    assert_eq!(released(&drained(&mut engine)), [""; 0]);
}

#[test]
fn a_row_that_could_be_anybodys_lets_nothing_be_counted() {
    let nameless = RejectedRow { id: None, why: "no id".to_owned() };
    let mut engine = engine(at_most(1, None, Order::Oldest));
    list(&mut engine, listing(vec![of("", "a", 1)]), minute(4));
    let rows = Rows { sessions: vec![of("", "b", 2)], rejected: vec![nameless] };
    assert_eq!(released(&list(&mut engine, Listing::complete(rows), minute(5))), [""; 0], "a may have gone");
}

#[test]
fn what_has_gone_makes_room_without_another_listing() {
    let few = Guardrails { max_releases_per_poll: 1, ..terms().guardrails };
    let mut engine = engine(Terms { guardrails: few, ..at_most(1, None, Order::Oldest) });
    let rows = || listing(vec![of("", "a", 1), of("", "b", 2), of("", "c", 3)]);
    assert_eq!(released(&list(&mut engine, rows(), minute(5))), ["a"]);
    let over = |engine: &Engine| -> Vec<String> {
        let over = |view: &&crate::domain::view::SessionView| view.limit == Some(Limit::MaxRunning);
        engine.session_views(minute(5)).iter().filter(over).map(|view| view.id.to_string()).collect()
    };
    assert_eq!(over(&engine), ["a", "b"], "b waits for the next poll");
    answer(&mut engine, "a", Ok(Some(ended("a", 5))), minute(5));
    assert_eq!(over(&engine), ["b"], "c is there as well");
    list(&mut engine, listing(vec![of("", "b", 2)]), minute(6));
    assert_eq!(over(&engine), [""; 0]);
}

#[test]
fn a_budget_is_found_spent_by_a_listing_made_at_that_instant() {
    let mut engine = engine(budgeted(30));
    let two = || listing(vec![of("ml", "a", 0), of("ml", "b", 0), of("web", "c", 0)]);
    assert_eq!(released(&list(&mut engine, two(), minute(5))), [""; 0]);
    assert_eq!(budgets(&engine, minute(5)), [(Some("ml".to_owned()), 10, 20), (Some("web".to_owned()), 5, 25)]);
    assert_eq!(engine.poll_timeout(minute(5)), Some(minute(15)), "two run: the thirty minutes are gone at quarter past");
    let commands = tick(&mut engine, minute(15));
    assert!(commands.iter().any(|command| matches!(command, Command::List)), "{commands:?}");
    assert_eq!(released(&commands), [""; 0], "who lives is known when the listing is there");
    let commands = list(&mut engine, two(), later(minute(15), secs(1)));
    assert_eq!(released(&commands), ["a", "b"]);
    let shown = |engine: &Engine| {
        let deadline = engine.session_views(minute(18)).iter().find(|view| view.id.as_str() == "a").and_then(|view| view.deadline);
        (deadline, engine.budget_views(minute(18))[0].spent_at)
    };
    assert_eq!(shown(&engine), (Some(minute(15)), Some(minute(15))));
    list(&mut engine, two(), minute(17));
    assert_eq!(shown(&engine), (Some(minute(15)), Some(minute(15))), "once found it stays so");
}

#[test]
fn a_budget_is_never_found_spent_by_a_listing_that_is_not_complete() {
    let mut engine = engine(budgeted(30));
    list(&mut engine, listing(vec![of("ml", "a", 0)]), minute(5));
    assert_eq!(released(&list(&mut engine, partial(vec![of("ml", "a", 0)]), minute(40))), [""; 0]);
    assert_eq!(released(&list(&mut engine, listing(vec![of("ml", "a", 0)]), minute(41))), ["a"]);
}

#[test]
fn what_is_over_has_been_spent_and_what_comes_after_goes_as_well() {
    let mut engine = engine(budgeted(30));
    list(&mut engine, listing(vec![of("ml", "a", 0)]), minute(20));
    list(&mut engine, listing(vec![]), minute(21));
    // Suddenly nothing: one of the missing is asked first.
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(ended("a", 20)), minute(21)) }, minute(21));
    list(&mut engine, listing(vec![]), minute(22));
    assert_eq!(budgets(&engine, minute(22)), [(Some("ml".to_owned()), 20, 10)], "it was last seen at minute twenty");
    assert_eq!(released(&list(&mut engine, listing(vec![of("ml", "b", 22)]), minute(23))), [""; 0]);
    assert_eq!(released(&list(&mut engine, listing(vec![of("ml", "b", 22)]), minute(32))), ["b"]);
    let late = of("ml", "c", 33);
    assert_eq!(released(&list(&mut engine, listing(vec![of("ml", "b", 22), late]), minute(34))), ["c"], "what was spent stays so");
}

#[test]
fn a_session_that_was_missing_and_comes_back_has_spent_its_time_once() {
    let mut engine = engine(budgeted(60));
    let both = || listing(vec![of("ml", "a", 0), of("ml", "b", 0)]);
    list(&mut engine, both(), minute(10));
    list(&mut engine, listing(vec![of("ml", "b", 0)]), minute(11));
    assert_eq!(budgets(&engine, minute(11)), [(Some("ml".to_owned()), 21, 39)], "a was last seen at minute ten");
    list(&mut engine, both(), minute(12));
    assert_eq!(budgets(&engine, minute(12)), [(Some("ml".to_owned()), 24, 36)]);
}

#[test]
fn the_books_carry_a_budget_over_a_restart() {
    let terms = budgeted(30);
    let mut runtime = Runtime::new(terms.account.clone(), terms.provider, terms.policies.clone());
    let lived = |session: Session, until: i64, over| crate::domain::record::Lived { session, until: minute(until), over };
    runtime.add(lived(of("ml", "gone", 0), 10, true), minute(12));
    runtime.add(lived(of("ml", "a", 0), 11, false), minute(12));
    runtime.add(lived(of("web", "b", 0), 11, false), minute(12));
    let mut engine = engine(terms);
    engine.account_for(runtime, minute(12));
    assert_eq!(released(&list(&mut engine, listing(vec![of("ml", "a", 0)]), minute(12))), [""; 0]);
    assert_eq!(budgets(&engine, minute(12)), [(Some("ml".to_owned()), 22, 8), (Some("web".to_owned()), 11, 19)]);
    assert_eq!(released(&list(&mut engine, listing(vec![of("ml", "a", 0)]), minute(20))), ["a"]);
}

#[test]
fn only_a_complete_listing_makes_the_end_of_what_the_books_remember_certain() {
    let terms = budgeted(300);
    let mut runtime = Runtime::new(terms.account.clone(), terms.provider, terms.policies.clone());
    runtime.add(crate::domain::record::Lived { session: of("ml", "a", 0), until: minute(60), over: false }, minute(200));
    let mut engine = engine(terms);
    engine.account_for(runtime, minute(200));
    engine.handle(Input::Listed(exchange(Err(Fault::new(FaultKind::Unavailable, "no")), minute(200))), minute(200));
    list(&mut engine, listing(vec![of("ml", "a", 0)]), minute(201));
    assert_eq!(budgets(&engine, minute(201)), [(Some("ml".to_owned()), 201, 99)], "it lives, and its time counts once");
}

#[test]
fn a_session_that_never_ran_has_spent_nothing() {
    let mut engine = engine(budgeted(30));
    list(&mut engine, listing(vec![in_phase(Phase::Pending, of("ml", "a", 0)), of("ml", "b", 0)]), minute(10));
    list(&mut engine, listing(vec![of("ml", "b", 0)]), minute(11));
    assert_eq!(budgets(&engine, minute(11)), [(Some("ml".to_owned()), 11, 19)]);
}

#[test]
fn each_life_under_one_id_has_spent_its_own_time() {
    let life = |browser: &str, started| {
        let parts = Parts { own: false, browser: Some(browser.into()), run: None };
        Session { kind: Kind::Agent, parts, ..of("ml", "a", started) }
    };
    let mut engine = engine(budgeted(60));
    list(&mut engine, listing(vec![life("first", 0)]), minute(10));
    list(&mut engine, listing(vec![life("second", 12)]), minute(14));
    assert_eq!(budgets(&engine, minute(14)), [(Some("ml".to_owned()), 12, 48)], "ten of the first, two of the second");
}

#[test]
fn a_listing_that_fails_is_not_tried_more_often_because_a_budget_runs_out() {
    let mut engine = engine(Terms { poll_interval: mins(60), ..budgeted(30) });
    list(&mut engine, listing(vec![of("ml", "a", 0)]), minute(5));
    let mut now = minute(30);
    let mut listings = 0;
    while now < minute(35) {
        let commands = tick(&mut engine, now);
        if commands.iter().any(|command| matches!(command, Command::List)) {
            listings += 1;
            engine.handle(Input::Listed(exchange(Err(Fault::new(FaultKind::Unavailable, "no")), now)), now);
            drained(&mut engine);
        }
        now = later(now, SignedDuration::from_millis(250));
    }
    assert!((4..=12).contains(&listings), "{listings} in five minutes");
}

#[test]
fn between_listings_nobody_new_is_found_over_a_count() {
    let time = |hour| jiff::civil::time(hour, 0, 0, 0);
    let window = Window { days: [true; 7], from: time(13), to: Some(time(14)), time_zone: jiff::tz::TimeZone::UTC };
    let selector = Selector::Match(crate::policy::selector::Match { window: Some(window), ..Default::default() });
    let few = Limits { max_running: Some(MaxRunning { count: 1, per: None, release: Order::Oldest }), ..Limits::default() };
    let hours = Policy { name: "after-hours".into(), selector, rule: Rule::Limits(few), shadow: false };
    let mut engine = engine(Terms { policies: [hours].into(), poll_interval: mins(90), ..terms() });
    let both = || listing(vec![of("", "a", 0), of("", "b", 0)]);
    list(&mut engine, both(), minute(59));
    let commands = tick(&mut engine, minute(60));
    assert_eq!(released(&commands), [""; 0], "one of them may have gone since");
    assert!(engine.listing_due_at(minute(60)).is_some_and(|at| at <= later(minute(60), secs(1))), "a listing is made to see");
    tick(&mut engine, later(minute(60), secs(1)));
    assert_eq!(released(&list(&mut engine, both(), later(minute(60), secs(1)))), ["a"]);
}

#[test]
fn another_life_under_one_id_has_been_seen_once() {
    let life = |browser: &str| {
        let parts = Parts { own: false, browser: Some(browser.into()), run: None };
        Session { kind: Kind::Agent, parts, ..of("", "a", 0) }
    };
    let idle = crate::policy::idle::Idle { limit: mins(5), without_evidence: crate::policy::idle::WithoutEvidence::Keep };
    let mut engine = engine(by(Limits { idle: Some(idle), ..Limits::default() }));
    let asks = |commands: &[Command]| commands.iter().filter(|command| matches!(command, Command::Ask { .. })).count();
    list(&mut engine, listing(vec![life("first")]), minute(1));
    list(&mut engine, listing(vec![life("first")]), minute(2));
    assert_eq!(asks(&list(&mut engine, listing(vec![life("second")]), minute(10))), 0);
    assert_eq!(asks(&list(&mut engine, listing(vec![life("second")]), minute(11))), 1);
}

#[test]
fn a_single_pass_does_not_wait_for_a_budget_to_run_out() {
    for pass in [Pass::Once, Pass::Plan] {
        let mut engine = engine(Terms { pass, ..budgeted(30) });
        drained(&mut engine);
        list(&mut engine, listing(vec![of("ml", "a", 0)]), minute(5));
        assert!(engine.is_over() && engine.listing_due_at(minute(5)).is_none(), "{pass:?}");
    }
}

#[test]
fn a_new_period_gives_time_again_by_alarm() {
    // Noon of the fixtures: the day ends twelve hours later.
    let midnight = minute(12 * 60);
    let pause = Pause { account: None, placed_at: at(0), reason: "incident".to_owned() };
    let mut engine = engine(budgeted(30));
    engine.handle(Input::Orders(Arc::new(Orders { pauses: vec![pause], ..Orders::default() })), at(0));
    let eve = later(midnight, mins(-5));
    let one = || listing(vec![of("ml", "a", 600)]);
    list(&mut engine, one(), eve);
    assert_eq!(engine.session_views(eve)[0].limit, Some(Limit::Budget));
    let alarm = engine.poll_timeout(eve).expect("an alarm");
    assert!(alarm <= midnight, "{alarm}");
    tick(&mut engine, later(midnight, SignedDuration::from_millis(-1)));
    assert_eq!(engine.session_views(later(midnight, SignedDuration::from_millis(-1)))[0].verdict.as_str(), "due");
    tick(&mut engine, midnight);
    assert_eq!(engine.session_views(midnight)[0].verdict.as_str(), "keep");
    assert_eq!(budgets(&engine, midnight), [(Some("ml".to_owned()), 0, 30)]);
}

#[test]
fn a_window_opens_and_closes_by_alarm() {
    let time = |hour| jiff::civil::time(hour, 0, 0, 0);
    let window = Window { days: [true; 7], from: time(13), to: Some(time(14)), time_zone: jiff::tz::TimeZone::UTC };
    let selector = Selector::Match(crate::policy::selector::Match { window: Some(window), ..Default::default() });
    let max_age = Some(MaxAge { limit: mins(5), tag: None, ceiling: None });
    let hours = Policy { name: "after-hours".into(), selector, rule: Rule::Limits(Limits { max_age, ..Limits::default() }), shadow: false };
    let mut engine = engine(Terms { policies: [hours].into(), poll_interval: mins(60), mode: Mode::Observe, ..terms() });
    let word = |engine: &mut Engine, now| {
        tick(engine, now);
        engine.session_views(now)[0].verdict.as_str()
    };
    list(&mut engine, listing(vec![of("", "a", 0)]), minute(30));
    assert_eq!(word(&mut engine, minute(30)), "unmatched");
    assert!(engine.poll_timeout(minute(30)).is_some_and(|at| at <= minute(60)));
    assert_eq!(word(&mut engine, later(minute(60), SignedDuration::from_millis(-1))), "unmatched");
    assert_eq!(word(&mut engine, minute(60)), "due");
    list(&mut engine, listing(vec![of("", "a", 0)]), minute(100));
    assert_eq!(word(&mut engine, later(minute(120), SignedDuration::from_millis(-1))), "due");
    assert_eq!(word(&mut engine, minute(120)), "unmatched");
}

/// The twenty minutes of everything, and a shadow that would have it otherwise.
fn shadowed(rule: Rule) -> Terms {
    let shadow = Policy { name: "shadow".into(), selector: Selector::All, rule, shadow: true };
    let live = terms().policies[0].clone();
    Terms { policies: [shadow, live].into(), poll_interval: mins(20), ..terms() }
}

fn told_of_shadows(commands: &[Command]) -> Vec<&str> {
    let id = |command: &'_ Command| match command {
        Command::Tell(Event { what: What::ShadowWouldRelease { id, .. }, .. }) => Some(id.as_str().to_owned()),
        _ => None,
    };
    commands.iter().filter_map(id).map(|id| if id == "a" { "a" } else { "another" }).collect()
}

#[test]
fn a_shadow_policy_counts_once_what_it_would_release_and_releases_nothing() {
    let max_age = Some(MaxAge { limit: mins(10), tag: None, ceiling: None });
    let mut engine = engine(shadowed(Rule::Limits(Limits { max_age, ..Limits::default() })));
    let one = || listing(vec![of("", "a", 0)]);
    assert_eq!(told_of_shadows(&list(&mut engine, one(), minute(1))), [""; 0]);
    let commands = tick(&mut engine, minute(10));
    assert_eq!((released(&commands), told_of_shadows(&commands)), (vec![], vec!["a"]));
    assert_eq!(told_of_shadows(&list(&mut engine, one(), minute(11))), [""; 0]);
    let view = engine.session_views(minute(11)).remove(0);
    assert_eq!((view.verdict.as_str(), view.shadows[0].verdict.as_str(), view.shadows[0].change), ("keep", "due", Some(Change::WouldRelease)));
    assert_eq!(released(&tick(&mut engine, minute(20))), ["a"], "the policy in force goes on as it would without");
}

#[test]
fn a_shadow_policy_counts_nothing_that_goes_anyway_and_is_silent_where_another_would_come_first() {
    let max_age = Some(MaxAge { limit: mins(10), tag: None, ceiling: None });
    let rule = || Rule::Limits(Limits { max_age: max_age.clone(), ..Limits::default() });
    let mut engine = engine(Terms { mode: Mode::Observe, ..shadowed(rule()) });
    assert_eq!(told_of_shadows(&list(&mut engine, listing(vec![of("", "a", 0)]), minute(25))), [""; 0]);
    let mut behind = shadowed(rule());
    behind.policies = behind.policies.iter().rev().cloned().collect();
    let mut engine = Engine::new(behind, Recall::default(), Arc::default(), at(0));
    assert_eq!(told_of_shadows(&list(&mut engine, listing(vec![of("", "a", 0)]), minute(15))), [""; 0]);
    assert!(engine.session_views(minute(15))[0].shadows.is_empty());
}

#[test]
fn why_a_session_is_over_a_count_or_past_a_budget_is_said() {
    let mut counted = engine(Terms { mode: Mode::Observe, ..at_most(2, Some("team"), Order::Oldest) });
    list(&mut counted, listing(vec![of("ml", "a", 0), of("ml", "b", 1), of("ml", "c", 2)]), minute(5));
    let reason = |engine: &Engine, now| engine.session_views(now)[0].reason.clone();
    assert!(reason(&counted, minute(5)).starts_with("one of more than 2 running (metadata.team = ml) since 12:05:00; "));
    let mut spending = engine(Terms { mode: Mode::Observe, ..budgeted(30) });
    list(&mut spending, listing(vec![of("ml", "a", 0)]), minute(40));
    assert!(reason(&spending, minute(40)).starts_with("the budget of 30m a day (metadata.team = ml) is spent since 12:40:00; "));
}

#[test]
fn a_shadow_policy_that_would_spare_says_so() {
    let mut engine = engine(Terms { mode: Mode::Observe, ..shadowed(Rule::Protect) });
    list(&mut engine, listing(vec![of("", "a", 0)]), minute(25));
    let view = engine.session_views(minute(25)).remove(0);
    assert_eq!((view.verdict.as_str(), view.shadows[0].verdict.as_str(), view.shadows[0].change), ("due", "protected", Some(Change::WouldSpare)));
}

#[test]
fn a_shadow_policys_count_and_budget_are_its_own() {
    let limits =
        Limits { max_running: Some(MaxRunning { count: 1, per: None, release: Order::Oldest }), budget: Some(allowance(100)), ..Limits::default() };
    let mut engine = engine(shadowed(Rule::Limits(limits)));
    let commands = list(&mut engine, listing(vec![of("ml", "a", 0), of("ml", "b", 1)]), minute(5));
    assert_eq!((released(&commands), told_of_shadows(&commands)), (vec![], vec!["a"]));
    assert!(engine.budget_views(minute(5)).iter().all(|view| view.shadow));
}

#[test]
fn what_shadows_have_counted_is_not_counted_again_after_a_restart() {
    let max_age = Some(MaxAge { limit: mins(10), tag: None, ceiling: None });
    let terms = shadowed(Rule::Limits(Limits { max_age, ..Limits::default() }));
    let recall = Recall { shadowed: vec![("a".into(), "shadow".into(), Limit::MaxAge)], ..Recall::default() };
    let mut engine = Engine::new(terms, recall, Arc::default(), minute(11));
    assert_eq!(told_of_shadows(&list(&mut engine, listing(vec![of("", "a", 0)]), minute(11))), [""; 0]);
}

#[test]
fn a_shadow_counts_what_is_too_young_only_when_it_is_old_enough() {
    let max_age = Some(MaxAge { limit: mins(1), tag: None, ceiling: None });
    let careful = Guardrails { min_age: mins(5), ..terms().guardrails };
    let mut engine = engine(Terms { guardrails: careful, ..shadowed(Rule::Limits(Limits { max_age, ..Limits::default() })) });
    assert_eq!(told_of_shadows(&list(&mut engine, listing(vec![of("", "a", 0)]), minute(2))), [""; 0]);
    assert_eq!(told_of_shadows(&tick(&mut engine, minute(5))), ["a"]);
}
