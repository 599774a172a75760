//! What a policy says of a session now.

use crate::domain::name::{PolicyName, words};
use crate::domain::time::{SignedDuration, Timestamp};

words! {
    /// A way to outstay.
    Limit {
        MaxAge = "max_age",
        Idle = "idle",
        MaxRunning = "max_running",
        Budget = "budget",
    }
}

words! {
    /// A verdict's word, as in JSON and as a label.
    VerdictWord {
        Unmatched = "unmatched",
        Protected = "protected",
        Keep = "keep",
        Due = "due",
        Unknown = "unknown",
    }
}

/// The instant at which a session breaks a limit, and the arithmetic behind it. Instants are in the provider's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub policy: PolicyName,
    pub limit: Limit,
    /// The limit's length in force, and where it came from.
    pub allowed: SignedDuration,
    pub from: Source,
    pub since: Timestamp,
    pub at: Timestamp,
    pub rank: Rank,
}

/// Of those that fall due at one instant, the smallest goes first: those of whom the instant that counts is known, then the others.
pub type Rank = (bool, Timestamp);

/// Where a limit's length came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Policy,
    /// The session's own metadata under this key.
    Tag(String),
    /// The session's own metadata asked for more than the policy's ceiling.
    Ceiling(String),
    /// The policy's count, of sessions like these.
    Count {
        count: u32,
        among: String,
    },
    /// The policy's budget for each such time, of sessions like these.
    Spent {
        every: &'static str,
        among: String,
    },
}

/// What governs a session, before asking what time it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No policy fits: not ours.
    Unmatched,
    Protected {
        policy: PolicyName,
    },
    /// Governed, with nothing to fall due: it does not bill yet.
    Keep {
        policy: PolicyName,
    },
    /// Governed, and due from this instant on.
    Until(Deadline),
    /// Governed; may be idle from `expected` on, which only evidence can tell. Due by itself at the other, later deadline, where there is one.
    Watched {
        expected: Deadline,
        by_itself: Option<Deadline>,
    },
    /// Evidence is missing, so that nothing may be done.
    Unknown {
        policy: Option<PolicyName>,
        why: String,
    },
}

impl Verdict {
    pub fn word(&self, now: Timestamp) -> VerdictWord {
        match self {
            Self::Unmatched => VerdictWord::Unmatched,
            Self::Protected { .. } => VerdictWord::Protected,
            Self::Unknown { .. } => VerdictWord::Unknown,
            Self::Keep { .. } | Self::Until(_) | Self::Watched { .. } => {
                let due = self.falls_due().is_some_and(|deadline| now >= deadline.at);
                if due { VerdictWord::Due } else { VerdictWord::Keep }
            }
        }
    }

    pub fn policy(&self) -> Option<&PolicyName> {
        match self {
            Self::Unmatched => None,
            Self::Protected { policy } | Self::Keep { policy } => Some(policy),
            Self::Until(deadline) | Self::Watched { expected: deadline, .. } => Some(&deadline.policy),
            Self::Unknown { policy, .. } => policy.as_ref(),
        }
    }

    /// The earliest instant at which it breaks a limit, as far as is known.
    pub const fn deadline(&self) -> Option<&Deadline> {
        match self {
            Self::Until(deadline) | Self::Watched { expected: deadline, .. } => Some(deadline),
            Self::Unmatched | Self::Protected { .. } | Self::Keep { .. } | Self::Unknown { .. } => None,
        }
    }

    /// The deadline at which it falls due by time alone.
    pub const fn falls_due(&self) -> Option<&Deadline> {
        match self {
            Self::Until(deadline) => Some(deadline),
            Self::Watched { by_itself, .. } => by_itself.as_ref(),
            Self::Unmatched | Self::Protected { .. } | Self::Keep { .. } | Self::Unknown { .. } => None,
        }
    }
}
