//! Buying evidence: for a session that may be idle, once, right before its release, and only where nothing else would hold that back.

use crate::domain::activity::{Evidence, Finding, Question, Said, Testimony};
use crate::domain::event::{Operation, What};
use crate::domain::exchange::Exchange;
use crate::domain::hold::Hold;
use crate::domain::name::SessionId;
use crate::domain::record::Record;
use crate::domain::time::{SignedDuration, Timestamp, floor_millis, later};
use crate::domain::verdict::{Deadline, Limit};
use crate::engine::polling::PATIENCE_OF_ONE_PASS;
use crate::engine::releasing::Turn;
use crate::engine::roster::Tracked;
use crate::engine::{Command, Engine, Pass};
use crate::evidence::hear;

/// A release rests on an answer that came no longer ago than this; an older one is asked for again.
const EVIDENCE_FRESH: SignedDuration = SignedDuration::from_secs(10);

impl Engine {
    pub(super) fn plan_asking(&mut self, now: Timestamp) {
        self.asking_wake = None;
        while !self.draining
            && self.under_way < self.most_under_way()
            && let Some(id) = self.roster.most_wanting().cloned()
        {
            if let Turn::Stop(wake) = self.take_turn_to_ask(&id, now) {
                self.asking_wake = wake;
                return;
            }
        }
    }

    fn take_turn_to_ask(&mut self, id: &SessionId, now: Timestamp) -> Turn {
        let Some(tracked) = self.roster.get(id).filter(|tracked| !self.is_out_of_sight(tracked, now)) else {
            self.roster.park(id, None);
            return Turn::Next;
        };
        if let Some(turn) = self.spared(id, tracked.clone(), now) {
            return turn;
        }
        let free_at = self.pace.next_at(Operation::Evidence, now).max(self.quota.next_at(now));
        if free_at > now {
            let bearable = self.terms.pass == Pass::Daemon || free_at < later(now, PATIENCE_OF_ONE_PASS);
            return Turn::Stop(bearable.then_some(free_at));
        }
        self.ask(id, now);
        Turn::Next
    }

    /// What would hold its release back makes the question idle, except observing.
    fn spared(&mut self, id: &SessionId, tracked: Tracked, now: Timestamp) -> Option<Turn> {
        let moment = self.moment(now);
        let tripped = self.rails.tripped(self.resumed_at(), moment).is_some();
        let no_room = self.rails.allowance_left() <= self.asking.len() + self.roster.ready();
        for held in self.holds_of(&tracked, moment) {
            match held.hold {
                Hold::Operator | Hold::MinAge | Hold::Expiring => {
                    self.roster.park(id, held.until);
                    return Some(Turn::Next);
                }
                Hold::Paused => return Some(Turn::Stop(None)),
                Hold::MaxReleaseFraction if tripped => return Some(Turn::Stop(held.until)),
                Hold::MaxReleaseFraction | Hold::MaxReleasesPerPoll | Hold::Observe => {}
            }
        }
        let releases = self.terms.mode == crate::domain::view::Mode::Enforce;
        (releases && no_room && !self.flights.contains_key(id)).then_some(Turn::Stop(None))
    }

    fn ask(&mut self, id: &SessionId, now: Timestamp) {
        let Some(target) = self.roster.get(id).map(|tracked| tracked.session.target()) else { return };
        self.roster.leave_line(id);
        self.pace.leave(Operation::Evidence, now);
        self.quota.leave(now);
        self.asking.insert(id.clone(), now);
        self.under_way += 1;
        self.outbox.push_back(Command::Ask { target });
    }

    pub(super) fn heard(&mut self, id: &SessionId, answer: Exchange<Evidence>, now: Timestamp) {
        self.notice(&answer, Operation::Evidence, now);
        if let Some(left_at) = self.asking.remove(id) {
            self.quota.took(left_at, answer.requests.len());
        }
        let evidence = answer.result.unwrap_or_else(|fault| {
            let said = Said::Failed { why: fault.to_string() };
            Evidence { testimonies: vec![Testimony { asked: Question::Activity, said }], fault: None }
        });
        if let Some(fault) = &evidence.fault {
            self.heed(fault, Operation::Evidence, now);
        }
        let (asked_at, shown_at) = (floor_millis(self.moment(answer.sent_at).theirs), self.shown_at(answer.clock, now));
        let Some(tracked) = self.roster.get_mut(id) else { return };
        tracked.heard_at = Some(now);
        let finding = hear(&mut tracked.activity, evidence, asked_at, shown_at);
        let session = tracked.session.clone();
        let seen_at = tracked.seen_at;
        self.write(Record::Seen(vec![self.sighting(&session, seen_at)]));
        self.tell(What::Heard { id: id.clone(), finding });
        self.look_at_again(id, now);
        self.census.dirty |= finding != Finding::Active;
    }

    /// A release for idleness rests on what the provider says now, not on what it said before the session had to wait, or before this life of the process.
    /// Gives whether it has to be asked again first.
    pub(super) fn rests_on_old_evidence(tracked: &Tracked, deadline: &Deadline, now: Timestamp) -> bool {
        let fresh = tracked.heard_at.is_some_and(|heard_at| now < later(heard_at, EVIDENCE_FRESH));
        deadline.limit == Limit::Idle && !fresh
    }
}
