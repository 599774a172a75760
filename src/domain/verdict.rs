//! What a policy says of a session now.

use crate::domain::name::{PolicyName, words};
use crate::domain::time::{SignedDuration, Timestamp};

words! {
    /// A way to outstay.
    Limit {
        MaxAge = "max_age",
        Idle = "idle",
        MaxRunning = "max_running",
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
}

/// Where a limit's length came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Policy,
    /// The session's own metadata under this key.
    Tag(String),
    /// The session's own metadata asked for more than the policy's ceiling.
    Ceiling(String),
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
            Self::Keep { .. } => VerdictWord::Keep,
            Self::Until(deadline) if now >= deadline.at => VerdictWord::Due,
            Self::Until(_) => VerdictWord::Keep,
            Self::Unknown { .. } => VerdictWord::Unknown,
        }
    }

    pub fn policy(&self) -> Option<&PolicyName> {
        match self {
            Self::Unmatched => None,
            Self::Protected { policy } | Self::Keep { policy } => Some(policy),
            Self::Until(deadline) => Some(&deadline.policy),
            Self::Unknown { policy, .. } => policy.as_ref(),
        }
    }

    pub fn deadline(&self) -> Option<&Deadline> {
        match self {
            Self::Until(deadline) => Some(deadline),
            _ => None,
        }
    }
}
