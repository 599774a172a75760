use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::activity::Activity;
use crate::domain::hold::OperatorHold;
use crate::domain::name::AccountName;
use crate::policy::crowd::Crowds;
use crate::policy::selector::{Match, Matcher};
use crate::policy::{Subject, judge};

fn selector() -> impl Strategy<Value = Selector> {
    let tagged = |value: u8| Match { metadata: [("env".to_owned(), Matcher::Equals(json!(value)))].into(), ..Match::default() };
    let of = |accounts: Vec<AccountName>| Match { accounts: Some(accounts), ..Match::default() };
    prop_oneof![
        Just(Selector::All),
        (0..3_u8).prop_map(move |value| Selector::Match(tagged(value))),
        any::<bool>().prop_map(move |own| Selector::Match(of(vec![if own { "growth" } else { "sales" }.into()]))),
    ]
}

fn policy(index: usize) -> impl Strategy<Value = Policy> {
    (selector(), proptest::option::of(1..60_i64)).prop_map(move |(selector, limit)| Policy {
        name: format!("p{index}").into(),
        selector,
        rule: limit.map_or(Rule::Protect, |limit| {
            Rule::Limits(Limits { max_age: Some(MaxAge { limit: mins(limit), tag: None, ceiling: None }), ..Limits::default() })
        }),
        shadow: false,
    })
}

fn policies() -> impl Strategy<Value = Vec<Policy>> {
    (policy(0), policy(1), policy(2), 0..=3_usize).prop_map(|(a, b, c, count)| [a, b, c].into_iter().take(count).collect())
}

fn tags() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![(0..3_u8).prop_map(|value| json!({ "env": value })), Just(json!({})), Just(json!(["env"]))]
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![3 => Just(Phase::Running), 1 => Just(Phase::Pending), 1 => Just(Phase::Unknown)]
}

fn sessions() -> impl Strategy<Value = Vec<Session>> {
    let one = (tags(), phase(), 0..70_i64).prop_map(|(tags, phase, started)| {
        let started_at = Some(later(at(0), mins(started)));
        Session { started_at, ..in_phase(phase, session("", tags)) }
    });
    proptest::collection::vec(one, 1..8).prop_map(|mut all| {
        all.iter_mut().enumerate().for_each(|(index, session)| session.id = format!("s{index}").into());
        all
    })
}

/// Everything that is released from noon to this instant, if the sessions are listed every half minute.
fn all_released(terms: Terms, orders: &Orders, sessions: &[Session], until: Timestamp) -> BTreeSet<(SessionId, Timestamp)> {
    let mut engine = Engine::new(terms, Recall::default(), Arc::new(orders.clone()), at(0));
    let mut seen = BTreeSet::new();
    let mut now = at(0);
    while now <= until {
        for command in list(&mut engine, listing(sessions.to_vec()), now) {
            if let Command::Release { permit, .. } = command {
                seen.insert((permit.session().clone(), now));
            }
        }
        now = later(now, secs(30));
    }
    seen
}

fn ids(released: &BTreeSet<(SessionId, Timestamp)>) -> BTreeSet<SessionId> {
    released.iter().map(|(id, _)| id.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_permit_is_only_for_a_running_session_of_ours_that_is_due_and_not_held(
        policies in policies(),
        sessions in sessions(),
        held in proptest::option::of((0..8_usize, 0..70_i64)),
        minutes in 0..70_i64,
    ) {
        let until = later(at(0), mins(minutes));
        let hold = held.map(|(index, until)| {
            let session = SessionId::from(format!("s{index}"));
            (session.clone(), OperatorHold { session, placed_at: at(0), until: later(at(0), mins(until)), reason: "debugging".to_owned() })
        });
        let orders = Orders { holds: hold.into_iter().collect(), ..Orders::default() };
        let terms = Terms { policies: policies.clone().into(), ..terms() };
        for (id, released_at) in all_released(terms, &orders, &sessions, until) {
            let session = sessions.iter().find(|session| session.id == id).expect("a listed one");
            let occasion = Occasion { account: &"growth".into(), provider: Provider::Browserbase, at: Timestamp::UNIX_EPOCH };
            let deadline = judge(&Subject { session, activity: &Activity::default(), crowds: &Crowds::default(), occasion }, &policies, None).verdict.deadline().map(|deadline| deadline.at);
            prop_assert!(deadline.is_some_and(|deadline| deadline <= released_at), "{id} at {released_at}: {deadline:?}");
            prop_assert!(orders.hold([&id], released_at).is_none());
        }
    }

    #[test]
    fn what_is_released_does_not_hang_on_the_order_of_the_rows(
        policies in policies(),
        sessions in sessions(),
        turn in 0..8_usize,
        minutes in 0..70_i64,
    ) {
        let until = later(at(0), mins(minutes));
        let terms = Terms { policies: policies.into(), ..terms() };
        let mut turned = sessions.clone();
        turned.reverse();
        turned.rotate_left(turn % sessions.len());
        let orders = Orders::default();
        prop_assert_eq!(all_released(terms.clone(), &orders, &sessions, until), all_released(terms, &orders, &turned, until));
    }

    #[test]
    fn a_longer_limit_or_a_protection_in_front_never_adds_a_release(
        policies in policies(),
        sessions in sessions(),
        front in selector(),
        more in 0..60_i64,
        minutes in 0..70_i64,
    ) {
        let until = later(at(0), mins(minutes));
        let orders = Orders::default();
        let released = |policies: Vec<Policy>| ids(&all_released(Terms { policies: policies.into(), ..terms() }, &orders, &sessions, until));
        let before = released(policies.clone());
        let mut patient = policies.clone();
        for policy in &mut patient {
            if let Rule::Limits(Limits { max_age: Some(limit), .. }) = &mut policy.rule {
                limit.limit += mins(more);
            }
        }
        let guarded = std::iter::once(Policy { name: "front".into(), selector: front, rule: Rule::Protect, shadow: false }).chain(policies).collect();
        prop_assert!(released(patient).is_subset(&before));
        prop_assert!(released(guarded).is_subset(&before));
    }

    #[test]
    fn observe_mode_asks_for_nothing(policies in policies(), sessions in sessions(), minutes in 0..70_i64) {
        let terms = Terms { policies: policies.into(), mode: Mode::Observe, ..terms() };
        prop_assert_eq!(all_released(terms, &Orders::default(), &sessions, later(at(0), mins(minutes))), BTreeSet::new());
    }
}
