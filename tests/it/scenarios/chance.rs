//! Stories that nobody wrote: whatever goes wrong and whenever the process dies, every due session ends in time and is counted once.

use proptest::prelude::*;
use session_reaper::domain::event::Operation;
use session_reaper::domain::release::Outcome;
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::simulator::{Fault, NewSession, Settings, Target, World};

use super::script::{START, nobody, terms};
use crate::virtual_time::{Act, CrashPoint, Face, Lasts, Stage};

const CONFIG: &str = "
poll_interval = \"20s\"
[guardrails]
max_release_fraction = 1.0
[[policies]]
name = \"all\"
match = \"all\"
max_age = \"20m\"
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
    let operation = prop_oneof![Just(Operation::List), Just(Operation::Read), Just(Operation::Release)];
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
        let confirmed = stage.books.releases.values().filter(|row| row.outcome == Outcome::Confirmed).count();
        prop_assert_eq!(confirmed, ages.len(), "{}", stage.world.with(|world| stage.transcript.finish(&stage.books, world)));
    }
}
