//! The sessions that an account has live, each with its verdict, and what is to be done about them in which order.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::activity::Activity;
use crate::domain::name::{PolicyName, SessionId};
use crate::domain::session::{Parts, Session, Target};
use crate::domain::time::{Moment, Timestamp};
use crate::domain::verdict::{Rank, Verdict};
use crate::policy::Judgement;

/// One live session.
#[derive(Clone, Debug)]
pub struct Tracked {
    pub session: Session,
    /// The browser that it was last listed with: a listing that could not read the browsers does not take it back.
    pub browser: Option<SessionId>,
    pub verdict: Verdict,
    /// What each shadow policy says that would govern it.
    pub shadows: Vec<(PolicyName, Verdict)>,
    pub activity: Activity,
    /// Ours.
    pub seen_at: Timestamp,
    /// When its provider last answered what was asked about its activity (ours).
    pub heard_at: Option<Timestamp>,
    /// When the books last heard of it (ours).
    pub written_at: Option<Timestamp>,
    /// What was wrong with its row in the last listing that had one: what stands here is from an earlier one.
    pub rejected: Option<String>,
    /// Where it stands among those to be looked at.
    look_at: Option<Timestamp>,
}

impl Tracked {
    pub fn new(session: Session, activity: Activity, now: Timestamp) -> Self {
        let browser = session.parts.browser.clone();
        Self {
            session,
            browser,
            verdict: Verdict::Unmatched,
            shadows: Vec::new(),
            activity,
            seen_at: now,
            heard_at: None,
            written_at: None,
            rejected: None,
            look_at: None,
        }
    }

    /// What has to end. Where the last listing could not read the browsers, the one that it was listed with before belongs to it still.
    pub fn target(&self) -> Target {
        let target = self.session.target();
        if !target.parts.own || target.parts.browser.is_some() {
            return target;
        }
        let parts = Parts { browser: self.browser.clone(), ..target.parts };
        Target { parts, ..target }
    }

    /// Takes in its row as it is now.
    pub fn renew(&mut self, session: Session, now: Timestamp) {
        self.browser = session.parts.browser.clone().or(self.browser.take());
        self.session = session;
        self.seen_at = now;
    }
}

/// What is to be done about the sessions, and when.
///
/// `looks` are to be judged again, in order of the provider's time: a deadline comes, a window closes, evidence is wanted. Beside that a session stands in
/// at most one of three lines: `ready` are due and wait for a permit, most overdue first; `wanting` may be idle and wait until their provider is asked;
/// `parked` wait for an instant of ours, or for somebody's word.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    live: BTreeMap<SessionId, Tracked>,
    looks: BTreeSet<(Timestamp, SessionId)>,
    ready: BTreeSet<Place>,
    wanting: BTreeSet<Place>,
    parked: BTreeMap<SessionId, Option<Timestamp>>,
    wakes: BTreeSet<(Timestamp, SessionId)>,
    /// Where in `ready` or `wanting` a session stands.
    places: BTreeMap<SessionId, Place>,
}

/// A place in line: since when it is due, then its rank.
type Place = (Timestamp, Rank, SessionId);

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

    pub fn ids(&self) -> Vec<SessionId> {
        self.live.keys().cloned().collect()
    }

    /// Puts a session into the list; its place in line is given when it is judged.
    pub fn admit(&mut self, tracked: Tracked) {
        self.live.insert(tracked.session.id.clone(), tracked);
    }

    pub fn remove(&mut self, id: &SessionId) -> Option<Tracked> {
        self.leave_line(id);
        self.look(id, None);
        self.live.remove(id)
    }

    /// Gives a session the place that follows from a judgement: one whose verdict stands keeps its own.
    pub fn place(&mut self, id: &SessionId, judgement: Judgement, now: Moment) {
        self.look(id, judgement.recheck);
        let Some(tracked) = self.live.get_mut(id) else { return };
        let stands = tracked.verdict == judgement.verdict;
        tracked.verdict = judgement.verdict;
        let due = tracked.verdict.falls_due().filter(|deadline| deadline.at <= now.theirs).map(|deadline| (deadline.at, deadline.rank, id.clone()));
        if !stands {
            self.leave_line(id);
        }
        if self.parked.contains_key(id) {
            return;
        }
        let wanted = judgement.ask_at.filter(|at| *at <= now.theirs).map(|at| (at, (false, at), id.clone()));
        if self.places.get(id) == due.as_ref().or(wanted.as_ref()) {
            return;
        }
        self.leave_line(id);
        match (due, wanted) {
            (Some(place), _) => self.stand(id, place, true),
            (None, Some(place)) => self.stand(id, place, false),
            (None, None) => {}
        }
    }

    fn stand(&mut self, id: &SessionId, place: Place, ready: bool) {
        let line = if ready { &mut self.ready } else { &mut self.wanting };
        line.insert(place.clone());
        self.places.insert(id.clone(), place);
    }

    /// A due session has to wait for evidence first.
    pub fn want(&mut self, id: &SessionId, since: Timestamp) {
        self.leave_line(id);
        self.stand(id, (since, (false, since), id.clone()), false);
    }

    /// When a session is judged again; nothing where only news can change anything.
    pub fn look(&mut self, id: &SessionId, at: Option<Timestamp>) {
        let Some(tracked) = self.live.get_mut(id) else { return };
        if let Some(before) = std::mem::replace(&mut tracked.look_at, at) {
            self.looks.remove(&(before, id.clone()));
        }
        if let Some(at) = at {
            self.looks.insert((at, id.clone()));
        }
    }

    /// As [`Self::look`], where that is sooner than what stands.
    pub fn look_by(&mut self, id: &SessionId, at: Timestamp) {
        let known = self.live.get(id).and_then(|tracked| tracked.look_at);
        self.look(id, Some(known.map_or(at, |known| known.min(at))));
    }

    /// Takes a session out of the line; it stays in the list.
    pub fn leave_line(&mut self, id: &SessionId) {
        if let Some(place) = self.places.remove(id) {
            self.ready.remove(&place);
            self.wanting.remove(&place);
        }
        self.unpark(id);
    }

    /// Has a session judged again at the next look, and stand in line anew by what that gives.
    pub fn rejoin(&mut self, id: &SessionId) {
        self.leave_line(id);
        self.look(id, Some(Timestamp::MIN));
    }

    /// A session waits until an instant of ours, or for somebody's word.
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

    /// Those that are to be judged again now: their time has come, or they have waited long enough.
    pub fn due_for_a_look(&mut self, now: Moment) -> Vec<SessionId> {
        while let Some((until, id)) = self.wakes.first().cloned().filter(|(until, _)| *until <= now.ours) {
            self.wakes.remove(&(until, id.clone()));
            self.rejoin(&id);
        }
        let mut ids = Vec::new();
        while let Some((_, id)) = self.looks.first().cloned().filter(|(at, _)| *at <= now.theirs) {
            self.look(&id, None);
            ids.push(id);
        }
        ids
    }

    /// The most overdue session that waits for a permit.
    pub fn most_overdue(&self) -> Option<&SessionId> {
        self.ready.first().map(|(_, _, id)| id)
    }

    /// The session that has waited longest for its provider to be asked.
    pub fn most_wanting(&self) -> Option<&SessionId> {
        self.wanting.first().map(|(_, _, id)| id)
    }

    /// How many are due and wait for a permit.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// When something here changes by itself, in our time.
    pub fn next_at(&self, now: Moment) -> Option<Timestamp> {
        let look = self.looks.first().map(|(at, _)| now.ours_at(*at));
        let wake = self.wakes.first().map(|(at, _)| *at);
        look.into_iter().chain(wake).min()
    }

    fn unpark(&mut self, id: &SessionId) {
        if let Some(Some(until)) = self.parked.remove(id) {
            self.wakes.remove(&(until, id.clone()));
        }
    }
}
