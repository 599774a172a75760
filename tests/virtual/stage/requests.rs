//! Every release request that left, held against the world: whether it was right, and whether the books are true about it.

use std::collections::{BTreeMap, BTreeSet};

use session_reaper::domain::name::SessionId;
use session_reaper::domain::release::{Outcome, Release};
use session_reaper::domain::session::Target;
use session_reaper::domain::time::{SignedDuration, Timestamp, between, later};
use session_reaper::guardrails::{FRACTION_FLOOR, FRACTION_WINDOW};
use session_reaper::settle::UNANSWERED_REACH;
use session_reaper::simulator::life::{End, Life};
use session_reaper::simulator::{Cause, SharedWorld, World};

use super::books::Books;
use super::face::Face;
use super::outstaying::Truth;
use super::{Permitted, Stage, watch};

/// What the world knows of who asked for what, and no provider tells.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// Whose request it was that a session ends by; nobody here stands for somebody else.
    authors: BTreeMap<SessionId, usize>,
    /// When a request of a daemon was first applied, by the world's clock.
    reached: BTreeMap<(usize, SessionId), Timestamp>,
    /// When a request of a daemon last arrived, applied or not, or would have if nobody had killed the process, by the world's clock.
    arrived: BTreeMap<(usize, SessionId), Timestamp>,
    /// Which releases were accepted, whatever came of that.
    accepted: BTreeSet<(usize, SessionId)>,
    /// Readings have called sessions unknown that were not: of several parts, the end of one may be missing.
    pub(super) readings_lie: bool,
    /// The first request of each session, by daemon, in true time.
    first: Vec<BTreeMap<SessionId, Timestamp>>,
    /// How many sessions were requested under one allowance.
    under_allowance: BTreeMap<(usize, usize), usize>,
    /// Who was asked for by a process with a wrong clock: dies it before an answer is in the books, the intent stands at a wrong time, and the end may be
    /// taken for somebody else's. That loses savings, and claims none.
    misdated: BTreeSet<(usize, SessionId)>,
    /// What was told as confirmed, in which life.
    told: BTreeSet<(usize, usize, SessionId, Option<SessionId>)>,
}

impl Requests {
    /// A confirmed release is told once in a life.
    pub(super) fn told(&mut self, node: usize, life: usize, row: &Release) {
        let news = self.told.insert((node, life, row.id.clone(), row.life.clone()));
        assert!(news, "{} is counted twice in one life of the process", row.id);
    }

    /// A release has left a process whose clock is wrong.
    pub(super) fn is_misdated(&mut self, node: usize, id: &SessionId) {
        self.misdated.insert((node, id.clone()));
    }

    /// Forgets whom the world has forgotten.
    pub(super) fn forget(&mut self, world: &World) {
        let there = |id: &SessionId| world.life(id).is_some();
        self.authors.retain(|id, _| there(id));
        self.reached.retain(|(_, id), _| there(id));
        self.arrived.retain(|(_, id), _| there(id));
        self.accepted.retain(|(_, id)| there(id));
        self.first.iter_mut().for_each(|first| first.retain(|id, _| there(id)));
        self.told.retain(|(_, _, id, _)| there(id));
        let newest = self.under_allowance.keys().map(|(_, allowance)| *allowance).max().unwrap_or_default();
        self.under_allowance.retain(|(_, allowance), _| *allowance + 1 >= newest);
    }

    /// Those parts of a target whose release nobody has asked for yet.
    pub(super) fn before(&self, world: &SharedWorld, target: &Target) -> Vec<SessionId> {
        world.with(|world| parts(world, target).filter(|life| life.release.is_none()).map(|life| life.id.clone()).collect())
    }

    /// A request that never left: its process died first, and to the next one it looks as if it had.
    pub(super) fn intended(&mut self, node: usize, permitted: &Permitted, at: Timestamp) {
        let ids = [Some(&permitted.target.id), permitted.target.parts.browser.as_ref()];
        ids.into_iter().flatten().for_each(|id| _ = self.arrived.insert((node, id.clone()), at));
    }

    pub(super) fn sent(&mut self, node: usize, permitted: &Permitted, unasked: Vec<SessionId>, world: &World, (now, accepted): (Timestamp, bool)) {
        let at = world.time(now);
        for life in parts(world, &permitted.target) {
            self.arrived.insert((node, life.id.clone()), at);
            if accepted {
                self.accepted.insert((node, life.id.clone()));
            }
        }
        let asked = parts(world, &permitted.target).filter(|life| life.release.is_some());
        for life in asked {
            if unasked.contains(&life.id) {
                self.authors.insert(life.id.clone(), node);
            }
            self.reached.entry((node, life.id.clone())).or_insert(at);
        }
        self.first.resize_with(self.first.len().max(node + 1), BTreeMap::new);
        if permitted.row.attempts == 1 && self.first[node].insert(permitted.row.id.clone(), permitted.at).is_none() {
            *self.under_allowance.entry((node, permitted.allowance)).or_default() += 1;
        }
    }
}

/// The browsers and sessions that a target means.
fn parts<'a>(world: &'a World, target: &'a Target) -> impl Iterator<Item = &'a Life> {
    let driven = world.agent(&target.id).and_then(|agent| agent.browser.as_ref());
    let ids: BTreeSet<&SessionId> = [Some(&target.id), target.parts.browser.as_ref(), driven].into_iter().flatten().collect();
    ids.into_iter().filter_map(|id| world.life(id))
}

impl Stage {
    /// A request that left was permitted by what was configured and said when the engine decided on it, and by the world's own truth.
    pub(super) fn check_release(&self, node: usize, permitted: &Permitted) {
        let Permitted { row, target, terms, orders, at, ours, .. } = permitted;
        assert!(self.nodes[node].has_intent(row), "{} is requested before its intent is in the books", row.id);
        self.world.with(|world| {
            let session = self.face.as_running(target, world);
            watch::assert_may_release(&session, terms, orders, *ours, world.time(*at));
            let haunted = !self.nodes[node].watch.haunted.is_empty();
            let (dated_from, now) = (self.nodes[node].watch.dated_from(&row.id), world.time(*at));
            Truth { terms, face: &self.face, world, dated_from, haunted, now }.assert_outstayed(row, &session);
            self.assert_within_guardrails(node, permitted, world);
        });
    }

    /// No request while the fraction is tripped, no session beyond the allowance of the last poll, and never more than the fraction of those live within
    /// the hour.
    fn assert_within_guardrails(&self, node: usize, permitted: &Permitted, world: &World) {
        let Permitted { row, terms, orders, at, ours, allowance, tripped_at, .. } = permitted;
        let id = &row.id;
        let resumed_at = orders.resumed_at.get(&terms.account).copied();
        let tripped = tripped_at.filter(|at| *ours < later(*at, FRACTION_WINDOW) && resumed_at.is_none_or(|resumed| resumed <= *at));
        assert_eq!(tripped, None, "{id} is requested although the fraction is tripped");
        if row.attempts > 1 {
            return;
        }
        let used = self.requests.under_allowance.get(&(node, *allowance)).copied().unwrap_or_default();
        assert!(used <= terms.guardrails.max_releases_per_poll as usize, "{id} is requested beyond the allowance, as the {used}.");
        let watch = &self.nodes[node].watch;
        let hour = later(*at, -(FRACTION_WINDOW + watch.blind));
        let live = self.live_since(&watch.haunted, world.time(hour), world.time(*at), world);
        let resumed_at = resumed_at.map_or(Timestamp::MIN, |resumed| later(resumed, -self.nodes[node].clock_off));
        let requested = self.requests.first[node].values().filter(|at| **at > later(permitted.at, -FRACTION_WINDOW) && **at > resumed_at).count();
        let allowed = live as f64 * terms.guardrails.max_release_fraction;
        let counts = watch.known(world.time(*at), world) > FRACTION_FLOOR;
        assert!(!counts || requested as f64 <= allowed + 1e-6, "{id} is requested as the {requested}. of {live} within an hour");
    }

    /// How many sessions there were from one instant of the world's clock to another: a browser with its agent is one, an agent without one as well.
    fn live_since(&self, haunted: &BTreeSet<SessionId>, from: Timestamp, to: Timestamp, world: &World) -> usize {
        let browsers = world.lives().filter(|life| &*life.key == self.face.key() && life.created_at <= to);
        let browsers: BTreeSet<&SessionId> =
            browsers.filter(|life| haunted.contains(&life.id) || life.ended(from).is_none()).map(|life| &life.id).collect();
        let agents = world.agents().filter(|agent| &*agent.key == self.face.key() && agent.created_at <= to && agent.ended(from).is_none());
        browsers.len() + agents.filter(|agent| agent.browser.as_ref().is_none_or(|browser| !browsers.contains(browser))).count()
    }
}

impl Requests {
    /// A release is confirmed if and only if the session ended on our request, as far as anybody can tell; then what it saved is what the world says. Of an
    /// agent session it is the browser that bills. `settled`: what ended later need not have been confirmed yet.
    pub(super) fn assert_books_are_true(&self, node: usize, books: &Books, world: &World, face: Face, (settled, now): (Timestamp, Timestamp)) {
        let (settled, now) = (world.time(settled), world.time(now));
        let told = |life: &&Life| life.agent.is_none() || !self.readings_lie;
        let by_part = books.by_part();
        for life in world.lives().filter(|life| &*life.key == face.key()).filter(told) {
            let rows = by_part.get(&life.id).cloned().unwrap_or_default();
            let confirmed: Vec<&Release> = rows.iter().copied().filter(|row| row.outcome == Outcome::Confirmed).collect();
            let end = life.ended(now);
            // Under v4 a browser goes by itself once its run was cancelled, which was ours if its own stop was not turned away.
            if face.is_v4() && life.agent.is_some() && end.is_some_and(|end| end.cause == Cause::Closed) {
                assert!(confirmed.iter().all(|row| row.ended_at == end.map(|end| end.at)), "{}", life.id);
                continue;
            }
            let released = end.filter(|end| matches!(end.cause, Cause::Released { .. }));
            // Who closes it, or a browser that dies, while our release is at work was first, and no provider tells.
            let closed = end.filter(|end| end.cause != Cause::TimedOut && self.may_be_ours(node, life, *end));
            let released = released.or(closed);
            assert!(released.is_some() || rows.iter().all(|row| row.saved_runtime.is_none()), "{} saved nothing, the books say {rows:?}", life.id);
            match (confirmed.as_slice(), released) {
                ([row], Some(end)) if life.agent.is_some() => self.assert_ours_nearly(node, row, life, end),
                ([row], Some(end)) => self.assert_ours(node, row, life, end),
                ([], None) => {}
                ([], Some(end)) => {
                    // Of several parts, each with answers of its own, one that was asked for again may have ended by an earlier request.
                    let told_apart = life.agent.is_none() || rows.iter().all(|row| row.attempts <= 1);
                    let ours = told_apart
                        && !self.readings_lie
                        && self.authors.get(&life.id) == Some(&node)
                        && !rows.iter().any(|row| row.accepted_at.is_none() && self.misdated.contains(&(node, row.id.clone())));
                    assert!(!ours || end.at > settled, "{} was released at {}, the books say {rows:?}", life.id, end.at);
                }
                (rows, _) => panic!("the books call {rows:?} confirmed, the world says {end:?}"),
            }
        }
    }

    /// The end of a browser that a reading did not find is its agent's, a moment before.
    fn assert_ours_nearly(&self, node: usize, row: &Release, life: &Life, end: End) {
        match row.ended_at {
            Some(at) if at < end.at => assert!(between(at, end.at) < SignedDuration::from_secs(2), "{}: {at} is not {}", life.id, end.at),
            _ => self.assert_ours(node, row, life, end),
        }
    }

    /// A request of ours was applied before it ended, or accepted, or arrived shortly before that: one that was refused with 500 may have been applied.
    fn may_be_ours(&self, node: usize, life: &Life, end: End) -> bool {
        let key = (node, life.id.clone());
        let lately = |at: &Timestamp| between(*at, end.at) <= UNANSWERED_REACH * 2;
        self.reached.get(&key).is_some_and(|at| *at <= end.at) || self.accepted.contains(&key) || self.arrived.get(&key).is_some_and(lately)
    }

    /// It was there for a request of ours to end, and what it saved is what the world says.
    fn assert_ours(&self, node: usize, row: &Release, life: &Life, end: End) {
        assert!(self.may_be_ours(node, life, end), "{} is called ours, and ended at {} without us", life.id, end.at);
        // Where no reading told the end, only that it is over, nothing is claimed.
        if row.ended_at.is_none() {
            return assert_eq!(row.saved_runtime, None, "{}", life.id);
        }
        assert_eq!(row.ended_at, Some(end.at), "{}", life.id);
        assert_eq!(row.saved_runtime, Some(between(end.at, life.expires_at).max(SignedDuration::ZERO)), "{}", life.id);
    }
}
