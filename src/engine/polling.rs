//! Learning what is live: when to list, what a listing is believed to say, and what it never says.

use std::collections::BTreeMap;

use crate::domain::event::{Operation, PollOutcome, What};
use crate::domain::exchange::Exchange;
use crate::domain::fault::Fault;
use crate::domain::listing::{Complete, Listing, Rows};
use crate::domain::name::{Kind, SessionId};
use crate::domain::record::{Recall, Record};
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::engine::doubt::Doubt;
use crate::engine::roster::Tracked;
use crate::engine::runtime::MOST_GROUPS;
use crate::engine::{Command, DONE_KEPT, Engine, Pass, backoff};

/// First wait before a failed listing is tried again; it doubles up to the poll interval.
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(1);

/// In a single pass a failing listing is tried this often.
const TRIES_OF_ONE_PASS: u32 = 3;

/// And not at all where the provider wants to be left alone this long, or refuses the credential: somebody waits for the answer.
pub(super) const PATIENCE_OF_ONE_PASS: SignedDuration = SignedDuration::from_secs(30);

/// A session that no listing has shown for this long is remembered no longer, though none has said that it is gone: nothing has been decided by it since it
/// went out of sight.
const UNSEEN_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Of those that went out of sight, no more than these are remembered: the ones seen last. Nobody asks for the others before a listing shows them again.
pub(super) const MOST_UNSEEN: usize = 10_000;

/// A time without complete listings is a gap from this many poll intervals on, and at least this long.
const GAP_AFTER_POLLS: i32 = 3;
const GAP_AFTER_AT_LEAST: SignedDuration = SignedDuration::from_mins(1);

/// When to list, and how it went.
#[derive(Debug)]
pub struct Polling {
    /// The next poll by the interval; nothing once a single pass has made its one.
    regular_at: Option<Timestamp>,
    /// A listing beside the regular ones: to retry, or because a release waits for one.
    extra_at: Option<Timestamp>,
    /// A listing is under way; whether it is a regular one.
    running: bool,
    /// A regular poll was made that has not opened its allowance yet.
    owes_allowance: bool,
    /// When an earlier life opened its last one (the provider's time), until this life's first poll.
    allowance_opened_at: Option<Timestamp>,
    failures: u32,
    pub doubts: BTreeMap<Kind, Doubt>,
    /// When the last listing was made, by the provider's clock: see [`Engine::shown_at`].
    pub shown_at: Timestamp,
    /// When the last complete listing of this life was asked for, by the provider's clock.
    pub complete_from: Option<Timestamp>,
    /// The last listing was complete, and every row in it could at least be told apart: who is not in the list of sessions now is gone.
    pub whole: bool,
    pub introduced: bool,
    pub last: Option<PollOutcome>,
    pub rejected: usize,
    pub error: Option<String>,
    pub last_error: Option<String>,
    pub last_complete_at: Option<Timestamp>,
}

impl Polling {
    pub fn new(recall: &Recall, now: Timestamp) -> Self {
        Self {
            regular_at: Some(now),
            extra_at: None,
            running: false,
            owes_allowance: false,
            allowance_opened_at: recall.allowance_opened_at,
            failures: 0,
            doubts: BTreeMap::new(),
            shown_at: Timestamp::MIN,
            complete_from: None,
            whole: false,
            introduced: false,
            last: None,
            rejected: 0,
            error: None,
            last_error: None,
            last_complete_at: recall.last_complete_at,
        }
    }

    /// When the next listing is due (ours), unless one is under way.
    pub fn due_at(&self) -> Option<Timestamp> {
        if self.running { None } else { self.regular_at.into_iter().chain(self.extra_at).min() }
    }

    pub fn soon(&mut self, at: Timestamp) {
        self.extra_at = Some(self.extra_at.map_or(at, |known| known.min(at)));
    }

    /// The next regular poll comes no later than this.
    pub fn hasten(&mut self, at: Timestamp) {
        self.regular_at = self.regular_at.map(|regular| regular.min(at));
    }

    pub fn is_over(&self) -> bool {
        !self.running && self.regular_at.is_none() && self.extra_at.is_none()
    }
}

impl Engine {
    pub(super) fn plan_poll(&mut self, now: Timestamp) {
        let due = self.polling.due_at().is_some_and(|at| at <= now);
        if !due || self.draining || self.pace.next_at(Operation::List, now) > now {
            return;
        }
        if let Some(regular) = self.polling.regular_at.filter(|at| *at <= now) {
            self.polling.owes_allowance = true;
            let next = later(regular, self.terms.poll_interval);
            let skipped = next <= now;
            self.polling.regular_at = (self.terms.pass == Pass::Daemon).then(|| if skipped { later(now, self.terms.poll_interval) } else { next });
        }
        self.polling.extra_at = None;
        self.polling.running = true;
        self.pace.leave(Operation::List, now);
        self.under_way += 1;
        self.outbox.push_back(Command::List);
    }

    pub(super) fn listed(&mut self, answer: Exchange<Listing>, now: Timestamp) {
        self.polling.running = false;
        self.notice(&answer, Operation::List, now);
        self.polling.shown_at = self.shown_at(answer.clock, now);
        match answer.result {
            Ok(Listing::Complete(complete)) => match self.doubtful(&complete, now) {
                Some(why) => self.learn_some(complete.rows(), None, why, answer.sent_at, now),
                None => self.learn_all(complete, answer.sent_at, now),
            },
            Ok(Listing::Partial { rows, whole, why }) => {
                if why.asks_for_silence() {
                    self.fall_silent(&why, now);
                }
                self.learn_some(&rows, whole.as_ref(), why, answer.sent_at, now);
            }
            Err(fault) => self.learn_nothing(fault, now),
        }
        self.census.dirty = true;
        self.census.at = None;
    }

    fn learn_all(&mut self, complete: Complete, sent_at: Timestamp, now: Timestamp) {
        let (live, rejected) = (complete.rows().sessions.len(), complete.rows().rejected.len());
        self.learn_whole(&complete, sent_at, now);

        // Whoever is not listed now is over.
        self.remembered.clear();
        self.polling.whole = complete.rows().rejected.iter().all(|row| row.id.is_some());
        self.recount_fresh = self.polling.whole.then_some(sent_at);
        self.polling.introduced = true;
        self.polling.failures = 0;
        self.polling.error = None;
        self.polling.last_complete_at = Some(now);
        self.polling.complete_from = Some(self.moment(sent_at).theirs);
        let gap_after = (self.terms.poll_interval * GAP_AFTER_POLLS).max(GAP_AFTER_AT_LEAST);
        self.write(Record::Polled { account: self.terms.account.clone(), at: now, gap_after });
        self.conclude(PollOutcome::Complete, live, rejected, None, now);
    }

    /// What is there, and what is gone.
    fn learn_whole(&mut self, complete: &Complete, sent_at: Timestamp, now: Timestamp) {
        let gone = complete.gone(self.roster.iter().map(|tracked| (&tracked.session.id, tracked.session.kind)));
        self.sight(complete.rows(), sent_at, now);
        gone.iter().for_each(|id| self.depart(id, None, now));
        self.settle_by_listing(complete, sent_at, now);
        self.polling.doubts.retain(|kind, _| !complete.kinds().contains(kind));
    }

    /// What a partial listing shows is there; what it lacks may be there too, but for what it read to its end.
    fn learn_some(&mut self, rows: &Rows, whole: Option<&Complete>, why: Fault, sent_at: Timestamp, now: Timestamp) {
        self.polling.whole = false;
        let all = || std::iter::once(rows).chain(whole.map(Complete::rows));
        let (live, rejected) = (all().map(|rows| rows.sessions.len()).sum(), all().map(|rows| rows.rejected.len()).sum());
        self.sight(rows, sent_at, now);
        match whole.map(|whole| (whole, self.doubtful(whole, now).is_some())) {
            Some((whole, true)) => self.sight(whole.rows(), sent_at, now),
            Some((whole, false)) => self.learn_whole(whole, sent_at, now),
            None => {}
        }
        self.despair_of_listings(now);
        self.forget_unseen(now);
        self.polling.introduced |= why.is_refusal();
        // What is refused is not granted by asking soon; the rest is listed at the next poll.
        if !why.is_refusal() {
            self.retry_poll(now);
        }
        self.conclude(PollOutcome::Partial, live, rejected, Some(why), now);
    }

    /// Where a listing is never whole nobody is ever gone: memory must have an end all the same.
    fn forget_unseen(&mut self, now: Timestamp) {
        let unseen = |tracked: &&Tracked| self.is_out_of_sight(tracked, now) && !self.flights.contains_key(&tracked.session.id);
        let mut unseen: Vec<(Timestamp, SessionId)> =
            self.roster.iter().filter(unseen).map(|tracked| (tracked.seen_at, tracked.session.id.clone())).collect();
        unseen.sort_unstable();
        let too_many = unseen.len().saturating_sub(MOST_UNSEEN);
        for (at, (seen_at, id)) in unseen.into_iter().enumerate() {
            if at < too_many || later(seen_at, UNSEEN_KEPT) <= now {
                self.strike_off(&id, seen_at);
            }
        }
    }

    fn learn_nothing(&mut self, fault: Fault, now: Timestamp) {
        self.polling.whole = false;
        self.polling.introduced |= fault.is_refusal();
        self.retry_poll(now);
        self.conclude(PollOutcome::Failed, 0, 0, Some(fault), now);
    }

    fn conclude(&mut self, outcome: PollOutcome, live: usize, rejected: usize, fault: Option<Fault>, now: Timestamp) {
        self.recount_wanted = true;
        if outcome != PollOutcome::Failed {
            self.forget(now);
            self.open_allowance(now);
            self.polling.rejected = rejected;
        }
        self.polling.last = Some(outcome);
        if let Some(fault) = &fault {
            self.polling.error = Some(fault.to_string());
            self.polling.last_error = Some(fault.to_string());
        }
        self.tell(What::Polled { outcome, at: now, live, rejected, fault });
    }

    /// What was long ago matters no more: memory has an end, however long the process runs and whatever it is let do.
    fn forget(&mut self, now: Timestamp) {
        let lives = |id: &SessionId| self.roster.get(id).is_some();
        self.would_release.forget(lives, now);
        self.shadowed.forget(lives, now);
        self.announced.forget(lives);
        self.done.retain(|_, done| later(done.at, DONE_KEPT) > now);
        self.rails.roll(self.moment(now));
        self.runtime.settle(self.polling.whole, self.moment(now).theirs);
        if self.runtime.has_overflowed() {
            self.tell(What::TooManyGroups { most: MOST_GROUPS });
        }
    }

    fn retry_poll(&mut self, now: Timestamp) {
        self.polling.failures += 1;
        let free_at = self.pace.next_at(Operation::List, now);
        let bearable = self.polling.failures < TRIES_OF_ONE_PASS && free_at < later(now, PATIENCE_OF_ONE_PASS);
        if self.terms.pass == Pass::Daemon || bearable {
            let wait = backoff::wait(FIRST_RETRY, self.terms.poll_interval, self.polling.failures - 1, self.terms.account.as_str());
            self.polling.soon(later(now, wait));
        }
    }

    /// A poll by the interval opens an allowance, except the first of a life that began within an earlier life's interval.
    fn open_allowance(&mut self, now: Timestamp) {
        if !std::mem::take(&mut self.polling.owes_allowance) {
            return;
        }
        let theirs = self.moment(now).theirs;
        let carried = self.polling.allowance_opened_at.take().filter(|_| self.terms.pass == Pass::Daemon);
        let in_force = carried.is_some_and(|opened| opened <= theirs && theirs < later(opened, self.terms.poll_interval));
        if !in_force {
            self.rails.open_allowance();
            self.write(Record::Allowance { account: self.terms.account.clone(), opened_at: theirs });
        }
    }
}
