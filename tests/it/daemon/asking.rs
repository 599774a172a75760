//! `plan`, `explain` and single passes ask about activity as the daemon does, and tell what they were answered.

use std::collections::BTreeSet;

use serde_json::Value;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{SignedDuration, Timestamp, later, rfc3339};
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::{NewSession, TYPED_SECRET};

use super::stage::{Script, Stage, left};
use crate::support::eventually;

const QUIET: &str = r#"
[[policies]]
name = "quiet"
match = "all"
idle = "3s"
"#;

const EVERY_LIMIT: &str = r#"
[[policies]]
name = "quiet"
match = "all"
max_age = "50m"
idle = "3s"
max_running = { count = 20 }
budget = { browser_hours = 1000, every = "month" }
"#;

/// Left so long ago, and so short a time after its start, that nothing is ever close.
fn left_long_ago() -> NewSession {
    NewSession { age: SignedDuration::from_mins(10), ..left() }
}

fn of_plan(stage: &Stage, id: &SessionId) -> Value {
    let plan = stage.json(["plan", "--format", "json"]);
    plan["sessions"].as_array().expect("rows").iter().find(|row| row["id"] == id.as_str()).cloned().expect("it is live")
}

/// A daemon has seen these sessions once, and is gone.
fn seen_before(stage: &Stage, ids: &[&SessionId]) {
    let daemon = stage.daemon();
    eventually("the books know them", || ids.iter().all(|id| stage.remembered(id)["sightings"] == 1).then_some(()));
    daemon.dies();
    assert!(stage.evidence().is_empty(), "asked about what was seen once");
}

#[test]
fn a_plan_asks_about_what_may_be_idle_once_somebody_has_seen_it_before() {
    let stage = Stage::playing(&Script { policies: QUIET, poll_interval: "5m", ..Script::default() });
    let id = stage.add(left_long_ago());
    for _ in 0..2 {
        let row = of_plan(&stage, &id);
        assert_eq!(row["verdict"], "keep", "nobody remembers it from one plan to the next: {row}");
        assert!(row["reason"].as_str().is_some_and(|reason| reason.contains("seen in one listing only")), "{row}");
    }
    assert!(stage.evidence().is_empty(), "asked about what was seen once");

    seen_before(&stage, &[&id]);
    let row = of_plan(&stage, &id);
    assert_eq!((&row["verdict"], &row["limit"], &row["hold"], &row["release"]), (&"due".into(), &"idle".into(), &Value::Null, &Value::Null), "{row}");
    assert_eq!(row["last_active_at"], rfc3339(stage.last_command(&id)), "{row}");
    assert_eq!(row["deadline"], rfc3339(later(stage.last_command(&id), SignedDuration::from_secs(3))), "{row}");
    let asked: Vec<Asked> = stage.evidence_about(&id).iter().map(|request| request.asked).collect();
    assert_eq!(asked, [Asked::Logs, Asked::Debug]);
    assert_eq!(stage.remembered(&id)["sightings"], 1, "a plan writes nothing");
    assert!(stage.requested().is_empty());
}

#[test]
fn an_explanation_prints_what_was_asked_what_it_answered_and_when_and_asks_about_nothing_else() {
    let stage = Stage::playing(&Script { policies: EVERY_LIMIT, poll_interval: "5m", ..Script::default() });
    let (id, other) = (stage.add(left_long_ago()), stage.add(left_long_ago()));
    seen_before(&stage, &[&id, &other]);

    let found = stage.json(["explain", id.as_str(), "--format", "json"]);
    let last = rfc3339(stage.last_command(&id));
    let evidence = found["evidence"].as_array().expect("rows");
    let questions: Vec<&Value> = evidence.iter().map(|row| &row["asked"]).collect();
    assert_eq!(questions, ["logs", "pages", "proxy_bytes"], "{found}");
    assert_eq!((&evidence[0]["answer"], &evidence[0]["at"]), (&"quiet".into(), &last.clone().into()), "{found}");
    assert!(evidence[2]["asked_at"].is_null(), "told unasked: {found}");
    let limits: BTreeSet<&str> = found["limits"].as_array().expect("rows").iter().filter_map(|row| row["limit"].as_str()).collect();
    assert_eq!(limits, BTreeSet::from(["max_age", "idle", "max_running", "budget"]));
    assert_eq!((&found["session"]["verdict"], &found["session"]["limit"]), (&"due".into(), &"idle".into()), "{found}");

    let printed = stage.printed(["explain", id.as_str()]);
    let logs = printed.lines().find(|line| line.starts_with("evidence  logs, asked ")).unwrap_or_else(|| panic!("no evidence in {printed}"));
    let asked_at: Timestamp = logs["evidence  logs, asked ".len()..].split(':').take(3).collect::<Vec<_>>().join(":").parse().expect("an instant");
    let journal = stage.evidence_about(&id);
    let before = journal.iter().rev().find(|request| request.asked == Asked::Logs).expect("it was asked about").at;
    assert!(logs.ends_with(&format!(": quiet since {last}")), "{logs}");
    assert!(asked_at <= before && asked_at > stage.last_command(&id), "asked at {asked_at}, and it arrived at {before}");
    assert_eq!(stage.evidence_about(&other).len(), 0, "it is not what was asked for");
    assert_eq!(journal.len(), 4, "two questions, twice");
    for text in [&printed, &found.to_string()] {
        assert!(!text.contains(TYPED_SECRET), "{text}");
    }
    assert!(stage.requested().is_empty());
}

#[test]
fn the_second_of_two_passes_releases_what_was_left() {
    let stage = Stage::playing(&Script { policies: QUIET, ..Script::default() });
    let (id, unlogged) = (stage.add(left_long_ago()), stage.add(NewSession { logs: false, ..left_long_ago() }));
    let first = stage.printed(["run", "--once"]);
    assert!(first.contains("0 released") && stage.evidence().is_empty(), "{first}");
    let second = stage.printed(["run", "--once"]);
    assert!(second.contains("1 released"), "{second}");
    assert!(stage.has_ended(&id) && !stage.has_ended(&unlogged));
    assert_eq!(stage.evidence_about(&unlogged).len(), 2, "it was asked about, and nobody can tell");
    let report = stage.json(["report", "--format", "json", "--by", "limit"]);
    assert_eq!((&report["rows"][0]["key"], &report["rows"][0]["released"]), (&"idle".into(), &1.into()), "{report}");
}
