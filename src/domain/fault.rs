//! What can go wrong between us and a provider, sorted by what to do next.

use std::fmt;

use crate::domain::name::words;
use crate::domain::time::SignedDuration;

words! {
    /// The kind of a provider fault; doubles as the `status` label where there was no HTTP status.
    FaultKind {
        /// 401: the credential is refused.
        Unauthorized = "unauthorized",
        /// 403: the credential lacks a right.
        Forbidden = "forbidden",
        /// 402: the provider wants money first.
        PaymentRequired = "payment_required",
        /// 404 or 410: there is nothing under this address.
        NotFound = "not_found",
        /// 429.
        Throttled = "throttled",
        /// 429 that speaks of concurrent sessions, not of requests: it asks nobody for silence.
        AtCapacity = "at_capacity",
        /// Any other 4xx: the provider will not do this, and repeating it changes nothing.
        Rejected = "rejected",
        /// 5xx and 408: the provider failed; what we asked may or may not have happened.
        Unavailable = "unavailable",
        /// 3xx: never followed, the credential would go along.
        Redirected = "redirected",
        /// No answer within `request_timeout`.
        TimedOut = "timed_out",
        /// No connection, or one that broke before the answer was whole.
        Disconnected = "disconnected",
        /// An answer that is not what the provider's documentation promises.
        Unreadable = "unreadable",
        /// An answer beyond the size that we read.
        TooLarge = "too_large",
    }
}

/// A call that did not give what it was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    pub status: Option<u16>,
    /// A sentence for people, already redacted and short.
    pub detail: String,
    /// How long the provider wants the whole key to be silent.
    pub retry_after: Option<SignedDuration>,
}

impl Fault {
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, status: None, detail: detail.into(), retry_after: None }
    }

    /// The provider refuses this credential: ask rarely, and be loud.
    pub const fn is_refusal(&self) -> bool {
        matches!(self.kind, FaultKind::Unauthorized | FaultKind::Forbidden)
    }

    /// The provider wants the whole key to be silent for a while, whatever else it says.
    pub const fn asks_for_silence(&self) -> bool {
        matches!(self.kind, FaultKind::Throttled) || self.retry_after.is_some()
    }

    /// The request may have been applied although no answer says so.
    pub const fn leaves_doubt(&self) -> bool {
        matches!(self.kind, FaultKind::Unavailable | FaultKind::TimedOut | FaultKind::Disconnected | FaultKind::Unreadable | FaultKind::TooLarge)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{status}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}
