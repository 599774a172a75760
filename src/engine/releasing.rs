//! Asking for ends: what is due leaves in order of urgency, with a permit, at the pace allowed, and never before its intent is in the books.

use crate::domain::event::{Operation, What};
use crate::domain::exchange::Exchange;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::hold::{Hold, Orders};
use crate::domain::name::SessionId;
use crate::domain::record::Record;
use crate::domain::release::{Outcome, Release, RequestOutcome};
use crate::domain::session::{Phase, Session};
use crate::domain::time::{Moment, SignedDuration, Timestamp, between, floor_millis, later};
use crate::domain::verdict::Deadline;
use crate::engine::flight::{Flight, Step};
use crate::engine::polling::PATIENCE_OF_ONE_PASS;
use crate::engine::roster::{Roster, Tracked};
use crate::engine::{Command, Engine, Pass, Terms, backoff, view};
use crate::guardrails::{Ask, FRACTION_WINDOW, Held};
use crate::settle;

/// Waits between tries of one session's release; they double up to the longest.
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_RETRY: SignedDuration = SignedDuration::from_mins(1);

/// After a request that the provider will not do: asking again changes nothing soon.
const REJECTED_RETRY: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_REJECTED_RETRY: SignedDuration = SignedDuration::from_mins(10);

/// Wait before an intent that could not be written is tried again.
const UNWRITTEN_RETRY: SignedDuration = SignedDuration::from_secs(1);

/// What the turn of one session came to.
pub(super) enum Turn {
    /// It left the line; the next one's turn.
    Next,
    /// Nothing more leaves now; worth another look at this instant (ours), if ever by itself.
    Stop(Option<Timestamp>),
}

impl Engine {
    pub(super) fn plan_releases(&mut self, now: Timestamp) {
        self.release_wake = None;
        while !self.draining
            && self.under_way < self.most_under_way()
            && let Some(id) = self.roster.most_overdue().cloned()
        {
            if let Turn::Stop(wake) = self.take_turn(&id, now) {
                self.release_wake = wake;
                return;
            }
        }
    }

    fn take_turn(&mut self, id: &SessionId, now: Timestamp) -> Turn {
        let moment = self.moment(now);
        let Some(tracked) = self.roster.get(id) else { return self.out_of_line(id) };
        let Some(deadline) = tracked.verdict.falls_due().cloned() else { return self.out_of_line(id) };
        // The provider's clock was set back since it fell due.
        if deadline.at > moment.theirs {
            self.roster.rejoin(id);
            return Turn::Next;
        }
        if self.is_out_of_sight(tracked, now) {
            self.roster.park(id, None);
            return Turn::Next;
        }
        if let Some(held) = self.holds_of(tracked, moment).into_iter().next() {
            return self.hold_back(id, &deadline, held, moment);
        }
        if Self::rests_on_old_evidence(tracked, &deadline, now) {
            self.roster.want(id, deadline.at);
            return Turn::Next;
        }
        if self.flights.get(id).is_some_and(|flight| flight.is_in_doubt(now)) {
            self.read_at(id, now);
            return Turn::Next;
        }
        let free_at = self.pace.next_at(Operation::Release, now);
        if free_at > now {
            let bearable = self.terms.pass == Pass::Daemon || free_at < later(now, PATIENCE_OF_ONE_PASS);
            return Turn::Stop(bearable.then_some(free_at));
        }
        self.request(id, &deadline, moment)
    }

    fn out_of_line(&mut self, id: &SessionId) -> Turn {
        self.roster.leave_line(id);
        Turn::Next
    }

    /// Every hold on a due session, the shown one first.
    pub(super) fn holds_of(&self, tracked: &Tracked, now: Moment) -> Vec<Held> {
        let again = self.flights.contains_key(&tracked.session.id);
        self.rails.holds(&ask(&self.terms, &self.orders, &self.roster, tracked, again), now)
    }

    fn hold_back(&mut self, id: &SessionId, deadline: &Deadline, held: Held, now: Moment) -> Turn {
        match held.hold {
            Hold::Operator | Hold::MinAge | Hold::Expiring => {
                self.roster.park(id, held.until);
                Turn::Next
            }
            Hold::Observe => self.observe(id, deadline, now),
            Hold::Paused | Hold::MaxReleasesPerPoll => Turn::Stop(None),
            Hold::MaxReleaseFraction => {
                if let Some(at) = self.rails.trip(self.resumed_at(), now) {
                    self.write(Record::Tripped { account: self.terms.account.clone(), at });
                    self.tell_tripped(now);
                }
                // A single pass does not wait for the hour to roll on.
                let wake = held.until.unwrap_or_else(|| later(now.ours, FRACTION_WINDOW));
                Turn::Stop((self.terms.pass == Pass::Daemon).then_some(wake))
            }
        }
    }

    pub(super) fn tell_tripped(&mut self, now: Moment) {
        let (requested, live) = (self.rails.requested_since(self.resumed_at(), now), self.rails.live_in_window(self.roster.len()));
        let at = self.rails.tripped(self.resumed_at(), now).unwrap_or(now.ours);
        self.tell(What::Tripped { at, requested, live });
    }

    pub(super) fn tell_untripped(&mut self, now: Moment) {
        if let Some(by_operator) = self.rails.untrip(self.resumed_at(), now) {
            self.census.dirty = true;
            self.tell(What::Untripped { by_operator });
            self.announce_all(now);
        }
    }

    /// Counts, once, what enforce would have released now: a session that something else than observing holds back too has to wait for that.
    fn observe(&mut self, id: &SessionId, deadline: &Deadline, now: Moment) -> Turn {
        let Some(tracked) = self.roster.get(id) else { return self.out_of_line(id) };
        let other = self.holds_of(tracked, now).into_iter().find(|held| matches!(held.hold, Hold::MinAge | Hold::Expiring));
        if let Some(other) = other {
            self.roster.park(id, other.until);
            return Turn::Next;
        }
        if self.would_release.count(id, &deadline.policy, deadline.limit) {
            let (policy, limit) = (deadline.policy.clone(), deadline.limit);
            let at = floor_millis(now.theirs);
            self.write(Record::WouldRelease {
                account: self.terms.account.clone(),
                id: id.clone(),
                policy: policy.clone(),
                limit,
                shadow: false,
                at,
            });
            self.tell(What::WouldRelease { id: id.clone(), policy, limit, reason: view::due_reason(deadline) });
        }
        self.roster.park(id, None);
        Turn::Next
    }

    fn request(&mut self, id: &SessionId, deadline: &Deadline, now: Moment) -> Turn {
        let Some(tracked) = self.roster.get(id) else { return self.out_of_line(id) };
        let session = &tracked.session;
        let again = self.flights.contains_key(id);
        let permit = match self.rails.permit(&ask(&self.terms, &self.orders, &self.roster, tracked, again), now) {
            Ok(permit) => permit,
            Err(held) => return self.hold_back(id, deadline, held, now),
        };
        let target = tracked.target();
        let flight = self.flights.entry(id.clone()).or_insert_with(|| Flight::new(first_row(&self.terms, session, deadline, now)));
        flight.row.parts = flight.row.parts.and(&target.parts);
        flight.row.attempts += 1;
        flight.is_asked(floor_millis(later(now.ours, self.skew.least())));
        // Asked for again it is stuck all the same, also for a later life of the process.
        flight.row.outcome = if flight.stuck { Outcome::Stuck } else { Outcome::Requested };
        flight.step = Step::Asking;
        let row = Box::new(flight.row.clone());
        self.mark_unwritten(id, false);
        self.roster.leave_line(id);
        self.pace.leave(Operation::Release, now.ours);
        self.under_way += 1;
        self.census.dirty = true;
        self.outbox.push_back(Command::Release { permit, target, row });
        Turn::Next
    }

    /// Books come first: without the intent on disk nothing was sent.
    pub(super) fn not_written(&mut self, id: &SessionId, why: String, now: Timestamp) {
        self.under_way = self.under_way.saturating_sub(1);
        self.tell(What::BooksRefused { id: id.clone(), why });
        let Some(flight) = self.flights.get_mut(id) else { return };
        flight.was_not_applied();
        flight.row.attempts = flight.row.attempts.saturating_sub(1);
        if flight.row.attempts == 0 {
            self.flights.remove(id);
            self.rails.unsent();
            self.mark_unwritten(id, true);
        } else {
            flight.step = Step::InLine;
        }
        self.roster.park(id, Some(later(now, UNWRITTEN_RETRY)));
    }

    fn mark_unwritten(&mut self, id: &SessionId, unwritten: bool) {
        if let Some(tracked) = self.roster.get_mut(id) {
            tracked.unwritten = unwritten;
        }
    }

    /// Listed as live, and ended by the books of long ago: somebody's mistake, that is not mended by asking again.
    pub(super) fn in_books(&mut self, id: &SessionId, now: Timestamp) {
        self.under_way = self.under_way.saturating_sub(1);
        let Some(flight) = self.flights.remove(id) else { return };
        if flight.row.attempts <= 1 {
            self.rails.unsent();
        }
        self.close(id, flight.row.parts, flight.row.ended_at, now);
        self.done.entry(id.clone()).and_modify(|done| done.reappeared = true);
        self.tell(What::Reappeared { id: id.clone() });
    }

    pub(super) fn answered(&mut self, id: &SessionId, answer: Exchange<Option<Session>>, now: Timestamp) {
        self.notice(&answer, Operation::Release, now);
        let sent_at = floor_millis(self.moment(answer.sent_at).theirs);
        let Some(flight) = self.flights.get_mut(id) else { return };
        let first = flight.row.attempts == 1;
        if first {
            flight.row.requested_at = sent_at;
            // The same answer may have shown that the provider's clock was set back.
            flight.row.overrun = between(flight.row.deadline, sent_at).max(SignedDuration::ZERO);
        }
        let overrun = first.then_some(flight.row.overrun);
        match answer.result {
            Ok(session) => self.accepted(id, session.as_ref(), overrun, now),
            Err(fault) => self.turned_away(id, &fault, overrun, now),
        }
    }

    fn accepted(&mut self, id: &SessionId, session: Option<&Session>, overrun: Option<SignedDuration>, now: Timestamp) {
        let moment = self.moment(now);
        let confirm_by = later(now, self.rails.settings().confirm_within);
        let Some(flight) = self.flights.get_mut(id) else { return };
        // Of a part that was left alive the answer speaks, not of those that ended before it.
        let session = session.filter(|session| flight.row.parts.are_within(&session.parts));
        flight.row.accepted_at = flight.row.accepted_at.or(Some(floor_millis(moment.theirs)));
        flight.confirm_by = confirm_by;
        flight.tries = 0;
        flight.seen_running |= session.is_some_and(|session| session.status.phase == Phase::Running);
        let finding = session.map(|session| settle::settle(&flight.row, flight.seen_running, session));
        let over = matches!(finding, Some(settle::Finding::NotOurs { .. }));
        self.count(id, if over { RequestOutcome::AlreadyEnded } else { RequestOutcome::Accepted }, overrun, None);
        match session.zip(finding) {
            Some((session, finding)) if self.enter(id, finding, session, now) => {}
            _ => self.await_end(id, now),
        }
    }

    /// The provider did not say yes: what it said decides what may have happened, and when to come back.
    fn turned_away(&mut self, id: &SessionId, fault: &Fault, overrun: Option<SignedDuration>, now: Timestamp) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        flight.row.fault = Some(fault.to_string());
        flight.tries += 1;
        let tries = flight.tries - 1;
        match fault.kind {
            FaultKind::Throttled => {
                flight.was_not_applied();
                self.count(id, RequestOutcome::Throttled, overrun, Some(fault));
                self.back_in_line(id, now);
            }
            FaultKind::AtCapacity => {
                flight.was_not_applied();
                self.count(id, RequestOutcome::Throttled, overrun, Some(fault));
                self.back_in_line(id, later(now, backoff::wait(FIRST_RETRY, LONGEST_RETRY, tries, id.as_str())));
            }
            FaultKind::Unauthorized | FaultKind::Forbidden => {
                flight.was_not_applied();
                flight.row.outcome = Outcome::Denied;
                self.count(id, RequestOutcome::Denied, overrun, Some(fault));
                self.back_in_line(id, self.pace.next_at(Operation::Release, now).max(now));
            }
            FaultKind::NotFound => {
                flight.uncounted = true;
                self.unknown_to_provider(id, now);
            }
            FaultKind::PaymentRequired | FaultKind::Rejected | FaultKind::Redirected => {
                flight.was_not_applied();
                self.count(id, RequestOutcome::Failed, overrun, Some(fault));
                self.failed(id);
                self.read_at(id, now);
            }
            FaultKind::Unavailable | FaultKind::TimedOut | FaultKind::Disconnected | FaultKind::Unreadable | FaultKind::TooLarge => {
                self.count(id, RequestOutcome::Failed, overrun, Some(fault));
                self.read_at(id, later(now, backoff::wait(FIRST_RETRY, LONGEST_RETRY, tries, id.as_str())));
            }
        }
        self.write_row(id);
    }

    pub(super) fn failed(&mut self, id: &SessionId) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        flight.row.outcome = Outcome::Failed;
        let release = Box::new(flight.row.clone());
        self.tell(What::Failed { release });
    }

    /// Still running, and to be asked for again: at once, or after a wait that grows with each try.
    pub(super) fn ask_again(&mut self, id: &SessionId, now: Timestamp) {
        let Some(flight) = self.flights.get(id) else { return };
        let (first, longest) = match flight.row.outcome {
            Outcome::Failed => (REJECTED_RETRY, LONGEST_REJECTED_RETRY),
            _ => (FIRST_RETRY, LONGEST_RETRY),
        };
        let wait = backoff::wait(first, longest, flight.tries.saturating_sub(1), id.as_str());
        self.back_in_line(id, later(now, wait));
    }

    /// Has a session wait its turn again, from `at` on. One that no listing has shown yet joins the line when a listing does; one that a complete
    /// listing lacks is read then.
    fn back_in_line(&mut self, id: &SessionId, at: Timestamp) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        flight.step = Step::InLine;
        flight.not_before = at;
        if self.roster.get(id).is_some() {
            self.roster.park(id, Some(at));
        }
    }

    /// Counts one request by what it met.
    pub(super) fn count(&mut self, id: &SessionId, outcome: RequestOutcome, overrun: Option<SignedDuration>, fault: Option<&Fault>) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        flight.uncounted = false;
        let release = Box::new(flight.row.clone());
        self.tell(What::Answered { release, outcome, overrun, fault: fault.cloned() });
    }

    pub(super) fn write_row(&mut self, id: &SessionId) {
        if let Some(row) = self.flights.get(id).map(|flight| Box::new(flight.row.clone())) {
            self.write(Record::Release(row));
        }
    }
}

fn ask<'a>(terms: &'a Terms, orders: &'a Orders, roster: &Roster, tracked: &'a Tracked, again: bool) -> Ask<'a> {
    let Tracked { session, browser, .. } = tracked;
    Ask { account: &terms.account, session, browser: browser.as_ref(), mode: terms.mode, orders, live: roster.len(), again }
}

fn first_row(terms: &Terms, session: &Session, deadline: &Deadline, now: Moment) -> Release {
    Release {
        account: terms.account.clone(),
        provider: terms.provider,
        id: session.id.clone(),
        kind: session.kind,
        parts: session.parts.clone(),
        life: session.parts.life().cloned(),
        region: session.region.as_deref().map(ToOwned::to_owned),
        policy: deadline.policy.clone(),
        limit: deadline.limit,
        deadline: deadline.at,
        requested_at: floor_millis(now.theirs),
        asked_at: None,
        accepted_at: None,
        confirmed_at: None,
        ended_at: None,
        expires_at: session.expires_at,
        outcome: Outcome::Requested,
        attempts: 0,
        overrun: between(deadline.at, now.theirs),
        saved_runtime: None,
        saved_cost: None,
        currency: terms.currency.clone(),
        reason: view::due_reason(deadline),
        fault: None,
        metadata: session.metadata.to_json(),
    }
}
