//! Verdicts over time: each session is judged when its row, its activity or the crowd changes, and at the instants that its last judgement named.

use crate::domain::event::What;
use crate::domain::hold::Hold;
use crate::domain::name::{PolicyName, SessionId};
use crate::domain::record::Record;
use crate::domain::session::Session;
use crate::domain::time::{Moment, Timestamp, floor_millis};
use crate::domain::verdict::{Deadline, Verdict, VerdictWord};
use crate::engine::Engine;
use crate::engine::flight::Step;
use crate::engine::roster::Tracked;
use crate::engine::view::due_reason;
use crate::policy::{Governed, Judgement, Subject, govern, judge};

impl Engine {
    /// Judges whom time has caught up with.
    pub(super) fn look_round(&mut self, now: Timestamp) {
        let ids = self.roster.due_for_a_look(self.moment(now));
        self.census.dirty |= !ids.is_empty();
        self.recount_wanted |= !ids.is_empty();
        ids.iter().for_each(|id| self.look_at_again(id, now));
    }

    /// Policies, orders or crowds changed: every session is judged anew.
    pub(super) fn judge_all(&mut self, now: Timestamp) {
        self.roster.ids().iter().for_each(|id| self.look_at_again(id, now));
        self.census.dirty = true;
    }

    /// Judges one session, and gives it its place.
    pub(super) fn look_at_again(&mut self, id: &SessionId, now: Timestamp) {
        let moment = self.moment(now);
        let Some(tracked) = self.roster.get(id) else { return };
        let live = self.judged(tracked, None, moment);
        let shadows = self.shadows(tracked, moment);
        if let Some(tag) = live.unreadable_tag.clone().filter(|_| self.told_tags.insert(id.clone())) {
            self.tell(What::TagUnreadable { id: id.clone(), policy: tag.policy, tag: tag.tag, found: tag.found, why: tag.why });
        }
        let recheck = shadows.iter().filter_map(|(_, judgement)| judgement.recheck).chain(live.recheck).min();
        let asks = shadows.iter().filter_map(|(_, judgement)| judgement.ask_at).chain(live.ask_at);
        let is_due = live.verdict.word(moment.theirs) == VerdictWord::Due;
        let judgement = Judgement { ask_at: asks.min().filter(|_| !is_due), recheck, ..live };
        self.roster.place(id, judgement, moment);
        if let Some(tracked) = self.roster.get_mut(id) {
            tracked.shadows = shadows.into_iter().map(|(policy, judgement)| (policy, judgement.verdict)).collect();
        }
        self.note_what_is_due(id, moment);
        self.keep_from_line(id, now);
        self.count_shadows(id, moment);
        self.announce(id, moment);
    }

    fn judged(&self, tracked: &Tracked, beside: Option<&PolicyName>, now: Moment) -> Judgement {
        let (session, activity) = (&tracked.session, &tracked.activity);
        judge(&Subject { session, activity, crowds: &self.crowds, occasion: self.occasion(now.ours) }, &self.terms.policies, beside)
    }

    /// What each shadow policy says that would govern the session, were it in force.
    fn shadows(&self, tracked: &Tracked, now: Moment) -> Vec<(PolicyName, Judgement)> {
        let shadows = self.terms.policies.iter().filter(|policy| policy.shadow).map(|policy| &policy.name);
        let govern = shadows.filter(|name| self.would_govern(&tracked.session, name, now));
        govern.map(|name| (name.clone(), self.judged(tracked, Some(name), now))).collect()
    }

    fn would_govern(&self, session: &Session, shadow: &PolicyName, now: Moment) -> bool {
        match govern(session, self.occasion(now.ours), &self.terms.policies, Some(shadow)) {
            Governed::ByNone => false,
            Governed::By(policy) | Governed::Undecided { by: policy, .. } => policy.name == *shadow,
        }
    }

    /// Whose release is under way, or whose provider is being asked, waits in no line; whose release is to be tried again later waits until then.
    fn keep_from_line(&mut self, id: &SessionId, now: Timestamp) {
        if self.asking.contains_key(id) {
            self.roster.leave_line(id);
        }
        match self.flights.get(id) {
            Some(flight) if flight.step == Step::InLine && self.roster.get(id).is_some_and(|tracked| self.is_of_another_life(tracked)) => {
                self.read_earlier_life(id, now)
            }
            Some(flight) if flight.step != Step::InLine => self.roster.leave_line(id),
            Some(flight) if flight.not_before > now => self.roster.park(id, Some(flight.not_before)),
            _ => {}
        }
    }

    /// Counts, once, what a shadow policy would have released now, where nothing is due without it.
    fn count_shadows(&mut self, id: &SessionId, now: Moment) {
        let Some(tracked) = self.roster.get(id).filter(|tracked| !tracked.shadows.is_empty()) else { return };
        if self.word_of(tracked, now) == VerdictWord::Due || self.is_out_of_sight(tracked, now.ours) {
            return;
        }
        let due: Vec<Deadline> = tracked.shadows.iter().filter_map(|(_, verdict)| is_due(verdict, now.theirs)).cloned().collect();
        if due.is_empty() {
            return;
        }
        let spared = self.holds_of(tracked, now).into_iter().find(|held| matches!(held.hold, Hold::Operator | Hold::MinAge | Hold::Expiring));
        if let Some(held) = spared {
            let again = held.until.map(|until| self.moment(until).theirs);
            again.into_iter().for_each(|at| self.roster.look_by(id, at));
            return;
        }
        due.into_iter().for_each(|deadline| self.count_shadow(id, &deadline, now));
    }

    fn count_shadow(&mut self, id: &SessionId, deadline: &Deadline, now: Moment) {
        let (policy, limit) = (deadline.policy.clone(), deadline.limit);
        if self.shadowed.count(id, &policy, limit) {
            let at = floor_millis(now.theirs);
            self.write(Record::WouldRelease { account: self.terms.account.clone(), id: id.clone(), policy: policy.clone(), limit, shadow: true, at });
            self.tell(What::ShadowWouldRelease { id: id.clone(), policy, limit, reason: due_reason(deadline) });
        }
    }
}

/// Its deadline, where that has come.
pub(super) fn is_due(verdict: &Verdict, now: Timestamp) -> Option<&Deadline> {
    verdict.falls_due().filter(|deadline| deadline.at <= now)
}
