//! The end of a daemon: what was requested is finished and written, and nothing new begins.

use std::time::{Duration, Instant};

use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::NewSession;

use super::stage::{Script, Stage, ci};
use crate::support::eventually;

#[test]
fn a_term_finishes_what_was_requested_and_begins_nothing_new() {
    let stage = Stage::playing(&Script { top: "drain_timeout = \"30s\"", ..Script::default() });
    let lasting = NewSession { release_latency: Some(SignedDuration::from_secs(5)), ..ci(-60_000) };
    let begun: Vec<SessionId> = (0..5).map(|_| stage.add(lasting.clone())).collect();
    // Known, and due while the others are on their way.
    let late = stage.due_in(4_000);
    let daemon = stage.daemon();
    eventually("they are requested", || (stage.requested().len() == 5).then_some(()));
    daemon.process.signal("TERM");
    let (status, why) = eventually("it drains", || daemon.try_get("/readyz").filter(|(status, _)| *status == 503));
    assert!(why.contains("draining"), "{status}: {why}");
    let mut process = daemon.process;
    assert_eq!(process.ended().code(), Some(0));

    let report = stage.json(["report", "--format", "json"]);
    assert_eq!(report["total"]["released"], 5, "{report}");
    assert!(begun.iter().all(|id| stage.has_ended(id)));
    assert!(stage.now() > stage.deadline(&late) && stage.requests_for(&late).is_empty());
}

#[test]
fn what_is_not_confirmed_within_the_drain_time_is_settled_at_the_next_start() {
    let stage = Stage::playing(&Script { top: "drain_timeout = \"2s\"", ..Script::default() });
    let id = stage.add(NewSession { release_latency: Some(SignedDuration::from_secs(6)), ..ci(-60_000) });
    let daemon = stage.daemon();
    daemon.comes_to(&id, "requested");
    eventually("it is requested", || (stage.requested().len() == 1).then_some(()));
    let told = Instant::now();
    assert_eq!(daemon.stops(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(2 + 3), "it took {:?}", told.elapsed());
    assert!(!stage.has_ended(&id));

    let daemon = stage.daemon();
    daemon.comes_to(&id, "confirmed");
    assert_eq!(stage.requests_for(&id).len(), 1, "it was accepted before the restart");
    assert_eq!(stage.json(["report", "--format", "json"])["total"]["released"], 1);
}

#[test]
fn a_second_term_ends_it_at_once() {
    let stage = Stage::playing(&Script { top: "drain_timeout = \"60s\"", ..Script::default() });
    stage.add(NewSession { release_latency: Some(SignedDuration::from_mins(10)), ..ci(-60_000) });
    let mut daemon = stage.daemon();
    eventually("it is requested", || (stage.requested().len() == 1).then_some(()));
    daemon.process.signal("TERM");
    eventually("it drains", || daemon.try_get("/readyz").filter(|(status, _)| *status == 503));
    let told = Instant::now();
    daemon.process.signal("TERM");
    assert_eq!(daemon.process.ended().code(), Some(143));
    assert!(told.elapsed() < Duration::from_secs(5), "it took {:?}", told.elapsed());
}

#[test]
fn an_idle_daemon_stops_promptly() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    daemon.is_ready();
    let told = Instant::now();
    assert_eq!(daemon.stops(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(5), "it took {:?}", told.elapsed());
}
