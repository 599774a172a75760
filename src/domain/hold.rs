//! What keeps a due session from being released now.

use std::collections::BTreeMap;

use crate::domain::name::{AccountName, SessionId, words};
use crate::domain::time::Timestamp;

words! {
    /// A hold, in order of precedence: where several apply, the first is shown.
    Hold {
        Operator = "operator",
        Paused = "paused",
        Observe = "observe",
        MinAge = "min_age",
        Expiring = "expiring",
        MaxReleaseFraction = "max_release_fraction",
        MaxReleasesPerPoll = "max_releases_per_poll",
    }
}

/// What an operator said of one session: spare it until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorHold {
    /// Its own id, or its browser's.
    pub session: SessionId,
    pub placed_at: Timestamp,
    pub until: Timestamp,
    pub reason: String,
}

/// The kill switch, for one account or for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// `None`: every account.
    pub account: Option<AccountName>,
    pub placed_at: Timestamp,
    pub reason: String,
}

/// Everything that operators have said and not yet taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    pub holds: BTreeMap<SessionId, OperatorHold>,
    pub pauses: Vec<Pause>,
    /// The last `resume` of each account: lifts a guardrail that tripped before it.
    pub resumed_at: BTreeMap<AccountName, Timestamp>,
}

impl Orders {
    /// The pause that holds for an account, its own before the general one.
    pub fn pause(&self, account: &AccountName) -> Option<&Pause> {
        let own = self.pauses.iter().find(|pause| pause.account.as_ref() == Some(account));
        own.or_else(|| self.pauses.iter().find(|pause| pause.account.is_none()))
    }

    /// The hold in force at `now` on a session that goes by these ids; of several, the one that lasts longest.
    pub fn hold<'a>(&self, ids: impl IntoIterator<Item = &'a SessionId>, now: Timestamp) -> Option<&OperatorHold> {
        let in_force = ids.into_iter().filter_map(|id| self.holds.get(id)).filter(|hold| now < hold.until);
        in_force.max_by_key(|hold| hold.until)
    }
}
