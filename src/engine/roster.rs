//! The sessions that an account has live, each with its verdict, and the order in which they fall due.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::activity::Activity;
use crate::domain::name::SessionId;
use crate::domain::session::Session;
use crate::domain::time::{Moment, Timestamp};
use crate::domain::verdict::Verdict;
use crate::policy::Judgement;

/// One live session.
#[derive(Clone, Debug)]
pub struct Tracked {
    pub session: Session,
    /// The browser that it was last listed with: a listing that could not read the browsers does not take it back.
    pub browser: Option<SessionId>,
    pub verdict: Verdict,
    pub activity: Activity,
    /// Ours.
    pub seen_at: Timestamp,
    /// When the books last heard of it (ours).
    pub written_at: Option<Timestamp>,
    /// What was wrong with its row in the last listing that had one: what stands here is from an earlier one.
    pub rejected: Option<String>,
}

/// Where a session with a deadline stands in line.
///
/// `coming` in order of deadline, the provider's time; `ready` are due and wait for a permit, most overdue first; `parked` are due and wait for an
/// instant of ours, or for somebody's word. A session is in at most one of the three.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    live: BTreeMap<SessionId, Tracked>,
    coming: BTreeSet<(Timestamp, SessionId)>,
    ready: BTreeSet<(Timestamp, SessionId)>,
    parked: BTreeMap<SessionId, Option<Timestamp>>,
    wakes: BTreeSet<(Timestamp, SessionId)>,
}

impl Roster {
    pub fn len(&self) -> usize {
        self.live.len()
    }

    pub fn get(&self, id: &SessionId) -> Option<&Tracked> {
        self.live.get(id)
    }

    pub fn get_mut(&mut self, id: &SessionId) -> Option<&mut Tracked> {
        self.live.get_mut(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Tracked> {
        self.live.values()
    }

    /// Puts a session into the list, in line by its verdict.
    pub fn admit(&mut self, session: Session, judgement: &Judgement, now: Timestamp) {
        let id = session.id.clone();
        self.leave_line(&id);
        let (written_at, rejected, known, activity) = self
            .live
            .remove(&id)
            .map_or((None, None, None, Activity::default()), |known| (known.written_at, known.rejected, known.browser, known.activity));
        let browser = session.parts.browser.clone().or(known);
        if let Some(deadline) = judgement.verdict.deadline() {
            self.coming.insert((deadline.at, id.clone()));
        }
        self.live.insert(id, Tracked { session, browser, verdict: judgement.verdict.clone(), activity, seen_at: now, written_at, rejected });
    }

    pub fn remove(&mut self, id: &SessionId) -> Option<Tracked> {
        self.leave_line(id);
        self.live.remove(id)
    }

    /// Takes a session out of the line; it stays in the list.
    pub fn leave_line(&mut self, id: &SessionId) {
        if let Some(at) = self.deadline(id) {
            self.coming.remove(&(at, id.clone()));
            self.ready.remove(&(at, id.clone()));
        }
        self.unpark(id);
    }

    /// Puts a session back into line, from wherever it stands: a due one is ready at the next look.
    pub fn rejoin(&mut self, id: &SessionId) {
        self.leave_line(id);
        if let Some(at) = self.deadline(id) {
            self.coming.insert((at, id.clone()));
        }
    }

    /// A due session waits until an instant of ours, or for somebody's word.
    pub fn park(&mut self, id: &SessionId, until: Option<Timestamp>) {
        self.leave_line(id);
        self.parked.insert(id.clone(), until);
        if let Some(until) = until {
            self.wakes.insert((until, id.clone()));
        }
    }

    /// Somebody's word may have changed everything: all that wait are asked anew.
    pub fn unpark_all(&mut self) {
        let parked: Vec<SessionId> = self.parked.keys().cloned().collect();
        parked.iter().for_each(|id| self.rejoin(id));
    }

    /// Moves what has fallen due, and what has waited long enough, to the ready ones. Gives whether anything moved.
    pub fn promote(&mut self, now: Moment) -> bool {
        while let Some((until, id)) = self.wakes.first().cloned().filter(|(until, _)| *until <= now.ours) {
            self.wakes.remove(&(until, id.clone()));
            self.rejoin(&id);
        }
        let waiting = self.ready.len();
        while let Some(first) = self.coming.first().cloned().filter(|(at, _)| *at <= now.theirs) {
            self.coming.remove(&first);
            self.ready.insert(first);
        }
        self.ready.len() > waiting
    }

    /// The most overdue session that waits for a permit.
    pub fn most_overdue(&self) -> Option<&SessionId> {
        self.ready.first().map(|(_, id)| id)
    }

    /// Takes the most overdue session out of the line.
    pub fn drop_most_overdue(&mut self) {
        self.ready.pop_first();
    }

    /// When something here changes by itself, in our time.
    pub fn next_at(&self, now: Moment) -> Option<Timestamp> {
        let deadline = self.coming.first().map(|(at, _)| now.ours_at(*at));
        let wake = self.wakes.first().map(|(at, _)| *at);
        deadline.into_iter().chain(wake).min()
    }

    fn deadline(&self, id: &SessionId) -> Option<Timestamp> {
        self.live.get(id).and_then(|tracked| tracked.verdict.deadline()).map(|deadline| deadline.at)
    }

    fn unpark(&mut self, id: &SessionId) {
        if let Some(Some(until)) = self.parked.remove(id) {
            self.wakes.remove(&(until, id.clone()));
        }
    }
}
