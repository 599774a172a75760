//! What people and programs are shown: the JSON of `plan`, `explain` and the API. Fields may be added, never renamed.

mod report;
pub mod said;

use serde::Serialize;
use serde_json::Value;

use crate::domain::activity::Question;
use crate::domain::event::PollOutcome;
use crate::domain::hold::Hold;
use crate::domain::name::{AccountName, Kind, PolicyName, Provider, SessionId, words};
use crate::domain::release::{Outcome, Release};
use crate::domain::time::{SignedDuration, Timestamp, in_seconds, maybe_stamp, stamp};
use crate::domain::verdict::{Limit, VerdictWord};

pub use report::{Coverage, Forecast, ForecastPart, ForecastRow, Gap, Leaker, Overrun, Report, ReportRow};

words! {
    /// Whether the program may release.
    Mode {
        Observe = "observe",
        Enforce = "enforce",
    }
}

words! {
    /// What a shadow policy would change about a session if it were in force.
    Change {
        /// It is not due, and would be.
        WouldRelease = "would_release",
        /// It is due, and would not be.
        WouldSpare = "would_spare",
    }
}

/// `plan`, and `/api/v1/sessions`.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    #[serde(with = "stamp")]
    pub at: Timestamp,
    pub mode: Mode,
    pub accounts: Vec<AccountView>,
    pub sessions: Vec<SessionView>,
    /// Every budget, by group, as it stands.
    pub budgets: Vec<BudgetView>,
    /// Every policy, in order.
    pub policies: Vec<PolicyView>,
}

/// One policy, and what is live of what it governs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyView {
    pub name: PolicyName,
    pub protect: bool,
    pub limits: Vec<LimitView>,
    /// It governs nothing and releases nothing: `sessions` are those that it would govern.
    pub shadow: bool,
    pub sessions: usize,
    /// Of these, the ones that are due now.
    pub due: usize,
    /// Of a shadow policy: how many more it would release now, and how many it would spare.
    pub would_release: usize,
    pub would_spare: usize,
}

/// A limit as its policy has it, in a few words: `2h, by tag ttl up to 6h`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitView {
    pub limit: Limit,
    pub value: String,
}

/// What one group of an account's sessions has of a policy's budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetView {
    pub account: AccountName,
    pub policy: PolicyName,
    /// A shadow policy's: nothing is released for it.
    pub shadow: bool,
    /// What is counted apart: `metadata.team`; null where all count together.
    pub per: Option<String>,
    /// Null for the sessions without that, and where all count together.
    pub group: Option<String>,
    /// `day`, `week` or `month`.
    pub every: &'static str,
    /// The period now running.
    #[serde(with = "stamp")]
    pub from: Timestamp,
    #[serde(with = "stamp")]
    pub until: Timestamp,
    #[serde(rename = "allowed_seconds", serialize_with = "in_seconds")]
    pub allowed: SignedDuration,
    #[serde(rename = "spent_seconds", serialize_with = "in_seconds")]
    pub spent: SignedDuration,
    #[serde(rename = "left_seconds", serialize_with = "in_seconds")]
    pub left: SignedDuration,
    /// When it was found spent, or will be if all that run go on; null where it will last.
    #[serde(with = "maybe_stamp")]
    pub spent_at: Option<Timestamp>,
}

/// What a shadow policy says of a session that it would govern.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShadowView {
    pub policy: PolicyName,
    pub verdict: VerdictWord,
    pub limit: Option<Limit>,
    #[serde(with = "maybe_stamp")]
    pub deadline: Option<Timestamp>,
    /// Null where it would change nothing now.
    pub change: Option<Change>,
    pub reason: String,
}

/// One account, in `plan` and in `/api/v1/accounts`.
#[derive(Clone, Debug, Serialize)]
pub struct AccountView {
    pub name: AccountName,
    pub provider: Provider,
    pub mode: Mode,
    /// How the last listing went; null before the first.
    pub listing: Option<PollOutcome>,
    pub live: usize,
    pub rejected_rows: usize,
    /// What was wrong with the last listing; null where nothing was.
    pub error: Option<String>,
    #[serde(with = "maybe_stamp")]
    pub last_complete_at: Option<Timestamp>,
    /// The last fault met, whether or not the account has recovered since.
    pub last_error: Option<String>,
    pub clock_skew_seconds: f64,
    pub paused: bool,
    pub paused_reason: Option<String>,
    /// `max_release_fraction` has tripped.
    pub tripped: bool,
    /// What its running sessions cost together; null where nobody watches it.
    pub cost_per_hour: Option<f64>,
    pub currency: String,
}

/// One live session.
#[derive(Clone, Debug, Serialize)]
pub struct SessionView {
    pub account: AccountName,
    pub provider: Provider,
    pub id: SessionId,
    pub kind: Kind,
    /// The browser of an agent session, beside the session's own id.
    pub browser: Option<SessionId>,
    pub status: String,
    pub region: Option<String>,
    pub keep_alive: Option<bool>,
    pub metadata: Value,
    #[serde(with = "stamp")]
    pub created_at: Timestamp,
    #[serde(with = "maybe_stamp")]
    pub started_at: Option<Timestamp>,
    #[serde(with = "maybe_stamp")]
    pub expires_at: Option<Timestamp>,
    pub age_seconds: f64,
    /// The last activity that is proven; null where none is.
    #[serde(with = "maybe_stamp")]
    pub last_active_at: Option<Timestamp>,
    pub verdict: VerdictWord,
    pub policy: Option<PolicyName>,
    pub limit: Option<Limit>,
    #[serde(with = "maybe_stamp")]
    pub deadline: Option<Timestamp>,
    /// The first hold that keeps a due session; null where none does, or the session is not due.
    pub hold: Option<Hold>,
    /// The verdict, and the hold if there is one, as a sentence.
    pub reason: String,
    /// How far its release has come, where one was requested.
    pub release: Option<Outcome>,
    /// What the shadow policies say that would govern it.
    pub shadows: Vec<ShadowView>,
}

/// `explain SESSION` for a live session.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub session: SessionView,
    pub policies: Vec<PolicyCheck>,
    pub limits: Vec<LimitCheck>,
    /// What the provider was asked about its activity, or told unasked; empty where nothing was.
    pub evidence: Vec<EvidenceView>,
    pub hold: Option<HoldView>,
    /// Every hold that applies, the shown one first.
    pub holds: Vec<HoldView>,
    pub release: Option<Release>,
}

/// One question about a session's activity, and its answer.
#[derive(Clone, Debug, Serialize)]
pub struct EvidenceView {
    pub asked: Question,
    #[serde(with = "maybe_stamp")]
    pub asked_at: Option<Timestamp>,
    /// `active`, `quiet` or `unknown`; null where the answer decides nothing by itself, as one count of bytes does.
    pub answer: Option<&'static str>,
    /// The activity, or the end of the last one.
    #[serde(with = "maybe_stamp")]
    pub at: Option<Timestamp>,
    /// The answer as a sentence.
    pub said: String,
}

/// One policy against one session.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyCheck {
    pub name: PolicyName,
    /// Null where the session's metadata could not be read, so that nobody knows.
    pub fits: Option<bool>,
    /// The first that fits governs.
    pub governs: bool,
    pub keys: Vec<KeyCheck>,
}

/// One key of a match against one session.
#[derive(Clone, Debug, Serialize)]
pub struct KeyCheck {
    pub key: String,
    pub expected: String,
    pub found: Value,
    pub fits: Option<bool>,
    /// Why there was nothing to find, where that is not the session's doing.
    pub note: Option<&'static str>,
}

/// One limit's arithmetic.
#[derive(Clone, Debug, Serialize)]
pub struct LimitCheck {
    pub limit: Limit,
    pub value: String,
    /// Null for a limit that is no length of time.
    pub value_seconds: Option<f64>,
    /// `policy` or `tag`.
    pub from: &'static str,
    /// The metadata key that the policy reads, where it reads one and the session has it.
    pub tag: Option<String>,
    /// Null where the session does not break the limit and no instant is known at which it will, as for a count.
    #[serde(with = "maybe_stamp")]
    pub since: Option<Timestamp>,
    #[serde(with = "maybe_stamp")]
    pub deadline: Option<Timestamp>,
    /// What is worth knowing beside the arithmetic: why a tag was not followed, what is missing.
    pub note: Option<String>,
}

/// A hold with its reason.
#[derive(Clone, Debug, Serialize)]
pub struct HoldView {
    pub hold: Hold,
    pub reason: String,
    #[serde(with = "maybe_stamp")]
    pub until: Option<Timestamp>,
}
