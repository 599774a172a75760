//! The report against the metrics and the truth: by every key, in every form; what was only watched; and what is shown of long work.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use serde_json::{Value, json};
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{SignedDuration, Timestamp, between};
use session_reaper::simulator::{Fault, NewSession};

use super::stage::{Daemon, Script, Stage, ci};
use crate::support::eventually;

const POLICIES: &str = r#"
[[policies]]
name = "jobs"
match = { metadata = { env = "jobs" } }
max_running = { count = 1, release = "oldest" }

[[policies]]
name = "ci"
match = { metadata = { env = "ci" } }
max_age = "20m"
"#;

/// A session that was released, and the row that it belongs to by each key.
struct Released {
    id: SessionId,
    account: &'static str,
    policy: &'static str,
    limit: &'static str,
    team: Option<&'static str>,
}

impl Released {
    fn key(&self, by: &str) -> Option<&'static str> {
        match by {
            "account" => Some(self.account),
            "policy" => Some(self.policy),
            "limit" => Some(self.limit),
            "kind" => Some("session"),
            _ => self.team,
        }
    }
}

fn due(stage: &Stage, account: &'static str, env: &'static str, team: Option<&'static str>, millis: i64) -> Released {
    let metadata = team.map_or_else(|| json!({ "env": env }), |team| json!({ "env": env, "team": team }));
    let id = stage.add_to(account, NewSession { metadata: Some(metadata), ..ci(millis) });
    let (policy, limit) = if env == "ci" { ("ci", "max_age") } else { ("jobs", "max_running") };
    Released { id, account, policy, limit, team }
}

/// Released and saved seconds of each row.
type Rows = BTreeMap<Option<String>, (u64, f64)>;

fn truth(stage: &Stage, released: &[Released], by: &str) -> Rows {
    let mut rows = Rows::new();
    for one in released {
        let row = rows.entry(one.key(by).map(str::to_owned)).or_default();
        *row = (row.0 + 1, row.1 + stage.saved(std::slice::from_ref(&one.id)));
    }
    rows
}

fn of_json(report: &Value) -> Rows {
    let row = |row: &Value| {
        let figures = (row["released"].as_u64().expect("a count"), row["saved_runtime_seconds"].as_f64().expect("a length"));
        (row["key"].as_str().map(str::to_owned), figures)
    };
    report["rows"].as_array().expect("rows").iter().map(row).collect()
}

fn of_csv(text: &str) -> Rows {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let figures = (fields[1].parse().expect("a count"), fields[5].parse().expect("a length"));
        (Some(fields[0].to_owned()).filter(|key| !key.is_empty()), figures)
    };
    text.lines().skip(1).map(row).collect()
}

fn agree(by: &str, found: &Rows, expected: &Rows) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "by {by}");
    for (key, (released, saved)) in expected {
        assert_eq!(found[key].0, *released, "by {by}: {key:?}");
        assert!((found[key].1 - saved).abs() < 0.01, "by {by}: {key:?} has {}, in truth {saved}", found[key].1);
    }
}

#[test]
fn by_every_key_the_report_has_what_the_metrics_have_and_what_is_true() {
    let stage = Stage::playing(&Script { accounts: &["growth", "research"], poll_interval: "1h", policies: POLICIES, ..Script::default() });
    let released = [
        due(&stage, "growth", "ci", Some("growth"), -60_000),
        due(&stage, "growth", "ci", Some("growth"), -300_000),
        due(&stage, "growth", "ci", None, -90_000),
        due(&stage, "research", "ci", Some("ml"), -60_000),
        due(&stage, "research", "jobs", Some("ml"), 600_000),
    ];
    let kept = due(&stage, "research", "jobs", Some("ml"), 900_000);
    let daemon = stage.daemon();
    released.iter().for_each(|one| drop(daemon.comes_to(&one.id, "confirmed")));
    assert!(!stage.has_ended(&kept.id));

    for by in ["account", "policy", "limit", "kind", "metadata.team"] {
        let expected = truth(&stage, &released, by);
        agree(by, &of_json(&stage.json(["report", "--by", by, "--format", "json"])), &expected);
        agree(by, &of_json(&daemon.json(&format!("/api/v1/savings?by={by}"))), &expected);
        agree(by, &of_csv(&stage.printed(["report", "--by", by, "--format", "csv"])), &expected);
        if ["account", "policy", "limit"].contains(&by) {
            agree(by, &counted(&daemon, by, expected.keys()), &expected);
        }
    }
    days(&stage, &released);
    leakers(&stage, &daemon, &released);
}

fn counted<'a>(daemon: &Daemon, label: &str, keys: impl Iterator<Item = &'a Option<String>>) -> Rows {
    let row = |key: &Option<String>| {
        let of = [(label, key.as_deref().unwrap_or_default())];
        let released = daemon.metric("session_reaper_sessions_released_total", &of);
        (key.clone(), (released as u64, daemon.metric("session_reaper_saved_runtime_seconds_total", &of)))
    };
    keys.map(row).collect()
}

/// At midnight there are two of them.
fn days(stage: &Stage, released: &[Released]) {
    let report = stage.json(["report", "--by", "day", "--format", "json"]);
    let rows = of_json(&report);
    let today = stage.now();
    assert!(rows.keys().flatten().all(|day| today.to_string().starts_with(day.as_str()) || rows.len() == 2), "{rows:?}");
    let ids: Vec<SessionId> = released.iter().map(|one| one.id.clone()).collect();
    let total = rows.values().fold((0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
    assert_eq!(total.0, 5);
    assert!((total.1 - stage.saved(&ids)).abs() < 0.01, "{total:?}");
}

fn leakers(stage: &Stage, daemon: &Daemon, released: &[Released]) {
    let teams = truth(stage, released, "metadata.team");
    let of_team = |report: &Value| -> Rows {
        let row = |row: &Value| {
            assert_eq!(row["tag"], "team", "{row}");
            let figures = (row["released"].as_u64().expect("a count"), row["saved_runtime_seconds"].as_f64().expect("a length"));
            (row["value"].as_str().map(str::to_owned), figures)
        };
        report["leakers"].as_array().expect("leakers").iter().map(row).collect()
    };
    let named: Rows = teams.into_iter().filter(|(team, _)| team.is_some()).collect();
    agree("leakers", &of_team(&stage.json(["report", "--leakers", "team", "--format", "json"])), &named);
    let all = &daemon.json("/api/v1/savings")["leakers"];
    let values: Vec<&Value> = all.as_array().expect("leakers").iter().map(|row| &row["value"]).collect();
    assert!(values.contains(&&json!("growth")) && values.contains(&&json!("ci")) && !values.contains(&&json!("jobs")), "{all}");
    let table = stage.printed(["report", "--leakers", "metadata.team"]);
    assert!(table.contains("left most behind") && !table.contains("only observed"), "{table}");
}

#[test]
fn what_was_only_watched_is_forecast_and_never_part_of_what_was_saved() {
    let stage = Stage::playing(&Script { mode: "observe", ..Script::default() });
    let (closes, stays) = (stage.due_in(-60_000), stage.due_in(-120_000));
    let daemon = stage.daemon();
    [&closes, &stays].into_iter().for_each(|id| drop(daemon.is_held(id, "observe")));
    let counted = stage.world.with(|world| world.time(stage.now()));
    let complete = [("account", "growth"), ("outcome", "complete")];
    let polls = daemon.metric("session_reaper_polls_total", &complete);
    // One listing that began after it was counted shows it alive.
    daemon.reaches(polls + 2.0, "session_reaper_polls_total", &complete);
    stage.closes_at(&closes, stage.world.with(|world| world.time(stage.now())));
    eventually("it is gone", || daemon.session(&closes).is_null().then_some(()));

    let hard_end = |id: &SessionId| stage.truth(id).expires_at;
    let ahead: f64 = [&closes, &stays].into_iter().map(|id| between(counted, hard_end(id)).as_secs_f64()).sum();
    let report = stage.json(["report", "--format", "json"]);
    assert_eq!((&report["total"]["released"], &report["rows"]), (&json!(0), &json!([])));
    let row = &report["forecast"]["observe"]["rows"][0];
    assert_eq!((&row["policy"], &row["limit"], &row["sessions"]), (&json!("ci"), &json!("max_age"), &json!(2)));
    assert_eq!((&row["still_running"], &row["unknown"], &row["unpriced"]), (&json!(1), &json!(0), &json!(0)), "{row}");
    about(row, "saved_runtime_seconds", ahead);
    about(row, "saved_cost", ahead / 3_600.0 * 0.12);
    assert!(row["ran_on_seconds"].as_f64().is_some_and(|seconds| seconds < 60.0), "{row}");
    assert_eq!(daemon.json("/api/v1/savings")["forecast"]["observe"]["total"]["sessions"], 2);
    assert!(stage.printed(["report"]).contains("only observed"));

    stage.write(&Script::default());
    daemon.process.signal("HUP");
    daemon.comes_to(&stays, "confirmed");
    let report = stage.json(["report", "--format", "json"]);
    assert_eq!((&report["total"]["released"], &report["forecast"]["observe"]["total"]["sessions"]), (&json!(1), &json!(2)));
    about(&report["total"], "saved_runtime_seconds", between(stage.truth(&stays).end.expect("it ended").at, hard_end(&stays)).as_secs_f64());
    about(&report["forecast"]["observe"]["total"], "saved_runtime_seconds", between(counted, hard_end(&closes)).as_secs_f64());
}

/// As far as seconds matter that this test itself takes.
fn about(row: &Value, field: &str, expected: f64) {
    let found = row[field].as_f64().unwrap_or_else(|| panic!("no {field} in {row}"));
    assert!((found - expected).abs() < 60.0, "{field}: {found} and not about {expected}: {row}");
}

#[test]
fn a_period_in_which_nobody_listened_is_said_by_account() {
    let stage = Stage::new();
    stage.due_in(60_000);
    assert_eq!(stage.output(["run", "--once"]).status.code(), Some(0));
    let report = stage.json(["report", "--since", "1d", "--format", "json"]);
    let of = &report["coverage"][0];
    assert_eq!((&of["account"], &of["without_seconds"], &of["open"]), (&json!("growth"), &json!(0.0), &json!(false)));
    let known_since: Timestamp = of["known_since"].as_str().and_then(|text| text.parse().ok()).expect("an instant");
    assert!(between(known_since, stage.now()) < SignedDuration::from_mins(5), "{of}");
    let table = stage.printed(["report", "--since", "1d"]);
    assert!(table.contains("account growth: known since ") && table.contains("of the period's 1d"), "{table}");
}

/// What a command says in a terminal, on both streams.
#[cfg(target_os = "linux")]
fn in_a_terminal(command: &Command) -> Output {
    let words: Vec<&str> = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_str().expect("text")).collect();
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &words.join(" "), "/dev/null"]).env("TERM", "xterm");
    terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    terminal.current_dir(command.get_current_dir().expect("the stage's folder")).output().expect("util-linux is there")
}

#[cfg(target_os = "linux")]
#[test]
fn long_work_shows_how_far_it_has_come_on_a_terminal_and_nowhere_else() {
    let stage = Stage::new();
    stage.inject(Operation::List, Fault::Slow(SignedDuration::from_millis(900)));
    let shown = in_a_terminal(&stage.command(["check", "--online"]));
    let shown = String::from_utf8_lossy(&shown.stdout);
    let (drawn, cleared) = ("\r\u{1b}[Kaccounts tried: 0 of 1 (0%), 0s", "\r\u{1b}[K");
    assert!(shown.contains(drawn), "{shown:?}");
    let (_, after) = shown.rsplit_once(cleared).expect("the line is taken back");
    assert!(after.starts_with("accounts[0].") && after.contains("the credential works"), "{after:?}");

    let piped = stage.output(["check", "--online"]);
    assert!(piped.stderr.is_empty(), "{}", String::from_utf8_lossy(&piped.stderr));
    assert!(!String::from_utf8_lossy(&piped.stdout).contains('\r'));

    stage.clear_faults();
    let soon = in_a_terminal(&stage.command(["check", "--skip-credentials"]));
    assert!(!String::from_utf8_lossy(&soon.stdout).contains('\u{1b}'), "what takes no time shows nothing");
}
