//! Limits that hang on more than one session: who counts, and in which order they go.

use std::collections::BTreeMap;

use crate::domain::name::{PolicyName, SessionId};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Rank;
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
    /// Its release is under way: it is one of those that go, whatever the order would say of the others.
    pub leaving: bool,
}

impl Order {
    /// The smallest goes first.
    pub fn key(self, member: &Member) -> (bool, Rank, &SessionId) {
        (!member.leaving, self.rank(member.since, member.last_active), &member.id)
    }

    /// The same order for sessions that all go: the smallest first.
    pub fn rank(self, since: Timestamp, last_active: Option<Timestamp>) -> Rank {
        match (self, last_active) {
            (Self::Idlest, Some(active)) => (false, active),
            (Self::Idlest, None) => (true, since),
            (Self::Oldest, _) => (false, since),
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
