//! What goes into an engine and what comes out.

use std::sync::Arc;

use crate::domain::activity::Evidence;
use crate::domain::event::Event;
use crate::domain::exchange::Exchange;
use crate::domain::hold::Orders;
use crate::domain::listing::Listing;
use crate::domain::name::{AccountName, Provider, SessionId};
use crate::domain::record::Record;
use crate::domain::release::{Outcome, Release};
use crate::domain::session::{Session, Target};
use crate::domain::tariff::Tariff;
use crate::domain::time::SignedDuration;
use crate::domain::view::Mode;
use crate::engine::Runtime;
use crate::guardrails::{Guardrails, Permit};
use crate::policy::Policy;

/// What one account's engine is told of the configuration.
#[derive(Clone, Debug)]
pub struct Terms {
    pub account: AccountName,
    pub provider: Provider,
    pub mode: Mode,
    pub poll_interval: SignedDuration,
    pub requests_per_second: f64,
    pub evidence_per_minute: u32,
    pub tariff: Tariff,
    pub currency: String,
    pub policies: Arc<[Policy]>,
    pub guardrails: Guardrails,
    pub pass: Pass,
}

/// How long the engine goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Polls for ever, and carries on the allowance of an earlier life.
    Daemon,
    /// Polls once; an operator's own pass has an allowance of its own.
    Once,
    /// As [`Pass::Once`], with no pace and no bound on calls under way: nothing it asks for is carried out.
    Plan,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    Listed(Exchange<Listing>),
    Read {
        id: SessionId,
        answer: Exchange<Session>,
    },
    /// What the provider said when it was asked about a session's activity.
    Evidence {
        id: SessionId,
        answer: Exchange<Evidence>,
    },
    /// The intent was written, the request was sent, and this came back.
    Answered {
        id: SessionId,
        answer: Exchange<Option<Session>>,
    },
    /// The intent could not be written, so that nothing was sent.
    NotWritten {
        id: SessionId,
        why: String,
    },
    /// The books have an end for this session already, so that nothing was sent.
    InBooks {
        id: SessionId,
    },
    /// What operators have said, all of it, in our time.
    Orders(Arc<Orders>),
    Reconfigured {
        terms: Box<Terms>,
        /// Counted anew by these terms, from the books.
        runtime: Box<Runtime>,
        new_credential: bool,
    },
    /// Ask for nothing new; go on until what was asked for is settled.
    Drain,
}

/// What to do.
#[derive(Debug)]
pub enum Command {
    List,
    Read {
        target: Target,
    },
    /// Ask about a session's activity.
    Ask {
        target: Target,
    },
    /// Write the row durably, then ask the provider to end the session.
    Release {
        permit: Permit,
        target: Target,
        row: Box<Release>,
    },
    Write(Record),
    Tell(Event),
}

/// What has come of this life's releases so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub released: usize,
    pub saved: SignedDuration,
    pub already_ended: usize,
    /// Ended for good, and not by us.
    pub failed: usize,
}

impl Tally {
    pub(super) fn count(&mut self, release: &Release) {
        match release.outcome {
            Outcome::Confirmed => {
                self.released += 1;
                self.saved = self.saved.saturating_add(release.saved_runtime.unwrap_or_default());
            }
            Outcome::AlreadyEnded => self.already_ended += 1,
            Outcome::Requested | Outcome::Denied | Outcome::Failed | Outcome::Stuck => self.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::{at, mins, release};

    #[test]
    fn each_release_that_has_come_to_its_end_is_counted_by_how() {
        let mut tally = Tally::default();
        let ended = |outcome| Release { outcome, saved_runtime: Some(mins(5)), ..release("a", at(0)) };
        for outcome in [Outcome::Confirmed, Outcome::AlreadyEnded, Outcome::Failed].repeat(2) {
            tally.count(&ended(outcome));
        }
        assert_eq!(tally, Tally { released: 2, saved: mins(10), already_ended: 2, failed: 2 });
    }
}
