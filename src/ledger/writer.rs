//! The one hand that writes the books. It takes what is queued in order, as one transaction, and keeps what could not be written until it can. In the
//! daemon a thread keeps it turning.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{oneshot, watch};

use super::fault::{LedgerFault, Place};
use super::file::Lock;
use super::{OpenOptions, apply, queries, retention};
use crate::domain::hold::Orders;
use crate::domain::name::AccountName;
use crate::domain::record::{Recall, Record};
use crate::domain::release::Release;
use crate::domain::time::{SignedDuration, Timestamp, later};

/// Records that may wait for a disk that cannot be written; past it new observations are dropped, and of each release its latest row is kept.
pub(super) const QUEUE_RECORDS: usize = 10_000;
/// Sightings that may wait, of which one record holds as many as a listing has sessions.
pub(super) const QUEUE_SIGHTINGS: usize = 200_000;
/// Jobs of one transaction.
const BATCH_JOBS: usize = 1_000;
/// How often the thread looks for orders of other processes, and tries again what it could not write.
const TICK: Duration = Duration::from_millis(200);
const FORGET_EVERY: SignedDuration = SignedDuration::from_hours(1);

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
    dropped: u64,
    closing: bool,
    closed: bool,
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
            queue.dropped += 1;
            let (waiting, dropped) = (queue.jobs.len(), queue.dropped);
            drop(queue);
            let why = format!("store {}: {waiting} records wait to be written, {dropped} newer observations were dropped", self.place);
            return self.health.send_modify(|health| *health = Err(why));
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
    fn wait(&self, failing: bool) {
        let idle = |queue: &mut Queue| {
            let work = if failing { queue.jobs.iter().any(Job::wants_an_answer) } else { !queue.jobs.is_empty() };
            !work && !queue.closing
        };
        drop(self.wake.wait_timeout_while(self.queue(), TICK, idle).unwrap_or_else(PoisonError::into_inner));
    }

    fn take(&self) -> Vec<Job> {
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

    fn is_busy(&self, busy: bool) {
        let mut since = self.busy_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = if busy { since.or_else(|| Some(Instant::now())) } else { None };
    }

    /// Puts a batch back as it was, and refuses everything that wants an answer: nobody may act on an intent that is not on disk.
    fn put_back(&self, batch: Vec<Job>, fault: &LedgerFault) {
        let mut queue = self.queue();
        let later = std::mem::take(&mut queue.jobs);
        let (refused, kept): (Vec<Job>, Vec<Job>) = batch.into_iter().chain(later).partition(Job::wants_an_answer);
        queue.fill(kept.into());
        queue.forget_superseded();
        let waiting = queue.jobs.len();
        drop(queue);
        refused.into_iter().for_each(|job| job.refuse(fault));
        self.health.send_modify(|health| *health = Err(format!("{fault}; {waiting} records wait to be written")));
    }
}

/// Writes the books, turn by turn.
pub struct Scribe {
    desk: Arc<Desk>,
    connection: Connection,
    retention: SignedDuration,
    failing: bool,
    /// Another process kept the store locked for as long as is waited for.
    locked_out: bool,
    /// Operators' orders could not be read, which has been said.
    unheard: bool,
    /// The state of the books in which operators' orders were last looked for.
    seen_version: Option<i64>,
    forget_at: Timestamp,
    /// Given back with the scribe.
    lock: Lock,
}

impl Scribe {
    pub(super) fn new(desk: Arc<Desk>, connection: Connection, lock: Lock, options: OpenOptions) -> Self {
        let OpenOptions { retention, now } = options;
        Self { desk, connection, retention, failing: false, locked_out: false, unheard: false, seen_version: None, forget_at: now, lock }
    }

    /// Works until the handles say that it is over, and everything that can be written is. Time goes on from `opened_at`.
    pub(super) fn work(mut self, opened_at: Timestamp) {
        let opened = Instant::now();
        loop {
            self.desk.wait(self.failing);
            self.turn(later(opened_at, SignedDuration::try_from(opened.elapsed()).unwrap_or(SignedDuration::ZERO)));
            if self.is_over() {
                return self.finish();
            }
        }
    }

    /// Does what there is to do, and waits for nothing but the disk: writes a batch, answers those who wait, looks for operators' orders, forgets.
    pub fn turn(&mut self, now: Timestamp) {
        self.desk.is_busy(true);
        let batch = self.desk.take();
        self.failing = !self.settle(batch);
        self.look_for_orders();
        if !self.failing && now >= self.forget_at && !self.forget_some(now) {
            self.forget_at = later(now, FORGET_EVERY);
        }
        self.desk.is_busy(self.locked_out);
    }

    /// From now on the store refuses every write, as a full disk does, or takes them again.
    pub fn refuse_writes(&self, refuse: bool) -> Result<(), LedgerFault> {
        self.connection.pragma_update(None, "query_only", refuse).map_err(|error| self.desk.place.fault(error))
    }

    fn is_over(&self) -> bool {
        let mut queue = self.desk.queue();
        queue.closed = queue.closing && (self.failing || queue.jobs.is_empty());
        queue.closed
    }

    /// Writes a batch and answers those who wait; false where the disk refused it, and it was put back.
    fn settle(&mut self, batch: Vec<Job>) -> bool {
        #[cfg(test)]
        let batch = self.meddle(batch);
        match self.write(&batch) {
            Ok(kept) => {
                self.answer(batch, kept);
                if self.desk.health.borrow().is_err() {
                    self.recovered();
                }
                self.locked_out = false;
                true
            }
            Err(error) => {
                let fault = self.desk.place.fault(error);
                self.locked_out = matches!(fault, LedgerFault::Busy { .. });
                self.desk.put_back(batch, &fault);
                false
            }
        }
    }

    /// Lets tests do to the connection what disks do.
    #[cfg(test)]
    fn meddle(&self, batch: Vec<Job>) -> Vec<Job> {
        let apply = |job| match job {
            Job::Meddle(meddle) => {
                meddle(&self.connection);
                None
            }
            job => Some(job),
        };
        batch.into_iter().filter_map(apply).collect()
    }

    fn recovered(&self) {
        let mut queue = self.desk.queue();
        if !queue.is_full() {
            queue.dropped = 0;
            self.desk.health.send_modify(|health| *health = Ok(()));
        }
    }

    /// One transaction over a batch; gives for each intent whether the books took it.
    fn write(&mut self, batch: &[Job]) -> rusqlite::Result<VecDeque<bool>> {
        let mut taken = VecDeque::new();
        if !batch.iter().any(|job| matches!(job, Job::Record(_) | Job::Intend(..))) {
            return Ok(taken);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for job in batch {
            match job {
                Job::Record(record) => apply::record(&transaction, record)?,
                Job::Intend(release, _) => taken.push_back(apply::release(&transaction, release)?),
                _ => {}
            }
        }
        transaction.commit()?;
        Ok(taken)
    }

    fn answer(&self, batch: Vec<Job>, mut taken: VecDeque<bool>) {
        for job in batch {
            match job {
                Job::Record(_) => {}
                Job::Intend(release, reply) => {
                    let kept = taken.pop_front().unwrap_or(false);
                    drop(reply.send(if kept { Ok(()) } else { Err(self.settled(&release)) }));
                }
                Job::Recall(account, now, reply) => {
                    let recalled = queries::recall(&self.connection, &account, now);
                    drop(reply.send(recalled.map_err(|error| self.desk.place.fault(error))));
                }
                Job::CatchUp(reply) => drop(reply.send(Ok(()))),
                Job::Flush(done) => drop(done.send(())),
                #[cfg(test)]
                Job::Meddle(_) => {}
            }
        }
    }

    fn settled(&self, release: &Release) -> LedgerFault {
        LedgerFault::Settled { place: self.desk.place.clone(), account: release.account.to_string(), id: release.id.to_string() }
    }

    /// Publishes what other processes have written since the last look. A look that fails is said once, and repeated at the next tick.
    fn look_for_orders(&mut self) {
        let version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0)).ok();
        if version.is_some() && version == self.seen_version {
            return;
        }
        match queries::orders(&self.connection) {
            Ok(orders) => {
                self.seen_version = version;
                self.publish(orders);
                if std::mem::take(&mut self.unheard) {
                    tracing::info!("operators' orders can be read again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.unheard, true) {
                    let fault = self.desk.place.fault(error);
                    tracing::error!(%fault, "operators' orders cannot be read: new holds, pauses and resumes are not heard until they can");
                }
            }
        }
    }

    fn publish(&self, orders: Orders) {
        self.desk.orders.send_if_modified(|known| {
            let changed = **known != orders;
            if changed {
                *known = Arc::new(orders);
            }
            changed
        });
    }

    /// Forgets a batch of what is too old; true where there is more. A fault waits for the next hour: nothing depends on it.
    fn forget_some(&mut self, now: Timestamp) -> bool {
        let retention = self.retention;
        let forgotten = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
            let more = retention::forget_some(&transaction, retention, now)?;
            transaction.commit().map(|()| more)
        });
        forgotten.unwrap_or(false)
    }

    /// Leaves one file behind, with everything in it, where no reader keeps the write-ahead file open.
    fn finish(self) {
        drop(self.connection.pragma_query(None, "wal_checkpoint", |_| Ok(())));
        drop(self.connection.close());
        drop(self.lock);
    }
}
