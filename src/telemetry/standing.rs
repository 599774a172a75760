//! What was last told of each account. The first fault is news, the same fault again is not, and recovery is news.

use std::collections::BTreeMap;

use crate::domain::event::{Event, PollOutcome, What};
use crate::domain::fault::FaultKind;
use crate::domain::name::AccountName;
use crate::domain::time::SignedDuration;

/// How an event relates to what was told before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Not told before, or different from what was.
    New,
    /// The same trouble again, or all well as before.
    Same,
    /// Trouble told before is over.
    Recovered,
}

#[derive(Debug, Default)]
pub(super) struct Standings(BTreeMap<AccountName, Standing>);

#[derive(Debug, Default)]
struct Standing {
    polled: Option<Poll>,
    skewed: bool,
    /// The books did not take its last intent.
    refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Poll {
    outcome: PollOutcome,
    fault: Option<(FaultKind, Option<u16>)>,
    rejected: usize,
}

impl Poll {
    fn is_well(self) -> bool {
        self.outcome == PollOutcome::Complete && self.rejected == 0
    }
}

impl Standings {
    pub(super) fn take_in(&mut self, event: &Event) -> News {
        match &event.what {
            What::Polled { outcome, rejected, fault, .. } => {
                let fault = fault.as_ref().map(|fault| (fault.kind, fault.status));
                self.of(event).polled(Poll { outcome: *outcome, fault, rejected: *rejected })
            }
            What::Skew { skew } => self.of(event).skewed(*skew),
            What::BooksRefused { .. } => self.of(event).refused(true),
            What::Requesting { .. } => self.of(event).refused(false),
            _ => News::New,
        }
    }

    pub(super) fn forget_all_but(&mut self, stays: impl Fn(&AccountName) -> bool) {
        self.0.retain(|name, _| stays(name));
    }

    fn of(&mut self, event: &Event) -> &mut Standing {
        self.0.entry(event.account.clone()).or_default()
    }
}

impl Standing {
    fn polled(&mut self, poll: Poll) -> News {
        match self.polled.replace(poll) {
            Some(before) if before == poll => News::Same,
            Some(_) if poll.is_well() => News::Recovered,
            _ => News::New,
        }
    }

    /// Every due session is refused again each second, for as long as the disk takes nothing.
    fn refused(&mut self, refused: bool) -> News {
        if std::mem::replace(&mut self.refused, refused) && refused { News::Same } else { News::New }
    }

    /// The skew's exact length changes with every answer; that there is one is news.
    fn skewed(&mut self, skew: SignedDuration) -> News {
        let before = std::mem::replace(&mut self.skewed, !skew.is_zero());
        match (before, self.skewed) {
            (false, true) => News::New,
            (true, false) => News::Recovered,
            _ => News::Same,
        }
    }
}
