//! What a listing shows of each session, what is remembered of it, and when it is over.

use crate::domain::activity::Activity;
use crate::domain::event::What;
use crate::domain::listing::Rows;
use crate::domain::name::SessionId;
use crate::domain::record::{Lived, Record, Sighting};
use crate::domain::session::{Parts, Phase, Session};
use crate::domain::time::{SignedDuration, Timestamp, floor_millis, later};
use crate::engine::flight::Step;
use crate::engine::roster::Tracked;
use crate::engine::{Done, Engine};
use crate::evidence::sight;

/// Polls without a sighting after which a session is no longer judged, and the least time that takes.
const STALE_AFTER_POLLS: i32 = 3;
const STALE_AFTER_AT_LEAST: SignedDuration = SignedDuration::from_mins(2);

/// The books hear of a session that does not change this often.
const SIGHTING_INTERVAL: SignedDuration = SignedDuration::from_mins(10);

impl Engine {
    /// Takes in the rows that could be read.
    pub(super) fn sight(&mut self, rows: &Rows, sent_at: Timestamp, now: Timestamp) {
        let mut sightings = Vec::new();
        for session in &rows.sessions {
            if self.is_done(session, sent_at) || session.status.phase.is_ended() {
                continue;
            }
            self.rails.arrived(&session.id);
            if self.track(session, now) {
                sightings.push(self.sighting(session, now));
            }
        }
        if !sightings.is_empty() {
            self.write(Record::Seen(sightings));
        }
        for row in &rows.rejected {
            if let Some(tracked) = row.id.as_ref().and_then(|id| self.roster.get_mut(id)) {
                tracked.rejected = Some(row.why.clone());
            }
        }
    }

    /// A session that the provider has called ended stays ended; one that is listed long after is worth a word.
    fn is_done(&mut self, session: &Session, sent_at: Timestamp) -> bool {
        let lag = self.rails.settings().confirm_within;
        let Some(done) = self.done.get_mut(&session.id).filter(|done| session.parts.are_within(&done.parts)) else { return false };
        let news = !done.reappeared && session.status.phase == Phase::Running && sent_at > later(done.at, lag);
        if news {
            done.reappeared = true;
            self.tell(What::Reappeared { id: session.id.clone() });
        }
        true
    }

    /// Says whether the books should hear of it.
    fn track(&mut self, session: &Session, now: Timestamp) -> bool {
        let (theirs, shown_at) = (self.moment(now).theirs, self.polling.shown_at);
        let complete_before = self.polling.complete_from;
        let known = self.roster.get(&session.id);
        let was_out_of_sight = known.is_some_and(|known| self.is_out_of_sight(known, now));
        let same_for_the_books = known.is_some_and(|known| {
            let Session { expires_at, started_at, parts, status, .. } = &known.session;
            *expires_at == session.expires_at && *started_at == session.started_at && *parts == session.parts && status.phase == session.status.phase
        });
        let is_new = known.is_none();
        // Another life under the same id: the one before it is over.
        let before = known.filter(|known| known.session.parts.life() != session.parts.life() && known.session.parts.life().is_some());
        let is_another_life = before.is_some();
        if let Some((session, seen_at)) = before.map(|known| (known.session.clone(), known.seen_at)) {
            self.has_run(session, self.moment(seen_at).theirs, now);
        }
        if is_new {
            let activity = self.remembered.remove(&session.id).unwrap_or_default();
            self.runtime.lives(session, theirs);
            self.roster.admit(Tracked::new(session.clone(), activity, now));
        }
        let Some(tracked) = self.roster.get_mut(&session.id) else { return false };
        if is_another_life {
            (tracked.activity, tracked.heard_at) = (Activity::default(), None);
        }
        let moved = tracked.session.expires_at != session.expires_at;
        let same = *session == tracked.session;
        tracked.renew(session.clone(), now);
        tracked.rejected = None;
        let did_something = sight(&mut tracked.activity, session, complete_before, shown_at);
        let write = !same_for_the_books || did_something || tracked.written_at.is_none_or(|written| later(written, SIGHTING_INTERVAL) <= now);
        if write {
            tracked.written_at = Some(now);
        }
        if moved || was_out_of_sight {
            self.roster.leave_line(&session.id);
        }
        if !same || did_something || is_new || was_out_of_sight {
            self.look_at_again(&session.id, now);
        }
        write
    }

    /// The release under way is of an earlier life of the session.
    pub(super) fn is_of_another_life(&self, tracked: &Tracked) -> bool {
        self.flights.get(&tracked.session.id).is_some_and(|flight| !flight.row.parts.meet(&tracked.session.parts))
    }

    /// A release of this session waits for the provider, so that the session does not wait in line.
    pub(super) fn is_under_way(&self, id: &SessionId) -> bool {
        self.flights.get(id).is_some_and(|flight| flight.step != Step::InLine)
    }

    /// Out of the list, for whatever reason; it lived until `until` (ours), for all we know.
    pub(super) fn strike_off(&mut self, id: &SessionId, until: Timestamp) -> Option<Tracked> {
        self.told_tags.remove(id);
        self.rails.left(id.clone(), until);
        self.recount_wanted = true;
        self.roster.remove(id)
    }

    /// A session is over: since `ended_at`, as its provider says, else since it was last seen.
    pub(super) fn depart(&mut self, id: &SessionId, ended_at: Option<Timestamp>, now: Timestamp) {
        let Some(seen_at) = self.roster.get(id).map(|tracked| tracked.seen_at) else { return };
        let at = ended_at.unwrap_or(self.moment(seen_at).theirs);
        let until = ended_at.map_or(seen_at, |at| self.moment(now).ours_at(at).min(now));
        let Some(tracked) = self.strike_off(id, until) else { return };
        self.has_run(tracked.session, at, now);
        self.write(Record::Gone { account: self.terms.account.clone(), id: id.clone(), at });
    }

    /// What a session that is over has run counts on; one that never ran has spent nothing.
    fn has_run(&mut self, session: Session, until: Timestamp, now: Timestamp) {
        if session.status.phase == Phase::Running {
            self.runtime.add(Lived { session, until, over: true }, self.moment(now).theirs);
        }
    }

    /// A session over: out of the list, and never taken for a new one.
    pub(super) fn close(&mut self, id: &SessionId, parts: Parts, ended_at: Option<Timestamp>, now: Timestamp) {
        if self.roster.get(id).is_some() {
            self.depart(id, ended_at, now);
        }
        self.done.insert(id.clone(), Done { at: now, parts, reappeared: false });
        self.census.dirty = true;
    }

    /// What we know of a session is too old to judge it by: its row cannot be read any more, or no listing has shown it for long.
    pub(super) fn is_out_of_sight(&self, tracked: &Tracked, now: Timestamp) -> bool {
        let bound = (self.terms.poll_interval * STALE_AFTER_POLLS).max(STALE_AFTER_AT_LEAST);
        tracked.rejected.is_some() || later(tracked.seen_at, bound) < now
    }

    pub(super) fn sighting(&self, session: &Session, now: Timestamp) -> Sighting {
        Sighting {
            account: self.terms.account.clone(),
            provider: self.terms.provider,
            id: session.id.clone(),
            kind: session.kind,
            browser: session.parts.browser.clone(),
            created_at: session.created_at,
            // What waits for a browser has not begun to run, whatever the row says.
            started_at: (session.status.phase != Phase::Pending).then(|| session.since()),
            expires_at: session.expires_at,
            region: session.region.as_deref().map(ToOwned::to_owned),
            keep_alive: session.keep_alive,
            metadata: session.metadata.to_json(),
            activity: self.roster.get(&session.id).map(|tracked| tracked.activity.clone()).unwrap_or_default(),
            seen_at: now,
            lived_until: floor_millis(self.moment(now).theirs),
        }
    }
}
