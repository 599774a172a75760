//! A listing that goes wrong is never taken for an empty account: nothing is released that should stay, and what is due goes once it is right again.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::json;
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::{BadRow, Extent, Fault, NewSession, Target};

use super::stage::{Daemon, Script, Stage, ci, side_by_side};
use crate::support::eventually;

const GROWTH: (&str, &str) = ("account", "growth");

/// Sessions that nothing may release, each for a reason of its own.
struct Spared {
    protected: SessionId,
    unmatched: SessionId,
    young: SessionId,
}

impl Spared {
    fn among(stage: &Stage) -> Self {
        let old = NewSession { age: SignedDuration::from_mins(50), ..NewSession::default() };
        Self {
            protected: stage.add(NewSession { metadata: Some(json!({ "env": "production" })), ..old.clone() }),
            unmatched: stage.add(old),
            young: stage.due_in(60_000),
        }
    }

    fn are_spared(&self, stage: &Stage) {
        for id in [&self.protected, &self.unmatched, &self.young] {
            assert!(stage.requests_for(id).is_empty() && !stage.has_ended(id), "{id} was released");
        }
    }
}

/// Lists well, meets the fault at every listing, and recovers. One session falls due and another one appears under it.
fn weathers(fault: Fault, outcome: &str) {
    let stage = Stage::playing(&Script { top: "request_timeout = \"1s\"", ..Script::default() });
    let spared = Spared::among(&stage);
    let known = stage.due_in(2_500);
    let daemon = stage.daemon();
    daemon.is_ready();
    let first = daemon.account("growth");
    assert_eq!((&first["listing"], &first["live"], &first["error"]), (&json!("complete"), &json!(4), &json!(null)));

    stage.inject(Operation::List, fault);
    let unseen = stage.due_in(-60_000);
    daemon.reaches(2.0, "session_reaper_polls_total", &[GROWTH, ("outcome", outcome)]);
    let under_it = daemon.account("growth");
    assert_eq!(under_it["listing"], outcome);
    assert!(under_it["error"].is_string() && under_it["live"].as_u64() >= Some(3), "{under_it}");
    assert_eq!(daemon.get("/readyz").0, 200, "an account that was introduced stays so");
    spared.are_spared(&stage);
    assert!(stage.requests_for(&unseen).is_empty());

    stage.clear_faults();
    stage.all_end(&[known.clone(), unseen.clone()]);
    recovers(&daemon, &[known, unseen]);
    spared.are_spared(&stage);
}

fn recovers(daemon: &Daemon, released: &[SessionId]) {
    for id in released {
        let row = daemon.comes_to(id, "confirmed");
        assert_eq!(row["attempts"], 1, "{row}");
    }
    eventually("the account is well again", || {
        let account = daemon.account("growth");
        (account["listing"] == "complete" && account["error"].is_null() && account["live"] == 3).then_some(())
    });
}

#[test]
fn no_listing_that_fails_releases_what_should_stay_or_loses_what_is_due() {
    let faults = [
        (Fault::status(500, "internal"), "failed"),
        (Fault::Hang, "failed"),
        (Fault::Reset, "failed"),
        (Fault::TruncatedJson, "failed"),
        (Fault::Html, "failed"),
        (Fault::EmptyList, "partial"),
        (Fault::throttled(1), "failed"),
    ];
    side_by_side(faults, |(fault, outcome)| weathers(fault, outcome));
}

#[test]
fn without_the_pending_ones_a_listing_says_what_is_there_and_not_what_is_gone() {
    let stage = Stage::new();
    let spared = Spared::among(&stage);
    let daemon = stage.daemon();
    daemon.is_ready();
    stage.inject(Target::from(Operation::List).status("PENDING"), Fault::status(500, "internal"));
    let due = stage.due_in(-60_000);
    daemon.comes_to(&due, "confirmed");
    daemon.reaches(1.0, "session_reaper_polls_total", &[GROWTH, ("outcome", "partial")]);
    assert_eq!(daemon.account("growth")["listing"], "partial");
    spared.are_spared(&stage);
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.set_nonblocking(true).expect("it may be asked without waiting");
    weathers(Fault::Redirect { location: format!("http://{}/", elsewhere.local_addr().expect("an address")) }, "failed");
    let arrived = elsewhere.accept().expect_err("nobody came");
    assert_eq!(arrived.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_listing_beyond_the_size_that_is_read_empties_nothing() {
    let stage = Stage::new();
    let spared = Spared::among(&stage);
    let daemon = stage.daemon();
    daemon.is_ready();
    stage.world.with(|world| world.inject(Target::from(Operation::List).status("RUNNING"), Fault::HugeBody(65 << 20), Extent::Times(1)));
    let due = stage.due_in(-60_000);
    daemon.reaches(1.0, "session_reaper_polls_total", &[GROWTH, ("outcome", "failed")]);
    daemon.comes_to(&due, "confirmed");
    spared.are_spared(&stage);
}

#[test]
fn rows_that_cannot_be_read_are_counted_and_the_others_are_read_all_the_same() {
    side_by_side([BadRow::NoId, BadRow::WrongTypes, BadRow::UnknownStatus], |how| {
        let stage = Stage::new();
        let spared = Spared::among(&stage);
        let (spoilt, sound) = (stage.due_in(-60_000), stage.due_in(-60_000));
        stage.inject(Target::from(Operation::List).session(spoilt.clone()), Fault::BadRow(how));
        let daemon = stage.daemon();
        daemon.comes_to(&sound, "confirmed");
        daemon.reaches(3.0, "session_reaper_polls_total", &[GROWTH, ("outcome", "complete")]);
        assert!(stage.requests_for(&spoilt).is_empty(), "{how:?} was released");
        if how == BadRow::UnknownStatus {
            assert_eq!(daemon.session(&spoilt)["verdict"], "unknown");
        } else {
            assert_eq!(daemon.account("growth")["rejected_rows"], 1, "{how:?}");
            daemon.reaches(1.0, "session_reaper_listing_rows_rejected_total", &[GROWTH]);
        }
        stage.clear_faults();
        daemon.comes_to(&spoilt, "confirmed");
        spared.are_spared(&stage);
    });
}

#[test]
fn a_session_listed_twice_is_released_once() {
    let stage = Stage::new();
    let spared = Spared::among(&stage);
    let due = stage.due_in(1_500);
    stage.inject(Operation::List, Fault::DuplicateRows);
    let daemon = stage.daemon();
    daemon.is_ready();
    assert_eq!(daemon.account("growth")["live"], 4);
    daemon.comes_to(&due, "confirmed");
    assert_eq!(stage.requests_for(&due).len(), 1);
    assert_eq!(daemon.metric("session_reaper_sessions_released_total", &[GROWTH]), 1.0);
    spared.are_spared(&stage);
}

#[test]
fn clocks_an_hour_apart_make_nothing_early() {
    side_by_side([-1, 1], |hours| {
        let stage = Stage::skewed(SignedDuration::from_hours(hours));
        let spared = Spared::among(&stage);
        let (due, soon) = (stage.due_in(-60_000), stage.due_in(3_000));
        let daemon = stage.daemon();
        let row = daemon.comes_to(&due, "confirmed");
        daemon.comes_to(&soon, "confirmed");
        assert!(stage.requests_for(&soon)[0].at >= stage.deadline(&soon), "requested before its deadline");
        let shown = daemon.metric("session_reaper_clock_skew_seconds", &[GROWTH]);
        assert!((shown - hours as f64 * 3_600.0).abs() < 2.0, "{shown} s");
        let (booked, saved) = (row["saved_runtime_seconds"].as_f64().expect("a number"), stage.saved(&[due]));
        assert!((booked - saved).abs() < 0.002, "{booked} s in the books, {saved} s in truth");
        spared.are_spared(&stage);
    });
}

#[test]
fn a_clock_that_is_an_hour_ahead_in_a_single_listing_is_not_believed() {
    let stage = Stage::new();
    let spared = Spared::among(&stage);
    let daemon = stage.daemon();
    daemon.is_ready();
    let date = Fault::DateOff(SignedDuration::from_hours(1));
    // Both calls of one listing.
    stage.world.with(|world| world.inject(Operation::List, date, Extent::Times(2)));
    let polls = daemon.metric("session_reaper_polls_total", &[GROWTH]);
    daemon.reaches(polls + 2.0, "session_reaper_polls_total", &[GROWTH]);
    spared.are_spared(&stage);
}

#[test]
fn an_account_is_ready_after_its_first_complete_listing_and_not_before() {
    let stage = Stage::new();
    stage.inject(Operation::List, Fault::status(503, "maintenance"));
    let daemon = stage.daemon();
    daemon.reaches(1.0, "session_reaper_polls_total", &[GROWTH, ("outcome", "failed")]);
    let (status, why) = daemon.get("/readyz");
    assert!(status == 503 && why.contains("growth"), "{status}: {why}");
    assert_eq!(daemon.get("/healthz").0, 200, "the loops turn all the same");
    assert_eq!(daemon.metric("session_reaper_poll_last_complete_timestamp_seconds", &[GROWTH]), 0.0);
    stage.clear_faults();
    daemon.is_ready();
    assert!(daemon.metric("session_reaper_poll_last_complete_timestamp_seconds", &[GROWTH]) > 0.0);
}

#[test]
fn a_definite_refusal_is_an_answer_too_and_disturbs_no_other_account() {
    let stage = Stage::playing(&Script { accounts: &["growth", "research"], ..Script::default() });
    stage.inject(Target::from(Operation::List).key(&stage.key("growth")), Fault::status(401, "Unauthorized"));
    let due = stage.add_to("research", ci(-60_000));
    let daemon = stage.daemon();
    daemon.is_ready();
    daemon.process.line_with("the provider refuses the account's credential");
    daemon.comes_to(&due, "confirmed");
    assert_eq!(daemon.account("growth")["listing"], "failed");
    assert_eq!(daemon.account("research")["listing"], "complete");
    daemon.reaches(4.0, "session_reaper_polls_total", &[("account", "research"), ("outcome", "complete")]);
    let asked = stage.journal().iter().filter(|request| request.key.as_deref() == Some(stage.key("growth").as_str())).count();
    assert_eq!(asked, 1, "it is asked again rarely");
}
