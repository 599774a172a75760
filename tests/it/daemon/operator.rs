//! The operator's hand: what is said on the command line reaches the running daemon within a second, and survives it.

use std::time::{Duration, Instant};

use super::stage::{Daemon, Script, Stage, ci};
use crate::support::eventually;

/// The promise is a second from the command's end.
const WITHIN: Duration = Duration::from_secs(1);

fn within_a_second(what: &str, mut holds: impl FnMut() -> bool) {
    let said = Instant::now();
    eventually(what, || holds().then_some(()));
    let took = said.elapsed();
    assert!(took <= WITHIN, "{what}: after {took:?}");
}

fn is_paused(daemon: &Daemon, account: &str) -> bool {
    daemon.account(account)["paused"] == true
}

#[test]
fn a_hold_reaches_the_running_daemon_within_a_second_and_its_lifting_too() {
    let stage = Stage::new();
    let id = stage.due_in(-60_000);
    stage.printed(["pause", "--reason", "setting the stage"]);
    let daemon = stage.daemon();
    daemon.is_held(&id, "paused");

    stage.printed(["hold", id.as_str(), "--for", "10m", "--reason", "a demo for a customer"]);
    within_a_second("the hold is shown", || daemon.session(&id)["hold"] == "operator");
    assert!(daemon.session(&id)["reason"].as_str().is_some_and(|reason| reason.contains("a demo for a customer")));
    let explained = stage.json(["explain", id.as_str(), "--format", "json"]);
    assert_eq!(explained["hold"]["hold"], "operator");
    assert!(explained["hold"]["reason"].as_str().is_some_and(|reason| reason.contains("a demo for a customer")), "{explained}");
    let holds = stage.json(["hold", "--list", "--format", "json"]);
    assert_eq!(holds["holds"][0]["session"], id.as_str());

    stage.printed(["resume"]);
    within_a_second("the pause is over", || !is_paused(&daemon, "growth"));
    let polls = daemon.metric("session_reaper_polls_total", &[]);
    daemon.reaches(polls + 2.0, "session_reaper_polls_total", &[]);
    assert!(stage.requested().is_empty(), "held by the operator alone");
    assert_eq!(daemon.metric("session_reaper_holds", &[("account", "growth"), ("hold", "operator")]), 1.0);

    stage.printed(["hold", "--lift", id.as_str()]);
    within_a_second("the session is released", || !stage.requests_for(&id).is_empty());
    daemon.comes_to(&id, "confirmed");
}

#[test]
fn a_hold_survives_a_restart() {
    let stage = Stage::new();
    let (held, free) = (stage.due_in(-60_000), stage.due_in(-60_000));
    stage.printed(["hold", held.as_str(), "--for", "10m", "--reason", "looking into it"]);
    let daemon = stage.daemon();
    daemon.comes_to(&free, "confirmed");
    daemon.dies();
    let daemon = stage.daemon();
    daemon.is_held(&held, "operator");
    assert!(stage.requests_for(&held).is_empty());
}

#[test]
fn a_hold_ends_when_its_time_is_over() {
    let stage = Stage::new();
    let id = stage.due_in(-60_000);
    stage.printed(["hold", id.as_str(), "--for", "3s", "--reason", "a moment"]);
    let until = stage.json(["hold", "--list", "--format", "json"])["holds"][0]["until"].clone();
    let daemon = stage.daemon();
    daemon.comes_to(&id, "confirmed");
    let until = until.as_str().expect("an instant").parse().expect("an instant");
    assert!(stage.requests_for(&id)[0].at >= until, "released before {until}");
}

#[test]
fn a_pause_of_one_account_stops_that_one_and_survives_a_restart() {
    let stage = Stage::playing(&Script { accounts: &["growth", "research"], ..Script::default() });
    stage.printed(["pause", "growth", "--reason", "incident 12"]);
    let (kept, released) = (stage.due_in(-60_000), stage.add_to("research", ci(-60_000)));
    let daemon = stage.daemon();
    daemon.comes_to(&released, "confirmed");
    assert!(daemon.is_held(&kept, "paused")["reason"].as_str().is_some_and(|reason| reason.contains("incident 12")));
    daemon.dies();

    let daemon = stage.daemon();
    daemon.is_held(&kept, "paused");
    assert!(is_paused(&daemon, "growth") && !is_paused(&daemon, "research"));
    assert!(stage.requests_for(&kept).is_empty());
    stage.printed(["resume", "growth"]);
    within_a_second("the session is released", || !stage.requests_for(&kept).is_empty());
}

#[test]
fn a_general_pause_stops_every_account_at_once_and_watching_goes_on() {
    let stage = Stage::playing(&Script { accounts: &["growth", "research"], ..Script::default() });
    let daemon = stage.daemon();
    daemon.is_ready();
    stage.printed(["pause", "--reason", "stop everything"]);
    within_a_second("both are paused", || is_paused(&daemon, "growth") && is_paused(&daemon, "research"));
    let ids = [stage.due_in(-60_000), stage.add_to("research", ci(-60_000))];
    ids.iter().for_each(|id| drop(daemon.is_held(id, "paused")));
    assert!(stage.requested().is_empty());
    stage.printed(["resume"]);
    stage.all_end(&ids);
}

#[test]
fn an_account_that_is_not_configured_cannot_be_paused() {
    let stage = Stage::new();
    let output = stage.output(["pause", "grwoth", "--reason", "a slip"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("growth"));
}
