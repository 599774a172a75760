//! `run --once`, for cron and CI jobs; and `plan`, which says beforehand what it will do.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::{Value, json};
use session_reaper::domain::event::Operation;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::{Cause, Fault, NewSession};

use super::stage::{Script, Stage, ci};

fn said(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn one_pass_releases_what_is_due_confirms_it_and_says_so() {
    let stage = Stage::new();
    let due = [stage.due_in(-60_000), stage.due_in(-1_000)];
    let later = stage.due_in(60_000);
    let output = stage.output(["run", "--once"]);
    let (printed, told) = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(printed.contains("2 released"), "{printed}");
    assert!(due.iter().all(|id| stage.has_ended(id)) && !stage.has_ended(&later));
    let report = stage.json(["report", "--format", "json"]);
    assert_eq!(report["total"]["released"], 2);
    assert!((report["total"]["saved_runtime_seconds"].as_f64().expect("a number") - stage.saved(&due)).abs() < 0.01);

    let (again, _) = said(&stage.output(["run", "--once"]));
    assert!(again.contains("0 released"), "each pass speaks of itself: {again}");
}

#[test]
fn one_pass_in_observe_mode_releases_nothing() {
    let stage = Stage::playing(&Script { mode: "observe", ..Script::default() });
    stage.due_in(-60_000);
    let output = stage.output(["run", "--once"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", said(&output));
    assert!(stage.requested().is_empty());
}

#[test]
fn one_pass_that_cannot_list_fails_and_says_which_account() {
    let stage = Stage::new();
    stage.inject(Operation::List, Fault::status(500, "internal"));
    let output = stage.output(["run", "--once"]);
    let (_, told) = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("account growth could not be listed"), "{told}");
}

#[test]
fn one_pass_with_a_release_that_stays_stuck_fails_and_names_the_session() {
    let stage = Stage::playing(&Script { guardrails: &[("confirm_within", "\"2s\"")], ..Script::default() });
    stage.inject(Operation::Release, Fault::NeverEnding);
    let id = stage.due_in(-60_000);
    let output = stage.output(["run", "--once"]);
    let (_, told) = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("session {id} on growth: stuck")), "{told}");
}

#[test]
fn one_pass_that_is_denied_fails() {
    let stage = Stage::new();
    stage.inject(Operation::Release, Fault::status(403, "this key may not"));
    let id = stage.due_in(-60_000);
    let output = stage.output(["run", "--once"]);
    let (_, told) = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("session {id} on growth: denied")), "{told}");
}

/// Sessions of every kind, more due ones than one poll may release.
fn many_kinds(stage: &Stage) {
    (1..=9).for_each(|n| drop(stage.due_in(n * -10_000)));
    stage.due_in(60_000);
    stage.add(NewSession { metadata: Some(json!({ "env": "production" })), ..ci(-60_000) });
    stage.add(NewSession { metadata: None, ..ci(-60_000) });
    stage.add(NewSession { timeout: SignedDuration::from_mins(21) + SignedDuration::from_secs(30), ..ci(-60_000) });
    stage.add(NewSession { pending_for: SignedDuration::from_hours(1), timeout: SignedDuration::from_hours(2), ..ci(-60_000) });
    stage.add(NewSession { fate: Some((SignedDuration::from_mins(5), Cause::Crashed)), ..ci(-60_000) });
}

#[test]
fn what_a_plan_says_is_what_a_pass_then_releases() {
    let guardrails: &[_] = &[("max_releases_per_poll", "6"), ("skip_expiring_within", "\"60s\""), ("max_release_fraction", "0.9")];
    let stage = Stage::playing(&Script { guardrails, ..Script::default() });
    many_kinds(&stage);
    let held = stage.due_in(-200_000);
    stage.printed(["hold", held.as_str(), "--for", "10m", "--reason", "keep"]);

    let plan = stage.json(["plan", "--format", "json"]);
    let sessions = plan["sessions"].as_array().expect("rows");
    let now = |row: &&Value| row["verdict"] == "due" && row["hold"].is_null();
    let planned: BTreeSet<String> = sessions.iter().filter(now).filter_map(|row| row["id"].as_str()).map(str::to_owned).collect();
    let holds: BTreeSet<&str> = sessions.iter().filter_map(|row| row["hold"].as_str()).collect();
    assert_eq!(holds, BTreeSet::from(["operator", "expiring", "max_releases_per_poll"]));
    assert_eq!(planned.len(), 6);

    let output = stage.output(["run", "--once"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", said(&output));
    let released: BTreeSet<String> = stage.requested().into_iter().filter_map(|request| request.session).map(String::from).collect();
    assert_eq!(released, planned);
}

#[test]
fn a_plan_writes_nothing_anywhere() {
    let stage = Stage::new();
    many_kinds(&stage);
    stage.json(["plan", "--format", "json"]);
    assert!(!stage.path("books.db").exists(), "a plan makes no store");

    assert_eq!(stage.output(["run", "--once"]).status.code(), Some(0));
    many_kinds(&stage);
    let requested = stage.requested().len();
    let before = files(&stage);
    stage.json(["plan", "--format", "json"]);
    stage.printed(["plan"]);
    assert!(files(&stage) == before, "a plan leaves every file as it was");
    assert_eq!(stage.requested().len(), requested);
    assert!(stage.journal().iter().rev().take(4).all(|request| request.asked == Asked::List), "a plan only lists");
}

fn files(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let name = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let entries = std::fs::read_dir(stage.path("")).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut files: Vec<_> = entries.map(|entry| (name(&entry), std::fs::read(entry.path()).expect("a file"))).collect();
    files.sort();
    files
}
