//! One account, without I/O: what happened goes in with the time at which it did, what to do comes out, and between them nothing waits.
//!
//! [`Engine::handle`] takes an [`Input`]; [`Engine::next_command`] gives what to do now, in order; [`Engine::poll_timeout`] says when to come back with
//! [`Input::Tick`] if nothing else happens first. The parts: `port` is what goes in and comes out, `polling` learns what is live, `releasing` asks for ends, `confirming` believes them,
//! `view` and `explain` show.

mod announcing;
mod asking;
mod backoff;
mod confirming;
mod counted;
mod counting;
mod doubt;
mod explain;
mod flight;
mod judging;
mod lately;
mod pace;
mod polling;
mod port;
mod quota;
mod releasing;
mod roster;
mod runtime;
mod sighting;
mod skew;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::domain::activity::Activity;
use crate::domain::event::{Event, Operation, What};
use crate::domain::exchange::Exchange;
use crate::domain::fault::Fault;
use crate::domain::hold::Orders;
use crate::domain::listing::ClockReading;
use crate::domain::name::SessionId;
use crate::domain::record::{Recall, Record};
use crate::domain::release::Release;
use crate::domain::session::{Parts, Session};
use crate::domain::time::{Moment, SignedDuration, Timestamp, floor_millis, later};
use crate::guardrails::Rails;
use crate::policy::Occasion;
use crate::policy::crowd::Crowds;
use announcing::Announced;
use counted::Counted;
use flight::Flight;
pub use lately::Lately;
use pace::Pace;
use polling::Polling;
pub use port::{Command, Input, Pass, Tally, Terms};
use quota::Quota;
use roster::Roster;
pub use runtime::Runtime;
use skew::Skew;

/// How many calls may be under way at once on one account: past it a provider that hangs costs us patience, not memory.
pub const MAX_CALLS_UNDER_WAY: usize = 64;

/// One account: its sessions, their verdicts, its releases on the way, and what the guardrails remember.
#[derive(Debug)]
pub struct Engine {
    terms: Terms,
    orders: Arc<Orders>,
    skew: Skew,
    pace: Pace,
    rails: Rails,
    roster: Roster,
    polling: Polling,
    flights: BTreeMap<SessionId, Flight>,
    /// When to read which flight again, in our time.
    reads: BTreeSet<(Timestamp, SessionId)>,
    /// Sessions that are over and done with, with when we learnt it (ours): a listing that lags is not a new session.
    done: BTreeMap<SessionId, Done>,
    would_release: Counted,
    crowds: Crowds,
    /// Something changed that the crowds may hang on.
    recount_wanted: bool,
    /// A complete listing has just been made; when it left (ours): whoever is listed was there then.
    recount_fresh: Option<Timestamp>,
    /// When the crowds were last counted by a complete listing (theirs).
    counted_at: Option<Timestamp>,
    runtime: Runtime,
    /// What the books know of the activity of sessions that no listing has shown yet in this life.
    remembered: BTreeMap<SessionId, Activity>,
    /// Sessions whose provider is being asked, with when the asking left (ours).
    asking: BTreeMap<SessionId, Timestamp>,
    quota: Quota,
    /// When sessions that wait to be asked about are worth another look.
    asking_wake: Option<Timestamp>,
    shadowed: Counted,
    told_tags: BTreeSet<SessionId>,
    announced: Announced,
    under_way: usize,
    /// When due sessions that wait for the pace or a guardrail are worth another look.
    release_wake: Option<Timestamp>,
    draining: bool,
    lately: Lately,
    census: Told,
    tally: Tally,
    outbox: VecDeque<Command>,
}

#[derive(Clone, Debug)]
struct Done {
    at: Timestamp,
    /// What has ended: something else under the same id is another life.
    parts: Parts,
    reappeared: bool,
}

/// Whether the gauges are behind, and when they were last told.
#[derive(Clone, Copy, Debug)]
struct Told {
    dirty: bool,
    at: Option<Timestamp>,
}

/// How long a session that is done is remembered.
const DONE_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// At most one census in this time.
const CENSUS_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

impl Engine {
    /// Starts from what the books know; the first poll is due at once.
    pub fn new(terms: Terms, recall: Recall, orders: Arc<Orders>, now: Timestamp) -> Self {
        let rate = if terms.pass == Pass::Plan { f64::MAX } else { terms.requests_per_second };
        let mut engine = Self {
            pace: Pace::new(rate, now),
            rails: Rails::new(terms.guardrails.clone()),
            polling: Polling::new(&recall, now),
            quota: Quota::new(terms.evidence_per_minute),
            would_release: Counted::recalled(&recall.would_release),
            orders,
            skew: Skew::default(),
            roster: Roster::default(),
            flights: BTreeMap::new(),
            reads: BTreeSet::new(),
            done: BTreeMap::new(),
            crowds: Crowds::default(),
            recount_wanted: false,
            recount_fresh: None,
            counted_at: None,
            runtime: Runtime::new(terms.account.clone(), terms.provider, terms.policies.clone()),
            remembered: recall.activities.iter().cloned().collect(),
            asking: BTreeMap::new(),
            asking_wake: None,
            shadowed: Counted::recalled(&recall.shadowed),
            told_tags: BTreeSet::new(),
            announced: Announced::default(),
            under_way: 0,
            release_wake: None,
            draining: false,
            lately: Lately::default(),
            census: Told { dirty: false, at: None },
            tally: Tally::default(),
            outbox: VecDeque::new(),
            terms,
        };
        engine.carry_on(recall, now);
        engine.plan(now);
        engine
    }

    fn carry_on(&mut self, recall: Recall, now: Timestamp) {
        let requested: Vec<Timestamp> = recall.releases.iter().map(|release| release.requested_at).collect();
        let opened_at = recall.allowance_opened_at.filter(|_| self.terms.pass == Pass::Daemon);
        let used = opened_at.map_or(0, |opened| requested.iter().filter(|at| **at >= opened).count() as u32);
        self.rails.recall(requested, recall.seen, recall.tripped_at, used);
        for row in recall.releases {
            let id = row.id.clone();
            if row.is_closed() {
                self.done.insert(id, Done { at: now, parts: row.parts, reappeared: false });
            } else {
                self.flights.insert(id.clone(), Flight::recalled(row, later(now, self.rails.settings().confirm_within)));
                self.read_at(&id, now);
            }
        }
        if self.rails.tripped(self.resumed_at(), self.moment(now)).is_some() {
            self.tell_tripped(self.moment(now));
        }
    }

    /// Carries on counting from what the books have of the runtime of sessions.
    pub fn account_for(&mut self, runtime: Runtime, now: Timestamp) {
        self.runtime = runtime;
        let sessions: Vec<Session> = self.roster.iter().map(|tracked| tracked.session.clone()).collect();
        let theirs = self.moment(now).theirs;
        sessions.iter().for_each(|session| self.runtime.lives(session, theirs));
        self.recount_wanted = true;
    }

    /// Takes in what happened at `now`, by our clock.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Tick => {}
            Input::Listed(answer) => self.listed(answer, now),
            Input::Read { id, answer } => self.read(&id, answer, now),
            Input::Answered { id, answer } => self.answered(&id, answer, now),
            Input::Evidence { id, answer } => self.heard(&id, answer, now),
            Input::NotWritten { id, why } => self.not_written(&id, why, now),
            Input::InBooks { id } => self.in_books(&id, now),
            Input::Orders(orders) => self.ordered(orders, now),
            Input::Reconfigured { terms, runtime, new_credential } => {
                self.reconfigured(*terms, new_credential, now);
                self.account_for(*runtime, now);
            }
            Input::Drain => {
                self.draining = true;
                self.hasten_reads(now);
            }
        }
        self.plan(now);
    }

    /// When to come back with [`Input::Tick`], by our clock, if nothing else happens first.
    pub fn poll_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        let moment = self.moment(now);
        let poll = self.listing_due_at(now).filter(|_| !self.draining);
        let line = self.roster.next_at(moment).filter(|_| !self.draining);
        let witness = self.has_called_witness().then_some(now);
        let read = self.reads.first().map(|(at, _)| *at).into_iter().chain(witness).min().map(|at| at.max(self.pace.next_at(Operation::Read, now)));
        let census = self.census.at.filter(|_| self.census.dirty).map(|told| later(told, CENSUS_INTERVAL));
        let full = self.under_way >= self.most_under_way();
        let calls = if full { [None; 3] } else { [read, self.release_wake, self.asking_wake] };
        [poll, line, census].into_iter().chain(calls).flatten().min()
    }

    /// What to do next; nothing more for now when it gives nothing.
    pub fn next_command(&mut self) -> Option<Command> {
        self.outbox.pop_front()
    }

    /// Everything that was asked for is settled, or waits for something that only time or a person can bring.
    pub fn is_settled(&self) -> bool {
        // Nobody asks again while draining, and no listing is made; nor does a single pass make another once it has made its last.
        let left = |flight: &Flight| match flight.step {
            flight::Step::InLine => self.draining,
            flight::Step::Listing { .. } => self.draining || self.polling.is_over(),
            _ => false,
        };
        let rests = |flight: &Flight| flight.is_at_rest() || left(flight);
        self.under_way == 0 && self.flights.values().all(rests)
    }

    /// The one pass of [`Pass::Once`] is over.
    pub fn is_over(&self) -> bool {
        self.polling.is_over() && self.is_settled() && self.release_wake.is_none() && self.asking_wake.is_none()
    }

    /// The account has been introduced: a first complete listing, or a definite refusal.
    pub fn is_introduced(&self) -> bool {
        self.polling.introduced
    }

    /// When the next listing may leave, by our clock; nothing while one is under way, or once a single pass has made its last.
    pub fn listing_due_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.polling.due_at().map(|at| at.max(self.pace.next_at(Operation::List, now)))
    }

    /// Releases that have not come to their end.
    pub fn unfinished(&self) -> impl Iterator<Item = &Release> {
        self.flights.values().map(|flight| &flight.row)
    }

    /// Sessions whose release was not asked for, because the books did not take it.
    pub fn unwritten(&self) -> impl Iterator<Item = &SessionId> {
        self.roster.iter().filter(|tracked| tracked.unwritten).map(|tracked| &tracked.session.id)
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    fn plan(&mut self, now: Timestamp) {
        self.look_round(now);
        self.tell_untripped(self.moment(now));
        self.plan_poll(now);
        // Before anything is released: what an older count found may not be so any more.
        if self.recount(now) {
            self.look_round(now);
        }
        self.plan_releases(now);
        self.plan_asking(now);
        self.plan_witness(now);
        self.plan_reads(now);
        self.tell_census(now);
    }

    fn ordered(&mut self, orders: Arc<Orders>, now: Timestamp) {
        if self.orders != orders {
            self.orders = orders;
            self.roster.unpark_all();
            self.announce_all(self.moment(now));
            self.census.dirty = true;
        }
    }

    fn reconfigured(&mut self, terms: Terms, new_credential: bool, now: Timestamp) {
        self.draining = false;
        self.pace.reconfigure(terms.requests_per_second);
        self.quota.reconfigure(terms.evidence_per_minute);
        self.rails.reconfigure(terms.guardrails.clone());
        if new_credential {
            self.pace.forget_refusal();
            self.polling.soon(now);
        }
        self.polling.hasten(later(now, terms.poll_interval));
        self.lately.forget_all_but(&terms.policies);
        self.terms = terms;
        self.recount_wanted = true;
        self.told_tags.clear();
        self.judge_all(now);
        self.roster.unpark_all();
        self.census.dirty = true;
    }

    fn moment(&self, now: Timestamp) -> Moment {
        Moment { ours: now, theirs: later(now, self.skew.applied()) }
    }

    /// The latest that it can have been at the provider when it answered. A difference between the clocks that is not believed yet must not make what was
    /// done just now look long ago.
    fn shown_at(&self, clock: Option<ClockReading>, now: Timestamp) -> Timestamp {
        floor_millis(self.moment(now).theirs.max(clock.map_or(Timestamp::MIN, |clock| clock.latest())))
    }

    /// When an operator last resumed the account.
    fn resumed_at(&self) -> Option<Timestamp> {
        self.orders.resumed_at.get(&self.terms.account).copied()
    }

    fn occasion(&self, now: Timestamp) -> Occasion<'_> {
        Occasion { account: &self.terms.account, provider: self.terms.provider, at: self.moment(now).theirs }
    }

    fn most_under_way(&self) -> usize {
        if self.terms.pass == Pass::Plan { usize::MAX } else { MAX_CALLS_UNDER_WAY }
    }

    /// What every answer shows, whatever it was asked for.
    fn notice<T>(&mut self, answer: &Exchange<T>, operation: Operation, now: Timestamp) {
        self.under_way = self.under_way.saturating_sub(1);
        // The first request was charged when it left.
        self.pace.charge(answer.requests.len().saturating_sub(1), now);
        for request in &answer.requests {
            self.tell(What::Called { operation: request.operation, status: request.status.clone(), took: request.took });
        }
        if let Some(reading) = answer.clock {
            if self.skew.observe(reading) {
                self.polling.soon(now);
            }
            self.tell(What::Skew { skew: self.skew.shown() });
        }
        match &answer.result {
            Ok(_) => self.pace.accepted(operation),
            Err(fault) => self.heed(fault, operation, now),
        }
    }

    /// A fault may refuse the credential and ask for silence at once.
    fn heed(&mut self, fault: &Fault, operation: Operation, now: Timestamp) {
        if fault.asks_for_silence() {
            self.fall_silent(fault, now);
        }
        if fault.is_refusal()
            && let (again_at, true) = self.pace.refuse(operation, fault, now)
        {
            self.tell(What::Refused { fault: fault.clone(), again_at });
        }
    }

    fn fall_silent(&mut self, fault: &Fault, now: Timestamp) {
        let until = self.pace.silence(fault, now);
        self.tell(What::Silenced { until });
    }

    fn tell(&mut self, what: What) {
        self.outbox.push_back(Command::Tell(Event { account: self.terms.account.clone(), what }));
    }

    fn write(&mut self, record: Record) {
        self.outbox.push_back(Command::Write(record));
    }
}

#[cfg(test)]
mod tests;
