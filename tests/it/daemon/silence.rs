//! What ought to happen and does not makes a noise: each has a metric, and a hand that is kept from its work fails the health check.

use rusqlite::Connection;
use session_reaper::domain::event::Operation;
use session_reaper::domain::time::Timestamp;
use session_reaper::simulator::Fault;

use super::stage::{Daemon, Script, Stage};
use crate::support::eventually;

const GROWTH: (&str, &str) = ("account", "growth");
const COMPLETE: &str = "session_reaper_poll_last_complete_timestamp_seconds";
const GOVERNED: &str = "session_reaper_policy_last_governed_timestamp_seconds";
const DUE: &str = "session_reaper_limit_last_due_timestamp_seconds";
const STUCK: &str = "session_reaper_releases_stuck";
const STUCK_SINCE: &str = "session_reaper_release_stuck_oldest_timestamp_seconds";

const POLICIES: &str = r#"
[[policies]]
name = "misspelt"
match = { metadata = { env = "prodcution" } }
protect = true

[[policies]]
name = "trial"
match = { metadata = { env = "ci" } }
max_age = "10m"
shadow = true

[[policies]]
name = "ci"
match = { metadata = { env = "ci" } }
max_age = "20m"
max_running = { count = 100 }
"#;

const FEWER: &str = r#"
[[policies]]
name = "ci"
match = { metadata = { env = "ci" } }
max_age = "20m"
idle = "1h"
"#;

fn governed(daemon: &Daemon, policy: &str) -> f64 {
    daemon.metric(GOVERNED, &[GROWTH, ("policy", policy)])
}

fn due(daemon: &Daemon, policy: &str, limit: &str) -> f64 {
    daemon.metric(DUE, &[GROWTH, ("policy", policy), ("limit", limit)])
}

fn unix(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1_000.0
}

fn is_shown(daemon: &Daemon, series: &str) -> bool {
    daemon.get("/metrics").1.contains(series)
}

#[test]
fn a_policy_that_never_fits_and_a_limit_that_never_counts_are_seen_also_after_a_restart_in_an_outage() {
    let stage = Stage::playing(&Script { mode: "observe", policies: POLICIES, ..Script::default() });
    let id = stage.due_in(-60_000);
    let deadline = unix(stage.deadline(&id));
    let daemon = stage.daemon();
    daemon.is_held(&id, "observe");
    eventually("the limit is seen to count", || (due(&daemon, "ci", "max_age") > 0.0).then_some(()));
    assert!((due(&daemon, "ci", "max_age") - deadline).abs() < 1.0 && (due(&daemon, "trial", "max_age") - deadline + 600.0).abs() < 1.0);
    assert_eq!((due(&daemon, "ci", "max_running"), governed(&daemon, "misspelt")), (0.0, 0.0));
    assert!(!is_shown(&daemon, &format!("{DUE}{{account=\"growth\",limit=\"idle\"")), "no policy has such a limit");
    let (first, shadow) = (governed(&daemon, "ci"), governed(&daemon, "trial"));
    assert!((first - shadow).abs() < 2.0 && first > deadline, "{first} {shadow}");
    eventually("another listing shows the session", || (governed(&daemon, "ci") > first).then_some(()));
    assert_eq!(daemon.stops(), Some(0));

    stage.inject(Operation::List, Fault::status(503, "maintenance"));
    let daemon = stage.daemon();
    daemon.reaches(1.0, "session_reaper_polls_total", &[GROWTH, ("outcome", "failed")]);
    assert!(governed(&daemon, "ci") >= first && governed(&daemon, "trial") >= shadow && daemon.metric(COMPLETE, &[GROWTH]) >= first);
    assert!((due(&daemon, "ci", "max_age") - deadline).abs() < 70.0, "when it was counted, as far as the books know");
    assert_eq!((due(&daemon, "ci", "max_running"), governed(&daemon, "misspelt")), (0.0, 0.0));

    stage.write(&Script { mode: "observe", policies: FEWER, ..Script::default() });
    daemon.process.signal("HUP");
    eventually("the gauges are those of the new configuration", || {
        let text = daemon.get("/metrics").1;
        let of = |name: &str| text.lines().filter(|line| line.starts_with(name) && !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
        let (governed, due) = (of(GOVERNED), of(DUE));
        let gone = |lines: &[String], word: &str| !lines.iter().any(|line| line.contains(word));
        (gone(&governed, "misspelt") && gone(&due, "max_running") && governed.len() == 1 && due.len() == 2).then_some(())
    });
}

#[test]
fn how_long_a_release_has_been_stuck_is_told_through_reloads_and_restarts() {
    let script = || Script { guardrails: &[("confirm_within", "\"2s\"")], ..Script::default() };
    let stage = Stage::playing(&script());
    stage.inject(Operation::Release, Fault::NeverEnding);
    let id = stage.due_in(-60_000);
    let daemon = stage.daemon();
    assert_eq!(daemon.metric(STUCK_SINCE, &[GROWTH]), 0.0);
    daemon.reaches(1.0, STUCK, &[GROWTH]);
    let requested_at: Timestamp = daemon.release(&id)["requested_at"].as_str().expect("an instant").parse().expect("an instant");
    let is_told = |daemon: &Daemon| {
        eventually("it is stuck, and since when", || {
            let shown = is_shown(daemon, &format!("{STUCK}{{account=\"growth\"}} 1"));
            (shown && (daemon.metric(STUCK_SINCE, &[GROWTH]) - unix(requested_at)).abs() < 0.01).then_some(())
        });
    };
    is_told(&daemon);

    stage.write(&Script { accounts: &["research"], ..script() });
    daemon.process.signal("HUP");
    eventually("the account is not watched any more", || (!is_shown(&daemon, &format!("{STUCK}{{account=\"growth\"}}"))).then_some(()));
    stage.write(&script());
    daemon.process.signal("HUP");
    is_told(&daemon);

    eventually("it is asked for again", || (stage.requests_for(&id).len() >= 2).then_some(()));
    daemon.dies();
    stage.inject(Operation::Read, Fault::status(503, "maintenance"));
    stage.inject(Operation::List, Fault::status(503, "maintenance"));
    is_told(&stage.daemon());
}

#[test]
fn a_ledger_that_is_kept_from_writing_fails_the_health_check_by_name_and_recovers() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    daemon.is_ready();
    let other = Connection::open(stage.path("books.db")).expect("the books");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock on the books");
    let why = eventually("the health check fails", || Some(daemon.get("/healthz")).filter(|(status, _)| *status == 503)).1;
    assert!(why.contains("the ledger has waited 3") && why.contains("another process keeps the store locked"), "{why}");
    other.execute_batch("ROLLBACK").expect("the lock is given back");
    eventually("the health check passes again", || (daemon.get("/healthz").0 == 200).then_some(()));
    let id = stage.due_in(-60_000);
    daemon.comes_to(&id, "confirmed");
}

#[test]
fn a_store_that_refuses_every_write_is_told_by_its_metric_and_is_no_stall() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    daemon.is_ready();
    let other = Connection::open(stage.path("books.db")).expect("the books");
    other.execute_batch("CREATE TRIGGER full BEFORE UPDATE ON accounts BEGIN SELECT raise(ABORT, 'no'); END").expect("a trigger");
    eventually("the books refuse", || (daemon.metric("session_reaper_books_writable", &[]) == 0.0).then_some(()));
    assert_eq!(daemon.get("/healthz").0, 200);
    other.execute_batch("DROP TRIGGER full").expect("no trigger");
    eventually("the books are kept again", || (daemon.metric("session_reaper_books_writable", &[]) == 1.0).then_some(()));
}
