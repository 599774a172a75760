//! A short story, killed at each of its steps in turn: a command, a write before and after it is made, a request that arrives, an answer that is heard.

use session_reaper::domain::name::ApiVersion;
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::simulator::{Cause, NewAgent, NewSession, NewTask, Settings, World};

use crate::scenarios::{START, nobody, terms};
use crate::stage::{Act, Face, Newcomer, Stage};

const CONFIG: &str = "
poll_interval = \"1m\"
[[policies]]
name = \"all\"
match = \"all\"
max_age = \"5m\"
[guardrails]
max_release_fraction = 1.0
";

const LENGTH: SignedDuration = SignedDuration::from_mins(15);
/// From the deadline to the end, a kill and a release that failed included.
const BOUND: SignedDuration = SignedDuration::from_mins(3);
/// A story has fewer steps.
const MOST_STEPS: u32 = 2_000;

/// Three fall due, two of them at once, and one is closed by its owner in the moment at which it falls due.
fn newcomers(version: Option<ApiVersion>) -> Vec<Newcomer> {
    let aged = |seconds: i64| NewSession { age: SignedDuration::from_secs(seconds), ..NewSession::default() };
    let closed = (SignedDuration::from_mins(5), Cause::Closed);
    let mut all: Vec<Newcomer> = [aged(0), aged(0), aged(30), NewSession { fate: Some(closed), ..aged(60) }].map(Newcomer::from).into();
    if version.is_some() {
        all.push(Newcomer::Agent(Box::new(NewAgent {
            browser: Some(NewSession::default()),
            tasks: vec![NewTask::default()],
            ..NewAgent::default()
        })));
    }
    all
}

/// Plays it, killed after so many steps; gives how often the process was started.
fn played(version: Option<ApiVersion>, steps: u32) -> usize {
    let start: Timestamp = START.parse().expect("an instant");
    let world = World::with(Settings { population: nobody(), ..Settings::seeded(7) }, start);
    let mut stage = Stage::new(terms(CONFIG, version).expect("a configuration"), Face::of(version), world, start);
    newcomers(version).into_iter().enumerate().for_each(|(index, new)| stage.create(&format!("s{index}"), new));
    stage.plan(start, Act::KillIn { steps });
    stage.run_until(later(start, LENGTH));
    stage.check_metrics();
    stage.check_everybody_went(BOUND);
    stage.starts()
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are of interest")]
fn killed_at_each_step_of_a_story_the_books_are_true() {
    for version in [None, Some(ApiVersion::V2), Some(ApiVersion::V3), Some(ApiVersion::V4)] {
        let survived = (1..MOST_STEPS).find(|steps| played(version, *steps) == 1);
        println!("{version:?}: killed at each of {} steps", survived.expect("a story has an end") - 1);
        assert!(survived > Some(100), "it is killed somewhere");
    }
}
