//! Counts, budgets, and policies that only watch.

use serde_json::{Value, json};
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{SignedDuration, between};
use session_reaper::simulator::NewSession;
use session_reaper::simulator::answer::Asked;

use super::stage::{Script, Stage};
use crate::support::eventually;

const GROWTH: (&str, &str) = ("account", "growth");

fn of(team: &str, age: i64) -> NewSession {
    NewSession { metadata: Some(json!({ "team": team })), age: SignedDuration::from_secs(age), ..NewSession::default() }
}

/// Every session that was asked to end, sorted.
fn asked_to_end(stage: &Stage) -> Vec<SessionId> {
    let mut ids: Vec<SessionId> = stage.requested().into_iter().filter_map(|request| request.session).collect();
    ids.sort();
    ids
}

#[test]
fn of_each_team_only_the_oldest_over_the_count_are_released() {
    let policies = r#"
[[policies]]
name = "few"
match = "all"
max_running = { count = 2, per = "metadata.team" }
"#;
    let stage = Stage::playing(&Script { policies, ..Script::default() });
    let ml: Vec<SessionId> = [40, 30, 20, 10].map(|age| stage.add(of("ml", age))).into();
    let kept = [stage.add(of("web", 50)), stage.add(of("web", 45)), stage.add(NewSession::default())];
    let daemon = stage.daemon();
    for id in &ml[..2] {
        let row = daemon.comes_to(id, "confirmed");
        assert_eq!((&row["policy"], &row["limit"]), (&"few".into(), &"max_running".into()), "{row}");
    }
    // The newest of all: the oldest of the two that were left is one too many now.
    stage.add(of("ml", 0));
    assert_eq!(daemon.comes_to(&ml[2], "confirmed")["limit"], "max_running");
    let mut expected = ml[..3].to_vec();
    expected.sort();
    assert_eq!(asked_to_end(&stage), expected);
    assert!(!kept.iter().any(|id| stage.has_ended(id)));
}

const SPENDING: &str = r#"
[[policies]]
name = "spending"
match = { metadata = { team = { exists = true } } }
budget = { browser_hours = 0.002, per = "metadata.team", every = "month" }
"#;
/// The same, as a length of time.
const ALLOWED: SignedDuration = SignedDuration::from_millis(7_200);

/// The one budget of a snapshot.
fn budget(snapshot: &Value) -> Value {
    let budgets = snapshot["budgets"].as_array().expect("rows");
    assert_eq!(budgets.len(), 1, "{snapshot}");
    let budget = &budgets[0];
    assert_eq!((&budget["policy"], &budget["per"], &budget["group"]), (&"spending".into(), &"metadata.team".into(), &"ml".into()), "{budget}");
    budget.clone()
}

#[test]
fn a_budget_runs_out_at_an_alarm_between_polls_and_stays_spent_over_a_kill() {
    let stage = Stage::playing(&Script { policies: SPENDING, poll_interval: "5m", ..Script::default() });
    let ids = [stage.add(of("ml", 0)), stage.add(of("ml", 0))];
    let apart = stage.add(NewSession::default());
    let daemon = stage.daemon();
    daemon.is_ready();
    for id in &ids {
        let row = daemon.comes_to(id, "confirmed");
        assert_eq!((&row["policy"], &row["limit"]), (&"spending".into(), &"budget".into()), "{row}");
        let requested = stage.requests_for(id)[0].at;
        let ran: SignedDuration =
            ids.iter().map(|id| between(stage.truth(id).started_at, requested)).fold(SignedDuration::ZERO, |sum, ran| sum + ran);
        assert!(ran >= ALLOWED, "requested when {ran:?} were spent");
    }
    let listings = stage.journal().iter().filter(|request| request.asked == Asked::List).count();
    assert!(listings >= 4, "the budget that will run out is looked at when it does, long before the next poll");
    let shown = budget(&daemon.json("/api/v1/sessions"));
    assert_eq!(shown["left_seconds"], 0.0, "{shown}");
    let left = || daemon.metric("session_reaper_budget_left_seconds", &[GROWTH, ("policy", "spending"), ("group", "ml")]);
    eventually("the metric says so too", || (left() == 0.0).then_some(()));
    daemon.dies();

    // Nothing of the team lives any more: it is the books that know.
    let planned = budget(&stage.json(["plan", "--format", "json"]));
    assert_eq!(planned["left_seconds"], 0.0, "{planned}");
    assert!(planned["spent_at"].is_string(), "{planned}");
    let another = stage.add(of("ml", 0));
    let daemon = stage.daemon();
    assert_eq!(daemon.comes_to(&another, "confirmed")["limit"], "budget");
    let ran = |id: &SessionId| between(stage.truth(id).started_at, stage.truth(id).end.expect("it has ended").at).as_secs_f64();
    let spent = budget(&daemon.json("/api/v1/sessions"))["spent_seconds"].as_f64().expect("a number");
    let truth: f64 = ids.iter().chain([&another]).map(ran).sum();
    assert!((spent - truth).abs() < 0.01, "{spent} s are said to be spent, and {truth} s were");
    assert!(!stage.has_ended(&apart) && stage.requests_for(&apart).is_empty());
}

#[test]
fn a_shadow_policy_says_what_it_would_release_and_releases_nothing_over_a_kill_too() {
    let policies = r#"
[[policies]]
name = "stricter"
match = "all"
max_age = "5m"
shadow = true

[[policies]]
name = "all"
match = "all"
max_age = "50m"
"#;
    let stage = Stage::playing(&Script { policies, ..Script::default() });
    let watched = stage.add(of("ml", 600));
    let young = stage.add(of("ml", 10));
    let labels = [GROWTH, ("policy", "stricter")];
    for counted in [1.0, 0.0] {
        let daemon = stage.daemon();
        daemon.reaches(1.0, "session_reaper_shadow_changes", &[labels[0], labels[1], ("change", "would_release")]);
        daemon.reaches(3.0, "session_reaper_polls_total", &[GROWTH, ("outcome", "complete")]);
        assert_eq!(daemon.metric("session_reaper_shadow_would_release_total", &labels), counted, "once, and not again by a later life");
        assert_eq!(daemon.metric("session_reaper_shadow_changes", &labels), 1.0);
        let plan = stage.json(["plan", "--format", "json"]);
        let planned = plan["sessions"].as_array().expect("rows").iter().find(|row| row["id"] == watched.as_str()).cloned().unwrap_or_default();
        for shown in [planned, daemon.session(&watched)] {
            assert_eq!((&shown["verdict"], &shown["policy"]), (&"keep".into(), &"all".into()), "{shown}");
            let shadow = &shown["shadows"][0];
            assert_eq!((&shadow["policy"], &shadow["change"]), (&"stricter".into(), &"would_release".into()), "{shown}");
        }
        assert_eq!(daemon.session(&young)["shadows"][0]["change"], Value::Null);
        daemon.dies();
    }
    assert!(stage.requested().is_empty());
    assert!(stage.journal().iter().all(|request| request.asked == Asked::List), "watching only lists");
}
