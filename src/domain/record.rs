//! What the engine writes into the books, and what it reads back when it starts.

use serde_json::Value;

use crate::domain::name::{AccountName, Kind, PolicyName, Provider, SessionId};
use crate::domain::release::Release;
use crate::domain::time::{SignedDuration, Timestamp};
use crate::domain::verdict::Limit;

/// One fact for the books. Writing the same record twice changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// The whole row of a release, replacing what stood there for this account and session.
    Release(Box<Release>),
    /// Observe mode would have released this session; once per session, policy and limit.
    WouldRelease { account: AccountName, id: SessionId, policy: PolicyName, limit: Limit, at: Timestamp },
    /// Sessions seen live, new or changed since last written.
    Seen(Vec<Sighting>),
    /// A complete listing at `at`. Where the one before it is longer ago than `gap_after`, the time between them is a gap.
    Polled { account: AccountName, at: Timestamp, gap_after: SignedDuration },
    /// The release fraction was exceeded: nothing is released on the account until the hour has rolled on or an operator resumes it.
    Tripped { account: AccountName, at: Timestamp },
    /// Where the account is now: provider, address and project. What was written before it moved is about other sessions.
    Home { account: AccountName, home: String },
    /// A poll opened a new allowance of `max_releases_per_poll`.
    Allowance { account: AccountName, opened_at: Timestamp },
}

/// A session as seen live at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    pub account: AccountName,
    pub provider: Provider,
    pub id: SessionId,
    pub kind: Kind,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub browser: Option<SessionId>,
    pub metadata: Value,
    pub seen_at: Timestamp,
}

/// What the books know of one account when its engine starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recall {
    /// Every release that is not final, and every one requested within the last day.
    pub releases: Vec<Release>,
    /// Sessions seen live within the last hour, with the last time.
    pub seen: Vec<(SessionId, Timestamp)>,
    /// What observe mode has counted already.
    pub would_release: Vec<(SessionId, PolicyName, Limit)>,
    /// Where the account was when all this was written; nothing in books that do not say.
    pub home: Option<String>,
    pub tripped_at: Option<Timestamp>,
    pub allowance_opened_at: Option<Timestamp>,
    pub last_complete_at: Option<Timestamp>,
}
