//! Whoever knows a session by its browser may say that: a pair answers to either id.

use serde_json::json;

use super::VERSIONS;
use crate::daemon::stage::{Stage, side_by_side};

#[test]
fn a_hold_on_its_browser_spares_a_pair_and_explain_knows_it_by_its_browser() {
    side_by_side(VERSIONS, |version| {
        let stage = Stage::of_browser_use(version);
        let (held, free) = (stage.pair_due_in(-60_000), stage.pair_due_in(-60_000));
        let browser = stage.browser_of(&held);
        stage.printed(["hold", browser.as_str(), "--for", "10m", "--reason", "a demo for a customer"]);
        let daemon = stage.daemon();
        daemon.comes_to(&free, "confirmed");
        let shown = daemon.is_held(&held, "operator");
        assert_eq!((&shown["kind"], &shown["browser"]), (&json!("agent"), &json!(browser.as_str())), "{shown}");
        let polls = daemon.metric("session_reaper_polls_total", &[]);
        daemon.reaches(polls + 2.0, "session_reaper_polls_total", &[]);
        assert!(stage.requests_about(&held).is_empty());

        let explained = stage.json(["explain", browser.as_str(), "--format", "json"]);
        assert_eq!((&explained["session"]["id"], &explained["session"]["browser"]), (&json!(held.as_str()), &json!(browser.as_str())));
        assert_eq!((&explained["session"]["policy"], &explained["hold"]["hold"]), (&json!("ci"), &json!("operator")), "{explained}");
        let said = stage.printed(["explain", browser.as_str()]);
        assert!(said.contains(held.as_str()) && said.contains("a demo for a customer"), "{said}");

        stage.printed(["hold", "--lift", browser.as_str()]);
        daemon.comes_to(&held, "confirmed");
        assert_eq!(stage.requests_about(&held), stage.asked_to_release(&held));
        let explained = stage.json(["explain", browser.as_str(), "--format", "json"]);
        assert_eq!(explained["release"]["id"], held.as_str(), "the books know it by its browser too");
    });
}
