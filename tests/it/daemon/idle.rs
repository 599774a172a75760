//! Idle by evidence: what is used is kept, what was left is released when it was left for long enough, and what nobody can tell is kept. A kill forgets
//! none of it.

use std::io::Write;

use serde_json::Value;
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{SignedDuration, Timestamp, between, floor_millis, later};
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::{Act, Fault, NewSession, Target};

use super::stage::{Daemon, Script, Stage, left};
use crate::support::eventually;

const IDLE: SignedDuration = SignedDuration::from_secs(3);

const QUIET: &str = r#"
[[policies]]
name = "quiet"
match = "all"
idle = "3s"
"#;

/// What a release may come after its deadline and the evidence for it, on a busy machine; told as it was measured.
const SOON: SignedDuration = SignedDuration::from_secs(2);

fn stage() -> Stage {
    Stage::playing(&Script { policies: QUIET, ..Script::default() })
}

fn instant(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).expect("an instant")
}

/// Waits until it was released for having been left at this instant, no sooner than allowed, and right after the provider said so.
fn is_released(stage: &Stage, daemon: &Daemon, id: &SessionId, last_active: Timestamp) {
    let row = daemon.comes_to(id, "confirmed");
    assert_eq!((&row["limit"], &row["policy"]), (&"idle".into(), &"quiet".into()), "{row}");
    let deadline = later(last_active, IDLE);
    assert_eq!(instant(&row["deadline"]), deadline, "{row}");
    let requested = stage.requests_for(id)[0].at;
    assert!(requested >= deadline, "requested at {requested}, before {deadline}");
    let answered = stage.evidence_about(id).iter().map(|request| request.at).filter(|at| *at <= requested).max().expect("it was asked about");
    assert!(answered >= deadline, "what was said at {answered} does not tell of {deadline}");
    let after = between(answered.max(deadline), requested);
    let _ = writeln!(std::io::stderr(), "requested {} ms after the later of deadline and evidence", after.as_millis());
    assert!(after < SOON, "requested {after:?} after the evidence");
}

/// Its client speaks to it twice a second for longer than any test takes.
fn acting() -> NewSession {
    let acts = (0..600).map(|n| (SignedDuration::from_millis(n * 500), Act::Command)).collect();
    NewSession { acts, ..left() }
}

#[test]
fn what_goes_on_acting_is_kept_and_what_was_left_goes_at_its_last_activity_plus_idle_over_a_kill_too() {
    let stage = stage();
    let acting = stage.add(acting());
    let mut daemon = stage.daemon();
    for life in ["first", "second"] {
        let gone = stage.add(left());
        let last = stage.act(&gone, Act::Command);
        is_released(&stage, &daemon, &gone, last);
        let asked = stage.evidence_about(&acting).len();
        eventually("what acts may be idle, and is asked about", || (stage.evidence_about(&acting).len() >= asked + 4).then_some(()));
        let shown = eventually("it is known to act", || Some(daemon.session(&acting)).filter(|shown| shown["last_active_at"].is_string()));
        assert_eq!(shown["verdict"], "keep", "{life} life: {shown}");
        assert!(stage.requests_for(&acting).is_empty(), "{life} life: released while it was used");
        daemon.reaches(2.0, "session_reaper_evidence_total", &[("account", "growth"), ("finding", "quiet")]);
        daemon.reaches(4.0, "session_reaper_provider_requests_total", &[("operation", "evidence"), ("status", "200")]);
        daemon.dies();
        daemon = stage.daemon();
    }
}

#[test]
fn what_nobody_can_tell_and_what_goes_through_the_proxy_is_kept_over_a_kill_too() {
    let stage = stage();
    let unlogged = stage.add(NewSession { logs: false, ..left() });
    let failing = stage.add(left());
    stage.inject(Target::from(Operation::Evidence).session(failing.clone()), Fault::status(500, "internal"));
    let sending = NewSession { logs: false, worked_for: SignedDuration::from_hours(1), bytes_per_second: 1_000, ..left() };
    let sending = stage.add(sending);
    let mut daemon = stage.daemon();
    daemon.reaches(1.0, "session_reaper_evidence_total", &[("finding", "nothing")]);
    daemon.reaches(1.0, "session_reaper_evidence_total", &[("finding", "failed")]);
    assert!(daemon.metric("session_reaper_provider_requests_total", &[("operation", "evidence"), ("status", "500")]) >= 1.0);
    for life in ["first", "second"] {
        let gone = stage.add(left());
        daemon.comes_to(&gone, "confirmed");
        for id in [&unlogged, &failing] {
            eventually("nobody knows", || (daemon.session(id)["verdict"] == "unknown").then_some(()));
            let shown = daemon.session(id);
            assert!(shown["reason"].as_str().is_some_and(|reason| reason.contains("not known to be idle")), "{life} life: {shown}");
            assert!(shown["last_active_at"].is_null(), "{life} life: {shown}");
        }
        eventually("its bytes speak for it", || (daemon.session(&sending)["verdict"] == "keep").then_some(()));
        let last_active = instant(&daemon.session(&sending)["last_active_at"]);
        assert!(last_active > later(stage.truth(&gone).started_at, IDLE), "{life} life: {last_active}");
        for id in [&unlogged, &failing, &sending] {
            assert!(stage.requests_for(id).is_empty(), "{life} life: {id} was released");
        }
        daemon.dies();
        daemon = stage.daemon();
    }
    assert_eq!(stage.evidence_about(&unlogged).len(), 2, "an answer that tells nothing is not asked for again at every start");
}

#[test]
fn the_last_activity_survives_a_kill_and_what_was_done_meanwhile_shows() {
    let stage = stage();
    let ids = [stage.add(left()), stage.add(left())];
    let [still, moved] = &ids;
    let daemon = stage.daemon();
    // Bytes have no instant of their own: the listing that shows their rise gives it, and nobody could tell it again.
    let rose = |id: &SessionId| {
        let active = &stage.remembered(id)["last_active"];
        active.is_string() && instant(active) > stage.last_command(id)
    };
    eventually("the books have what there was", || ids.iter().all(|id| stage.remembered(id)["proxy_bytes"].is_u64()).then_some(()));
    ids.iter().for_each(|id| _ = stage.act(id, Act::Bytes(1)));
    eventually("the rise is in the books", || ids.iter().all(rose).then_some(()));
    daemon.dies();
    stage.act(moved, Act::Bytes(1));
    let remembered = instant(&stage.remembered(still)["last_active"]);
    let (asked, before) = (stage.evidence_about(still).len(), stage.journal().len());

    let daemon = stage.daemon();
    let deadline = |id| instant(&daemon.comes_to(id, "confirmed")["deadline"]);
    assert_eq!(deadline(still), floor_millis(later(remembered, IDLE)));
    assert!(stage.evidence_about(still)[asked..].iter().all(|request| request.at >= later(remembered, IDLE)), "asked before it could be idle");
    let first_listing = stage.journal()[before..].iter().find(|request| request.asked == Asked::List).expect("a listing").at;
    assert!(deadline(moved) >= floor_millis(later(first_listing, IDLE)), "the first listing compares with the last one of the life before");
}

#[test]
fn a_session_that_was_seen_once_is_not_idle_and_a_kill_does_not_forget_that_it_was_seen() {
    let stage = Stage::playing(&Script { policies: QUIET, poll_interval: "5m", ..Script::default() });
    let id = stage.add(left());
    let last = stage.last_command(&id);
    let daemon = stage.daemon();
    eventually("the books know it", || (stage.remembered(&id)["sightings"] == 1).then_some(()));
    assert_eq!(daemon.session(&id)["verdict"], "keep");
    daemon.dies();
    assert!(stage.evidence().is_empty(), "asked about what was seen once");

    let daemon = stage.daemon();
    let row = daemon.comes_to(&id, "confirmed");
    assert_eq!(instant(&row["deadline"]), later(last, IDLE), "{row}");
    let lists = stage.journal().into_iter().take_while(|request| request.asked == Asked::List).count();
    assert_eq!(lists, 4, "two listings, each of what is pending and what is running, and then the questions");
}
