//! Believing ends: a release counts when the provider says that the session ended, and not before.

use std::collections::BTreeSet;

use crate::domain::event::{Operation, What};
use crate::domain::exchange::Exchange;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::listing::Complete;
use crate::domain::name::SessionId;
use crate::domain::record::Record;
use crate::domain::release::{Outcome, RequestOutcome};
use crate::domain::session::{Phase, Session};
use crate::domain::time::{SignedDuration, Timestamp, between, floor_millis, later};
use crate::engine::flight::{Flight, Step};
use crate::engine::{Command, Engine, Pass, backoff};
use crate::settle::{self, Finding};

/// From acceptance to the first reading; the waits double from there. Ending a browser takes a moment, and one reading should do.
const FIRST_READ: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_READ: SignedDuration = SignedDuration::from_secs(30);

impl Engine {
    pub(super) fn plan_reads(&mut self, now: Timestamp) {
        while self.under_way < self.most_under_way()
            && self.pace.next_at(Operation::Read, now) <= now
            && let Some((at, id)) = self.reads.first().cloned().filter(|(at, _)| *at <= now)
        {
            self.reads.remove(&(at, id.clone()));
            let Some(flight) = self.flights.get_mut(&id) else { continue };
            flight.step = Step::Reading;
            let target = flight.target();
            self.pace.leave(Operation::Read, now);
            self.under_way += 1;
            self.outbox.push_back(Command::Read { target });
        }
    }

    /// Has a flight read at an instant of ours, instead of whatever else it waited for.
    pub(super) fn read_at(&mut self, id: &SessionId, at: Timestamp) {
        self.forget_read(id);
        let Some(flight) = self.flights.get_mut(id) else { return };
        flight.step = Step::ToRead { at };
        self.roster.leave_line(id);
        self.reads.insert((at, id.clone()));
    }

    /// Something else lives under this id now, so that what was asked for must be over: its own word settles it, before anything is asked of the next.
    pub(super) fn read_earlier_life(&mut self, id: &SessionId, now: Timestamp) {
        if let Some(flight) = self.flights.get_mut(id) {
            flight.tries += 1;
        }
        self.read_at(id, now);
    }

    fn forget_read(&mut self, id: &SessionId) {
        if let Some(Step::ToRead { at }) = self.flights.get(id).map(|flight| flight.step) {
            self.reads.remove(&(at, id.clone()));
        }
    }

    pub(super) fn read(&mut self, id: &SessionId, answer: Exchange<Session>, now: Timestamp) {
        self.notice(&answer, Operation::Read, now);
        if self.hear_witness(id, &answer.result, now) {
            return;
        }
        match answer.result {
            Ok(session) => self.read_session(id, &session, now),
            Err(fault) if fault.kind == FaultKind::NotFound => self.unknown_to_provider(id, now),
            Err(fault) => self.unread(id, &fault, now),
        }
    }

    fn read_session(&mut self, id: &SessionId, session: &Session, now: Timestamp) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        if session.status.phase == Phase::Running {
            flight.alive_at = Some(now);
        }
        let finding = settle::settle(&flight.row, flight.seen_running, session);
        let accepted = flight.row.accepted_at.is_some();
        if self.enter(id, finding, session, now) {
            return;
        }
        match finding {
            // The provider has yet to say when; past the time allowed it is believed without figures.
            Finding::Unsettled if self.is_late(id, now) => self.believe_gone(id, now),
            _ if !accepted && session.status.phase == Phase::Running => self.ask_again(id, now),
            _ if self.is_late(id, now) => self.stuck(id, now),
            _ => self.await_end(id, now),
        }
    }

    fn is_late(&self, id: &SessionId, now: Timestamp) -> bool {
        self.flights.get(id).is_some_and(|flight| now >= flight.confirm_by)
    }

    fn unread(&mut self, id: &SessionId, fault: &Fault, now: Timestamp) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        flight.row.fault = Some(fault.to_string());
        let accepted = flight.row.accepted_at.is_some();
        if accepted && self.is_late(id, now) {
            self.stuck(id, now);
        } else {
            self.await_end(id, now);
        }
    }

    /// Reads again after a wait that grows with each try, and no later than the session counts as stuck.
    pub(super) fn await_end(&mut self, id: &SessionId, now: Timestamp) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        let longest = if self.draining { FIRST_READ } else { LONGEST_READ };
        let wait = backoff::wait(FIRST_READ, longest, flight.tries, id.as_str());
        flight.tries += 1;
        let at = later(now, wait).min(flight.confirm_by.max(later(now, FIRST_READ)));
        self.read_at(id, at);
        self.write_row(id);
    }

    /// A stop waits for ends only so long: they are looked for often.
    pub(super) fn hasten_reads(&mut self, now: Timestamp) {
        let soon = later(now, FIRST_READ);
        let reads: Vec<(Timestamp, SessionId)> = self.reads.iter().cloned().collect();
        reads.iter().for_each(|(at, id)| self.read_at(id, soon.min(*at)));
    }

    /// Accepted, and not ended in time: said loudly, and asked for again.
    fn stuck(&mut self, id: &SessionId, now: Timestamp) {
        let confirm_by = later(now, self.rails.settings().confirm_within);
        let Some(flight) = self.flights.get_mut(id) else { return };
        let news = !std::mem::replace(&mut flight.stuck, true);
        flight.row.outcome = Outcome::Stuck;
        flight.confirm_by = confirm_by;
        flight.tries = flight.row.attempts;
        let release = Box::new(flight.row.clone());
        if news {
            self.tell(What::Stuck { release });
        }
        self.ask_again(id, now);
        self.write_row(id);
        self.census.dirty = true;
    }

    /// The provider does not know the session. That may be a wrong address answering for everything, so that only a complete listing without the session,
    /// begun after this, makes it gone.
    pub(super) fn unknown_to_provider(&mut self, id: &SessionId, now: Timestamp) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        flight.step = Step::Listing { since: now };
        self.roster.leave_line(id);
        self.polling.soon(now);
    }

    /// What a complete listing says of the flights.
    pub(super) fn settle_by_listing(&mut self, complete: &Complete, sent_at: Timestamp, now: Timestamp) {
        let gone = complete.gone(self.flights.iter().map(|(id, flight)| (id, flight.row.kind)));
        let there: BTreeSet<&SessionId> = complete.rows().there().collect();
        let waiting: Vec<(SessionId, Step)> = self.flights.iter().map(|(id, flight)| (id.clone(), flight.step)).collect();
        for (id, step) in waiting {
            let is_gone = gone.binary_search(&id).is_ok() || self.has_another_life(&id, now);
            match step {
                Step::Listing { since } if sent_at < since => self.polling.soon(now),
                Step::Listing { .. } if is_gone => self.believe_gone(&id, now),
                // A row that could not be read may be it: the next listing tells.
                Step::Listing { .. } if !there.contains(&id) => {}
                Step::Listing { .. } => self.contradicted(&id, now),
                // Not listed any more: what the provider says of it now settles the matter.
                Step::ToRead { .. } | Step::InLine if is_gone => self.read_at(&id, now),
                _ => {}
            }
        }
    }

    /// Where no listing is ever whole, none will say what a 404 meant: past the time in which a release should be confirmed that is stuck, and asked again.
    /// A single pass ends without.
    pub(super) fn despair_of_listings(&mut self, now: Timestamp) {
        if self.terms.pass != Pass::Daemon {
            return;
        }
        let patience = self.rails.settings().confirm_within;
        let waits_too_long = |flight: &Flight| matches!(flight.step, Step::Listing { since } if later(since, patience) <= now);
        let waiting: Vec<SessionId> = self.flights.iter().filter(|(_, flight)| waits_too_long(flight)).map(|(id, _)| id.clone()).collect();
        for id in waiting {
            if let Some(flight) = self.flights.get_mut(&id).filter(|flight| flight.uncounted) {
                flight.was_not_applied();
                self.count(&id, RequestOutcome::Failed, None, None);
            }
            self.stuck(&id, now);
        }
    }

    /// The listing that was taken in just now shows another life of the session, so that the one that was asked for is not listed any more.
    fn has_another_life(&self, id: &SessionId, now: Timestamp) -> bool {
        let listed = self.roster.get(id).filter(|tracked| tracked.seen_at == now);
        listed.is_some_and(|tracked| self.is_of_another_life(tracked))
    }

    /// Gone from the provider's books and from its listing, without a word about when.
    fn believe_gone(&mut self, id: &SessionId, now: Timestamp) {
        let (tariff, theirs) = (self.terms.tariff, self.moment(now).theirs);
        let Some(flight) = self.flights.get_mut(id) else { return };
        let ours = flight.row.accepted_at.is_some();
        let uncounted = flight.uncounted;
        settle::enter_end(&mut flight.row, if ours { Outcome::Confirmed } else { Outcome::AlreadyEnded }, None, tariff, theirs);
        if uncounted {
            self.count(id, RequestOutcome::AlreadyEnded, None, None);
        }
        self.finish(id, now);
    }

    /// The provider does not know the session and lists it all the same: an address that answers 404 for everything looks like this.
    fn contradicted(&mut self, id: &SessionId, now: Timestamp) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        let uncounted = flight.uncounted;
        if uncounted {
            flight.was_not_applied();
        } else {
            flight.tries += 1;
        }
        let fault = Fault::new(FaultKind::NotFound, "the provider answers 404 for a session that it lists: is base_url right?");
        flight.row.fault = Some(fault.to_string());
        if uncounted {
            self.count(id, RequestOutcome::Failed, None, Some(&fault));
        }
        self.failed(id);
        self.ask_again(id, now);
        self.write_row(id);
    }

    /// Enters a finding that settles the flight. Gives whether it did.
    pub(super) fn enter(&mut self, id: &SessionId, finding: Finding, session: &Session, now: Timestamp) -> bool {
        let (tariff, theirs) = (self.terms.tariff, self.moment(now).theirs);
        let Some(flight) = self.flights.get_mut(id) else { return false };
        if let Finding::RanOut { .. } = finding {
            flight.row.fault = Some("the session ran into its own hard end before the provider released it".to_owned());
        }
        let settled = settle::enter(&mut flight.row, finding, session, tariff, theirs);
        if settled {
            self.finish(id, now);
        }
        settled
    }

    /// The row is final: told, written, and the session never asked for again. In this order: killed between the two, the next life finds the row open,
    /// settles it again, and whoever was told hears the same fact under the same id; the other way round nobody would ever be told.
    fn finish(&mut self, id: &SessionId, now: Timestamp) {
        self.forget_read(id);
        let theirs = floor_millis(self.moment(now).theirs);
        let Some(flight) = self.flights.remove(id) else { return };
        let (parts, ended_at) = (flight.row.parts.clone(), flight.row.ended_at);
        let release = Box::new(flight.row);
        let row = release.clone();
        self.tally.count(&release);
        let took = between(release.requested_at, theirs).max(SignedDuration::ZERO);
        self.tell(match release.outcome {
            Outcome::Confirmed => What::Confirmed { release, took },
            Outcome::AlreadyEnded => What::AlreadyEnded { release },
            Outcome::Requested | Outcome::Denied | Outcome::Failed | Outcome::Stuck => What::Failed { release },
        });
        self.write(Record::Release(row));
        self.close(id, parts, ended_at, now);
    }
}
