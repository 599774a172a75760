//! Who counts where several lives share an id, and since when a budget is shown as spent.

use super::*;
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::Order;
use crate::policy::max_running::MaxRunning;

fn minute(count: i64) -> Timestamp {
    later(at(0), mins(count))
}

fn by(limits: Limits) -> Engine {
    let all = Policy { name: "all".into(), selector: Selector::All, rule: Rule::Limits(limits), shadow: false };
    Engine::new(Terms { policies: [all].into(), poll_interval: mins(20), ..terms() }, Recall::default(), Arc::default(), at(0))
}

fn half_an_hour_a_day() -> Limits {
    let budget = Budget { allowed: mins(30), per: None, every: Every::Day, time_zone: jiff::tz::TimeZone::UTC, release: Order::Oldest };
    Limits { budget: Some(budget), ..Limits::default() }
}

fn since(session: Session, minutes: i64) -> Session {
    Session { started_at: Some(minute(minutes)), ..session }
}

fn life(browser: &str, minutes: i64) -> Session {
    let parts = Parts { own: false, browser: Some(browser.into()), run: None };
    since(Session { parts, ..with_browser(browser) }, minutes)
}

#[test]
fn a_life_that_has_just_begun_is_not_on_its_way_out_because_the_one_before_it_is() {
    let mut engine = by(Limits {
        max_age: Some(MaxAge { limit: mins(20), tag: None, ceiling: None }),
        max_running: Some(MaxRunning { count: 1, per: None, release: Order::Oldest }),
        ..Limits::default()
    });
    let other = || since(session("b", json!({})), 5);
    assert_eq!(released(&list(&mut engine, listing(vec![life("first", 0), other()]), minute(20))), ["agent"], "which makes room");
    answer(&mut engine, "agent", Err(fault(FaultKind::Throttled)), minute(20));
    assert_eq!(released(&list(&mut engine, listing(vec![life("second", 21), other()]), minute(22))), ["b"], "the older one of two");
}

#[test]
fn a_budget_is_shown_as_spent_since_it_was_found_so_and_not_in_the_next_period() {
    let mut engine = by(half_an_hour_a_day());
    let one = || listing(vec![session("a", json!({}))]);
    list(&mut engine, one(), minute(40));
    let spent_at = |engine: &Engine, now| engine.budget_views(now)[0].spent_at;
    assert_eq!(spent_at(&engine, minute(41)), Some(minute(40)));
    let midnight = minute(12 * 60);
    assert_eq!(spent_at(&engine, midnight), Some(later(midnight, mins(30))), "if it goes on");
}
