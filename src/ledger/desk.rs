//! What waits to be written, between those who have something for the books and the one hand that writes them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(test)]
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::fault::{LedgerFault, Place};
use crate::domain::hold::Orders;
use crate::domain::name::AccountName;
use crate::domain::record::{Recall, Record};
use crate::domain::release::Release;
use crate::domain::time::Timestamp;

/// Records that may wait for a disk that cannot be written; past it new observations are dropped, releases never.
pub(super) const QUEUE_RECORDS: usize = 10_000;
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
    pub(super) place: Place,
    pub(super) health: watch::Sender<Result<(), String>>,
    pub(super) orders: watch::Sender<Arc<Orders>>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
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
        if job.is_droppable() && queue.jobs.len() >= QUEUE_RECORDS {
            queue.dropping = true;
            return self.tell(&queue);
        }
        queue.jobs.push_back(job);
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
        queue.jobs.drain(..count).collect()
    }

    /// Puts a batch back as it was, and refuses everything that wants an answer: nobody may act on an intent that is not on disk.
    pub(super) fn put_back(&self, batch: Vec<Job>, fault: &LedgerFault) {
        let mut queue = self.queue();
        let later = std::mem::take(&mut queue.jobs);
        let (refused, kept): (Vec<Job>, Vec<Job>) = batch.into_iter().chain(later).partition(Job::wants_an_answer);
        queue.jobs = kept.into();
        queue.fault = Some(fault.to_string());
        self.tell(&queue);
        drop(queue);
        refused.into_iter().for_each(|job| job.refuse(fault));
    }

    /// Something was written, and stays.
    pub(super) fn written(&self) {
        let mut queue = self.queue();
        queue.fault = None;
        queue.dropping &= queue.jobs.len() >= QUEUE_RECORDS;
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
    fn health(&self, place: &Place) -> Result<(), String> {
        match (&self.fault, self.dropping) {
            (None, false) => Ok(()),
            (Some(fault), false) => Err(fault.clone()),
            (fault, true) => {
                let fault = fault.clone().unwrap_or_else(|| format!("store {place}: it cannot keep up"));
                Err(format!("{fault}; {QUEUE_RECORDS} records wait to be written, and newer observations are dropped"))
            }
        }
    }
}
