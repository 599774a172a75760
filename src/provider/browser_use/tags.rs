//! What owners write on tasks, under v2: agent sessions have no tags of their own there, and their tasks do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::paging::Read;
use super::wire::{Owner, Task};
use crate::domain::fault::Fault;
use crate::domain::name::SessionId;
use crate::domain::session::{Metadata, Session};
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::provider::unread;

/// A task may be a little older than the session that was opened for it, and may show up a little later than a younger one.
const OVERLAP: SignedDuration = SignedDuration::from_mins(1);

/// The tags of the tasks of sessions that live, from one listing to the next.
#[derive(Debug, Default)]
pub(super) struct TaskTags {
    /// The newest task seen.
    newest: Option<Timestamp>,
    /// Each session whose tasks were all read.
    sessions: BTreeMap<SessionId, Tags>,
}

/// One session's.
#[derive(Debug, Default)]
struct Tags {
    /// By key: when its task was created, and what it says.
    found: BTreeMap<String, (Timestamp, Value)>,
    /// What stands instead, where a task could not be read.
    spoilt: Option<Metadata>,
}

impl TaskTags {
    /// From when on tasks are to be asked for; nothing where no session lives.
    pub(super) fn after<'a>(&self, live: impl Iterator<Item = &'a Session>) -> Option<Timestamp> {
        let since = |session: &Session| match self.newest.filter(|_| self.sessions.contains_key(&session.id)) {
            Some(newest) => newest,
            None => session.since(),
        };
        live.map(since).min().map(|earliest| later(earliest, -OVERLAP))
    }

    /// Takes in what was asked for. Fails where a tag may be missing, and then has learnt nothing.
    pub(super) fn learn<'a>(&mut self, live: impl Iterator<Item = &'a Session>, read: Read<Task>) -> Result<(), Fault> {
        if let Some(fault) = read.lack {
            return Err(fault);
        }
        if let Some(row) = read.rejected.iter().find(|row| row.owner == Owner::Unknown) {
            return Err(unread(&format!("a task cannot be read: {}", row.why)));
        }
        let live: BTreeSet<&SessionId> = live.map(|session| &session.id).collect();
        self.sessions.retain(|id, _| live.contains(id));
        for id in live {
            self.sessions.entry(id.clone()).or_default();
        }
        for row in read.rejected {
            if let Owner::Agent(id) = row.owner {
                self.spoil(&id, Metadata::Unlearnt { why: "one of its tasks could not be read" });
            }
        }
        read.rows.into_iter().for_each(|task| self.add(task));
        Ok(())
    }

    fn spoil(&mut self, id: &SessionId, instead: Metadata) {
        if let Some(tags) = self.sessions.get_mut(id) {
            tags.spoilt = Some(instead);
        }
    }

    fn add(&mut self, task: Task) {
        self.newest = self.newest.max(Some(task.created_at));
        let Metadata::Tags(found) = task.metadata else { return self.spoil(&task.agent, task.metadata) };
        let Some(tags) = self.sessions.get_mut(&task.agent) else { return };
        for (key, value) in found {
            if tags.found.get(&key).is_none_or(|(at, _)| *at < task.created_at) {
                tags.found.insert(key, (task.created_at, value));
            }
        }
    }

    /// Adds to a session's own tags those of its tasks; its own have the first word.
    pub(super) fn apply(&self, session: &mut Session) {
        let (Metadata::Tags(own), Some(tags)) = (&mut session.metadata, self.sessions.get(&session.id)) else { return };
        for (key, (_, value)) in &tags.found {
            own.entry(key.clone()).or_insert_with(|| value.clone());
        }
        if let Some(instead) = &tags.spoilt {
            session.metadata = instead.clone();
        }
    }
}
