//! What the shipped Browserbase provider makes of the world's answers.

use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::json;

use super::*;
use crate::domain::event::Operation;
use crate::domain::listing::{Listing, RejectedRow, Rows};
use crate::domain::name::{Kind, SessionId};
use crate::domain::session::{Metadata, Parts, Phase, Session, Target as Meant};
use crate::domain::time::between;
use crate::provider::{Connected, browserbase_over};
use crate::simulator::{BadRow, Cause, Extent, Fault as Wrong, NewSession, Settings, SharedWorld, Target, Truth, World};

const KEY: &str = "bb_demo_x";

fn after(millis: i64) -> Timestamp {
    later("2026-11-20T12:00:00Z".parse().expect("an instant"), SignedDuration::from_millis(millis))
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// A world, and an account in it.
struct Stage {
    world: SharedWorld,
    carrier: Arc<Carrier>,
    account: Connected,
}

impl Stage {
    fn new(world: World) -> Self {
        Self::of(SharedWorld::new(world), KEY)
    }

    fn of(world: SharedWorld, key: &str) -> Self {
        let carrier = Arc::new(Carrier::new(world.clone(), Client::new(key), Api::Browserbase, after(0)));
        Self { world, account: browserbase_over(carrier.clone(), None), carrier }
    }

    /// The account of somebody else in the same world.
    fn stranger(&self, key: &str) -> Self {
        Self::of(self.world.clone(), key)
    }

    fn list(&self, now: Timestamp) -> Exchange<Listing> {
        self.carrier.leave_at(now);
        self.account.lister.list().now_or_never().expect("an answer at once")
    }

    fn read(&self, id: &SessionId, now: Timestamp) -> Exchange<Session> {
        self.carrier.leave_at(now);
        self.account.lister.read(&target(id)).now_or_never().expect("an answer at once")
    }

    fn release(&self, id: &SessionId, now: Timestamp) -> Exchange<Option<Session>> {
        self.carrier.leave_at(now);
        self.account.releaser.release(&target(id)).now_or_never().expect("an answer at once")
    }

    fn phase(&self, id: &SessionId, at: i64) -> Phase {
        self.read(id, after(at)).result.expect("a session").status.phase
    }

    fn inject(&self, target: impl Into<Target>, fault: Wrong, extent: Extent) {
        self.world.with(|world| world.inject(target, fault, extent));
    }

    fn add(&self, new: NewSession) -> SessionId {
        let new = NewSession { release_latency: Some(SignedDuration::from_millis(500)), ..new };
        self.world.with(|world| world.create(KEY, new, after(0)).expect("the key is one of this world's"))
    }

    fn truth(&self, id: &SessionId) -> Truth {
        self.world.with(|world| world.truth().into_iter().find(|one| one.id == *id).expect("its truth"))
    }
}

fn target(id: &SessionId) -> Meant {
    Meant { id: id.clone(), kind: Kind::Session, parts: Parts::default() }
}

/// A world with one session whose release takes 500 ms.
fn one_session_world() -> (Stage, SessionId) {
    let stage = Stage::new(World::new(1, after(0)));
    let id = stage.add(NewSession { metadata: Some(json!({ "env": "ci" })), ..NewSession::default() });
    (stage, id)
}

fn listed(listing: Exchange<Listing>) -> Rows {
    match listing.result {
        Ok(Listing::Complete(complete)) => complete.rows().clone(),
        other => panic!("not complete: {other:?}"),
    }
}

#[test]
fn a_release_is_accepted_at_once_and_happens_later() {
    let (stage, id) = one_session_world();
    let accepted = stage.release(&id, after(1_000)).result.expect("accepted").expect("a session");
    assert_eq!((accepted.status.phase, accepted.ended_at), (Phase::Running, None));
    assert_eq!((stage.phase(&id, 1_499), stage.phase(&id, 1_500)), (Phase::Running, Phase::Completed));
    let ended = stage.read(&id, after(9_000)).result.expect("a session");
    assert_eq!(ended.ended_at, Some(after(1_500)));
    assert!(listed(stage.list(after(9_000))).sessions.is_empty());
    let truth = stage.truth(&id);
    assert_eq!(truth.saved(), between(after(1_500), after(3_600_000)));
}

#[test]
fn a_release_of_what_has_ended_is_accepted_and_changes_nothing() {
    let (stage, id) = one_session_world();
    stage.world.with(|world| world.end(&id, Cause::Closed, after(1_000)));
    let answer = stage.release(&id, after(2_000)).result.expect("accepted").expect("a session");
    assert_eq!((answer.status.phase, answer.ended_at), (Phase::Completed, Some(after(1_000))));
    let truth = stage.truth(&id);
    assert_eq!((truth.end.map(|end| end.cause), truth.saved()), (Some(Cause::Closed), SignedDuration::ZERO));
}

#[test]
fn what_is_not_there_is_not_found() {
    let (stage, id) = one_session_world();
    assert_eq!(stage.release(&"nope".into(), after(0)).result.map_err(|fault| fault.kind), Err(FaultKind::NotFound));
    assert_eq!(stage.stranger("bb_demo_y").read(&id, after(0)).result.map_err(|fault| fault.kind), Err(FaultKind::NotFound));
    assert_eq!(stage.stranger("bb_live").list(after(0)).result.map_err(|fault| fault.kind), Err(FaultKind::Unauthorized));
}

#[test]
fn a_listing_shows_the_running_and_the_pending() {
    let (stage, running) = one_session_world();
    let pending = stage.add(NewSession { pending_for: seconds(60), ..NewSession::default() });
    let rows = listed(stage.list(after(1_000)));
    let shown: Vec<_> = rows.sessions.iter().map(|session| (session.id.clone(), session.status.phase)).collect();
    assert_eq!(shown, [(running, Phase::Running), (pending, Phase::Pending)]);
}

#[test]
fn metadata_of_any_shape_arrives_as_it_is() {
    let (stage, _) = one_session_world();
    let id = stage.add(NewSession { metadata: Some(json!(["env"])), ..NewSession::default() });
    assert_eq!(stage.read(&id, after(0)).result.expect("a session").metadata, Metadata::Unreadable { found: "a list" });
}

#[test]
fn each_fault_of_a_listing_is_what_a_client_would_make_of_it() {
    let cases = [
        (Wrong::status(500, "broken"), FaultKind::Unavailable, "500"),
        (Wrong::status(403, "no"), FaultKind::Forbidden, "403"),
        (Wrong::throttled(7), FaultKind::Throttled, "429"),
        (Wrong::Hang, FaultKind::TimedOut, "timed_out"),
        (Wrong::Slow(seconds(11)), FaultKind::TimedOut, "timed_out"),
        (Wrong::Reset, FaultKind::Disconnected, "disconnected"),
        (Wrong::TruncatedJson, FaultKind::Unreadable, "200"),
        (Wrong::Html, FaultKind::Unreadable, "200"),
        (Wrong::Redirect { location: "http://127.0.0.1/".to_owned() }, FaultKind::Redirected, "302"),
        (Wrong::HugeBody(65 << 20), FaultKind::TooLarge, "200"),
    ];
    for (fault, kind, status) in cases {
        let (stage, _) = one_session_world();
        stage.inject(Target::from(Operation::List).status("RUNNING"), fault.clone(), Extent::Times(1));
        let struck = stage.list(after(1_000));
        assert_eq!(struck.requests.iter().map(|request| &*request.status).collect::<Vec<_>>(), ["200", status], "{fault:?}");
        assert_eq!(struck.result.map_err(|fault| fault.kind).err(), Some(kind), "{fault:?}");
        assert_eq!(listed(stage.list(after(20_000))).sessions.len(), 1, "after {fault:?}");
    }
}

#[test]
fn an_answer_that_is_too_large_is_given_cut_off_to_a_caller_that_can_use_it() {
    let client = Client::new(KEY);
    let answer = |body: &str| Answer {
        status: 200,
        headers: Vec::new(),
        body: body.to_owned(),
        date: after(0),
        delay: SignedDuration::ZERO,
        delivery: Delivery::Whole,
    };
    let call = Call {
        operation: Operation::Evidence,
        method: reqwest::Method::GET,
        segments: vec!["logs".to_owned()],
        query: Vec::new(),
        body: None,
        cap: 3,
        may_be_cut: false,
    };
    let opened = |body: &str, may_be_cut| {
        let call = Call { may_be_cut, ..call.clone() };
        client.arrived(&call, answer(body), after(0)).result
    };
    assert_eq!((opened("[1]", true), opened("[1]", false)), (Ok(Body::whole(b"[1]".to_vec())), Ok(Body::whole(b"[1]".to_vec()))));
    assert_eq!(opened("[1,2]", true), Ok(Body::cut(b"[1,".to_vec())));
    assert_eq!(opened("[1,2]", false).map_err(|fault| fault.kind), Err(FaultKind::TooLarge));
}

#[test]
fn throttling_says_for_how_long() {
    let (stage, id) = one_session_world();
    stage.inject(Operation::Release, Wrong::throttled(7), Extent::Until(after(5_000)));
    let fault = stage.release(&id, after(4_999)).result.expect_err("throttled");
    assert_eq!(fault.retry_after, Some(seconds(7)));
    assert!(stage.release(&id, after(5_000)).result.is_ok());
}

#[test]
fn a_sudden_empty_listing_looks_complete() {
    let (stage, _) = one_session_world();
    stage.inject(Operation::List, Wrong::EmptyList, Extent::Forever);
    assert_eq!(listed(stage.list(after(0))), Rows::default());
}

#[test]
fn a_listing_whose_second_half_fails_is_partial() {
    let (stage, id) = one_session_world();
    stage.inject(Target::from(Operation::List).status("PENDING"), Wrong::Reset, Extent::Forever);
    match stage.list(after(0)).result {
        Ok(Listing::Partial { rows, why, .. }) => assert_eq!((&rows.sessions[0].id, why.kind), (&id, FaultKind::Disconnected)),
        other => panic!("not partial: {other:?}"),
    }
}

#[test]
fn rows_shown_twice_count_once() {
    let (stage, _) = one_session_world();
    stage.inject(Operation::List, Wrong::DuplicateRows, Extent::Forever);
    assert_eq!(listed(stage.list(after(0))).sessions.len(), 1);
}

#[test]
fn a_bad_row_spoils_itself_only() {
    let (stage, id) = one_session_world();
    stage.add(NewSession::default());
    let spoilt = |how| {
        stage.world.with(World::clear_faults);
        stage.inject(Target::from(Operation::List).session(id.clone()), Wrong::BadRow(how), Extent::Forever);
        listed(stage.list(after(0)))
    };
    let wrong_types = spoilt(BadRow::WrongTypes);
    assert_eq!((wrong_types.sessions.len(), &wrong_types.rejected[0].id), (1, &Some(id.clone())));
    assert_eq!(spoilt(BadRow::NoId).rejected, [RejectedRow { id: None, why: "`id` is missing".to_owned() }]);
    let unknown = spoilt(BadRow::UnknownStatus);
    let phase_of = |session: &Session| (session.id == id).then_some(session.status.phase);
    assert_eq!(unknown.sessions.iter().find_map(phase_of), Some(Phase::Unknown));
}

#[test]
fn a_foreign_row_is_shown_beside_the_others() {
    let (stage, _) = one_session_world();
    stage.inject(Target::from(Operation::List).status("RUNNING"), Wrong::ExtraRow(json!("a row")), Extent::Forever);
    let rows = listed(stage.list(after(0)));
    assert_eq!((rows.sessions.len(), rows.rejected.len()), (1, 1));
}

#[test]
fn a_never_ending_release_is_accepted_until_the_fault_ends() {
    let (stage, id) = one_session_world();
    stage.inject(Operation::Release, Wrong::NeverEnding, Extent::Times(1));
    assert!(stage.release(&id, after(0)).result.is_ok());
    assert_eq!(stage.phase(&id, 600_000), Phase::Running);
    assert!(stage.release(&id, after(600_000)).result.is_ok());
    assert_eq!(stage.phase(&id, 600_500), Phase::Completed);
}

#[test]
fn what_was_done_before_the_connection_broke_is_done() {
    let (stage, id) = one_session_world();
    stage.inject(Operation::Release, Wrong::AppliedUnanswered, Extent::Times(1));
    assert_eq!(stage.release(&id, after(0)).result.map_err(|fault| fault.kind), Err(FaultKind::Disconnected));
    let outcome = stage.world.with(|world| world.journal().last().map(|request| request.outcome.clone()));
    assert_eq!(outcome.as_deref(), Some("cut"));
    assert_eq!(stage.read(&id, after(500)).result.expect("a session").status.phase, Phase::Completed);
}

#[test]
fn what_a_reset_forestalled_is_not_done() {
    let (stage, id) = one_session_world();
    for fault in [Wrong::Reset, Wrong::Hang, Wrong::status(503, "later")] {
        stage.inject(Operation::Release, fault, Extent::Times(1));
        assert!(stage.release(&id, after(0)).result.is_err());
    }
    assert_eq!(stage.read(&id, after(9_000)).result.expect("a session").status.phase, Phase::Running);
}

#[test]
fn the_clock_is_read_to_the_second_and_shows_a_wrong_date() {
    let (stage, id) = one_session_world();
    let right = stage.read(&id, after(1_700)).clock.expect("a reading");
    assert_eq!(right, ClockReading { date: after(1_000), sent: after(1_700), received: after(1_700) });
    stage.inject(Operation::Read, Wrong::DateOff(seconds(-3_600)), Extent::Times(1));
    assert_eq!(stage.read(&id, after(1_700)).clock.expect("a reading").date, after(1_000 - 3_600_000));
}

#[test]
fn a_skewed_world_shows_its_own_time_in_dates_and_sessions() {
    let skew = seconds(3_600);
    let stage = Stage::new(World::with(Settings { skew, ..Settings::seeded(1) }, after(0)));
    let id = stage.add(NewSession::default());
    let read = stage.read(&id, after(2_000));
    assert_eq!(read.clock.expect("a reading").date, later(after(2_000), skew));
    stage.release(&id, after(2_000)).result.expect("accepted");
    let ended = stage.read(&id, after(3_000)).result.expect("a session");
    assert_eq!((ended.created_at, ended.ended_at), (later(after(0), skew), Some(later(after(2_500), skew))));
}

#[test]
fn a_slow_answer_takes_its_time_and_a_hang_all_of_the_patience() {
    let (stage, id) = one_session_world();
    stage.inject(Operation::Read, Wrong::Slow(seconds(3)), Extent::Times(1));
    let slow = stage.read(&id, after(0));
    let clock = slow.clock.expect("a reading");
    assert_eq!((slow.requests[0].took, between(clock.sent, clock.received)), (seconds(3), seconds(3)));
    stage.inject(Operation::Read, Wrong::Hang, Extent::Times(1));
    let hung = stage.read(&id, after(0));
    assert_eq!((hung.requests[0].took, hung.clock), (Client::new(KEY).request_timeout, None));
}

#[test]
fn the_journal_has_every_request_and_no_foreign_key() {
    let (stage, id) = one_session_world();
    stage.list(after(0));
    stage.release(&id, after(1)).result.expect("accepted");
    stage.stranger("bb_live_secret").read(&id, after(2)).result.expect_err("refused");
    let journal = stage.world.with(|world| world.journal().to_vec());
    let told: Vec<_> = journal.iter().map(|request| (request.asked.as_str(), request.key.as_deref(), &*request.outcome)).collect();
    assert_eq!(told, [("list", Some(KEY), "200"), ("list", Some(KEY), "200"), ("release", Some(KEY), "200"), ("read", None, "401")]);
    assert_eq!(journal[2].session, Some(id));
}
