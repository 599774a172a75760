use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::domain::event::{Event, What};
use crate::domain::exchange::Exchange;
use crate::domain::fixtures::{at, in_phase, mins, secs, session};
use crate::domain::listing::{Listing, Rows};
use crate::domain::name::Provider;
use crate::domain::record::Recall;
use crate::domain::session::{Metadata, Phase};
use crate::domain::tariff::Tariff;
use crate::domain::time::{SignedDuration, later};
use crate::domain::view::Mode;
use crate::engine::{Command, Input, Pass, Terms};
use crate::guardrails::Guardrails;
use crate::policy::max_age::MaxAge;
use crate::policy::max_running::MaxRunning;
use crate::policy::selector::{Match, Matcher, Selector};
use crate::policy::{Limits, Rule};

fn tagged(env: &str) -> Selector {
    let metadata = BTreeMap::from([("env".to_owned(), Matcher::Equals(json!(env)))]);
    Selector::Match(Match { metadata, ..Match::default() })
}

fn policy(name: &str, selector: Selector, rule: Rule) -> Policy {
    Policy { name: name.into(), selector, rule, shadow: false }
}

fn at_most(minutes: i64) -> Rule {
    Rule::Limits(Limits { max_age: Some(MaxAge { limit: mins(minutes), tag: None, ceiling: None }), ..Limits::default() })
}

/// `production` is protected, `ci` has twenty minutes and a count of a hundred, `never` would protect what nobody has, and `trial` is a shadow.
fn policies() -> Vec<Policy> {
    let max_running = Some(MaxRunning { count: 100, per: None, release: crate::policy::crowd::Order::Oldest });
    let Rule::Limits(limits) = at_most(20) else { unreachable!() };
    vec![
        policy("production", tagged("production"), Rule::Protect),
        policy("never", tagged("prodcution"), Rule::Protect),
        Policy { shadow: true, ..policy("trial", tagged("ci"), at_most(10)) },
        policy("ci", tagged("ci"), Rule::Limits(Limits { max_running, ..limits })),
    ]
}

fn terms(mode: Mode, policies: Vec<Policy>) -> Terms {
    Terms {
        account: "growth".into(),
        provider: Provider::Browserbase,
        mode,
        poll_interval: secs(30),
        requests_per_second: 100.0,
        evidence_per_minute: 60,
        tariff: Tariff { price_per_hour: 0.12, refunded_by: SignedDuration::ZERO },
        currency: "USD".to_owned(),
        policies: policies.into(),
        guardrails: Guardrails {
            max_releases_per_poll: 100,
            max_release_fraction: 1.0,
            min_age: SignedDuration::ZERO,
            skip_expiring_within: SignedDuration::ZERO,
            confirm_within: mins(2),
        },
        pass: Pass::Daemon,
    }
}

fn started(mode: Mode) -> Engine {
    Engine::new(terms(mode, policies()), Recall::default(), Arc::default(), at(0))
}

/// Hands something in; gives the last census that came of it.
fn told(engine: &mut Engine, input: Input, now: Timestamp) -> Option<Census> {
    engine.handle(input, now);
    censuses(engine).pop()
}

fn censuses(engine: &mut Engine) -> Vec<Census> {
    let census = |command| match command {
        Command::Tell(Event { what: What::Census(census), .. }) => Some(*census),
        _ => None,
    };
    std::iter::from_fn(|| engine.next_command()).filter_map(census).collect()
}

fn listed(sessions: Vec<Session>, now: Timestamp) -> Input {
    let listing = Listing::complete(Rows { sessions, rejected: Vec::new() });
    Input::Listed(Exchange { result: Ok(listing), sent_at: now, clock: None, requests: Vec::new() })
}

fn one(id: &str, env: &str) -> Session {
    session(id, json!({ "env": env }))
}

/// What a census says of a policy's last listing, in seconds since noon.
fn governed(census: &Census, policy: &str) -> Option<i64> {
    let known = census.governed.get(&policy.into()).unwrap_or_else(|| panic!("nothing of {policy}"));
    known.map(|known| known.duration_since(at(0)).as_secs())
}

fn due(census: &Census, policy: &str, limit: Limit) -> Option<i64> {
    let known = census.fell_due.get(&(policy.into(), limit)).unwrap_or_else(|| panic!("nothing of {policy} {limit}"));
    known.map(|known| known.duration_since(at(0)).as_secs())
}

#[test]
fn a_policy_is_dated_by_the_last_listing_in_which_it_governed_a_session() {
    let mut engine = started(Mode::Enforce);
    let now = later(at(0), mins(1));
    let census = told(&mut engine, listed(vec![one("a", "ci"), one("b", "production")], now), now).expect("a census");
    let dates = ["production", "never", "trial", "ci"].map(|policy| governed(&census, policy));
    assert_eq!(dates, [Some(60), None, Some(60), Some(60)], "a shadow counts as if it were none");
    let census = told(&mut engine, listed(vec![one("b", "production")], later(now, secs(30))), later(now, secs(30))).expect("a census");
    assert_eq!(["production", "trial", "ci"].map(|policy| governed(&census, policy)), [Some(90), Some(60), Some(60)]);
}

#[test]
fn a_policy_of_which_it_is_not_known_whether_it_fits_does_not_govern() {
    let mut engine = started(Mode::Enforce);
    let unreadable = Session { metadata: Metadata::Unreadable { found: "a text" }, ..one("a", "ci") };
    let strange = in_phase(Phase::Unknown, one("b", "production"));
    let census = told(&mut engine, listed(vec![unreadable, strange], at(0)), at(0)).expect("a census");
    assert!(census.governed.values().all(Option::is_none), "{census:?}");
    // One that fits, and whose limit hangs on what is not known, does.
    let tag = Some("ttl".to_owned());
    let by_tag = Rule::Limits(Limits { max_age: Some(MaxAge { limit: mins(20), tag, ceiling: None }), ..Limits::default() });
    let mut engine = Engine::new(terms(Mode::Enforce, vec![policy("all", Selector::All, by_tag)]), Recall::default(), Arc::default(), at(0));
    let unlearnt = Session { metadata: Metadata::Unlearnt { why: "no answer" }, ..one("a", "ci") };
    let census = told(&mut engine, listed(vec![unlearnt], at(0)), at(0)).expect("a census");
    assert_eq!(governed(&census, "all"), Some(0));
}

#[test]
fn a_limit_is_dated_by_the_deadline_that_came_be_it_observed_or_a_shadows() {
    for mode in [Mode::Enforce, Mode::Observe] {
        let mut engine = started(mode);
        let now = later(at(0), mins(5));
        let census = told(&mut engine, listed(vec![one("a", "ci"), one("b", "production")], now), now).expect("a census");
        assert_eq!((due(&census, "ci", Limit::MaxAge), due(&census, "trial", Limit::MaxAge)), (None, None), "young");
        let now = later(at(0), mins(10));
        let census = told(&mut engine, listed(vec![one("a", "ci")], now), now).expect("a census");
        assert_eq!((due(&census, "ci", Limit::MaxAge), due(&census, "trial", Limit::MaxAge)), (None, Some(600)));
        let now = later(at(0), mins(19));
        told(&mut engine, listed(vec![one("a", "ci")], now), now);
        let census = told(&mut engine, Input::Tick, later(at(0), mins(20))).expect("the alarm rang");
        assert_eq!((due(&census, "ci", Limit::MaxAge), due(&census, "ci", Limit::MaxRunning)), (Some(1_200), None), "{mode:?}");
    }
}

#[test]
fn what_is_out_of_sight_falls_due_by_no_limit() {
    let mut engine = started(Mode::Observe);
    let census = told(&mut engine, listed(vec![one("a", "ci")], at(0)), at(0)).expect("a census");
    assert_eq!(due(&census, "ci", Limit::MaxAge), None);
    let census = told(&mut engine, Input::Tick, later(at(0), mins(30))).expect("a census");
    assert_eq!(due(&census, "ci", Limit::MaxAge), None);
}

#[test]
fn a_reload_forgets_what_is_not_configured_any_more_and_keeps_the_rest() {
    let mut engine = started(Mode::Observe);
    let now = later(at(0), mins(20));
    told(&mut engine, listed(vec![one("a", "ci"), one("b", "production")], now), now).expect("a census");
    let fewer = vec![policy("ci", tagged("ci"), at_most(20)), policy("new", tagged("new"), at_most(5))];
    let runtime = crate::engine::Runtime::new("growth".into(), Provider::Browserbase, fewer.clone().into());
    let input = Input::Reconfigured { terms: Box::new(terms(Mode::Observe, fewer)), runtime: Box::new(runtime), new_credential: false };
    let census = told(&mut engine, input, later(now, secs(2))).expect("a census");
    assert_eq!(census.governed.keys().map(PolicyName::as_str).collect::<Vec<_>>(), ["ci", "new"]);
    assert_eq!(census.fell_due.keys().map(|(policy, limit)| format!("{policy} {limit}")).collect::<Vec<_>>(), ["ci max_age", "new max_age"]);
    assert_eq!((governed(&census, "ci"), governed(&census, "new"), due(&census, "ci", Limit::MaxAge)), (Some(1_200), None, Some(1_200)));

    let later_on = later(now, mins(1));
    told(&mut engine, listed(vec![one("c", "other")], later_on), later_on);
    let runtime = crate::engine::Runtime::new("growth".into(), Provider::Browserbase, policies().into());
    let input = Input::Reconfigured { terms: Box::new(terms(Mode::Observe, policies())), runtime: Box::new(runtime), new_credential: false };
    let census = told(&mut engine, input, later(later_on, secs(2))).expect("a census");
    assert_eq!((governed(&census, "ci"), governed(&census, "production")), (Some(1_200), None), "what went and came back is new");
}

#[test]
fn an_earlier_life_is_told_of_before_any_listing() {
    let mut lately = Lately::recalled(&[("ci".into(), Limit::MaxAge, at(7_000)), ("gone".into(), Limit::Idle, at(8_000))]);
    let account = "growth".into();
    let mut saw = |session: Session, second: i64| {
        let until = at(second * 1_000);
        let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: until };
        lately.saw(&Lived { session, until, over: true }, occasion, &policies())
    };
    assert!(!saw(one("a", "ci"), 9) && !saw(one("b", "ci"), 8) && !saw(one("c", "production"), 6));
    assert!(saw(one("d", "prodcution"), 5), "nothing is left to learn");
    let mut engine = started(Mode::Enforce);
    engine.recollect(lately, at(0));
    let census = censuses(&mut engine).pop().expect("a census");
    assert_eq!(["production", "never", "trial", "ci"].map(|policy| governed(&census, policy)), [Some(6), Some(5), Some(9), Some(9)]);
    assert_eq!(due(&census, "ci", Limit::MaxAge), Some(7));
    assert!(!census.fell_due.contains_key(&("gone".into(), Limit::Idle)));
}
