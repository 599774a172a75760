//! Killed between a request and its confirmation, the next life settles the release of a pair: once, with its browser's figures.

use serde_json::{Value, json};
use session_reaper::domain::event::Operation;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::{Fault, NewAgent, NewSession};

use super::{MILLISECOND, VERSIONS, is, tells_the_truth};
use crate::daemon::stage::{Stage, ci, linked, side_by_side};
use crate::support::eventually;

/// When the first life ends.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The provider has the request, and its answer is still to come.
    Requested,
    /// The acceptance is in the books.
    Accepted,
}

/// Whether the pair lives when the second life begins.
#[derive(Clone, Copy, Debug)]
enum Found {
    Live,
    Over,
}

fn is_at(moment: Moment, row: &Value) -> bool {
    match moment {
        Moment::Requested => row["outcome"] == "requested" && row["accepted_at"].is_null(),
        Moment::Accepted => row["accepted_at"].is_string(),
    }
}

#[test]
fn a_pair_that_was_asked_for_before_a_kill_is_settled_once_with_its_browsers_figures() {
    let whens = [(Moment::Requested, Found::Over), (Moment::Accepted, Found::Live), (Moment::Accepted, Found::Over)];
    let cases = VERSIONS.into_iter().flat_map(|version| whens.map(|(moment, found)| (version, moment, found)));
    side_by_side(cases, |(version, moment, found)| {
        let stage = Stage::of_browser_use(version);
        let browser = NewSession { release_latency: Some(SignedDuration::from_millis(1_500)), ..ci(-60_000) };
        let pair = stage.add_agent(NewAgent { release_latency: browser.release_latency, ..linked(browser) });
        if matches!(moment, Moment::Requested) {
            stage.inject(Operation::Release, Fault::Slow(SignedDuration::from_millis(700)));
        }
        let daemon = stage.daemon();
        eventually("the moment comes", || {
            let asked_for = stage.requests_about(&pair) == stage.asked_to_release(&pair);
            (asked_for && is_at(moment, &daemon.release(&pair))).then_some(())
        });
        daemon.dies();
        stage.clear_faults();
        assert!(!stage.has_ended(&pair), "{:?}", stage.truth(&pair));
        if matches!(found, Found::Over) {
            stage.all_end(std::slice::from_ref(&pair));
        }

        let daemon = stage.daemon();
        let row = daemon.comes_to(&pair, "confirmed");
        assert_eq!((&row["kind"], &row["browser"]), (&json!("agent"), &json!(stage.browser_of(&pair).as_str())), "{row}");
        tells_the_truth(&row, &stage.truth(&pair));
        assert_eq!(stage.requests_about(&pair), stage.asked_to_release(&pair), "nothing was asked for again");
        assert_eq!(daemon.stops(), Some(0));
        let total = &stage.json(["report", "--format", "json"])["total"];
        assert_eq!((&total["released"], &total["already_ended"], &total["failed"]), (&json!(1), &json!(0), &json!(0)));
        assert!(is(&total["saved_runtime_seconds"], stage.saved(&[pair]), MILLISECOND), "{total}");
    });
}
