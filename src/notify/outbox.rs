//! What leaves for one receiver, and when: batched, in order, one request at a time, tried again until it is taken or given up. No I/O and no clock.

use std::collections::{BTreeSet, VecDeque};

use crate::domain::name::ReceiverName;
use crate::domain::notice::Notice;
use crate::domain::record::Untold;
use crate::domain::time::{SignedDuration, Timestamp, between, later};
use crate::notify::compose::print;

/// Notices that may wait for one receiver; past it the oldest are given up.
pub const MOST_WAITING: usize = 10_000;
/// What a receiver has not taken after so long is given up.
pub const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Ids of what was told, by which the same fact is known when it is told again.
const MOST_KNOWN: usize = 20_000;
/// Waits between tries; they double up to the longest.
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_RETRY: SignedDuration = SignedDuration::from_mins(5);
/// A receiver that asks to be left alone for longer is asked again after this all the same.
const LONGEST_SILENCE: SignedDuration = SignedDuration::from_hours(1);

/// Everything for one receiver.
#[derive(Debug)]
pub struct Outbox {
    receiver: ReceiverName,
    batch_within: SignedDuration,
    most_in_batch: usize,
    /// With when each came.
    waiting: VecDeque<(Timestamp, Notice)>,
    /// What is tried now: it stays as it is until it is taken or given up, and so does its id.
    batch: Option<Batch>,
    under_way: bool,
    not_before: Timestamp,
    failures: u32,
    known: BTreeSet<String>,
    known_in_order: VecDeque<String>,
    /// The process ends: everything leaves at once, and nothing is tried twice.
    ending: bool,
}

/// What one request tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The same at every try, in every life of the process that has the same to tell.
    pub id: String,
    pub notices: Vec<Notice>,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Taken,
    Refused { why: String, retry_after: Option<SignedDuration> },
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    Taken(Vec<String>),
    /// So many are tried again.
    Again(usize),
    GivenUp(Vec<String>),
}

/// What became of something new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    New,
    /// It was told already, or waits.
    Known,
    /// It took the place of this one, which is given up.
    InPlaceOf(String),
}

impl Outbox {
    /// Carries on with what the books have.
    pub fn new(receiver: ReceiverName, batch_within: SignedDuration, most_in_batch: usize, untold: Untold, now: Timestamp) -> Self {
        let mut outbox = Self {
            receiver,
            batch_within,
            most_in_batch,
            waiting: VecDeque::new(),
            batch: None,
            under_way: false,
            not_before: Timestamp::MIN,
            failures: 0,
            known: BTreeSet::new(),
            known_in_order: VecDeque::new(),
            ending: false,
        };
        for id in untold.told.into_iter().rev() {
            outbox.learn(id);
        }
        for notice in untold.notices {
            outbox.push(notice, now);
        }
        outbox
    }

    pub fn reconfigure(&mut self, batch_within: SignedDuration, most_in_batch: usize) {
        (self.batch_within, self.most_in_batch) = (batch_within, most_in_batch);
        // A new address may answer at once.
        self.not_before = Timestamp::MIN;
    }

    /// How many are still to be told.
    pub fn queued(&self) -> usize {
        self.waiting.len() + self.batch.as_ref().map_or(0, |batch| batch.notices.len())
    }

    pub fn knows(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    pub fn push(&mut self, notice: Notice, now: Timestamp) -> Pushed {
        if !self.learn(notice.id.clone()) {
            return Pushed::Known;
        }
        self.waiting.push_back((now, notice));
        match self.waiting.len() > MOST_WAITING {
            true => self.waiting.pop_front().map_or(Pushed::New, |(_, oldest)| Pushed::InPlaceOf(oldest.id)),
            false => Pushed::New,
        }
    }

    /// When something is to leave; nothing while a request is under way, or where nothing waits.
    pub fn next_at(&self) -> Option<Timestamp> {
        if self.under_way {
            return None;
        }
        if self.batch.is_some() {
            return Some(self.not_before);
        }
        let (came, _) = self.waiting.front()?;
        let is_full = self.waiting.len() >= self.most_in_batch;
        let ready = if is_full || self.ending { *came } else { later(*came, self.batch_within) };
        Some(ready.max(self.not_before))
    }

    /// What is to leave now, if its time has come; the next is given when this was answered.
    pub fn take(&mut self, now: Timestamp) -> Option<&Batch> {
        self.next_at().filter(|at| *at <= now)?;
        if self.batch.is_none() {
            let count = self.waiting.len().min(self.most_in_batch);
            let notices: Vec<Notice> = self.waiting.drain(..count).map(|(_, notice)| notice).collect();
            let ids = notices.iter().map(|notice| notice.id.as_str());
            self.batch = Some(Batch { id: format!("msg_{}", print(std::iter::once(self.receiver.as_str()).chain(ids))), notices });
        }
        self.under_way = true;
        self.batch.as_ref()
    }

    /// `jitter` is in [0, 1): it shortens the wait by up to a quarter of it.
    pub fn answered(&mut self, answer: &Answer, now: Timestamp, jitter: f64) -> Option<Settled> {
        self.under_way = false;
        let batch = self.batch.take()?;
        let ids = || batch.notices.iter().map(|notice| notice.id.clone()).collect();
        let Answer::Refused { retry_after, .. } = answer else {
            (self.failures, self.not_before) = (0, Timestamp::MIN);
            return Some(Settled::Taken(ids()));
        };
        let doubled = FIRST_RETRY.checked_mul(1 << self.failures.min(20)).unwrap_or(LONGEST_RETRY).min(LONGEST_RETRY);
        let wait = doubled.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0).max(retry_after.unwrap_or_default().min(LONGEST_SILENCE));
        self.failures = self.failures.saturating_add(1);
        self.not_before = later(now, wait);
        if batch.notices.first().is_some_and(|oldest| between(oldest.at, now) >= GIVE_UP_AFTER) {
            return Some(Settled::GivenUp(ids()));
        }
        let count = batch.notices.len();
        self.batch = Some(batch);
        Some(Settled::Again(count))
    }

    /// The process ends: what waits leaves at once, also to a receiver that was to be left alone.
    pub fn end(&mut self) {
        self.ending = true;
        self.failures = 0;
        self.not_before = Timestamp::MIN;
    }

    /// Nothing more leaves in this life of the process: all is told, or the last try met a refusal.
    pub fn is_over(&self) -> bool {
        self.ending && !self.under_way && (self.queued() == 0 || self.failures > 0)
    }

    /// Gives whether it was not known.
    fn learn(&mut self, id: String) -> bool {
        if !self.known.insert(id.clone()) {
            return false;
        }
        self.known_in_order.push_back(id);
        if self.known_in_order.len() > MOST_KNOWN
            && let Some(oldest) = self.known_in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests;
