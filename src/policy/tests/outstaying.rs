//! What holds for any sessions, policies and clocks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::domain::activity::{Finding, Heard};
use crate::domain::name::{Kind, SessionId};
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::{Member, Order};
use crate::policy::idle::{Idle, WithoutEvidence};
use crate::policy::max_running::MaxRunning;
use crate::policy::per::{Per, group};
use crate::policy::window::Window;

fn minute(count: i64) -> Timestamp {
    later(at(0), mins(count))
}

/// A session with what is remembered of it.
type One = (Session, Activity);

fn window() -> impl Strategy<Value = Window> {
    let zone = prop_oneof![Just(TimeZone::UTC), (-12..=12_i8).prop_map(|hours| TimeZone::fixed(jiff::tz::offset(hours)))];
    (any::<[bool; 7]>(), 0..24_i8, proptest::option::of(0..24_i8), zone).prop_map(|(mut days, from, to, time_zone)| {
        days[2] = true;
        let time = |hour| jiff::civil::time(hour, 0, 0, 0);
        Window { days, from: time(from), to: to.map(time), time_zone }
    })
}

fn flat() -> impl Strategy<Value = Match> {
    let tag = |value: u8| -> BTreeMap<String, Matcher> { [("env".to_owned(), Matcher::Equals(json!(value)))].into() };
    prop_oneof![
        3 => (0..3_u8).prop_map(move |value| Match { metadata: tag(value), ..Match::default() }),
        1 => any::<bool>().prop_map(|kept| Match { keep_alive: Some(kept), ..Match::default() }),
        1 => any::<bool>().prop_map(|own| Match { accounts: Some(vec![if own { "growth" } else { "sales" }.into()]), ..Match::default() }),
        2 => window().prop_map(|window| Match { window: Some(window), ..Match::default() }),
    ]
}

fn any_selector() -> impl Strategy<Value = Selector> {
    prop_oneof![
        2 => Just(Selector::All),
        3 => flat().prop_map(Selector::Match),
        1 => flat().prop_map(|inner| Selector::Match(Match { not: Some(Box::new(inner)), ..Match::default() })),
        1 => proptest::collection::vec(flat(), 1..3).prop_map(|any| Selector::Match(Match { any, ..Match::default() })),
    ]
}

fn per() -> impl Strategy<Value = Option<Per>> {
    prop_oneof![Just(None), Just(Some(Per::Metadata("team".to_owned()))), Just(Some(Per::KeepAlive)), Just(Some(Per::Kind))]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Oldest), Just(Order::Idlest)]
}

fn limits() -> impl Strategy<Value = Limits> {
    let tag = proptest::option::of(Just("ttl".to_owned()));
    let max_age = (1..90_i64, tag, proptest::option::of(90..120_i64)).prop_map(|(limit, tag, ceiling)| MaxAge {
        limit: mins(limit),
        ceiling: ceiling.filter(|_| tag.is_some()).map(mins),
        tag,
    });
    let idle = (1..60_i64, any::<bool>()).prop_map(|(limit, release)| Idle {
        limit: mins(limit),
        without_evidence: if release { WithoutEvidence::Release } else { WithoutEvidence::Keep },
    });
    let max_running = (1..4_u32, per(), order()).prop_map(|(count, per, release)| MaxRunning { count, per, release });
    let every = prop_oneof![Just(Every::Day), Just(Every::Week), Just(Every::Month)];
    let budget = (1..200_i64, per(), every, order()).prop_map(|(allowed, per, every, release)| Budget {
        allowed: mins(allowed),
        per,
        every,
        time_zone: TimeZone::UTC,
        release,
    });
    use proptest::option::weighted;
    (weighted(0.5, max_age), weighted(0.5, idle), weighted(0.4, max_running), weighted(0.4, budget))
        .prop_map(|(max_age, idle, max_running, budget)| Limits { max_age, idle, max_running, budget, warn_before: None })
}

fn any_policies() -> impl Strategy<Value = Vec<Policy>> {
    let one = (any_selector(), proptest::option::weighted(0.85, limits()), proptest::bool::weighted(0.15));
    proptest::collection::vec(one, 0..4).prop_map(|all| {
        let named = |(index, (selector, limits, shadow)): (usize, (Selector, Option<Limits>, bool))| Policy {
            name: format!("p{index}").into(),
            selector,
            rule: limits.map_or(Rule::Protect, Rule::Limits),
            shadow,
        };
        all.into_iter().enumerate().map(named).collect()
    })
}

fn heard() -> impl Strategy<Value = Option<Heard>> {
    let finding = prop_oneof![1 => Just(Finding::Active), 4 => Just(Finding::Quiet), 1 => Just(Finding::Nothing), 1 => Just(Finding::Failed)];
    let one = (50..130_i64, finding, 0..4_u32).prop_map(|(asked, finding, failures)| Heard {
        asked_at: minute(asked),
        finding,
        failures,
        testimonies: Vec::new(),
    });
    proptest::option::weighted(0.7, one)
}

fn activity() -> impl Strategy<Value = Activity> {
    (0..120_i64, 1..=2_u8, proptest::option::of(0..120_i64), heard()).prop_map(|(first, sightings, last, heard)| Activity {
        first_seen: Some(minute(first)),
        sightings,
        last_active: last.map(minute),
        heard,
        ..Activity::default()
    })
}

fn tags() -> impl Strategy<Value = Metadata> {
    let ttl = prop_oneof![Just(json!(null)), (1..120_i64).prop_map(|minutes| json!(format!("{minutes}m"))), Just(json!("soon"))];
    let tags = (0..3_u8, 0..3_u8, ttl).prop_map(|(env, team, ttl)| json!({ "env": env, "team": team, "ttl": ttl }));
    prop_oneof![
        6 => tags.prop_map(|tags| Metadata::from_json(Some(tags))),
        1 => Just(Metadata::default()),
        1 => Just(Metadata::Unreadable { found: "a list" }),
        1 => Just(Metadata::Unlearnt { why: "they could not be read" }),
        1 => Just(Metadata::NotKept),
    ]
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![6 => Just(Phase::Running), 1 => Just(Phase::Pending), 1 => Just(Phase::Unknown)]
}

fn sessions() -> impl Strategy<Value = Vec<One>> {
    let kind = proptest::sample::select(Kind::ALL.to_vec());
    let one = (tags(), phase(), 0..110_i64, proptest::option::of(any::<bool>()), any::<bool>(), kind, activity());
    let made = one.prop_map(|(metadata, phase, started, keep_alive, keep_alive_unlearnt, kind, activity)| {
        let known = Session { metadata, kind, keep_alive, keep_alive_unlearnt, started_at: Some(minute(started)), ..session("", json!({})) };
        (in_phase(phase, known), activity)
    });
    proptest::collection::vec(made, 1..8).prop_map(|mut all| {
        all.iter_mut().enumerate().for_each(|(index, (session, _))| session.id = format!("s{index}").into());
        all
    })
}

/// The limits on the crowd, as one complete listing of these sessions shows them.
fn counted(sessions: &[One], policies: &[Policy], now: Timestamp) -> Crowds {
    let account = account();
    let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: now };
    let mut crowds = Crowds::default();
    for policy in policies {
        let Rule::Limits(limits) = &policy.rule else { continue };
        let beside = policy.shadow.then_some(&policy.name);
        let members = |per: Option<&Per>| -> Vec<Member> {
            let of_policy = |(session, _): &&One| matches!(govern(session, occasion, policies, beside), Governed::By(by) if by.name == policy.name);
            let running = sessions.iter().filter(|(session, _)| session.status.phase == Phase::Running);
            let member = |(session, activity): &One| {
                let group = group(per, session, occasion)?;
                Some(Member { id: session.id.clone(), group, since: session.since(), last_active: activity.last_active, leaving: false })
            };
            running.filter(of_policy).filter_map(member).collect()
        };
        if let Some(limit) = &limits.max_running {
            crowds.over.extend(limit.over(&members(limit.per.as_ref())).into_iter().map(|id| ((policy.name.clone(), id), now)));
        }
        if let Some(limit) = &limits.budget {
            let standings = limit.standings(&BTreeMap::new(), &members(limit.per.as_ref()), now);
            let spent = standings.into_iter().filter(|(_, standing)| standing.spent >= limit.allowed);
            crowds.spent.extend(spent.map(|(group, _)| ((policy.name.clone(), group), now)));
        }
    }
    crowds
}

fn judged_by(one: &One, crowds: &Crowds, policies: &[Policy], now: Timestamp) -> Judgement {
    let (account, (session, activity)) = (account(), one);
    let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: now };
    judge(&Subject { session, activity, crowds, occasion }, policies, None)
}

fn all_judged(sessions: &[One], policies: &[Policy], now: Timestamp) -> BTreeMap<SessionId, Judgement> {
    let crowds = counted(sessions, policies, now);
    sessions.iter().map(|one| (one.0.id.clone(), judged_by(one, &crowds, policies, now))).collect()
}

/// Those that would be released at this listing.
fn due(sessions: &[One], policies: &[Policy], now: Timestamp) -> BTreeSet<SessionId> {
    let all = all_judged(sessions, policies, now);
    all.into_iter().filter(|(_, judgement)| judgement.verdict.word(now) == VerdictWord::Due).map(|(id, _)| id).collect()
}

fn raise(limits: &mut Limits, which: u8, by: i64) {
    match which {
        0 => limits.max_age.iter_mut().for_each(|limit| limit.limit += mins(by)),
        1 => limits.idle.iter_mut().for_each(|limit| limit.limit += mins(by)),
        2 => limits.max_running.iter_mut().for_each(|limit| limit.count += by as u32),
        _ => limits.budget.iter_mut().for_each(|limit| limit.allowed += mins(by)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn only_a_running_session_of_ours_that_no_protection_comes_before_is_ever_due(
        sessions in sessions(),
        policies in any_policies(),
        clock in 60..140_i64,
    ) {
        let (now, account) = (minute(clock), account());
        let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: now };
        for id in due(&sessions, &policies, now) {
            let (session, _) = sessions.iter().find(|(session, _)| session.id == id).expect("one of them");
            prop_assert_eq!(session.status.phase, Phase::Running);
            let first = policies.iter().find(|policy| !policy.shadow && policy.selector.fit(session, occasion) != selector::Fit::No);
            let limited = |policy: &Policy| policy.selector.fit(session, occasion) == selector::Fit::Yes && policy.rule != Rule::Protect;
            prop_assert!(first.is_some_and(limited), "{session:?} by {first:?}");
        }
    }

    #[test]
    fn a_listing_says_the_same_in_any_order(sessions in sessions(), policies in any_policies(), clock in 60..140_i64, turn in 0..8_usize) {
        let mut turned = sessions.clone();
        turned.reverse();
        turned.rotate_left(turn % sessions.len());
        prop_assert_eq!(all_judged(&sessions, &policies, minute(clock)), all_judged(&turned, &policies, minute(clock)));
    }

    #[test]
    fn raising_a_limit_never_adds_a_release(
        sessions in sessions(),
        policies in any_policies(),
        clock in 60..140_i64,
        which in 0..4_u8,
        index in 0..4_usize,
        by in 1..60_i64,
    ) {
        let mut patient = policies.clone();
        if let Some(Policy { rule: Rule::Limits(limits), .. }) = patient.get_mut(index) {
            raise(limits, which, by);
        }
        let (before, after) = (due(&sessions, &policies, minute(clock)), due(&sessions, &patient, minute(clock)));
        prop_assert!(after.is_subset(&before), "{after:?} {before:?}");
    }

    #[test]
    fn a_protection_never_adds_a_release_wherever_it_stands(
        sessions in sessions(),
        policies in any_policies(),
        selector in any_selector(),
        clock in 60..140_i64,
        index in 0..4_usize,
    ) {
        let mut guarded = policies.clone();
        guarded.insert(index.min(policies.len()), protect("guard", selector));
        let (before, after) = (due(&sessions, &policies, minute(clock)), due(&sessions, &guarded, minute(clock)));
        prop_assert!(after.is_subset(&before), "{after:?} {before:?}");
    }

    #[test]
    fn nothing_changes_before_the_recheck(
        sessions in sessions(),
        policies in any_policies(),
        clock in 60..140_i64,
        part in 0.0..1.0_f64,
    ) {
        let now = minute(clock);
        let crowds = counted(&sessions, &policies, now);
        for one in &sessions {
            let judgement = judged_by(one, &crowds, &policies, now);
            let length = judgement.recheck.map_or(SignedDuration::from_hours(24 * 40), |at| at.duration_since(now));
            prop_assert!(length > SignedDuration::ZERO, "{judgement:?}");
            let just_before = later(now, length - SignedDuration::from_nanos(1));
            for moment in [later(now, length.mul_f64(part)), just_before] {
                let again = judged_by(one, &crowds, &policies, moment);
                prop_assert_eq!(again.verdict.word(moment), judgement.verdict.word(now), "{:?} at {}", judgement, moment);
                prop_assert_eq!(&again.verdict, &judgement.verdict);
                prop_assert_eq!(again.ask_at, judgement.ask_at);
            }
        }
    }

    #[test]
    fn tags_that_nobody_asks_for_change_nothing(sessions in sessions(), policies in any_policies(), clock in 60..140_i64, value in "[a-z]{0,9}") {
        let mut more = sessions.clone();
        for (session, _) in &mut more {
            if let Metadata::Tags(tags) = &mut session.metadata {
                tags.insert("nobody-asks".to_owned(), json!({ "for": value.clone() }));
            }
        }
        prop_assert_eq!(all_judged(&more, &policies, minute(clock)), all_judged(&sessions, &policies, minute(clock)));
    }
}
