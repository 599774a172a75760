//! The ledger as a model: what the engine writes, and what it is told of it when it starts again.

use std::collections::{BTreeMap, BTreeSet};

use session_reaper::domain::activity::Sign;
use session_reaper::domain::name::{PolicyName, SessionId};
use session_reaper::domain::record::{Lived, Recall, Record, Sighting};
use session_reaper::domain::release::Release;
use session_reaper::domain::session::{Metadata, Parts, Phase, Session, Status};
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::domain::verdict::Limit;
use session_reaper::engine::{Runtime, Terms};

const RECALLED_RELEASES: SignedDuration = SignedDuration::from_hours(24);
const RECALLED_SESSIONS: SignedDuration = SignedDuration::from_hours(1);
const RECALLED_ACTIVITIES: SignedDuration = SignedDuration::from_hours(24);

/// One account's books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// A row for each life of a session.
    pub releases: BTreeMap<(SessionId, Option<SessionId>), Release>,
    pub would_release: BTreeSet<(SessionId, PolicyName, Limit)>,
    pub tripped_at: Option<Timestamp>,
    pub shadowed: BTreeSet<(SessionId, PolicyName, Limit)>,
    seen: BTreeMap<SessionId, Sighting>,
    gone: BTreeMap<SessionId, Timestamp>,
    pub allowance_opened_at: Option<Timestamp>,
    last_complete_at: Option<Timestamp>,
}

impl Books {
    /// A row that is final keeps its outcome.
    pub(crate) fn enter(&mut self, row: Release) {
        let known = self.releases.get(&(row.id.clone(), row.life.clone()));
        if known.is_none_or(|known| !known.outcome.is_final() || known.outcome == row.outcome) {
            self.releases.insert((row.id.clone(), row.life.clone()), row);
        }
    }

    pub(crate) fn write(&mut self, record: Record) {
        match record {
            Record::Release(row) => self.enter(*row),
            Record::WouldRelease { id, policy, limit, shadow, .. } => {
                let counted = if shadow { &mut self.shadowed } else { &mut self.would_release };
                assert!(counted.insert((id.clone(), policy, limit)), "{id} is counted twice");
            }
            Record::Seen(sightings) => {
                for sighting in sightings {
                    self.gone.remove(&sighting.id);
                    self.seen.insert(sighting.id.clone(), sighting);
                }
            }
            Record::Gone { id, at, .. } => {
                self.gone.insert(id, at);
            }
            Record::Polled { at, .. } => self.last_complete_at = self.last_complete_at.max(Some(at)),
            // A story plays in one place.
            Record::Home { .. } => {}
            Record::Tripped { at, .. } => self.tripped_at = self.tripped_at.max(Some(at)),
            Record::Allowance { opened_at, .. } => self.allowance_opened_at = self.allowance_opened_at.max(Some(opened_at)),
        }
    }

    /// The rows of one session, a life each.
    pub(crate) fn of<'a>(&'a self, id: &'a SessionId) -> impl Iterator<Item = &'a Release> {
        self.releases.values().filter(move |row| row.id == *id)
    }

    fn seen_within(&self, length: SignedDuration, now: Timestamp) -> impl Iterator<Item = &Sighting> {
        self.seen.values().filter(move |seen| seen.seen_at >= later(now, -length))
    }

    /// The runtime that budgets count, as the ledger would tell it.
    pub(crate) fn runtime(&self, terms: &Terms, now: Timestamp) -> Runtime {
        let mut runtime = Runtime::new(terms.account.clone(), terms.provider, terms.policies.clone());
        let Some(since) = runtime.since(now) else { return runtime };
        for seen in self.seen.values() {
            let (until, over) = self.gone.get(&seen.id).map_or((seen.lived_until, false), |at| (*at, true));
            if until >= since {
                runtime.add(Lived { session: as_seen(seen), until, over }, now);
            }
        }
        runtime
    }

    pub(crate) fn recall(&self, now: Timestamp) -> Recall {
        let recent = |at: Timestamp| at >= later(now, -RECALLED_RELEASES);
        Recall {
            releases: self.releases.values().filter(|row| !row.is_closed() || recent(row.requested_at)).cloned().collect(),
            seen: self.seen_within(RECALLED_SESSIONS, now).map(|seen| (seen.id.clone(), seen.seen_at)).collect(),
            activities: self
                .seen_within(RECALLED_ACTIVITIES, now)
                .filter(|seen| !self.gone.contains_key(&seen.id))
                .map(|seen| (seen.id.clone(), seen.activity.clone()))
                .collect(),
            would_release: self.would_release.iter().cloned().collect(),
            shadowed: self.shadowed.iter().cloned().collect(),
            fell_due: Vec::new(),
            home: None,
            tripped_at: self.tripped_at,
            allowance_opened_at: self.allowance_opened_at,
            last_complete_at: self.last_complete_at,
        }
    }
}

/// A session as the books have it.
fn as_seen(seen: &Sighting) -> Session {
    Session {
        id: seen.id.clone(),
        kind: seen.kind,
        status: Status::new("", Phase::Completed),
        created_at: seen.created_at,
        started_at: seen.started_at,
        expires_at: seen.expires_at,
        ended_at: None,
        region: seen.region.as_deref().map(Into::into),
        keep_alive: seen.keep_alive,
        keep_alive_unlearnt: false,
        project: None,
        proxy_bytes: None,
        sign: Sign::Nothing,
        metadata: Metadata::from_json(Some(seen.metadata.clone())),
        parts: Parts::default(),
    }
}
