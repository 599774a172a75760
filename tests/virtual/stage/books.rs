//! What the shipped ledger says of one account, read as an operator's command would read it.

use std::collections::{BTreeMap, BTreeSet};

use session_reaper::domain::name::{AccountName, PolicyName, SessionId};
use session_reaper::domain::release::{Release, Releases};
use session_reaper::domain::time::Timestamp;
use session_reaper::domain::verdict::Limit;
use session_reaper::ledger::Reader;

/// One account's books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// A row for each life of a session.
    pub releases: BTreeMap<(SessionId, Option<SessionId>), Release>,
    pub would_release: BTreeSet<(SessionId, PolicyName, Limit)>,
}

impl Books {
    pub(crate) fn read(reader: &Reader, account: &AccountName, now: Timestamp) -> Self {
        let rows = reader.releases(&Releases::latest(usize::MAX)).expect("the books can be read");
        let recall = reader.recall(account, now).expect("the books can be read");
        Self {
            releases: rows.into_iter().map(|row| ((row.id.clone(), row.life.clone()), row)).collect(),
            would_release: recall.would_release.into_iter().collect(),
        }
    }

    /// The rows of each session, and those of the agent sessions that each browser was part of.
    pub(crate) fn by_part(&self) -> BTreeMap<&SessionId, Vec<&Release>> {
        let mut by_part: BTreeMap<&SessionId, Vec<&Release>> = BTreeMap::new();
        for row in self.releases.values() {
            let ids: BTreeSet<&SessionId> = [Some(&row.id), row.parts.browser.as_ref()].into_iter().flatten().collect();
            ids.into_iter().for_each(|id| by_part.entry(id).or_default().push(row));
        }
        by_part
    }

    /// The rows of one session, a life each.
    pub(crate) fn of<'a>(&'a self, id: &'a SessionId) -> impl Iterator<Item = &'a Release> {
        self.releases.values().filter(move |row| row.id == *id)
    }
}
