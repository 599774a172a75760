//! What the engine writes into the books, and what it reads back when it starts.

use serde_json::Value;

use crate::domain::activity::Activity;
use crate::domain::name::{AccountName, Kind, PolicyName, Provider, ReceiverName, SessionId};
use crate::domain::notice::Notice;
use crate::domain::release::Release;
use crate::domain::session::Session;
use crate::domain::time::{SignedDuration, Timestamp};
use crate::domain::verdict::Limit;

/// One fact for the books. Writing the same record twice changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// The whole row of a release, replacing what stood there for this account and session.
    Release(Box<Release>),
    /// Observe mode, or a shadow policy, would have released this session; once per session, policy, limit and which of the two.
    WouldRelease { account: AccountName, id: SessionId, policy: PolicyName, limit: Limit, shadow: bool, at: Timestamp },
    /// Sessions seen live, new or changed since last written.
    Seen(Vec<Sighting>),
    /// A session is over. `at`: its end as its provider says, else when it was last seen live; the provider's time.
    Gone { account: AccountName, id: SessionId, at: Timestamp },
    /// A complete listing at `at`. Where the one before it is longer ago than `gap_after`, the time between them is a gap.
    Polled { account: AccountName, at: Timestamp, gap_after: SignedDuration },
    /// The release fraction was exceeded: nothing is released on the account until the hour has rolled on or an operator resumes it.
    Tripped { account: AccountName, at: Timestamp },
    /// Where the account is now: provider, address and project. What was written before it moved is about other sessions.
    Home { account: AccountName, home: String },
    /// Something that a receiver is to be told; once written, the same id of the same receiver changes nothing.
    Notice { receiver: ReceiverName, notice: Box<Notice> },
    /// A receiver has these, or they were given up.
    Told { receiver: ReceiverName, ids: Vec<String>, at: Timestamp },
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
    /// The browser of an agent session.
    pub browser: Option<SessionId>,
    pub created_at: Timestamp,
    /// Where its age counts from; nothing while it waits for a browser.
    pub started_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub region: Option<String>,
    pub keep_alive: Option<bool>,
    pub metadata: Value,
    pub activity: Activity,
    /// Ours.
    pub seen_at: Timestamp,
    /// The same in the provider's time, in which runtime is counted.
    pub lived_until: Timestamp,
}

/// A session's runtime, as the books have it: for budgets.
#[derive(Clone, Debug, PartialEq)]
pub struct Lived {
    /// As it was last seen; what the books do not keep is as at a session of which nothing is known.
    pub session: Session,
    /// Its end, else when it was last known to be live.
    pub until: Timestamp,
    /// It is known to be over: of the others, those may live that the next listing shows.
    pub over: bool,
}

/// What the books know of one receiver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Untold {
    /// What it is still to be told, in order.
    pub notices: Vec<Notice>,
    /// Ids of what it was told lately.
    pub told: Vec<String>,
}

/// What the books know of one account when its engine starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recall {
    /// Every release that is not final, and every one requested within the last day.
    pub releases: Vec<Release>,
    /// Sessions seen live within the last hour, with the last time.
    pub seen: Vec<(SessionId, Timestamp)>,
    /// What is known of the activity of sessions that were seen within the last day, and are not known to be over.
    pub activities: Vec<(SessionId, Activity)>,
    /// What observe mode has counted already, of sessions that are not known to have been over for a day.
    pub would_release: Vec<(SessionId, PolicyName, Limit)>,
    /// What shadow policies have.
    pub shadowed: Vec<(SessionId, PolicyName, Limit)>,
    /// When a session last fell due by each limit, as far as something came of that; the provider's time.
    pub fell_due: Vec<(PolicyName, Limit, Timestamp)>,
    /// Where the account was when all this was written; nothing in books that do not say.
    pub home: Option<String>,
    pub tripped_at: Option<Timestamp>,
    pub allowance_opened_at: Option<Timestamp>,
    pub last_complete_at: Option<Timestamp>,
}
