//! What happened, told once: telemetry makes each a log line and a metric.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::activity::Finding;
use crate::domain::fault::Fault;
use crate::domain::hold::Hold;
use crate::domain::name::{AccountName, Kind, PolicyName, Provider, SessionId, words};
use crate::domain::release::{Release, RequestOutcome};
use crate::domain::time::{SignedDuration, Timestamp};
use crate::domain::verdict::{Limit, VerdictWord};
use crate::domain::view::{BudgetView, Change};

words! {
    /// How a poll went.
    PollOutcome {
        Complete = "complete",
        Partial = "partial",
        Failed = "failed",
    }
}

words! {
    /// A call to a provider.
    Operation {
        List = "list",
        Read = "read",
        Release = "release",
        /// Asking about a session's activity.
        Evidence = "evidence",
    }
}

/// Something that happened to one account.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub account: AccountName,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// One HTTP request to the provider; `status` is the status code, or the fault's word where there was none.
    Called { operation: Operation, status: String, took: SignedDuration },
    /// A poll came to its end. `at` is ours; `live` counts the rows that were read.
    Polled { outcome: PollOutcome, at: Timestamp, live: usize, rejected: usize, fault: Option<Fault> },
    /// The provider's clock minus ours, where it is worth applying, else zero.
    Skew { skew: SignedDuration },
    /// How the account stands.
    Census(Box<Census>),
    /// The provider was asked about a session's activity.
    Heard { id: SessionId, finding: Finding },
    /// A shadow policy would have released this one now.
    ShadowWouldRelease { id: SessionId, policy: PolicyName, limit: Limit, reason: String },
    /// A tag that should be a duration is none: the policy's own limit holds. Told once per session and tag.
    TagUnreadable { id: SessionId, policy: PolicyName, tag: String, found: String, why: String },
    /// Observe mode would have released this one now.
    WouldRelease { id: SessionId, policy: PolicyName, limit: Limit, reason: String },
    /// A release is coming; told once per session, policy and deadline, where the policy wants that.
    Coming(Box<Coming>),
    /// A release request is about to be sent, the intent is on disk.
    Requesting { release: Box<Release> },
    /// A release request met this. `overrun` only for the first request of a session that was sent.
    Answered { release: Box<Release>, outcome: RequestOutcome, overrun: Option<SignedDuration>, fault: Option<Fault> },
    /// The provider says that it ended on our request. `took`: from the first request to the provider's word.
    Confirmed { release: Box<Release>, took: SignedDuration },
    /// It had ended before our request arrived.
    AlreadyEnded { release: Box<Release> },
    /// Not ended within `confirm_within`; tried again.
    Stuck { release: Box<Release> },
    /// The provider will not do it.
    Failed { release: Box<Release> },
    /// The account's credential is refused; it is asked again at this time (ours).
    Refused { fault: Fault, again_at: Timestamp },
    /// The whole key is silent until then (ours), as the provider asked.
    Silenced { until: Timestamp },
    /// `max_release_fraction` tripped, at this time (ours).
    Tripped { at: Timestamp, requested: usize, live: usize },
    /// The fraction holds no longer.
    Untripped { by_operator: bool },
    /// The account's budgets have more groups than are counted: those beyond count as having spent nothing.
    TooManyGroups { most: usize },
    /// A session that the provider had called ended is listed as live again.
    Reappeared { id: SessionId },
    /// An intent could not be written, so that nothing was sent.
    BooksRefused { id: SessionId, why: String },
}

/// A release that is coming, unless somebody holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Coming {
    pub provider: Provider,
    pub id: SessionId,
    pub kind: Kind,
    pub region: Option<String>,
    pub policy: PolicyName,
    pub limit: Limit,
    /// The provider's time, as in all that is told of a release.
    pub deadline: Timestamp,
    /// The deadline, or the end of an operator's hold that lasts longer.
    pub release_at: Timestamp,
    /// Why it will be due, as a sentence.
    pub reason: String,
    pub metadata: Value,
}

/// How an account stands, for its gauges: each takes the place of the one before it. Instants are ours, but for those of releases.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Census {
    /// How many sessions there are per policy and verdict.
    pub sessions: BTreeMap<(Option<PolicyName>, VerdictWord), usize>,
    /// How many due ones each hold keeps back.
    pub holds: BTreeMap<Hold, usize>,
    /// What shadow policies would change, each by itself.
    pub shadows: BTreeMap<(PolicyName, Change), usize>,
    pub budgets: Vec<BudgetView>,
    /// The last complete listing, in this life of the process or an earlier one.
    pub last_complete_at: Option<Timestamp>,
    /// `max_release_fraction` holds the account back.
    pub tripped: bool,
    /// Releases that are stuck.
    pub stuck: usize,
    /// When the one of them that was requested first was; in the provider's time.
    pub stuck_since: Option<Timestamp>,
    /// Of every policy: the last listing in which it governed a session, or would have if it were no shadow.
    pub governed: BTreeMap<PolicyName, Option<Timestamp>>,
    /// Of every limit that a policy has: when a session last fell due by it.
    pub fell_due: BTreeMap<(PolicyName, Limit), Option<Timestamp>>,
}
