//! What waits to be written, between those who have something for the books and the one hand that writes them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(test)]
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::fault::{LedgerFault, Place};
use crate::domain::hold::Orders;
use crate::domain::name::AccountName;
use crate::domain::record::{Recall, Record};
use crate::domain::release::Release;
use crate::domain::time::{SignedDuration, Timestamp};

/// Records that may wait for a disk that cannot be written; past it new observations are dropped, and of each release its latest row is kept.
pub(super) const QUEUE_RECORDS: usize = 10_000;
/// Sightings that may wait, of which one record holds as many as a listing has sessions.
pub(super) const QUEUE_SIGHTINGS: usize = 200_000;
/// Jobs of one transaction.
const BATCH_JOBS: usize = 1_000;
/// How often the thread looks for orders of other processes, and tries again what it could not write.
const TICK: Duration = Duration::from_millis(200);

type Reply<T> = oneshot::Sender<Result<T, LedgerFault>>;

/// Something for the writer to do.
pub(super) enum Job {
    Record(Record),
    Intend(Box<Release>, Reply<()>),
    Recall(AccountName, Timestamp, Reply<Recall>),
    /// Answered once everything before it is on the disk; refused where that cannot be written.
    CatchUp(Reply<()>),
    Flush(oneshot::Sender<()>),
    #[cfg(test)]
    Meddle(Box<dyn FnOnce(&Connection) + Send>),
}

impl Job {
    /// Somebody waits for the answer, and a fault is one.
    const fn wants_an_answer(&self) -> bool {
        matches!(self, Self::Intend(..) | Self::Recall(..) | Self::CatchUp(_))
    }

    pub(super) const fn is_written(&self) -> bool {
        matches!(self, Self::Record(_) | Self::Intend(..))
    }

    const fn is_droppable(&self) -> bool {
        matches!(self, Self::Record(record) if !matches!(record, Record::Release(_)))
    }

    fn sightings(&self) -> usize {
        if let Self::Record(Record::Seen(sightings)) = self { sightings.len() } else { 0 }
    }

    /// The row of a release that is not closed: a later one takes its place.
    fn open_row(&self) -> Option<&Release> {
        match self {
            Self::Record(Record::Release(row)) if !row.is_closed() => Some(row),
            _ => None,
        }
    }

    fn refuse(self, fault: &LedgerFault) {
        match self {
            Self::Intend(_, reply) | Self::CatchUp(reply) => drop(reply.send(Err(fault.clone()))),
            Self::Recall(_, _, reply) => drop(reply.send(Err(fault.clone()))),
            Self::Record(_) | Self::Flush(_) => {}
            #[cfg(test)]
            Self::Meddle(_) => {}
        }
    }
}

/// What the handles and the thread share.
pub(super) struct Desk {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// Since when the scribe has been at one turn, or waits for another process's lock turn after turn.
    busy_since: Mutex<Option<Instant>>,
    pub(super) place: Place,
    pub(super) health: watch::Sender<Result<(), String>>,
    pub(super) orders: watch::Sender<Arc<Orders>>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    sightings: usize,
    /// Why the last write failed; nothing once one has worked.
    fault: Option<String>,
    /// Observations have been dropped since there was room for them.
    dropping: bool,
    closing: bool,
    closed: bool,
}

impl Desk {
    pub(super) fn new(place: Place, orders: Orders) -> Self {
        Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            busy_since: Mutex::default(),
            place,
            health: watch::Sender::new(Ok(())),
            orders: watch::Sender::new(Arc::new(orders)),
        }
    }

    pub(super) fn put(&self, job: Job) {
        let mut queue = self.queue();
        if queue.closed {
            drop(queue);
            return job.refuse(&LedgerFault::Closed { place: self.place.clone() });
        }
        if job.is_droppable() && queue.is_full() {
            queue.dropping = true;
            return self.tell(&queue);
        }
        let may_supersede = job.open_row().is_some() && queue.is_full();
        queue.sightings += job.sightings();
        queue.jobs.push_back(job);
        if may_supersede {
            queue.forget_superseded();
        }
        #[cfg(test)]
        if matches!(queue.jobs.back(), Some(Job::Meddle(_))) {
            // What is done to a disk waits for nothing in the queue.
            queue.jobs.rotate_right(1);
        }
        drop(queue);
        self.wake.notify_one();
    }

    pub(super) fn start_closing(&self) {
        self.queue().closing = true;
        self.wake.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work until the tick; while the disk cannot be written, only somebody who waits for an answer makes it try before that.
    pub(super) fn wait(&self, failing: bool) {
        let idle = |queue: &mut Queue| {
            let work = if failing { queue.jobs.iter().any(Job::wants_an_answer) } else { !queue.jobs.is_empty() };
            !work && !queue.closing
        };
        drop(self.wake.wait_timeout_while(self.queue(), TICK, idle).unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn take(&self) -> Vec<Job> {
        let mut queue = self.queue();
        let count = queue.jobs.len().min(BATCH_JOBS);
        let later = queue.jobs.split_off(count);
        let batch = std::mem::take(&mut queue.jobs);
        queue.fill(later);
        batch.into()
    }

    /// Jobs and sightings.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> (usize, usize) {
        let queue = self.queue();
        (queue.jobs.len(), queue.sightings)
    }

    /// For how long the scribe has been at one turn, or waited for another process's lock. Nothing where it rests, or was refused: a full disk answers.
    pub(super) fn busy_for(&self) -> Option<SignedDuration> {
        let since = *self.busy_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.and_then(|since| SignedDuration::try_from(since.elapsed()).ok())
    }

    pub(super) fn is_busy(&self, busy: bool) {
        let mut since = self.busy_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = if busy { since.or_else(|| Some(Instant::now())) } else { None };
    }

    /// Puts a batch back as it was, and refuses everything that wants an answer: nobody may act on an intent that is not on disk.
    pub(super) fn put_back(&self, batch: Vec<Job>, fault: &LedgerFault) {
        let mut queue = self.queue();
        let later = std::mem::take(&mut queue.jobs);
        let (refused, kept): (Vec<Job>, Vec<Job>) = batch.into_iter().chain(later).partition(Job::wants_an_answer);
        queue.fill(kept.into());
        if queue.is_full() {
            queue.forget_superseded();
        }
        queue.fault = Some(fault.to_string());
        self.tell(&queue);
        drop(queue);
        refused.into_iter().for_each(|job| job.refuse(fault));
    }

    /// Something was written, and stays.
    pub(super) fn written(&self) {
        let mut queue = self.queue();
        queue.fault = None;
        queue.dropping &= queue.is_full();
        self.tell(&queue);
    }

    /// Says how the books are, where that is news: as long as a fault lasts, it is the same.
    fn tell(&self, queue: &Queue) {
        let health = queue.health(&self.place);
        self.health.send_if_modified(|told| {
            let is_news = *told != health;
            *told = health;
            is_news
        });
    }

    /// Nothing more is taken once everything that can be written is; true then.
    pub(super) fn closes(&self, failing: bool) -> bool {
        let mut queue = self.queue();
        queue.closed = queue.closing && (failing || queue.jobs.is_empty());
        queue.closed
    }
}

impl Queue {
    fn is_full(&self) -> bool {
        self.jobs.len() >= QUEUE_RECORDS || self.sightings >= QUEUE_SIGHTINGS
    }

    fn fill(&mut self, jobs: VecDeque<Job>) {
        self.sightings = jobs.iter().map(Job::sightings).sum();
        self.jobs = jobs;
    }

    /// Drops the rows of releases of which a later one waits as well: each is the whole row.
    fn forget_superseded(&mut self) {
        let jobs = std::mem::take(&mut self.jobs);
        let mut later = BTreeSet::new();
        let mut kept = VecDeque::new();
        for job in jobs.into_iter().rev() {
            let superseded = job.open_row().is_some_and(|row| !later.insert((row.account.clone(), row.id.clone(), row.life.clone())));
            if !superseded {
                kept.push_front(job);
            }
        }
        self.fill(kept);
    }

    fn health(&self, place: &Place) -> Result<(), String> {
        match (&self.fault, self.dropping) {
            (None, false) => Ok(()),
            (Some(fault), false) => Err(fault.clone()),
            (fault, true) => {
                let fault = fault.clone().unwrap_or_else(|| format!("store {place}: it cannot keep up"));
                Err(format!("{fault}; too much waits to be written, and newer observations are dropped"))
            }
        }
    }
}
