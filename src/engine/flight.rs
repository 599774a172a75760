//! One release on its way: from the first request to the provider's word that the session ended.

use crate::domain::release::{Outcome, Release};
use crate::domain::session::Target;
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::settle::UNANSWERED_REACH;

/// A reading that found a session alive is good for this long: longer than what is usually waited before it is asked for again.
const ALIVE_FOR: SignedDuration = SignedDuration::from_mins(2);

/// A release that is not settled yet.
#[derive(Clone, Debug)]
pub struct Flight {
    pub row: Release,
    pub step: Step,
    /// An answer to a request of ours showed the session running: whatever ended it came after.
    pub seen_running: bool,
    /// What stood for the row's `asked_at` before the last request: should that one turn out not to have been applied, it stands again.
    pub asked_before: Option<Timestamp>,
    /// When a reading last found the session alive (ours).
    pub alive_at: Option<Timestamp>,
    /// The last request's outcome is not known yet, and so is not counted yet.
    pub uncounted: bool,
    /// Tries since the last progress, for the backoff.
    pub tries: u32,
    /// Its turn in line comes no sooner (ours).
    pub not_before: Timestamp,
    /// When it counts as stuck (ours).
    pub confirm_by: Timestamp,
    pub stuck: bool,
}

/// What a flight waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An answer to a release request.
    Asking,
    /// The time to read the session (ours).
    ToRead { at: Timestamp },
    /// An answer to a reading.
    Reading,
    /// Its turn in line, to ask (again).
    InLine,
    /// A complete listing that began after this instant (ours): only that can say that a session which the provider does not know is gone.
    Listing { since: Timestamp },
}

impl Flight {
    pub fn new(row: Release) -> Self {
        Self {
            row,
            step: Step::Asking,
            seen_running: false,
            asked_before: None,
            alive_at: None,
            uncounted: false,
            tries: 0,
            not_before: Timestamp::MIN,
            confirm_by: Timestamp::MAX,
            stuck: false,
        }
    }

    /// A flight of an earlier life of the process: the provider is asked first.
    pub fn recalled(row: Release, confirm_by: Timestamp) -> Self {
        let stuck = row.outcome == Outcome::Stuck;
        Self { confirm_by, stuck, ..Self::new(row) }
    }

    /// An earlier request may have been applied, and nobody has looked lately: asked again before that, its doing would be taken for somebody else's.
    pub fn is_in_doubt(&self, now: Timestamp) -> bool {
        let unanswered = self.row.asked_at.is_some() && self.row.accepted_at.is_none();
        unanswered && self.alive_at.is_none_or(|alive_at| later(alive_at, ALIVE_FOR) < now)
    }

    /// A request leaves. It is made again only where the session was just found alive: one of long ago that was never accepted has done nothing.
    pub fn is_asked(&mut self, at: Timestamp) {
        self.asked_before = self.row.asked_at;
        let counts = |earlier: Timestamp| self.row.accepted_at.is_some() || later(earlier, UNANSWERED_REACH) >= at;
        self.row.asked_at = self.row.asked_at.filter(|earlier| counts(*earlier)).or(Some(at));
    }

    /// The last request did nothing at the provider: an end from now on until the next one is not our doing, unless an earlier one may have been applied.
    pub fn was_not_applied(&mut self) {
        self.row.asked_at = self.asked_before;
    }

    pub fn target(&self) -> Target {
        Target { id: self.row.id.clone(), kind: self.row.kind, parts: self.row.parts.clone() }
    }

    /// Nothing more will come of it by itself soon.
    pub fn is_at_rest(&self) -> bool {
        self.step == Step::InLine && matches!(self.row.outcome, Outcome::Stuck | Outcome::Denied | Outcome::Failed)
    }
}
