//! What one reading of a provider's live sessions gave. Only a complete listing can say that something is gone.

use std::collections::BTreeSet;

use crate::domain::fault::Fault;
use crate::domain::name::{Kind, SessionId};
use crate::domain::session::Session;
use crate::domain::time::{SignedDuration, Timestamp, later};

/// A row that could not be read. It is counted and shown, and the others are read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// Its id, where at least that could be read: such a session is known to be there.
    pub id: Option<SessionId>,
    /// What was wrong, without any of the row's values.
    pub why: String,
}

/// The rows of a listing, each id once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub sessions: Vec<Session>,
    pub rejected: Vec<RejectedRow>,
}

impl Rows {
    /// The sessions that are known to be there, be their rows readable or not.
    pub fn there(&self) -> impl Iterator<Item = &SessionId> {
        let live = self.sessions.iter().filter(|session| !session.status.phase.is_ended()).map(|session| &session.id);
        live.chain(self.rejected.iter().filter_map(|row| row.id.as_ref()))
    }
}

/// One reading of an account's live sessions.
#[derive(Clone, Debug, PartialEq)]
pub enum Listing {
    Complete(Complete),
    /// Some of it could not be read: what it shows is there, what it lacks may be there too.
    Partial {
        rows: Rows,
        /// What was read to its end all the same: the sessions of some kinds.
        whole: Option<Complete>,
        why: Fault,
    },
}

impl Listing {
    pub fn complete(rows: Rows) -> Self {
        Self::Complete(Complete { rows, kinds: Kind::ALL })
    }

    pub fn partial(rows: Rows, why: Fault) -> Self {
        Self::Partial { rows, whole: None, why }
    }
}

/// A listing that was read to its end: of every kind of session, or of some.
#[derive(Clone, Debug, PartialEq)]
pub struct Complete {
    rows: Rows,
    kinds: &'static [Kind],
}

impl Complete {
    /// Every session of these kinds.
    pub fn of(kinds: &'static [Kind], rows: Rows) -> Self {
        Self { rows, kinds }
    }

    /// The kinds of which it says everything.
    pub fn kinds(&self) -> &'static [Kind] {
        self.kinds
    }

    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Those of `known` that are gone: not listed, or listed as ended. Of a kind that was not read nobody is. A rejected row without an id could be any of
    /// them, so that with one nothing is gone.
    pub fn gone<'a>(&self, known: impl Iterator<Item = (&'a SessionId, Kind)>) -> Vec<SessionId> {
        if self.rows.rejected.iter().any(|row| row.id.is_none()) {
            return Vec::new();
        }
        let there: BTreeSet<&SessionId> = self.rows.there().collect();
        known.filter(|(id, kind)| self.kinds.contains(kind) && !there.contains(id)).map(|(id, _)| id.clone()).collect()
    }
}

impl ClockReading {
    /// The latest that the provider's clock can have shown when the answer was made.
    pub fn latest(&self) -> Timestamp {
        later(self.date, SignedDuration::from_secs(1))
    }
}

/// The provider's clock as one answer showed it: its `Date` header has whole seconds, so that the provider's time lay in
/// `[date, date + 1s)` at some moment between `sent` and `received` (both ours).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    pub date: Timestamp,
    pub sent: Timestamp,
    pub received: Timestamp,
}
