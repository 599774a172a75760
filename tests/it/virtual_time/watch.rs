//! What must hold in every story, whatever its transcript says.

use session_reaper::domain::event::Operation;
use session_reaper::domain::fault::{Fault, FaultKind};
use session_reaper::domain::hold::Orders;
use session_reaper::domain::release::{Outcome, Release};
use session_reaper::domain::session::Session;
use session_reaper::domain::time::{SignedDuration, Timestamp, between, later};
use session_reaper::domain::view::Mode;
use session_reaper::engine::Terms;
use session_reaper::guardrails::FRACTION_WINDOW;
use session_reaper::simulator::{Cause, World};

use super::books::Books;
use super::face::Face;

/// A listing takes two requests and is charged for the second one when it is over.
const CHARGED_LATER: f64 = 2.0;

/// Watches every request that leaves.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    left: Vec<Timestamp>,
    silent_until: Option<Timestamp>,
    refused_until: Option<Timestamp>,
    denied_until: Option<Timestamp>,
}

impl Watch {
    /// A call leaves with so many requests.
    pub(crate) fn leaves(&mut self, operation: Operation, requests: usize, now: Timestamp) {
        assert!(self.silent_until.is_none_or(|until| now >= until), "{operation} leaves at {now} although the provider asked for silence");
        assert!(self.refused_until.is_none_or(|until| now >= until), "{operation} leaves at {now} although the key was just refused");
        let denied = operation == Operation::Release && self.denied_until.is_some_and(|until| now < until);
        assert!(!denied, "a release leaves at {now} although the right to release was just refused");
        self.left.extend(std::iter::repeat_n(now, requests));
    }

    pub(crate) fn answered<T>(&mut self, operation: Operation, result: &Result<T, Fault>, now: Timestamp) {
        let Err(fault) = result else {
            (self.refused_until, self.denied_until) = (None, self.denied_until.filter(|_| operation != Operation::Release));
            return;
        };
        let rarely = Some(later(now, SignedDuration::from_secs(29)));
        match fault.kind {
            FaultKind::Throttled => self.silent_until = self.silent_until.max(fault.retry_after.map(|wait| later(now, wait))),
            FaultKind::Unauthorized => self.refused_until = rarely,
            FaultKind::Forbidden if operation == Operation::Release => self.denied_until = rarely,
            _ => {}
        }
    }

    /// A new life of the process knows nothing of what the old one was told.
    pub(crate) fn restarts(&mut self) {
        *self = Self { left: std::mem::take(&mut self.left), ..Self::default() };
    }

    /// Within no stretch of time did more leave than a second's worth and the rate allow.
    pub(crate) fn assert_paced(&self, per_second: f64, lives: usize) {
        let burst = per_second.max(1.0) * lives as f64 + CHARGED_LATER;
        for (first, start) in self.left.iter().enumerate() {
            for (last, end) in self.left.iter().enumerate().skip(first) {
                let allowed = burst + per_second * between(*start, *end).as_secs_f64();
                let count = last - first + 1;
                assert!(count as f64 <= allowed + 1e-6, "{count} requests from {start} to {end}, {allowed:.1} are allowed");
            }
        }
    }
}

/// A release request is right if its session runs and nobody holds it; what its limit wants is asserted beside this.
pub(crate) fn assert_may_release(session: &Session, terms: &Terms, orders: &Orders, ours: Timestamp, theirs: Timestamp) {
    let id = &session.id;
    assert_eq!(terms.mode, Mode::Enforce, "{id} is requested in observe mode");
    assert!(orders.pause(&terms.account).is_none(), "{id} is requested although the account is paused");
    assert!(orders.hold([id], ours).is_none(), "{id} is requested although an operator holds it");
    assert!(session.since() <= theirs, "{id} is requested before it runs");
    let old_enough = later(session.since(), terms.guardrails.min_age);
    assert!(old_enough <= theirs, "{id} is requested below min_age");
}

/// No request while the fraction is tripped, and no session beyond the allowance of the last poll.
pub(crate) fn assert_within_guardrails(row: &Release, books: &Books, terms: &Terms, orders: &Orders, ours: Timestamp) {
    let resumed_at = orders.resumed_at.get(&terms.account).copied();
    let tripped = books.tripped_at.filter(|at| ours < later(*at, FRACTION_WINDOW) && resumed_at.is_none_or(|resumed| resumed <= *at));
    assert_eq!(tripped, None, "{} is requested although the fraction is tripped", row.id);
    let opened_at = books.allowance_opened_at.filter(|_| row.attempts == 1);
    let used = opened_at.map_or(0, |opened| books.releases.values().filter(|known| known.id != row.id && known.requested_at >= opened).count());
    assert!(used < terms.guardrails.max_releases_per_poll as usize, "{} is requested beyond the allowance of {used}", row.id);
}

/// A release is confirmed if and only if the world says that the session ended on our request; then what it saved is what the world says. Of an agent
/// session it is the browser that bills.
pub(crate) fn assert_books_are_true(books: &Books, world: &World, face: &Face, now: Timestamp) {
    let theirs = world.time(now);
    for life in world.lives().filter(|life| &*life.key == face.key()) {
        let of_it = |row: &&Release| row.id == life.id || row.parts.browser.as_ref() == Some(&life.id);
        let rows: Vec<&Release> = books.releases.values().filter(of_it).collect();
        let confirmed: Vec<&&Release> = rows.iter().filter(|row| row.outcome == Outcome::Confirmed).collect();
        let ours = life.ended(theirs).filter(|end| matches!(end.cause, Cause::Released { .. }));
        // Under v4 a browser goes by itself once its run was cancelled, which was ours if its own stop was not turned away.
        if face.is_v4() && life.agent.is_some() && ours.is_none() && life.ended(theirs).is_some_and(|end| end.cause == Cause::Closed) {
            assert!(confirmed.iter().all(|row| row.ended_at == life.ended(theirs).map(|end| end.at)), "{}", life.id);
            continue;
        }
        match (confirmed.as_slice(), ours) {
            ([row], Some(end)) => {
                assert_eq!(row.ended_at, Some(end.at), "{}", life.id);
                assert_eq!(row.saved_runtime, Some(between(end.at, life.expires_at)), "{}", life.id);
            }
            ([], None) => assert!(rows.iter().all(|row| row.saved_runtime.is_none()), "{} saved nothing", life.id),
            ([], Some(end)) => panic!("{} was released at {}, the books say {rows:?}", life.id, end.at),
            (rows, _) => panic!("the books call {rows:?} confirmed, the world says {:?}", life.ended(theirs)),
        }
    }
}
