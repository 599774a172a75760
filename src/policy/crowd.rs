//! Limits that hang on more than one session: who counts, and in which order they go.

use std::collections::BTreeMap;

use crate::domain::activity::Activity;
use crate::domain::name::{PolicyName, SessionId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::policy::per::Group;

/// Which of several go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Oldest,
    /// The one whose last known activity is longest ago; those of which none is known come after all others, the oldest first.
    Idlest,
}

/// A running session that a policy governs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: SessionId,
    pub group: Group,
    pub since: Timestamp,
    pub last_active: Option<Timestamp>,
}

impl Order {
    /// The smallest goes first.
    pub fn key(self, member: &Member) -> (bool, Timestamp, &SessionId) {
        match (self, member.last_active) {
            (Self::Idlest, Some(active)) => (false, active, &member.id),
            (Self::Idlest, None) => (true, member.since, &member.id),
            (Self::Oldest, _) => (false, member.since, &member.id),
        }
    }

    /// The same order for sessions that all go: the smallest first.
    pub fn rank(self, session: &Session, activity: &Activity) -> Timestamp {
        match self {
            Self::Oldest => session.since(),
            Self::Idlest => activity.last_active.unwrap_or(Timestamp::MAX),
        }
    }
}

/// What is known of the limits that hang on several sessions, by policy. Instants are in the provider's time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crowds {
    /// Those over the count, since when.
    pub over: BTreeMap<(PolicyName, SessionId), Timestamp>,
    /// Those whose budget is spent, since when.
    pub spent: BTreeMap<(PolicyName, Group), Timestamp>,
}
