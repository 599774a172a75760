use serde_json::{Value, json};

use super::crowd::Crowds;
use super::selector::{Match, Matcher};
use super::*;
use crate::domain::activity::Activity;
use crate::domain::fixtures::{at, in_phase, mins, session};
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::domain::verdict::{Limit, Source, VerdictWord};

fn account() -> AccountName {
    "growth".into()
}

/// Judges a session of the account `growth` at Browserbase.
fn judged(session: &Session, policies: &[Policy]) -> Judgement {
    let (activity, crowds) = (Activity::default(), Crowds::default());
    let occasion = Occasion { account: &account(), provider: Provider::Browserbase, at: at(0) };
    judge(&Subject { session, activity: &activity, crowds: &crowds, occasion }, policies, None)
}

fn tagged(key: &str, value: Value) -> Selector {
    Selector::Match(Match { metadata: [(key.to_owned(), Matcher::Equals(value))].into(), ..Match::default() })
}

fn protect(name: &str, selector: Selector) -> Policy {
    Policy { name: name.into(), selector, rule: Rule::Protect, shadow: false }
}

fn older_than(name: &str, selector: Selector, limit: SignedDuration) -> Policy {
    let max_age = Some(MaxAge { limit, tag: None, ceiling: None });
    Policy { name: name.into(), selector, rule: Rule::Limits(Limits { max_age, ..Limits::default() }), shadow: false }
}

fn governor(session: &Session, policies: &[Policy]) -> Option<String> {
    judged(session, policies).verdict.policy().map(ToString::to_string)
}

#[test]
fn tags_that_could_not_be_asked_for_leave_open_whatever_hangs_on_them() {
    let unlearnt = Session { metadata: Metadata::Unlearnt { why: "the browsers were not listed" }, ..session("a", json!({})) };
    let rest = older_than("rest", Selector::All, mins(5));
    let word = |policies: &[Policy]| judged(&unlearnt, policies).verdict.word(later(at(0), mins(60)));
    assert_eq!(word(&[protect("kept", tagged("env", json!("production"))), rest.clone()]), VerdictWord::Unknown);
    assert_eq!(word(std::slice::from_ref(&rest)), VerdictWord::Due, "nothing hangs on them");
    let Rule::Limits(Limits { max_age: Some(limit), .. }) = rest.rule.clone() else { panic!("a limit") };
    let tag = Some("ttl".to_owned());
    assert_eq!(
        word(&[Policy { rule: Rule::Limits(Limits { max_age: Some(MaxAge { tag, ..limit }), ..Limits::default() }), ..rest }]),
        VerdictWord::Unknown
    );
}

#[test]
fn where_it_could_not_be_asked_whether_a_session_is_kept_alive_nothing_is_decided_by_that() {
    let unlearnt = Session { keep_alive: None, keep_alive_unlearnt: true, ..session("a", json!({ "env": "ci" })) };
    let kept = || Match { keep_alive: Some(true), ..Match::default() };
    let word = |policies: &[Policy]| judged(&unlearnt, policies).verdict.word(later(at(0), mins(60)));
    let rest = older_than("rest", Selector::All, mins(5));
    assert_eq!(word(&[protect("kept", Selector::Match(kept())), rest.clone()]), VerdictWord::Unknown);
    let not_kept = Match { not: Some(Box::new(kept())), ..Match::default() };
    assert_eq!(word(&[older_than("gone", Selector::Match(not_kept), mins(5))]), VerdictWord::Unknown);
    let elsewhere = Match { accounts: Some(vec!["sales".into()]), ..kept() };
    assert_eq!(word(&[protect("kept", Selector::Match(elsewhere)), rest]), VerdictWord::Due, "another key does not fit");
}

#[test]
fn where_the_provider_keeps_no_tags_no_match_on_them_fits() {
    let untaggable = Session { metadata: Metadata::NotKept, ..session("a", json!({})) };
    let without = Selector::Match(Match { metadata: [("env".to_owned(), Matcher::Exists(false))].into(), ..Match::default() });
    for selector in [tagged("env", json!("ci")), without] {
        assert_eq!(governor(&untaggable, &[older_than("ci", selector, mins(5))]), None);
    }
    assert_eq!(governor(&untaggable, &[older_than("rest", Selector::All, mins(5))]).as_deref(), Some("rest"));
}

#[test]
fn the_first_policy_that_fits_governs_and_none_after_it_is_asked() {
    let ci = older_than("ci", tagged("env", json!("ci")), mins(20));
    let rest = older_than("rest", Selector::All, mins(5));
    let one = session("a", json!({ "env": "ci" }));
    assert_eq!(governor(&one, &[ci.clone(), rest.clone()]).as_deref(), Some("ci"));
    assert_eq!(governor(&one, &[rest.clone(), ci.clone()]).as_deref(), Some("rest"));
    assert_eq!(governor(&session("b", json!({})), &[ci, rest]).as_deref(), Some("rest"));
}

#[test]
fn a_session_that_no_policy_fits_is_not_ours() {
    let ci = older_than("ci", tagged("env", json!("ci")), mins(20));
    assert_eq!(judged(&session("a", json!({ "env": "dev" })), &[ci]).verdict, Verdict::Unmatched);
    assert_eq!(judged(&session("a", json!({})), &[]).verdict, Verdict::Unmatched);
}

#[test]
fn protection_gives_no_deadline_whatever_stands_after_it() {
    let policies = [protect("production", tagged("env", json!("production"))), older_than("rest", Selector::All, mins(1))];
    let verdict = judged(&session("a", json!({ "env": "production" })), &policies).verdict;
    assert_eq!(verdict, Verdict::Protected { policy: "production".into() });
    assert_eq!(verdict.deadline(), None);
}

#[test]
fn a_protection_that_cannot_be_decided_stops_the_search_before_a_later_all() {
    let policies = [protect("production", tagged("env", json!("production"))), older_than("rest", Selector::All, mins(1))];
    let unreadable = session("a", json!(["env=production"]));
    match judged(&unreadable, &policies).verdict {
        Verdict::Unknown { policy, why } => {
            assert_eq!(policy, Some("production".into()));
            assert_eq!(why, "its metadata is a list instead of an object, so that \"env\" could not be compared");
        }
        other => panic!("judged {other:?}"),
    }
}

#[test]
fn a_policy_that_does_not_ask_for_metadata_is_decided_without_it() {
    let policies = [older_than("all", Selector::All, mins(20)), protect("production", tagged("env", json!("production")))];
    assert_eq!(governor(&session("a", json!("text")), &policies).as_deref(), Some("all"));
}

#[test]
fn a_session_is_due_from_its_deadline_on_and_not_a_millisecond_before() {
    let verdict = judged(&session("a", json!({})), &[older_than("all", Selector::All, mins(20))]).verdict;
    let words = [1_199_999, 1_200_000].map(|millis| verdict.word(at(millis)).as_str());
    assert_eq!(words, ["keep", "due"]);
}

#[test]
fn age_counts_from_the_start_and_from_creation_where_there_is_no_start() {
    let limit = [older_than("all", Selector::All, mins(20))];
    let started = Session { started_at: Some(at(60_000)), ..session("a", json!({})) };
    let created = Session { started_at: None, ..session("a", json!({})) };
    let due = |session: &Session| judged(session, &limit).verdict.deadline().map(|deadline| deadline.at);
    assert_eq!(due(&started), Some(later(at(60_000), mins(20))));
    assert_eq!(due(&created), Some(later(at(0), mins(20))));
}

#[test]
fn a_pending_session_is_kept_whatever_its_age() {
    let pending = in_phase(Phase::Pending, session("a", json!({})));
    let verdict = judged(&pending, &[older_than("all", Selector::All, mins(20))]).verdict;
    assert_eq!(verdict, Verdict::Keep { policy: "all".into() });
    assert_eq!(verdict.word(later(at(0), mins(600))).as_str(), "keep");
}

#[test]
fn a_status_that_nobody_knows_is_judged_by_no_policy() {
    let odd = in_phase(Phase::Unknown, session("a", json!({ "env": "ci" })));
    for policies in [vec![older_than("all", Selector::All, mins(20))], vec![protect("all", Selector::All)]] {
        let verdict = judged(&odd, &policies).verdict;
        assert_eq!(verdict, Verdict::Unknown { policy: None, why: "the status \"HIBERNATING\" is not known".to_owned() });
    }
}

#[test]
fn a_deadline_carries_its_arithmetic() {
    let verdict = judged(&session("a", json!({})), &[older_than("all", Selector::All, mins(20))]).verdict;
    let wanted = Deadline {
        policy: "all".into(),
        limit: Limit::MaxAge,
        allowed: mins(20),
        from: Source::Policy,
        since: at(0),
        at: later(at(0), mins(20)),
        rank: (false, at(0)),
    };
    assert_eq!(verdict, Verdict::Until(wanted));
}

#[test]
fn a_tag_that_is_no_duration_is_named_and_leaves_the_policys_limit() {
    let max_age = Some(MaxAge { limit: mins(20), tag: Some("ttl".to_owned()), ceiling: None });
    let policy = Policy { name: "all".into(), selector: Selector::All, rule: Rule::Limits(Limits { max_age, ..Limits::default() }), shadow: false };
    let judgement = judged(&session("a", json!({ "ttl": "soon" })), &[policy]);
    assert_eq!(judgement.verdict.deadline().map(|deadline| deadline.allowed), Some(mins(20)));
    let tag = judgement.unreadable_tag.expect("a tag to name");
    assert_eq!((tag.policy.as_str(), tag.tag.as_str(), tag.found.as_str(), tag.why.as_str()), ("all", "ttl", "\"soon\"", "not a duration"));
}

#[test]
fn the_earliest_deadline_is_shown_be_it_certain_or_hang_on_evidence() {
    let idle = |minutes| Some(idle::Idle { limit: mins(minutes), without_evidence: idle::WithoutEvidence::Keep });
    let shown = |age: i64, quiet: i64| {
        let max_age = Some(MaxAge { limit: mins(age), tag: None, ceiling: None });
        let limits = Limits { max_age, idle: idle(quiet), ..Limits::default() };
        let policy = Policy { name: "all".into(), selector: Selector::All, rule: Rule::Limits(limits), shadow: false };
        let verdict = judged(&session("a", json!({})), &[policy]).verdict;
        (verdict.deadline().map(|deadline| deadline.limit), verdict.falls_due().map(|deadline| deadline.limit))
    };
    assert_eq!(shown(20, 5), (Some(Limit::Idle), Some(Limit::MaxAge)));
    assert_eq!(shown(5, 20), (Some(Limit::MaxAge), Some(Limit::MaxAge)));
    assert_eq!(shown(5, 5), (Some(Limit::MaxAge), Some(Limit::MaxAge)));
}

#[test]
fn a_deadline_does_not_pass_before_its_policy_governs() {
    let hours = |from, to| window::Window {
        days: [true; 7],
        from: jiff::civil::time(from, 0, 0, 0),
        to: Some(jiff::civil::time(to, 0, 0, 0)),
        time_zone: jiff::tz::TimeZone::UTC,
    };
    let within = |window| Selector::Match(Match { window: Some(window), ..Match::default() });
    let due_at = |policies: &[Policy], minutes: i64| {
        let (activity, crowds, account) = (Activity::default(), Crowds::default(), account());
        let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: later(at(0), mins(minutes)) };
        let judgement = judge(&Subject { session: &session("a", json!({})), activity: &activity, crowds: &crowds, occasion }, policies, None);
        judgement.verdict.falls_due().map(|deadline| deadline.at.duration_since(at(0)).as_mins())
    };
    // Noon of the fixtures is the session's start.
    let evening = older_than("evening", within(hours(14, 16)), mins(5));
    assert_eq!(due_at(std::slice::from_ref(&evening), 130), Some(120), "the window opened after the deadline of five past noon");
    let other = older_than("other", within(hours(13, 15)), mins(600));
    assert_eq!(due_at(&[other, evening.clone()], 190), Some(180), "until three another policy came first");
    let noise =
        protect("noise", Selector::Match(Match { accounts: Some(vec!["elsewhere".into()]), window: Some(hours(13, 15)), ..Match::default() }));
    assert_eq!(due_at(&[noise, evening], 190), Some(120), "a window of a policy that never fitted changes nothing");
    assert_eq!(due_at(&[older_than("all", Selector::All, mins(5))], 190), Some(5));
    // A start that a provider made up must not cost a look at every day since.
    let daily =
        protect("daily", Selector::Match(Match { accounts: Some(vec!["elsewhere".into()]), window: Some(hours(13, 15)), ..Match::default() }));
    assert_eq!(due_at(&[daily, older_than("all", Selector::All, mins(5))], 60 * 24 * 365 * 300), Some(5));
}

#[test]
fn why_nobody_knows_whether_it_is_idle_is_said() {
    use crate::domain::activity::{Finding, Heard, Question, Said, Testimony};
    let why = |testimonies: Vec<(Question, Said)>| {
        let testimonies = testimonies.into_iter().map(|(asked, said)| Testimony { asked, said }).collect();
        let heard = Some(Heard { asked_at: later(at(0), mins(9)), finding: Finding::Failed, failures: 9, testimonies });
        let activity = Activity { first_seen: Some(at(0)), sightings: 2, heard, ..Activity::default() };
        let idle = Some(idle::Idle { limit: mins(5), without_evidence: idle::WithoutEvidence::Keep });
        let limited = Rule::Limits(Limits { idle, ..Limits::default() });
        let policies = [Policy { name: "all".into(), selector: Selector::All, rule: limited, shadow: false }];
        let (account, crowds) = (account(), Crowds::default());
        let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: later(at(0), mins(10)) };
        match judge(&Subject { session: &session("a", json!({})), activity: &activity, crowds: &crowds, occasion }, &policies, None).verdict {
            Verdict::Unknown { why, .. } => why,
            other => panic!("judged {other:?}"),
        }
    };
    let nothing = || (Question::Logs, Said::Nothing { why: "its log is empty".to_owned() });
    let failed = (Question::Messages, Said::Failed { why: "503: no".to_owned() });
    let cut = (Question::Logs, Said::AtLeast { at: at(0), why: "too long".to_owned() });
    assert_eq!(why(vec![nothing(), failed]), "not known to be idle: its messages could not be read: 503: no");
    assert_eq!(why(vec![cut]), "not known to be idle: its logs could not be read: too long");
    assert_eq!(why(vec![nothing()]), "not known to be idle: its log is empty");
    assert_eq!(why(vec![]), "not known to be idle: its provider has nothing that could tell");
}

#[test]
fn a_limit_on_the_crowd_says_among_whom_and_in_which_order_they_go() {
    use budget::{Budget, Every};
    use crowd::Order;
    use max_running::MaxRunning;
    use per::{Group, Per};
    let team = Some(Per::Metadata("team".to_owned()));
    let (id, name, group) = (crate::domain::name::SessionId::from("a"), PolicyName::from("all"), Group(Some("ml".into())));
    let crowds = Crowds { over: [((name.clone(), id), at(7_000))].into(), spent: [((name, group), at(8_000))].into() };
    let deadline = |limits: Limits, last_active: Option<Timestamp>| {
        let activity = Activity { last_active, ..Activity::default() };
        let policies = [Policy { name: "all".into(), selector: Selector::All, rule: Rule::Limits(limits), shadow: false }];
        let (account, one) = (account(), session("a", json!({ "team": "ml" })));
        let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: at(9_000) };
        let judgement = judge(&Subject { session: &one, activity: &activity, crowds: &crowds, occasion }, &policies, None);
        judgement.verdict.falls_due().cloned().expect("due")
    };
    let running = |release| Limits { max_running: Some(MaxRunning { count: 3, per: team.clone(), release }), ..Limits::default() };
    let over = deadline(running(Order::Oldest), Some(at(5_000)));
    assert_eq!((over.at, over.from, over.rank), (at(7_000), Source::Count { count: 3, among: "metadata.team = ml".to_owned() }, (false, at(0))));
    assert_eq!(deadline(running(Order::Idlest), Some(at(5_000))).rank, (false, at(5_000)));
    assert_eq!(deadline(running(Order::Idlest), None).rank, (true, at(0)), "of whom nothing is known comes after all others");
    for (every, word) in [(Every::Day, "day"), (Every::Week, "week"), (Every::Month, "month")] {
        let zone = jiff::tz::TimeZone::UTC;
        let budget = Budget { allowed: mins(1), per: team.clone(), every, time_zone: zone, release: Order::Oldest };
        let spent = deadline(Limits { budget: Some(budget), ..Limits::default() }, None);
        assert_eq!((spent.at, spent.from), (at(8_000), Source::Spent { every: word, among: "metadata.team = ml".to_owned() }));
    }
}

mod outstaying;
mod precedence;

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn any_metadata() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!({})),
            Just(json!([1])),
            Just(Value::Null),
            (0..3_u8, 0..3_u8).prop_map(|(env, team)| json!({ "env": env.to_string(), "team": team })),
        ]
    }

    fn any_selector() -> impl Strategy<Value = Selector> {
        prop_oneof![
            Just(Selector::All),
            (0..3_u8).prop_map(|env| tagged("env", json!(env.to_string()))),
            (0..3_u8).prop_map(|team| tagged("team", json!(team))),
            any::<bool>().prop_map(|keep| Selector::Match(Match { keep_alive: Some(keep), ..Match::default() })),
        ]
    }

    fn any_policy() -> impl Strategy<Value = Policy> {
        (any_selector(), proptest::option::of(1..400_i64)).prop_map(|(selector, limit)| match limit {
            None => protect("p", selector),
            Some(limit) => older_than("l", selector, mins(limit)),
        })
    }

    fn is_due(session: &Session, policies: &[Policy], now: Timestamp) -> bool {
        judged(session, policies).verdict.word(now).as_str() == "due"
    }

    proptest! {
        #[test]
        fn a_protection_in_front_never_makes_anything_due(
            metadata in any_metadata(),
            policies in proptest::collection::vec(any_policy(), 0..5),
            selector in any_selector(),
            age in 0..500_i64,
        ) {
            let session = session("a", metadata);
            let now = later(at(0), mins(age));
            let guarded: Vec<Policy> = std::iter::once(protect("front", selector)).chain(policies.iter().cloned()).collect();
            prop_assert!(!is_due(&session, &guarded, now) || is_due(&session, &policies, now));
        }

        #[test]
        fn a_longer_limit_never_makes_anything_due(
            metadata in any_metadata(),
            policies in proptest::collection::vec(any_policy(), 1..5),
            index in 0..5_usize,
            more in 0..100_i64,
            age in 0..500_i64,
        ) {
            let session = session("a", metadata);
            let now = later(at(0), mins(age));
            let mut patient = policies.clone();
            let index = index % patient.len();
            if let Rule::Limits(Limits { max_age: Some(limit), .. }) = &mut patient[index].rule {
                limit.limit += mins(more);
            }
            prop_assert!(!is_due(&session, &patient, now) || is_due(&session, &policies, now));
        }

        #[test]
        fn only_a_running_session_that_a_limit_governs_is_ever_due(
            metadata in any_metadata(),
            policies in proptest::collection::vec(any_policy(), 0..5),
            phase in prop_oneof![Just(Phase::Pending), Just(Phase::Running), Just(Phase::Unknown)],
            age in 0..500_i64,
        ) {
            let session = in_phase(phase, session("a", metadata));
            let now = later(at(0), mins(age));
            let judgement = judged(&session, &policies);
            if let Verdict::Until(deadline) = &judgement.verdict {
                prop_assert_eq!(phase, Phase::Running);
                let occasion = Occasion { account: &account(), provider: Provider::Browserbase, at: now };
                let first = policies.iter().find(|policy| policy.selector.fit(&session, occasion) != selector::Fit::No).expect("one governs");
                prop_assert!(matches!(&first.rule, Rule::Limits(limits) if limits.max_age.is_some()));
                prop_assert_eq!(is_due(&session, &policies, now), now >= deadline.at);
            }
        }
    }
}
