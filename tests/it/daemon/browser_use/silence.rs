//! What the provider says with a 429: to be silent, or that it has no place for more sessions, which is nothing to a reaper.

use session_reaper::domain::event::Operation;
use session_reaper::domain::time::{SignedDuration, between};
use session_reaper::simulator::{Extent, Fault, Target};

use super::VERSIONS;
use crate::daemon::stage::{Stage, side_by_side};
use crate::support::eventually;

const GROWTH: (&str, &str) = ("account", "growth");
const AT_CAPACITY: &str = "Too many concurrent active sessions. Please wait for one to finish, kill one, or upgrade your plan.";

#[test]
fn retry_after_on_the_second_inventory_silences_the_whole_key_and_then_what_is_due_is_released() {
    side_by_side(VERSIONS, |version| {
        let stage = Stage::of_browser_use(version);
        let agents = Target::from(Operation::List).status("sessions");
        stage.world.with(|world| world.inject(agents, Fault::throttled(2), Extent::Times(1)));
        let (alone, pair) = (stage.due_in(-60_000), stage.pair_due_in(-60_000));
        let daemon = stage.daemon();
        daemon.comes_to(&alone, "confirmed");
        daemon.comes_to(&pair, "confirmed");
        let journal = stage.journal();
        let refused = journal.iter().position(|request| request.outcome == "429").expect("the refusal");
        assert!(journal[refused].line.ends_with("/sessions"), "{:?}", journal[refused]);
        let silence = between(journal[refused].at, journal[refused + 1].at);
        assert!(silence >= SignedDuration::from_secs(2), "asked again after {silence}: {:?}", journal[refused + 1]);
        daemon.process.line_with("the provider asked for silence");
    });
}

#[test]
fn a_word_about_concurrent_sessions_silences_nobody() {
    side_by_side(VERSIONS, |version| {
        let stage = Stage::of_browser_use(version);
        stage.inject(Target::from(Operation::List).status("sessions"), Fault::detail(429, AT_CAPACITY));
        let (refused, alone) = (stage.due_in(-60_000), stage.due_in(-60_000));
        stage.inject(Target::from(Operation::Release).session(refused.clone()), Fault::detail(429, AT_CAPACITY));
        let daemon = stage.daemon();
        daemon.comes_to(&alone, "confirmed");
        let soon = stage.due_in(500);
        daemon.comes_to(&soon, "confirmed");
        eventually("the refused one is asked for again", || (stage.requests_for(&refused).len() > 1).then_some(()));
        assert_eq!(daemon.metric("session_reaper_polls_total", &[GROWTH, ("outcome", "failed")]), 0.0);
        assert!(daemon.account("growth")["error"].as_str().is_some_and(|error| error.contains("concurrent")));
        stage.clear_faults();
        daemon.comes_to(&refused, "confirmed");
        daemon.process.signal("TERM");
        let log = daemon.process.last_words();
        assert!(!log.contains("asked for silence"), "{log}");
    });
}
