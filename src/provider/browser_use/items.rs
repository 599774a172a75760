//! What the inventories hold, in our words.

use crate::domain::activity::Sign;
use crate::domain::name::SessionId;
use crate::domain::session::{Metadata, Status};
use crate::domain::time::Timestamp;

/// One row, judged.
#[derive(Debug)]
pub(super) enum Row<T> {
    Read(T),
    Rejected(Rejected),
}

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    pub(super) id: Option<SessionId>,
    pub(super) owner: Owner,
    /// What was wrong, without any of the row's values.
    pub(super) why: String,
}

/// The agent session that a row belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    None,
    Agent(SessionId),
    /// It could not be read: any agent session may be it.
    Unknown,
}

/// What has an id of its own in an inventory.
pub(super) trait Item {
    fn id(&self) -> &SessionId;

    /// When it ended, where that can be told of the likes of it.
    fn ended_at(&self) -> Option<Timestamp> {
        None
    }
}

/// A browser: what bills, on its own or for an agent session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Browser {
    pub(super) id: SessionId,
    /// The agent session that opened it.
    pub(super) agent: Option<SessionId>,
    pub(super) status: Status,
    pub(super) started_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) proxy_bytes: Option<u64>,
    pub(super) metadata: Metadata,
}

/// An agent session; under v4 a conversation as its latest run shows it, or that run alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Agent {
    pub(super) id: SessionId,
    /// As it is without a browser.
    pub(super) status: Status,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) updated_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) keep_alive: Option<bool>,
    pub(super) proxy_bytes: Option<u64>,
    /// The latest run, under v4.
    pub(super) run: Option<SessionId>,
    /// What its status says of its being at work.
    pub(super) sign: Sign,
}

/// What its owner wrote on a task, under v2.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Task {
    pub(super) id: SessionId,
    pub(super) agent: SessionId,
    pub(super) created_at: Timestamp,
    pub(super) metadata: Metadata,
}

/// A task, a run or a message of an agent session, of which nothing is read but what it says of the session's activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deed {
    pub(super) id: SessionId,
    pub(super) sign: Sign,
}

impl Item for Browser {
    fn id(&self) -> &SessionId {
        &self.id
    }
}

impl Item for Agent {
    fn id(&self) -> &SessionId {
        &self.id
    }

    /// v3 and v4 name no instant for it; the last change of what has ended is the nearest that they give.
    fn ended_at(&self) -> Option<Timestamp> {
        self.finished_at.or(self.updated_at).filter(|_| self.status.phase.is_ended())
    }
}

impl Item for Deed {
    fn id(&self) -> &SessionId {
        &self.id
    }
}

impl Item for Task {
    fn id(&self) -> &SessionId {
        &self.id
    }
}
