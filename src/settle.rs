//! When a release is believed, and whose doing the end was. The provider's own words decide: its status, its `endedAt`, its listing.

use crate::domain::release::{Outcome, Release};
use crate::domain::session::{Phase, Session};
use crate::domain::tariff::Tariff;
use crate::domain::time::{SignedDuration, Timestamp, between, floor_millis, later};

/// What a reading of the session after our request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Not ended, or in a status that we do not know.
    Live,
    /// Ended, and the provider has not yet said when.
    Unsettled,
    /// Ended on our request.
    Ours { ended_at: Timestamp },
    /// Ended before our request could have had to do with it.
    NotOurs { ended_at: Timestamp },
    /// It outlived our request and ran into its own hard end.
    RanOut { ended_at: Timestamp },
}

/// How long after a request that was never answered with yes an end may still be its doing.
pub const UNANSWERED_REACH: SignedDuration = SignedDuration::from_mins(5);

/// Judges a reading. `seen_running` says that an answer to our request showed the session still running: then whatever ended it came after.
///
/// Without that, `endedAt` is held against the instant from which a request of ours may have been applied, both in the provider's time and in whole
/// milliseconds. An end long after a request that nobody answered is somebody else's.
pub fn settle(release: &Release, seen_running: bool, session: &Session) -> Finding {
    if !session.status.phase.is_ended() {
        return Finding::Live;
    }
    let Some(ended_at) = session.ended_at else { return Finding::Unsettled };
    if session.status.phase == Phase::TimedOut {
        let outlived = seen_running || release.accepted_at.is_some_and(|accepted_at| ended_at > accepted_at);
        return if outlived { Finding::RanOut { ended_at } } else { Finding::NotOurs { ended_at } };
    }
    if seen_running {
        return Finding::Ours { ended_at };
    }
    let Some(asked_at) = release.asked_at.map(floor_millis) else { return Finding::NotOurs { ended_at } };
    // Of several requests the last one left within the reach of the one that `asked_at` is of.
    let reach = if release.attempts > 1 { UNANSWERED_REACH * 2 } else { UNANSWERED_REACH };
    let too_late = release.accepted_at.is_none() && ended_at > later(asked_at, reach);
    if latest(ended_at) < asked_at || too_late { Finding::NotOurs { ended_at } } else { Finding::Ours { ended_at } }
}

/// What stands in the books for a session that ended on our request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Savings {
    pub runtime: Option<SignedDuration>,
    pub cost: Option<f64>,
}

/// An end in whole seconds may have been at any moment of that second: providers cut their times.
fn latest(ended_at: Timestamp) -> Timestamp {
    if ended_at.subsec_nanosecond() == 0 { later(ended_at, SignedDuration::from_millis(999)) } else { ended_at }
}

/// The provider's hard end minus its end time, never below zero; nothing where the provider gave no such figures.
pub fn savings(ended_at: Option<Timestamp>, expires_at: Option<Timestamp>, tariff: Tariff) -> Savings {
    let runtime = ended_at.zip(expires_at).map(|(end, hard_end)| between(end, hard_end).max(SignedDuration::ZERO));
    let cost = runtime.map(|saved| tariff.worth(saved));
    Savings { runtime, cost }
}

/// Writes a finding into the row. Gives false where the finding settles nothing.
pub fn enter(release: &mut Release, finding: Finding, session: &Session, tariff: Tariff, now: Timestamp) -> bool {
    let (outcome, ended_at) = match finding {
        Finding::Live | Finding::Unsettled => return false,
        Finding::Ours { ended_at } => (Outcome::Confirmed, ended_at),
        Finding::NotOurs { ended_at } => (Outcome::AlreadyEnded, ended_at),
        Finding::RanOut { ended_at } => (Outcome::Failed, ended_at),
    };
    release.expires_at = session.expires_at.or(release.expires_at);
    enter_end(release, outcome, Some(ended_at), tariff, now);
    true
}

/// Writes an end into the row. Savings are counted for a confirmed one only.
pub fn enter_end(release: &mut Release, outcome: Outcome, ended_at: Option<Timestamp>, tariff: Tariff, now: Timestamp) {
    release.outcome = outcome;
    release.ended_at = ended_at;
    release.confirmed_at = Some(floor_millis(now));
    if outcome == Outcome::Confirmed {
        let saved = savings(ended_at, release.expires_at, tariff);
        release.saved_runtime = saved.runtime;
        release.saved_cost = saved.cost;
    }
}

#[cfg(test)]
mod tests;
