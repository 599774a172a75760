//! What was saved: in the books, in the metrics and in the reports it is what the provider gave back in truth.

use serde_json::{Value, json};
use session_reaper::domain::name::SessionId;

use super::{MILLIONTH, MILLISECOND, VERSIONS, given_back, is, tells_the_truth};
use crate::daemon::stage::{Daemon, Stage, side_by_side};

/// One release, by its row.
fn is_booked(stage: &Stage, daemon: &Daemon, id: &SessionId, kind: &str, browser: &Value) {
    let (row, truth) = (daemon.comes_to(id, "confirmed"), stage.truth(id));
    assert_eq!((&row["kind"], &row["provider"], &row["browser"]), (&json!(kind), &json!("browser-use"), browser), "{row}");
    tells_the_truth(&row, &truth);
}

#[test]
fn a_pair_and_a_browser_alone_save_what_was_given_back_for_their_browsers() {
    side_by_side(VERSIONS, |version| {
        let stage = Stage::of_browser_use(version);
        let (pair, alone) = (stage.pair_due_in(-95_000), stage.due_in(-500));
        let daemon = stage.daemon();
        is_booked(&stage, &daemon, &pair, "agent", &json!(stage.browser_of(&pair).as_str()));
        is_booked(&stage, &daemon, &alone, "browser", &Value::Null);
        assert_eq!((stage.requests_about(&pair), stage.requests_for(&alone).len()), (stage.asked_to_release(&pair), 1));

        let (runtime, cost) = (stage.saved(&[pair.clone(), alone.clone()]), given_back(&stage.truth(&pair)) + given_back(&stage.truth(&alone)));
        assert!(runtime > 4_000.0 && cost > 0.02, "there was something to save");
        let counted = |name: &str| daemon.metric(name, &[("account", "growth"), ("provider", "browser-use"), ("policy", "ci")]);
        assert!((counted("session_reaper_saved_runtime_seconds_total") - runtime).abs() < MILLISECOND);
        assert!((counted("session_reaper_saved_cost_total") - cost).abs() < MILLIONTH);
        assert_eq!(counted("session_reaper_sessions_released_total"), 2.0);

        let report = stage.json(["report", "--by", "kind", "--format", "json"]);
        for (id, kind) in [(&pair, "agent"), (&alone, "browser")] {
            let rows = report["rows"].as_array().expect("rows");
            let row = rows.iter().find(|row| row["key"] == kind).unwrap_or_else(|| panic!("no {kind} in {report}"));
            assert_eq!((&row["released"], &row["currency"]), (&json!(1), &json!("USD")));
            assert!(is(&row["saved_runtime_seconds"], stage.truth(id).saved().as_secs_f64(), MILLISECOND), "{row}");
            assert!(is(&row["saved_cost"], given_back(&stage.truth(id)), MILLIONTH), "{row}");
        }
        assert!(
            is(&report["total"]["saved_runtime_seconds"], runtime, MILLISECOND) && is(&report["total"]["saved_cost"], cost, MILLIONTH),
            "{report}"
        );
    });
}
