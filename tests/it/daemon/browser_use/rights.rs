//! A key without the right to one of the two inventories: what the other shows is guarded all the same, and nobody can overlook the lack.

use serde_json::Value;
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::ApiVersion;
use session_reaper::domain::time::{SignedDuration, Timestamp, between};
use session_reaper::simulator::{Fault, Target};

use super::VERSIONS;
use crate::daemon::stage::{Api, Daemon, Script, Stage, side_by_side};

const GROWTH: (&str, &str) = ("account", "growth");

/// Without the browsers nobody knows the tags.
const AGED: &str = "
[[policies]]
name = \"aged\"
match = \"all\"
max_age = \"20m\"
";

/// The key has no right to this inventory. Polls are so rare that what comes between them can be told.
fn without_right_to(inventory: &str, version: ApiVersion, policies: &'static str) -> Stage {
    let stage = Stage::playing(&Script { api: Api::BrowserUse(version), poll_interval: "2s", policies, ..Script::default() });
    let sentence = format!("API key is missing required scope: {inventory}:read");
    stage.inject(Target::from(Operation::List).status(inventory), Fault::detail(403, &sentence));
    stage
}

/// Between two polls it is not asked for again.
fn is_not_pressed(stage: &Stage, daemon: &Daemon, inventory: &str) {
    daemon.reaches(3.0, "session_reaper_polls_total", &[GROWTH, ("outcome", "partial")]);
    let asked: Vec<Timestamp> =
        stage.journal().iter().filter(|request| request.line.ends_with(&format!("/{inventory}"))).map(|request| request.at).collect();
    assert!(asked.len() >= 3);
    let shortest = asked.windows(2).map(|pair| between(pair[0], pair[1])).min().expect("several");
    assert!(shortest > SignedDuration::from_millis(1_500), "asked again after {shortest}, and not at the next poll");
    for outcome in ["complete", "failed"] {
        assert_eq!(daemon.metric("session_reaper_polls_total", &[GROWTH, ("outcome", outcome)]), 0.0, "{outcome}");
    }
}

fn is_loud(daemon: Daemon, inventory: &str) {
    let lack = format!("403: API key is missing required scope: {inventory}:read");
    assert_eq!(daemon.get("/readyz").0, 200, "a definite refusal is an answer too");
    let account = daemon.account("growth");
    assert!(account["listing"] == "partial" && account["last_complete_at"].is_null(), "{account}");
    assert!(account["error"].as_str().is_some_and(|error| error.contains(&lack)), "{account}");

    daemon.process.signal("TERM");
    let log = daemon.process.last_words();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&lack)).collect();
    assert!(lines.len() == 1 && lines[0].contains("WARN"), "{log}");
}

fn commands_fail(stage: &Stage, inventory: &str) {
    let lack = format!("missing required scope: {inventory}:read");
    let (plan, check) = (stage.output(["plan", "--format", "json"]), stage.output(["check", "--online"]));
    assert_eq!((plan.status.code(), check.status.code()), (Some(1), Some(1)));
    let plan: Value = serde_json::from_slice(&plan.stdout).expect("JSON");
    let account = &plan["accounts"][0];
    assert_eq!(account["listing"], "partial");
    assert!(account["error"].as_str().is_some_and(|error| error.contains(&lack)), "{account}");
    let said = [check.stdout, check.stderr].concat();
    assert!(String::from_utf8_lossy(&said).contains(&lack), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn without_the_right_to_agent_sessions_every_browser_is_guarded() {
    side_by_side(VERSIONS, |version| {
        let stage = without_right_to("sessions", version, Script::default().policies);
        let (alone, pair, spared) = (stage.due_in(-60_000), stage.pair_due_in(-60_000), stage.due_in(600_000));
        let daemon = stage.daemon();
        let later = stage.due_in(1_500);
        for id in [&alone, &pair, &later] {
            daemon.comes_to(id, "confirmed");
        }
        assert_eq!(stage.requests_about(&pair), [stage.browser_of(&pair)], "the browser itself is stopped");
        assert!([&alone, &later].iter().all(|id| stage.requests_for(id).len() == 1) && stage.requests_for(&spared).is_empty());
        is_not_pressed(&stage, &daemon, "sessions");
        commands_fail(&stage, "sessions");
        is_loud(daemon, "sessions");
    });
}

#[test]
fn without_the_right_to_browsers_agent_sessions_are_guarded_as_far_as_they_are_known() {
    side_by_side(VERSIONS, |version| {
        let stage = without_right_to("browsers", version, AGED);
        let (due, spared) = (stage.pair_due_in(-60_000), stage.pair_due_in(600_000));
        let daemon = stage.daemon();
        daemon.comes_to(&due, "confirmed");
        let part = if version == ApiVersion::V4 { stage.run_of(&due) } else { due.clone() };
        assert_eq!(stage.requests_about(&due), [part]);
        assert!(stage.requests_about(&spared).is_empty());
        is_not_pressed(&stage, &daemon, "browsers");
        commands_fail(&stage, "browsers");
        is_loud(daemon, "browsers");
    });
}

#[test]
fn without_the_right_to_browsers_nothing_is_released_that_a_tag_might_protect() {
    side_by_side(VERSIONS, |version| {
        let stage = without_right_to("browsers", version, Script::default().policies);
        let pair = stage.pair_due_in(-60_000);
        let daemon = stage.daemon();
        daemon.reaches(2.0, "session_reaper_polls_total", &[GROWTH, ("outcome", "partial")]);
        assert_eq!(daemon.session(&pair)["verdict"], "unknown");
        assert!(stage.requests_about(&pair).is_empty());
    });
}
