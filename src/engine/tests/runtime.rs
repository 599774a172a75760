//! What sessions that are over have spent: by budget and group, until their period is over, and once each.

use super::*;
use crate::domain::record::Lived;
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::Order;
use crate::policy::per::{Group, Per};
use crate::policy::selector::{Match, Matcher};

fn minute(count: i64) -> Timestamp {
    later(at(0), mins(count))
}

fn budget(every: Every) -> Budget {
    let per = Some(Per::Metadata("team".to_owned()));
    Budget { allowed: mins(600), per, every, time_zone: jiff::tz::TimeZone::UTC, release: Order::Oldest }
}

fn policy(name: &str, every: Every, shadow: bool) -> Policy {
    let limits = Limits { budget: Some(budget(every)), ..Limits::default() };
    Policy { name: name.into(), selector: Selector::All, rule: Rule::Limits(limits), shadow }
}

fn runtime(policies: Vec<Policy>) -> Runtime {
    Runtime::new("growth".into(), Provider::Browserbase, policies.into())
}

fn lived(id: &str, from: i64, until: i64) -> Lived {
    Lived { session: Session { started_at: Some(minute(from)), ..session(id, json!({ "team": "ml" })) }, until: minute(until), over: true }
}

fn spent(runtime: &Runtime, policy: &Policy, every: Every, now: Timestamp) -> Vec<(Option<String>, i64)> {
    let budget = budget(every);
    let groups = runtime.ended(policy, &budget, budget.period(now));
    groups.into_iter().map(|(Group(group), spent)| (group.map(|group| group.to_string()), spent.as_mins())).collect()
}

fn ml(minutes: i64) -> Vec<(Option<String>, i64)> {
    vec![(Some("ml".to_owned()), minutes)]
}

#[test]
fn the_books_matter_since_the_earliest_period_that_is_running() {
    let now = minute(0);
    assert_eq!(runtime(terms().policies.to_vec()).since(now), None);
    let both = runtime(vec![policy("weeks", Every::Week, true), policy("days", Every::Day, false)]);
    assert_eq!(both.since(now), Some("2026-11-16T00:00:00Z".parse().expect("monday")));
}

#[test]
fn what_has_ended_counts_until_the_period_of_each_budget_is_over() {
    let (days, weeks) = (policy("days", Every::Day, false), policy("weeks", Every::Week, true));
    let mut runtime = runtime(vec![weeks.clone(), days.clone()]);
    runtime.add(lived("a", 0, 60), minute(60));
    runtime.settle(true, minute(120));
    runtime.add(lived("b", 60, 90), minute(120));
    runtime.settle(true, minute(180));
    assert_eq!(spent(&runtime, &days, Every::Day, minute(180)), ml(90));
    let morning = 13 * 60;
    assert_eq!(spent(&runtime, &days, Every::Day, minute(morning)), []);
    assert_eq!(spent(&runtime, &weeks, Every::Week, minute(morning)), ml(90));
    runtime.add(lived("c", morning, morning + 10), minute(morning + 10));
    runtime.settle(true, minute(morning + 70));
    assert_eq!(spent(&runtime, &days, Every::Day, minute(morning + 70)), ml(10));
    assert_eq!(spent(&runtime, &weeks, Every::Week, minute(morning + 70)), ml(100));
}

#[test]
fn a_session_may_be_listed_again_within_an_hour_and_is_over_for_good_after_it() {
    for (settled_at, left) in [(69, vec![]), (70, ml(10))] {
        let days = policy("days", Every::Day, false);
        let mut runtime = runtime(vec![days.clone()]);
        runtime.add(lived("a", 0, 10), minute(11));
        assert_eq!(spent(&runtime, &days, Every::Day, minute(11)), ml(10), "missing for now");
        runtime.settle(true, minute(settled_at));
        runtime.lives(&lived("a", 0, 10).session, minute(settled_at));
        assert_eq!(spent(&runtime, &days, Every::Day, minute(settled_at)), left, "at {settled_at}");
    }
}

#[test]
fn another_life_under_the_id_ends_the_one_before_it() {
    let days = policy("days", Every::Day, false);
    let mut runtime = runtime(vec![days.clone()]);
    runtime.add(lived("a", 0, 10), minute(11));
    runtime.lives(&lived("a", 12, 12).session, minute(12));
    assert_eq!(spent(&runtime, &days, Every::Day, minute(12)), ml(10));
    runtime.add(lived("a", 12, 14), minute(14));
    runtime.add(lived("a", 20, 25), minute(25));
    assert_eq!(spent(&runtime, &days, Every::Day, minute(25)), ml(17));
}

#[test]
fn a_session_counts_only_where_its_policy_governs_it() {
    let selector = Selector::Match(Match { metadata: [("team".to_owned(), Matcher::Equals(json!("ml")))].into(), ..Match::default() });
    let (ml_only, rest) = (Policy { selector, ..policy("ml", Every::Day, false) }, policy("rest", Every::Day, false));
    for settled in [false, true] {
        let mut runtime = runtime(vec![ml_only.clone(), rest.clone()]);
        runtime.add(lived("a", 0, 10), minute(11));
        if settled {
            runtime.settle(true, minute(120));
        }
        let now = minute(120);
        assert_eq!((spent(&runtime, &ml_only, Every::Day, now), spent(&runtime, &rest, Every::Day, now)), (ml(10), vec![]));
    }
}

#[test]
fn what_ran_before_the_period_is_of_no_group() {
    let days = policy("days", Every::Day, false);
    let mut runtime = runtime(vec![days.clone()]);
    let tomorrow = 13 * 60;
    runtime.add(lived("a", 0, 10), minute(tomorrow));
    runtime.settle(true, minute(tomorrow));
    assert_eq!(spent(&runtime, &days, Every::Day, minute(tomorrow)), []);
}
