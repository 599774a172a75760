//! Observe mode holds nothing that could release; and what a reload changes, or refuses to.

use session_reaper::simulator::answer::Asked;

use super::stage::{Daemon, Script, Stage};
use crate::support::eventually;

const GROWTH: (&str, &str) = ("account", "growth");

fn would_release(daemon: &Daemon) -> f64 {
    daemon.metric("session_reaper_would_release_total", &[GROWTH, ("policy", "ci"), ("limit", "max_age")])
}

#[test]
fn observe_mode_counts_what_it_would_release_once_and_asks_for_nothing() {
    let stage = Stage::playing(&Script { mode: "observe", ..Script::default() });
    let (first, second) = (stage.due_in(-60_000), stage.due_in(2_000));
    let daemon = stage.daemon();
    daemon.process.line_with("nothing will be released");
    daemon.is_held(&first, "observe");
    daemon.is_held(&second, "observe");
    daemon.reaches(4.0, "session_reaper_polls_total", &[GROWTH, ("outcome", "complete")]);
    assert_eq!(would_release(&daemon), 2.0, "once each, not once per poll");
    assert_eq!(daemon.stops(), Some(0));

    let third = stage.due_in(-60_000);
    let daemon = stage.daemon();
    daemon.is_held(&third, "observe");
    daemon.reaches(2.0, "session_reaper_polls_total", &[GROWTH, ("outcome", "complete")]);
    assert_eq!(would_release(&daemon), 1.0, "an earlier life has counted the others");
    for name in ["sessions_released_total", "saved_runtime_seconds_total", "release_requests_total"] {
        assert_eq!(daemon.metric(&format!("session_reaper_{name}"), &[GROWTH]), 0.0, "{name}");
    }
    assert!(stage.journal().iter().all(|request| request.asked == Asked::List), "observing only lists");
}

#[test]
fn a_reload_to_enforce_releases_what_was_only_watched() {
    let stage = Stage::playing(&Script { mode: "observe", ..Script::default() });
    let id = stage.due_in(-60_000);
    let daemon = stage.daemon();
    daemon.is_held(&id, "observe");
    stage.write(&Script::default());
    daemon.process.signal("HUP");
    daemon.comes_to(&id, "confirmed");
    assert_eq!(daemon.json("/api/v1/sessions")["mode"], "enforce");
    assert_eq!(daemon.metric("session_reaper_sessions_released_total", &[GROWTH]), 1.0);
}

#[test]
fn a_reload_to_observe_lets_go_of_what_could_release() {
    let stage = Stage::new();
    let id = stage.due_in(4_000);
    let daemon = stage.daemon();
    daemon.is_ready();
    stage.write(&Script { mode: "observe", ..Script::default() });
    daemon.process.signal("HUP");
    daemon.is_held(&id, "observe");
    assert!(stage.requested().is_empty());
}

#[test]
fn a_bad_new_configuration_keeps_the_old_one_and_says_why() {
    let stage = Stage::playing(&Script { mode: "observe", ..Script::default() });
    let daemon = stage.daemon();
    daemon.is_ready();
    let successful = || daemon.metric("session_reaper_config_last_reload_successful", &[]);
    assert_eq!(successful(), 1.0);

    stage.write(&Script { top: "pol_interval = \"1s\"", ..Script::default() });
    daemon.process.signal("HUP");
    eventually("the reload is refused", || (successful() == 0.0).then_some(()));
    daemon.process.line_with("pol_interval");
    let id = stage.due_in(-60_000);
    daemon.is_held(&id, "observe");
    assert!(stage.requested().is_empty(), "the mode of the bad file is not in force");

    stage.write(&Script { mode: "observe", poll_interval: "2s", ..Script::default() });
    daemon.process.signal("HUP");
    eventually("the reload is taken", || (successful() == 1.0).then_some(()));
}

#[test]
fn an_account_may_come_and_go_by_a_reload() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    daemon.is_ready();
    stage.write(&Script { accounts: &["research"], ..Script::default() });
    let id = stage.add_to("research", super::stage::ci(-60_000));
    daemon.process.signal("HUP");
    daemon.comes_to(&id, "confirmed");
    let accounts = daemon.json("/api/v1/accounts");
    let names: Vec<&str> = accounts["accounts"].as_array().expect("rows").iter().filter_map(|account| account["name"].as_str()).collect();
    assert_eq!(names, ["research"]);
    assert!(!daemon.get("/metrics").1.contains("account=\"growth\""), "what is gone is shown no longer");
}

/// Nobody sends a signal: the file is found changed, half a file is waited for, and a fault in it keeps what stands.
#[test]
fn a_file_that_was_changed_is_taken_over_by_itself() {
    let stage = Stage::playing(&Script { mode: "observe", ..Script::default() });
    let daemon = stage.daemon();
    daemon.is_ready();
    let id = stage.due_in(-60_000);
    daemon.is_held(&id, "observe");
    stage.write(&Script { top: "pol_interval = \"1s\"", ..Script::default() });
    eventually("the fault is found", || (daemon.metric("session_reaper_config_last_reload_successful", &[]) == 0.0).then_some(()));
    assert!(stage.requested().is_empty());
    stage.write(&Script::default());
    daemon.comes_to(&id, "confirmed");
    assert_eq!(daemon.metric("session_reaper_config_last_reload_successful", &[]), 1.0);
}
