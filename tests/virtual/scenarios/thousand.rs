//! What evidence costs: nothing for sessions whose rows tell that they are used, and one asking for each time that another comes near due.

use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::simulator::{NewSession, Settings, World};

use super::script::{START, nobody, terms};
use crate::stage::{Face, Stage};

const CONFIG: &str = "
poll_interval = \"2m\"
requests_per_second = 100
[guardrails]
max_release_fraction = 1.0
max_releases_per_poll = 1000
[[policies]]
name = \"quiet\"
match = \"all\"
idle = \"30m\"
";

const WATCHED: SignedDuration = SignedDuration::from_mins(70);

/// Sends bytes all along, is worked all along, or was left five minutes after its start.
fn newcomer(index: i64) -> (String, NewSession) {
    let hours = SignedDuration::from_hours;
    let age = SignedDuration::from_secs(600 + index);
    let new = NewSession { age, timeout: age + hours(6), ..NewSession::default() };
    match index {
        0..900 => (format!("sending{index}"), NewSession { bytes_per_second: 100, worked_for: hours(6), logs: false, ..new }),
        900..950 => (format!("worked{index}"), NewSession { worked_for: hours(6), ..new }),
        _ => (format!("left{index}"), NewSession { worked_for: SignedDuration::from_mins(5), ..new }),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what the test is for")]
fn a_thousand_sessions_cost_no_more_askings_than_come_near_due() {
    let start: Timestamp = START.parse().expect("an instant");
    let world = World::with(Settings { population: nobody(), ..Settings::seeded(1) }, start);
    let mut stage = Stage::new(terms(CONFIG, None).expect("a configuration"), Face::of(None), world, start);
    (0..1_000).map(newcomer).for_each(|(name, new)| stage.create(&name, new));
    stage.run_until(later(start, WATCHED));

    let (askings, requests) = stage.askings();
    let of = |kind: &str| -> Vec<usize> { askings.iter().filter(|(name, _)| name.starts_with(kind)).map(|(_, count)| *count).collect() };
    let (sending, worked, left) = (of("sending"), of("worked"), of("left"));
    println!(
        "1,000 sessions under idle = 30m for 70 minutes: {} askings, {requests} requests; 900 with rising bytes: {}; 50 at work without: {}; 50 left: {}",
        askings.values().sum::<usize>(),
        sending.iter().sum::<usize>(),
        worked.iter().sum::<usize>(),
        left.iter().sum::<usize>(),
    );
    assert_eq!(sending, [0_usize; 0], "their rows tell");
    // Each time that is asked, the last command is at most five seconds ago: the next time is no sooner than half an hour less five seconds.
    let most = WATCHED.as_secs() as usize / (30 * 60 - 5) + 1;
    assert!(worked.len() == 50 && worked.iter().all(|count| *count <= most), "{worked:?}");
    assert_eq!(left, [2; 50], "once when it may have been idle from its start, and once right before its release");
    assert_eq!(stage.books().releases.len(), 50);
}
