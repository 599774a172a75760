//! A release that goes wrong: nothing is counted that the provider has not confirmed, and nothing that is due is given up.

use session_reaper::domain::event::Operation;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{SignedDuration, between};
use session_reaper::simulator::{Extent, Fault, Target};

use super::stage::{Daemon, Script, Stage, ci, side_by_side};
use crate::support::eventually;

const GROWTH: (&str, &str) = ("account", "growth");

fn released(daemon: &Daemon) -> f64 {
    daemon.metric("session_reaper_sessions_released_total", &[GROWTH])
}

fn requests(daemon: &Daemon, outcome: &str) -> f64 {
    daemon.metric("session_reaper_release_requests_total", &[GROWTH, ("outcome", outcome)])
}

fn saved(daemon: &Daemon) -> f64 {
    daemon.metric("session_reaper_saved_runtime_seconds_total", &[GROWTH])
}

#[test]
fn a_release_done_but_not_answered_is_confirmed_once_with_what_it_saved() {
    let stage = Stage::new();
    stage.inject(Operation::Release, Fault::AppliedUnanswered);
    let id = stage.due_in(-60_000);
    let daemon = stage.daemon();
    let row = daemon.comes_to(&id, "confirmed");
    assert_eq!((stage.requests_for(&id).len(), released(&daemon)), (1, 1.0));
    let truth = stage.saved(std::slice::from_ref(&id));
    assert!(truth > 2_000.0 && (saved(&daemon) - truth).abs() < 0.002, "{} s counted, {truth} s in truth", saved(&daemon));
    assert!((row["saved_runtime_seconds"].as_f64().expect("a number") - truth).abs() < 0.002);
}

#[test]
fn a_release_that_is_accepted_and_never_happens_is_stuck_until_it_does() {
    let stage = Stage::playing(&Script { guardrails: &[("confirm_within", "\"2s\"")], ..Script::default() });
    stage.inject(Operation::Release, Fault::NeverEnding);
    let id = stage.due_in(-60_000);
    let daemon = stage.daemon();
    daemon.reaches(1.0, "session_reaper_releases_stuck", &[GROWTH]);
    daemon.process.line_with("not ended within confirm_within");
    daemon.comes_to(&id, "stuck");
    assert_eq!((released(&daemon), saved(&daemon)), (0.0, 0.0), "accepted is not confirmed");
    eventually("it is asked for again", || (stage.requests_for(&id).len() >= 2).then_some(()));

    stage.clear_faults();
    let row = daemon.comes_to(&id, "confirmed");
    assert!(row["attempts"].as_u64() >= Some(2), "{row}");
    eventually("nothing is stuck any more", || (daemon.metric("session_reaper_releases_stuck", &[GROWTH]) == 0.0).then_some(()));
    assert_eq!(released(&daemon), 1.0);
}

#[test]
fn retry_after_silences_the_whole_key_and_then_the_release_goes_out() {
    let stage = Stage::new();
    stage.world.with(|world| world.inject(Operation::Release, Fault::throttled(2), Extent::Times(1)));
    let id = stage.due_in(-60_000);
    let daemon = stage.daemon();
    daemon.comes_to(&id, "confirmed");
    let journal = stage.journal();
    let refused = journal.iter().position(|request| request.outcome == "429").expect("the refusal");
    // What was on its way already when the refusal came back is no fault.
    let silence = between(journal[refused].at, journal[refused + 1].at);
    assert!(silence >= SignedDuration::from_secs(2), "asked again after {silence}");
    assert_eq!((requests(&daemon, "throttled"), requests(&daemon, "accepted"), released(&daemon)), (1.0, 1.0, 1.0));
}

#[test]
fn a_key_without_the_right_to_release_is_loud_and_disturbs_no_other_account() {
    side_by_side([403, 401], |status| {
        let stage = Stage::playing(&Script { accounts: &["growth", "research"], ..Script::default() });
        stage.inject(Target::from(Operation::Release).key(&stage.key("growth")), Fault::status(status, "this key may not"));
        let (denied, fine) = (stage.due_in(-60_000), stage.add_to("research", ci(-60_000)));
        let daemon = stage.daemon();
        daemon.comes_to(&fine, "confirmed");
        let row = daemon.comes_to(&denied, "denied");
        assert!(row["fault"].as_str().is_some_and(|fault| fault.contains(&status.to_string())), "{row}");
        daemon.process.line_with("the provider denies us the release");
        daemon.process.line_with("the provider refuses the account's credential");
        assert_eq!((requests(&daemon, "denied"), released(&daemon)), (1.0, 0.0), "{status}");
        daemon.reaches(4.0, "session_reaper_polls_total", &[("account", "research"), ("outcome", "complete")]);
        assert_eq!(stage.requests_for(&denied).len(), 1, "it is asked again rarely");
        assert!(!stage.has_ended(&denied));
    });
}

#[test]
fn an_address_that_answers_404_for_everything_is_a_failure_and_no_end() {
    let stage = Stage::new();
    stage.inject(Operation::Release, Fault::status(404, "Not Found"));
    stage.inject(Operation::Read, Fault::status(404, "Not Found"));
    let id = stage.due_in(-60_000);
    let daemon = stage.daemon();
    let row = daemon.comes_to(&id, "failed");
    assert!(row["fault"].as_str().is_some_and(|fault| fault.contains("base_url")), "{row}");
    daemon.process.line_with("the release failed");
    assert_eq!((requests(&daemon, "already_ended"), requests(&daemon, "failed"), released(&daemon)), (0.0, 1.0, 0.0));

    stage.clear_faults();
    // The next try comes after a minute or so; the session is shown meanwhile.
    assert_eq!(daemon.session(&id)["verdict"], "due");
}

#[test]
fn a_session_that_had_ended_before_our_request_saves_nothing() {
    let stage = Stage::playing(&Script { poll_interval: "1h", ..Script::default() });
    let id = stage.due_in(-60_000);
    let daemon = stage.ends_before_it_is_asked(&id);
    let row = daemon.comes_to(&id, "already_ended");
    assert!(row["saved_runtime_seconds"].is_null() && row["saved_cost"].is_null(), "{row}");
    assert_eq!((requests(&daemon, "already_ended"), requests(&daemon, "accepted")), (1.0, 0.0));
    assert_eq!((released(&daemon), saved(&daemon)), (0.0, 0.0));
}

#[test]
fn a_release_that_is_refused_for_good_is_failed_and_the_session_stays_in_sight() {
    let stage = Stage::new();
    stage.inject(Operation::Release, Fault::status(402, "Payment Required"));
    let id: SessionId = stage.due_in(-60_000);
    let daemon = stage.daemon();
    daemon.comes_to(&id, "failed");
    assert_eq!((requests(&daemon, "failed"), released(&daemon)), (1.0, 0.0));
    assert_eq!(daemon.session(&id)["verdict"], "due");
}
