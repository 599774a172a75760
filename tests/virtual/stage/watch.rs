//! What must hold of every request, whatever a transcript says.

use std::collections::{BTreeMap, BTreeSet};

use session_reaper::domain::event::Operation;
use session_reaper::domain::fault::{Fault, FaultKind};
use session_reaper::domain::hold::Orders;
use session_reaper::domain::listing::{Listing, Rows};
use session_reaper::domain::name::SessionId;
use session_reaper::domain::record::Record;
use session_reaper::domain::session::Session;
use session_reaper::domain::time::{SignedDuration, Timestamp, between, later};
use session_reaper::domain::view::Mode;
use session_reaper::engine::{Input, Terms};
use session_reaper::simulator::World;

/// A listing takes two requests and is charged for the second one when it is over.
const CHARGED_LATER: f64 = 2.0;

/// How long after a refusal nothing is asked.
const RARELY: SignedDuration = SignedDuration::from_secs(29);

/// Watches every request of one daemon that leaves, and what it is told.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Requests that have left and are not yet earned, and when that was so.
    level: f64,
    level_at: Option<Timestamp>,
    per_second: f64,
    silence: Option<Silence>,
    refused: Option<Silence>,
    denied: Option<Silence>,
    /// Which allowance of `max_releases_per_poll` is open.
    pub allowance: usize,
    /// When the fraction was tripped last, by the daemon's clock.
    pub tripped_at: Option<Timestamp>,
    /// The same, as far as it is on the disk: what a next life can know.
    tripped_in_books: Option<Timestamp>,
    /// Whom a listing of this life has shown.
    listed: BTreeSet<SessionId>,
    /// Since when it could be known of each session when it sent bytes, by the provider's clock: since it was first listed, or
    /// since it was created where the listing before was complete.
    dated_from: BTreeMap<SessionId, Timestamp>,
    /// Those first listed since the books were written last.
    unwritten: Vec<SessionId>,
    /// When the last complete listing of this life arrived.
    complete_from: Option<Timestamp>,
    /// Whom listings show although they are over.
    pub haunted: BTreeSet<SessionId>,
    /// How much longer than an hour ago a session may have been there for the daemon to count it: until it learns that one is gone.
    pub blind: SignedDuration,
}

/// Nothing leaves, once this is known, until then.
#[derive(Clone, Copy, Debug)]
struct Silence {
    known_at: Timestamp,
    until: Timestamp,
}

impl Silence {
    fn forbids(silence: Option<Self>, at: Timestamp) -> bool {
        silence.is_some_and(|silence| silence.known_at < at && at < silence.until)
    }
}

impl Watch {
    pub(crate) fn new(blind: SignedDuration) -> Self {
        Self { blind, ..Self::default() }
    }

    /// The pace that is asked of it from now on; a slower one forgives what left before.
    pub(crate) fn paces(&mut self, per_second: f64) {
        self.level = if self.per_second > per_second { 0.0 } else { self.level };
        self.per_second = per_second;
    }

    /// A call left at this instant, with so many requests: never more within any stretch of time than a second's worth and the rate allow.
    pub(crate) fn leaves(&mut self, operation: Operation, requests: usize, at: Timestamp) {
        assert!(!Silence::forbids(self.silence, at), "{operation} leaves at {at} although the provider asked for silence");
        assert!(!Silence::forbids(self.refused, at), "{operation} leaves at {at} although the key was just refused");
        let denied = operation == Operation::Release && Silence::forbids(self.denied, at);
        assert!(!denied, "a release leaves at {at} although the right to release was just refused");
        let earned = self.level_at.map_or(0.0, |before| between(before, at).as_secs_f64() * self.per_second);
        self.level = (self.level - earned).max(0.0) + requests as f64;
        self.level_at = Some(at);
        let burst = self.per_second.max(1.0) + CHARGED_LATER;
        assert!(self.level <= burst + 1e-6, "{operation} leaves at {at}: {:.1} requests at once, {burst:.1} are allowed", self.level);
    }

    /// `theirs`: the same instant by the provider's clock.
    pub(crate) fn hears(&mut self, operation: Operation, input: &Input, now: Timestamp, theirs: Timestamp) {
        match input {
            Input::Listed(answer) => {
                if let Ok(listing) = &answer.result {
                    self.is_shown(listing, theirs);
                }
                self.answered(operation, &answer.result, now);
            }
            Input::Read { answer, .. } => self.answered(operation, &answer.result, now),
            Input::Evidence { answer, .. } => self.answered(operation, &answer.result, now),
            Input::Answered { answer, .. } => self.answered(operation, &answer.result, now),
            _ => {}
        }
    }

    fn is_shown(&mut self, listing: &Listing, theirs: Timestamp) {
        let before = self.complete_from;
        for session in &rows(listing).sessions {
            if !self.dated_from.contains_key(&session.id) {
                let from = before.filter(|at| *at < session.created_at).map_or(theirs, |_| session.created_at);
                self.dated_from.insert(session.id.clone(), from);
                self.unwritten.push(session.id.clone());
            }
        }
        self.listed.extend(rows(listing).there().cloned());
        if matches!(listing, Listing::Complete(_)) {
            self.complete_from = Some(theirs);
        }
    }

    /// Bytes that a session has sent since then show in a listing that is later.
    pub(crate) fn dated_from(&self, id: &SessionId) -> Timestamp {
        self.dated_from.get(id).copied().unwrap_or(Timestamp::MAX)
    }

    fn answered<T>(&mut self, operation: Operation, result: &Result<T, Fault>, now: Timestamp) {
        let Err(fault) = result else {
            (self.refused, self.denied) = (None, self.denied.filter(|_| operation != Operation::Release));
            return;
        };
        let rarely = Some(Silence { known_at: now, until: later(now, RARELY) });
        match fault.kind {
            FaultKind::Throttled => {
                let until = fault.retry_after.map(|wait| later(now, wait));
                let longer = until.filter(|until| self.silence.is_none_or(|silence| silence.until < *until));
                self.silence = longer.map(|until| Silence { known_at: now, until }).or(self.silence);
            }
            FaultKind::Unauthorized => self.refused = rarely,
            FaultKind::Forbidden if operation == Operation::Release => self.denied = rarely,
            _ => {}
        }
    }

    pub(crate) fn writes(&mut self, record: &Record) {
        match record {
            Record::Allowance { .. } => self.allowance += 1,
            Record::Tripped { at, .. } => self.tripped_at = self.tripped_at.max(Some(*at)),
            _ => {}
        }
    }

    /// Sessions that live and that a listing of this life has shown: so many at least does the daemon know of.
    pub(crate) fn known(&self, theirs: Timestamp, world: &World) -> usize {
        self.listed.iter().filter(|id| world.life(id).is_some_and(|life| life.ended(theirs).is_none())).count()
    }

    /// What was written so far is on the disk.
    pub(crate) fn is_written(&mut self) {
        self.tripped_in_books = self.tripped_at;
        self.unwritten.clear();
    }

    /// Forgets whom the world has forgotten.
    pub(crate) fn forget(&mut self, world: &World) {
        self.listed.retain(|id| world.life(id).is_some());
        self.dated_from.retain(|id, _| world.life(id).is_some());
    }

    /// A new life of the process knows nothing of what the old one was told, and may send a second's worth at once.
    pub(crate) fn restarts(&mut self) {
        let Self { per_second, allowance, tripped_in_books: tripped_at, blind, .. } = *self;
        self.unwritten.iter().for_each(|id| _ = self.dated_from.remove(id));
        *self = Self {
            per_second,
            allowance,
            tripped_at,
            tripped_in_books: tripped_at,
            blind,
            haunted: std::mem::take(&mut self.haunted),
            dated_from: std::mem::take(&mut self.dated_from),
            ..Self::default()
        };
    }
}

fn rows(listing: &Listing) -> &Rows {
    match listing {
        Listing::Complete(complete) => complete.rows(),
        Listing::Partial { rows, .. } => rows,
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
