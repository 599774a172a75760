//! One release, as the books keep it.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::domain::name::{AccountName, Kind, PolicyName, Provider, SessionId, words};
use crate::domain::session::Parts;
use crate::domain::time::{SignedDuration, Timestamp, in_seconds, maybe_in_seconds, maybe_stamp, stamp};
use crate::domain::verdict::Limit;

words! {
    /// How far a release has come, or how it ended.
    Outcome {
        /// The intent is on disk; the provider may or may not have been told.
        Requested = "requested",
        /// The provider says that the session ended, after and because of our request.
        Confirmed = "confirmed",
        /// The session had ended before our request arrived: nothing was saved.
        AlreadyEnded = "already_ended",
        /// The provider refuses our credential for this.
        Denied = "denied",
        /// The provider will not do it, or the session outlived our request and ran into its own end.
        Failed = "failed",
        /// Accepted, and not ended within `confirm_within`.
        Stuck = "stuck",
    }
}

impl Outcome {
    /// Nothing more will come of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Confirmed | Self::AlreadyEnded)
    }
}

words! {
    /// What one release request met, as a label.
    RequestOutcome {
        Accepted = "accepted",
        AlreadyEnded = "already_ended",
        Throttled = "throttled",
        Denied = "denied",
        Failed = "failed",
    }
}

/// A release: one row of the books per account and session, written whole at each step. Instants are in the provider's time, to the millisecond.
/// As JSON it is a row of `/api/v1/releases`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Release {
    pub account: AccountName,
    pub provider: Provider,
    pub id: SessionId,
    pub kind: Kind,
    /// What has to end for the session to be over.
    #[serde(rename = "browser", serialize_with = "browser")]
    pub parts: Parts,
    /// Which life of a session that comes back under its id: see [`Parts::life`], as it was at the first request.
    #[serde(skip)]
    pub life: Option<SessionId>,
    pub region: Option<String>,
    pub policy: PolicyName,
    pub limit: Limit,
    #[serde(with = "stamp")]
    pub deadline: Timestamp,
    /// When the first request was sent; until it is, when it was about to be.
    #[serde(with = "stamp")]
    pub requested_at: Timestamp,
    /// Since when a request of ours may have ended it: an end before that is not our doing. Nothing while every request so far was turned
    /// away; one of long ago that was never accepted is forgotten with the next.
    #[serde(skip)]
    pub asked_at: Option<Timestamp>,
    #[serde(with = "maybe_stamp")]
    pub accepted_at: Option<Timestamp>,
    #[serde(with = "maybe_stamp")]
    pub confirmed_at: Option<Timestamp>,
    #[serde(with = "maybe_stamp")]
    pub ended_at: Option<Timestamp>,
    #[serde(with = "maybe_stamp")]
    pub expires_at: Option<Timestamp>,
    pub outcome: Outcome,
    /// Release requests sent, this one included.
    pub attempts: u32,
    /// From the deadline to the first request.
    #[serde(rename = "overrun_seconds", serialize_with = "in_seconds")]
    pub overrun: SignedDuration,
    /// Of a confirmed release: the provider's hard end minus its end time; nothing where the provider gave no such figures.
    #[serde(rename = "saved_runtime_seconds", serialize_with = "maybe_in_seconds")]
    pub saved_runtime: Option<SignedDuration>,
    pub saved_cost: Option<f64>,
    pub currency: String,
    /// Why it was due, as a sentence.
    pub reason: String,
    /// The last fault met on the way, redacted.
    pub fault: Option<String>,
    /// The session's tags when it fell due; `null` where they could not be read.
    pub metadata: Value,
}

/// Which releases somebody wants to see, newest first: those that were confirmed (else requested) since then, of which the first `skip` are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Releases {
    pub since: Option<Timestamp>,
    pub account: Option<AccountName>,
    pub policy: Option<PolicyName>,
    pub outcome: Option<Outcome>,
    pub skip: usize,
    pub limit: usize,
}

impl Releases {
    /// The last so many, of every account.
    pub fn latest(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }
}

/// The browser beside the session's own id.
fn browser<S: Serializer>(parts: &Parts, out: S) -> Result<S::Ok, S::Error> {
    parts.browser.serialize(out)
}

impl Release {
    /// The session is known to have ended: nothing more will come of it.
    pub const fn is_closed(&self) -> bool {
        self.outcome.is_final() || self.confirmed_at.is_some()
    }
}
