//! What people and programs are shown has the contract's fields and words, and agrees with the truth.

use serde_json::{Value, json};
use session_reaper::domain::event::Operation;
use session_reaper::domain::time::Timestamp;
use session_reaper::simulator::{Fault, NewSession, Target};

use super::stage::{Daemon, Script, Stage, ci};

const ACCOUNT: &[&str] = &["name", "provider", "listing", "live", "rejected_rows", "error"];
const SESSION: &[&str] = &[
    "account",
    "provider",
    "id",
    "kind",
    "status",
    "region",
    "keep_alive",
    "metadata",
    "created_at",
    "started_at",
    "expires_at",
    "age_seconds",
    "verdict",
    "policy",
    "limit",
    "deadline",
    "hold",
    "reason",
];
const RELEASE: &[&str] = &[
    "account",
    "provider",
    "id",
    "kind",
    "policy",
    "limit",
    "deadline",
    "requested_at",
    "accepted_at",
    "confirmed_at",
    "ended_at",
    "expires_at",
    "outcome",
    "attempts",
    "overrun_seconds",
    "saved_runtime_seconds",
    "saved_cost",
    "currency",
    "reason",
    "metadata",
];
const SAVINGS: &[&str] =
    &["key", "released", "already_ended", "failed", "stuck", "saved_runtime_seconds", "saved_cost", "currency", "overrun_seconds"];

/// It has every field that was promised; instants are RFC 3339 in UTC with milliseconds, and durations numbers.
fn has(row: &Value, fields: &[&str]) {
    for field in fields {
        let value = row.get(field).unwrap_or_else(|| panic!("no {field} in {row}"));
        if field.ends_with("_at") || *field == "deadline" || *field == "at" {
            assert!(value.is_null() || is_instant(value), "{field}: {value}");
        }
        if field.ends_with("_seconds") && *field != "overrun_seconds" {
            assert!(value.is_null() || value.is_number(), "{field}: {value}");
        }
    }
}

fn is_instant(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == "2026-11-20T12:00:00.000Z".len() && text.ends_with('Z') && text.parse::<Timestamp>().is_ok())
}

fn rows<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no rows {key} in {value}"))
}

fn with_a_session_of_each_verdict() -> Stage {
    let stage = Stage::playing(&Script { mode: "observe", ..Script::default() });
    stage.due_in(-60_000);
    stage.due_in(60_000);
    stage.add(NewSession { metadata: Some(json!({ "env": "production" })), ..ci(-120_000) });
    stage.add(NewSession { metadata: None, ..ci(-60_000) });
    stage
}

#[test]
fn a_plan_and_the_api_show_the_same_sessions_in_the_same_words() {
    let stage = with_a_session_of_each_verdict();
    let daemon = stage.daemon();
    daemon.is_ready();
    for (who, shown) in [("plan", stage.json(["plan", "--format", "json"])), ("the API", daemon.json("/api/v1/sessions"))] {
        has(&shown, &["at", "mode", "accounts", "sessions"]);
        assert_eq!(shown["mode"], "observe");
        rows(&shown, "accounts").iter().for_each(|account| has(account, ACCOUNT));
        rows(&shown, "sessions").iter().for_each(|session| has(session, SESSION));
        let words: Vec<String> = rows(&shown, "sessions").iter().map(|row| format!("{} {} {}", row["verdict"], row["policy"], row["hold"])).collect();
        let expected = ["\"due\" \"ci\" \"observe\"", "\"keep\" \"ci\" null", "\"protected\" \"production\" null", "\"unmatched\" null null"];
        assert_eq!(words, expected, "{who}: the most urgent first");
        let due = &rows(&shown, "sessions")[0];
        assert_eq!((&due["limit"], &due["status"], &due["kind"]), (&json!("max_age"), &json!("RUNNING"), &json!("session")));
        assert!(due["reason"].as_str().is_some_and(|reason| reason.starts_with("older than 20m since ")), "{due}");
    }
}

#[test]
fn explain_shows_each_policy_each_comparison_and_the_arithmetic() {
    let stage = Stage::playing(&Script { mode: "observe", ..Script::default() });
    let id = stage.due_in(-60_000);
    let explained = stage.json(["explain", id.as_str(), "--format", "json"]);
    has(&explained, &["session", "policies", "limits", "evidence", "hold"]);
    has(&explained["session"], SESSION);
    let policies = rows(&explained, "policies");
    let names: Vec<(&Value, &Value)> = policies.iter().map(|policy| (&policy["name"], &policy["fits"])).collect();
    assert_eq!(names, [(&json!("production"), &json!(false)), (&json!("ci"), &json!(true))]);
    rows(&policies[0], "keys").iter().for_each(|key| has(key, &["expected", "found", "fits"]));
    assert_eq!(policies[0]["keys"][0]["found"], "ci");
    let limit = &rows(&explained, "limits")[0];
    has(limit, &["value", "from", "since", "deadline"]);
    assert_eq!((&limit["value"], &limit["from"]), (&json!("20m"), &json!("policy")));
    assert_eq!(explained["hold"]["hold"], "observe");
    let sentences = stage.printed(["explain", id.as_str()]);
    assert!(sentences.contains("20m") && sentences.contains("observe"), "{sentences}");
}

#[test]
fn a_released_session_is_explained_from_the_books_and_an_unknown_one_is_a_failure() {
    let stage = Stage::new();
    let id = stage.due_in(-60_000);
    assert_eq!(stage.output(["run", "--once"]).status.code(), Some(0));
    let explained = stage.json(["explain", id.as_str(), "--format", "json"]);
    has(&explained["release"], RELEASE);
    assert_eq!((&explained["release"]["outcome"], &explained["release"]["policy"]), (&json!("confirmed"), &json!("ci")));
    let sentences = stage.printed(["explain", id.as_str()]);
    assert!(sentences.contains("older than 20m"), "{sentences}");

    let output = stage.output(["explain", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nobody"));
}

#[test]
fn the_books_the_metrics_and_the_truth_agree() {
    let stage = Stage::playing(&Script { accounts: &["growth", "research"], poll_interval: "1h", ..Script::default() });
    let released = [stage.due_in(-60_000), stage.due_in(-120_000), stage.add_to("research", ci(-60_000))];
    let closed = stage.due_in(-60_000);
    let daemon = stage.ends_before_it_is_asked(&closed);
    released.iter().for_each(|id| drop(daemon.comes_to(id, "confirmed")));
    daemon.comes_to(&closed, "already_ended");

    let releases = daemon.json("/api/v1/releases");
    rows(&releases, "releases").iter().for_each(|row| has(row, RELEASE));
    let settled: Vec<&str> = rows(&releases, "releases").iter().filter_map(|row| row["confirmed_at"].as_str()).collect();
    assert!(settled.len() == 4 && settled.is_sorted_by(|a, b| a >= b), "the newest first: {settled:?}");
    assert_eq!(rows(&daemon.json("/api/v1/releases?limit=2"), "releases").len(), 2);
    assert_eq!(rows(&daemon.json("/api/v1/releases?since=1h"), "releases").len(), 4);

    let truth = stage.saved(&released);
    agree(&daemon, &daemon.json("/api/v1/savings?by=account"), truth);
    agree(&daemon, &stage.json(["report", "--by", "account", "--format", "json"]), truth);
    let csv = stage.printed(["report", "--by", "account", "--format", "csv"]);
    assert!(csv.contains("growth,2,") && csv.contains("research,1,"), "{csv}");
}

fn agree(daemon: &Daemon, report: &Value, truth: f64) {
    has(report, &["since", "until", "by", "rows", "total", "gaps"]);
    rows(report, "rows").iter().for_each(|row| has(row, SAVINGS));
    let total = &report["total"];
    has(total, SAVINGS);
    has(&total["overrun_seconds"], &["p50", "p99", "max"]);
    assert_eq!((&report["by"], &total["released"], &total["already_ended"]), (&json!("account"), &json!(3), &json!(1)));
    let number = |key: &str| total[key].as_f64().expect("a number");
    assert!((number("saved_runtime_seconds") - truth).abs() < 0.01, "{total} but {truth} s in truth");
    assert!((number("saved_cost") - truth / 3_600.0 * 0.12).abs() < 0.000_1, "{total}");
    let metric = |name: &str| daemon.metric(name, &[]);
    assert_eq!(metric("session_reaper_sessions_released_total"), 3.0);
    assert!((metric("session_reaper_saved_runtime_seconds_total") - truth).abs() < 0.01);
    assert!((metric("session_reaper_saved_cost_total") - number("saved_cost")).abs() < 0.000_1);
}

#[test]
fn the_accounts_show_how_they_are() {
    let stage = Stage::playing(&Script { accounts: &["growth", "research"], ..Script::default() });
    let daemon = stage.daemon();
    daemon.is_ready();
    let shown = daemon.json("/api/v1/accounts");
    let fields = ["name", "provider", "mode", "live", "last_complete_at", "last_error", "clock_skew_seconds", "paused"];
    rows(&shown, "accounts").iter().for_each(|account| has(account, &fields));
    let growth = daemon.account("growth");
    assert_eq!((&growth["provider"], &growth["mode"], &growth["paused"]), (&json!("browserbase"), &json!("enforce"), &json!(false)));
}

#[test]
fn every_metric_of_a_known_label_set_starts_at_zero() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    daemon.is_ready();
    let ci = [("account", "growth"), ("policy", "ci"), ("limit", "max_age")];
    for name in ["sessions_released_total", "saved_runtime_seconds_total", "saved_cost_total", "would_release_total"] {
        assert_eq!(daemon.metric(&format!("session_reaper_{name}"), &ci), 0.0, "{name}");
    }
    for outcome in ["accepted", "already_ended", "throttled", "denied", "failed"] {
        assert_eq!(daemon.metric("session_reaper_release_requests_total", &[("account", "growth"), ("outcome", outcome)]), 0.0, "{outcome}");
    }
    for hold in ["operator", "paused", "observe", "max_releases_per_poll", "max_release_fraction", "min_age", "expiring"] {
        assert_eq!(daemon.metric("session_reaper_holds", &[("account", "growth"), ("hold", hold)]), 0.0, "{hold}");
    }
    assert_eq!(daemon.metric("session_reaper_build_info", &[]), 1.0);
}

#[test]
fn check_online_fails_for_a_refused_key_and_never_prints_it() {
    let stage = Stage::new();
    assert!(stage.output(["check", "--online"]).status.success());
    let key = "bb_live_0123456789abcdef";
    let output = stage.command(["check", "--online"]).env("KEY_OF_GROWTH", key).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("401") && !printed.contains(key), "{printed}");
}

#[test]
fn a_plan_of_an_account_that_cannot_be_listed_shows_why_and_fails() {
    let stage = Stage::new();
    stage.inject(Operation::List, Fault::status(500, "the provider is on fire"));
    let output = stage.output(["plan", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let plan: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let account = &plan["accounts"][0];
    assert_eq!(account["listing"], "failed");
    assert!(account["error"].as_str().is_some_and(|error| error.contains("the provider is on fire")), "{account}");
}

#[test]
fn a_listing_of_which_a_part_is_missing_is_shown_with_the_reason_and_fails() {
    let stage = Stage::new();
    stage.due_in(60_000);
    stage.inject(Target::from(Operation::List).status("PENDING"), Fault::status(500, "the provider is on fire"));
    for (command, said) in [
        (["check", "--online"].as_slice(), "account growth: 1 live sessions, but not all could be listed: 500: the provider is on fire"),
        (["plan"].as_slice(), "growth (browserbase): 1 live, listing partial: 500: the provider is on fire"),
    ] {
        let output = stage.command([]).args(command).output().expect("the program starts");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!((output.status.code(), printed.contains(said)), (Some(1), true), "{command:?}: {printed}");
    }
}
