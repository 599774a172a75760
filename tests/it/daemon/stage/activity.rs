//! What is done in a session, what the provider was asked about it, and what the books remember of it.

use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{SignedDuration, Timestamp};
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::world::Request;
use session_reaper::simulator::{Act, NewSession};

use super::Stage;

/// Ten seconds old, and its client spoke to it for the first one.
pub(in crate::daemon) fn left() -> NewSession {
    NewSession { age: SignedDuration::from_secs(10), worked_for: SignedDuration::from_secs(1), ..NewSession::default() }
}

impl Stage {
    /// Somebody uses a session now; gives the instant of the world's clock.
    pub(in crate::daemon) fn act(&self, id: &SessionId, act: Act) -> Timestamp {
        let now = self.clock.now();
        self.world.with(|world| {
            assert!(world.act(id, act, now), "{id} is there for it");
            world.time(now)
        })
    }

    /// When its client last spoke to it.
    pub(in crate::daemon) fn last_command(&self, id: &SessionId) -> Timestamp {
        let now = self.clock.now();
        let last = self.world.with(|world| {
            let at = world.time(now);
            world.lives().find(|life| life.id == *id).and_then(|life| life.commands(at).last().copied())
        });
        last.expect("its client spoke to it")
    }

    /// Every request for evidence that arrived, in order.
    pub(in crate::daemon) fn evidence(&self) -> Vec<Request> {
        self.journal().into_iter().filter(|request| matches!(request.asked, Asked::Logs | Asked::Debug | Asked::Evidence)).collect()
    }

    pub(in crate::daemon) fn evidence_about(&self, id: &SessionId) -> Vec<Request> {
        self.evidence().into_iter().filter(|request| request.session.as_ref() == Some(id)).collect()
    }

    /// What the books remember of its activity; null where they do not know it.
    pub(in crate::daemon) fn remembered(&self, id: &SessionId) -> Value {
        let books = Connection::open(self.path("books.db")).expect("the books");
        let read = |row: &rusqlite::Row<'_>| row.get::<_, Option<String>>(0);
        let found = books.query_row("SELECT activity FROM sessions WHERE id = ?1", [id.as_str()], read).optional().expect("an answer");
        found.flatten().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }
}
