//! Stories that nobody wrote: whatever goes wrong and whenever the process dies, every due session ends in time and is counted once.

use proptest::prelude::*;
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::ApiVersion;
use session_reaper::domain::release::Outcome;
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::simulator::activity::Act as Deed;
use session_reaper::simulator::{Cause, Fault, NewAgent, NewSession, NewTask, Settings, Target, World};

use super::script::{START, nobody, terms};
use crate::stage::{Act, CrashPoint, Face, Lasts, Newcomer, Stage};

const CONFIG: &str = "
poll_interval = \"20s\"
[guardrails]
max_release_fraction = 1.0
[[policies]]
name = \"all\"
match = \"all\"
max_age = \"20m\"
";

/// Every limit at once: teams have a count and a budget, what is left alone goes, and in the end everything is too old.
const ALL_LIMITS: &str = "
poll_interval = \"20s\"
[guardrails]
max_release_fraction = 1.0
[[policies]]
name = \"trial\"
match = \"all\"
max_age = \"5m\"
shadow = true
[[policies]]
name = \"night\"
match = { window = { days = \"Mon-Sun\", from = \"12:25\", to = \"12:35\", time_zone = \"UTC\" }, metadata = { team = \"c\" } }
idle = \"2m\"
idle_without_evidence = \"release\"
[[policies]]
name = \"all\"
match = \"all\"
max_age = \"40m\"
idle = \"6m\"
max_running = { count = 2, per = \"metadata.team\", release = \"idlest\" }
budget = { browser_hours = 1.5, per = \"metadata.team\", every = \"day\" }
";

/// Within this time things go wrong; what has not ended an hour after it never will.
const TROUBLE_SECONDS: u32 = 1_500;
const END: SignedDuration = SignedDuration::from_mins(90);

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::status(500, "arranged")),
        Just(Fault::status(401, "arranged")),
        Just(Fault::status(403, "arranged")),
        Just(Fault::throttled(30)),
        Just(Fault::Hang),
        Just(Fault::Reset),
        Just(Fault::TruncatedJson),
        Just(Fault::Html),
        Just(Fault::EmptyList),
        Just(Fault::AppliedUnanswered),
        Just(Fault::NeverEnding),
        Just(Fault::DuplicateRows),
        Just(Fault::Slow(SignedDuration::from_secs(3))),
    ]
}

/// An empty list is a lie that only a listing can tell, a release that never ends one that only a release can.
fn is_possible(operation: Operation, fault: &Fault) -> bool {
    match fault {
        Fault::EmptyList | Fault::DuplicateRows => operation == Operation::List,
        Fault::NeverEnding | Fault::AppliedUnanswered => operation == Operation::Release,
        _ => true,
    }
}

fn seconds(most: u32) -> impl Strategy<Value = SignedDuration> {
    (1..=most).prop_map(|count| SignedDuration::from_secs(i64::from(count)))
}

fn act() -> impl Strategy<Value = Act> {
    let operation = prop_oneof![Just(Operation::List), Just(Operation::Read), Just(Operation::Release), Just(Operation::Evidence)];
    let lasts = prop_oneof![seconds(180).prop_map(Lasts::For), (1..4_u32).prop_map(Lasts::Times)];
    let broken = (operation, fault(), lasts)
        .prop_filter("nobody can tell that lie", |(operation, fault, _)| is_possible(*operation, fault))
        .prop_map(|(operation, fault, lasts)| Act::Break { target: Target::from(operation), on: None, fault, lasts });
    prop_oneof![
        6 => broken,
        1 => Just(Act::Crash(CrashPoint::BeforeCall)),
        1 => Just(Act::Crash(CrashPoint::AfterCall)),
        1 => seconds(60).prop_map(|down| Act::Kill { down, clock_set: SignedDuration::ZERO }),
        1 => seconds(300).prop_map(|length| Act::Hold { name: "s0".to_owned(), length, reason: "debugging".to_owned() }),
        1 => Just(Act::Pause { reason: "incident".to_owned() }),
        1 => Just(Act::Resume),
        1 => seconds(30).prop_map(|length| Act::BooksRefuse { length }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_due_session_ends_and_is_counted_once(
        ages in proptest::collection::vec(seconds(1_200), 1..12),
        acts in proptest::collection::vec((seconds(TROUBLE_SECONDS), act()), 0..10),
        skew in prop_oneof![2 => Just(0_i64), 1 => Just(3_600), 1 => Just(-3_600)],
    ) {
        let start: Timestamp = START.parse().expect("an instant");
        let settings = Settings { skew: SignedDuration::from_secs(skew), population: nobody(), ..Settings::seeded(1) };
        let mut stage = Stage::new(terms(CONFIG, None).expect("a configuration"), Face::of(None), World::with(settings, start), start);
        for (index, age) in ages.iter().enumerate() {
            let timeout = *age + SignedDuration::from_hours(6);
            stage.create(&format!("s{index}"), NewSession { age: *age, timeout, ..NewSession::default() });
        }
        for (after, act) in acts {
            stage.plan(later(start, after), act);
        }
        stage.plan(later(start, SignedDuration::from_secs(i64::from(TROUBLE_SECONDS))), Act::Resume);
        stage.run_until(later(start, END));
        let confirmed = stage.books().releases.values().filter(|row| row.outcome == Outcome::Confirmed).count();
        prop_assert_eq!(confirmed, ages.len(), "{}", stage.told());
    }

    /// With every limit, and sessions that are worked for a while, now and then, or never: whatever goes wrong, nothing goes before it has outstayed a
    /// limit by the world's own truth (the stage asserts it at each request), and in the end everything has gone.
    #[test]
    fn nothing_goes_before_it_has_outstayed_and_everything_does_in_the_end(
        newcomers in proptest::collection::vec((seconds(1_200), used(), 0..3_u8), 1..10),
        acts in proptest::collection::vec((seconds(TROUBLE_SECONDS), act()), 0..10),
        skew in prop_oneof![2 => Just(0_i64), 1 => Just(3_600), 1 => Just(-3_600)],
    ) {
        let start: Timestamp = START.parse().expect("an instant");
        let settings = Settings { skew: SignedDuration::from_secs(skew), population: nobody(), ..Settings::seeded(1) };
        let mut stage = Stage::new(terms(ALL_LIMITS, None).expect("a configuration"), Face::of(None), World::with(settings, start), start);
        for (index, (age, used, team)) in newcomers.iter().enumerate() {
            let team = ["a", "b", "c"][usize::from(*team)];
            let metadata = Some(serde_json::json!({ "team": team }));
            stage.create(&format!("s{index}"), NewSession { age: *age, timeout: *age + SignedDuration::from_hours(6), metadata, ..used.clone() });
        }
        for (after, act) in acts {
            stage.plan(later(start, after), act);
        }
        stage.plan(later(start, SignedDuration::from_secs(i64::from(TROUBLE_SECONDS))), Act::Resume);
        stage.run_until(later(start, END));
        let confirmed = stage.books().releases.values().filter(|row| row.outcome == Outcome::Confirmed).count();
        prop_assert_eq!(confirmed, newcomers.len(), "{}", stage.told());
    }

    /// At Browser Use: browsers alone, agents alone, pairs, and browsers whose agent session is over, by each version of the API. What bills ends, on our
    /// request, and is counted once; the stage itself holds the books to the truth.
    #[test]
    fn every_due_browser_and_agent_of_browser_use_ends(
        version in prop_oneof![Just(ApiVersion::V2), Just(ApiVersion::V3), Just(ApiVersion::V4)],
        newcomers in proptest::collection::vec((seconds(1_200), 0..4_u8), 1..10),
        acts in proptest::collection::vec((seconds(TROUBLE_SECONDS), act(), inventory()), 0..10),
        skew in prop_oneof![2 => Just(0_i64), 1 => Just(3_600), 1 => Just(-3_600)],
    ) {
        let start: Timestamp = START.parse().expect("an instant");
        let settings = Settings { skew: SignedDuration::from_secs(skew), population: nobody(), ..Settings::seeded(1) };
        let terms = terms(CONFIG, Some(version)).expect("a configuration");
        let mut stage = Stage::new(terms, Face::of(Some(version)), World::with(settings, start), start);
        for (index, (age, kind)) in newcomers.iter().enumerate() {
            stage.create(&format!("s{index}"), newcomer(*age, *kind));
        }
        for (after, act, inventory) in acts {
            stage.plan(later(start, after), of_inventory(act, inventory));
        }
        stage.plan(later(start, SignedDuration::from_secs(i64::from(TROUBLE_SECONDS))), Act::Resume);
        stage.run_until(later(start, END));
        let told = stage.told();
        let key = Face::of(Some(version)).key();
        stage.world.with(|world| {
            let now = world.now();
            for life in world.lives().filter(|life| &*life.key == key) {
                // Under v4 a browser goes by itself once its run was cancelled, be its own stop turned away.
                let cause = life.ended(now).map(|end| end.cause);
                let went = version == ApiVersion::V4 && life.agent.is_some() && cause == Some(Cause::Closed);
                prop_assert!(went || matches!(cause, Some(Cause::Released { .. })), "{} {cause:?}\n{told}", life.id);
            }
            for agent in world.agents().filter(|agent| &*agent.key == key) {
                let over = agent.ended(now).is_some() || (version == ApiVersion::V4 && !agent.is_busy(now));
                prop_assert!(over, "{} goes on\n{told}", agent.id);
            }
            Ok(())
        })?;
    }
}

/// A browser alone, an agent alone, a pair, or a browser whose agent session is over.
fn newcomer(age: SignedDuration, kind: u8) -> Newcomer {
    let browser = NewSession { age, timeout: age + SignedDuration::from_hours(6), ..NewSession::default() };
    if kind == 0 {
        return browser.into();
    }
    let left_browser_after = (kind == 3).then_some(SignedDuration::from_millis(1));
    let browser = (kind > 1).then_some(browser);
    Newcomer::Agent(Box::new(NewAgent { browser, age, tasks: vec![NewTask::default()], left_browser_after, ..NewAgent::default() }))
}

/// What is done in a session: work from its start, single acts, with a log or without.
fn used() -> impl Strategy<Value = NewSession> {
    let act = prop_oneof![Just(Deed::Command), Just(Deed::Page), (1..1_000_u64).prop_map(Deed::Bytes)];
    let acts = proptest::collection::vec((seconds(3_600), act), 0..6);
    (acts, proptest::option::of(seconds(2_000)), any::<bool>(), 0..3_u64).prop_map(|(acts, worked, logs, bytes)| NewSession {
        acts,
        worked_for: worked.unwrap_or_default(),
        bytes_per_second: bytes,
        logs,
        ..NewSession::default()
    })
}

fn inventory() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![2 => Just(None), 1 => Just(Some("browsers")), 1 => Just(Some("sessions")), 1 => Just(Some("tasks")), 1 => Just(Some("runs"))]
}

/// A fault may strike the calls to one inventory alone.
fn of_inventory(act: Act, inventory: Option<&str>) -> Act {
    match (act, inventory) {
        (Act::Break { target, on, fault, lasts }, Some(inventory)) => Act::Break { target: target.status(inventory), on, fault, lasts },
        (act, _) => act,
    }
}
