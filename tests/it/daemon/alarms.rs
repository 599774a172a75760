//! Deadlines are alarms, not polls; and a burst of them leaves in order of urgency, at the pace allowed.

use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{Timestamp, between};

use super::stage::{Script, Stage};
use crate::support::eventually;

#[test]
fn sessions_are_released_at_their_deadlines_whatever_the_poll_interval() {
    let stage = Stage::playing(&Script { poll_interval: "20s", ..Script::default() });
    let ids: Vec<SessionId> = (0..150).map(|n| stage.due_in(3_000 + n * 25_000 / 150)).collect();
    let daemon = stage.daemon();
    stage.all_end(&ids);
    daemon.reaches(150.0, "session_reaper_sessions_released_total", &[("policy", "ci"), ("limit", "max_age")]);

    let requested = stage.requested();
    assert_eq!(requested.len(), 150, "one request each");
    let overrun = |id: &SessionId| between(stage.deadline(id), stage.requests_for(id)[0].at).as_secs_f64();
    let overruns: Vec<f64> = ids.iter().map(overrun).collect();
    let early: Vec<&f64> = overruns.iter().filter(|overrun| **overrun < 0.0).collect();
    assert!(early.is_empty(), "requested before the deadline: {early:?}");
    // Whoever waits for the next of polls 20 s apart is late by 10 s in the mean.
    let mean = overruns.iter().sum::<f64>() / 150.0;
    assert!(mean < 10.0 / 20.0, "{mean} s late in the mean");
    assert_eq!(daemon.metric("session_reaper_release_overrun_seconds_count", &[("account", "growth")]), 150.0);
}

#[test]
fn a_burst_leaves_in_order_of_urgency_at_the_pace_allowed() {
    let stage = Stage::playing(&Script { top: "requests_per_second = 20", ..Script::default() });
    // The most overdue last, so that the provider's order is none of the program's doing.
    let ids: Vec<SessionId> = (1..=200).map(|n| stage.due_in(n * -1_000)).collect();
    let _daemon = stage.daemon();
    let requested = eventually("all are requested", || Some(stage.requested()).filter(|requested| requested.len() >= 200));

    let rank = |id: &SessionId| 199 - ids.iter().position(|known| known == id).expect("one of them");
    for (place, request) in requested.iter().enumerate() {
        let rank = rank(request.session.as_ref().expect("a release has a session"));
        // What leaves in the same second travels side by side, and on a busy machine what leaves in the next two overtakes it.
        assert!(place.abs_diff(rank) <= 60, "number {rank} in urgency arrived as number {place}");
    }
    let arrivals: Vec<Timestamp> = stage.journal().iter().map(|request| request.at).collect();
    for (n, first) in arrivals.iter().enumerate() {
        let within = arrivals[n..].iter().take_while(|at| between(*first, **at).as_secs() < 2).count();
        // A second's worth may leave at once, then twenty a second; a poll is two requests on one place, and on a busy machine a second's worth may be held up.
        assert!(within <= 20 + 40 + 20, "{within} requests within two seconds");
    }
}
