//! The one hand that writes the books. It takes what is queued in order, as one transaction, and keeps what could not be written until it can. In the
//! daemon a thread keeps it turning.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::{Connection, TransactionBehavior};

use super::desk::{Desk, Job};
use super::fault::LedgerFault;
use super::file::Lock;
use super::footing::Footing;
use super::{OpenOptions, apply, queries, retention};
use crate::domain::hold::Orders;
use crate::domain::release::Release;
use crate::domain::time::{SignedDuration, Timestamp, later};

const FORGET_EVERY: SignedDuration = SignedDuration::from_hours(1);

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
    footing: Footing,
    /// Given back with the scribe.
    lock: Lock,
}

impl Scribe {
    pub(super) fn new(desk: Arc<Desk>, connection: Connection, lock: Lock, options: OpenOptions) -> Self {
        let OpenOptions { retention, now } = options;
        let footing = Footing::of(&desk.place);
        Self { desk, connection, retention, failing: false, locked_out: false, unheard: false, seen_version: None, forget_at: now, footing, lock }
    }

    /// Works until the handles say that it is over, and everything that can be written is. Time goes on from `opened_at`.
    pub(super) fn work(mut self, opened_at: Timestamp) {
        let opened = Instant::now();
        loop {
            self.desk.wait(self.failing);
            self.turn(later(opened_at, SignedDuration::try_from(opened.elapsed()).unwrap_or(SignedDuration::ZERO)));
            if self.desk.closes(self.failing) {
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

    /// Writes a batch and answers those who wait; false where the disk refused it, and it was put back.
    fn settle(&mut self, batch: Vec<Job>) -> bool {
        #[cfg(test)]
        let batch = self.meddle(batch);
        match self.write(&batch) {
            Ok(taken) => {
                // That nothing had to be written proves nothing of the disk.
                if batch.iter().any(Job::is_written) {
                    self.desk.written();
                }
                self.answer(batch, taken);
                self.locked_out = false;
                true
            }
            Err(fault) => {
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

    /// One transaction over a batch, in the file that stands at the store's path; gives for each intent whether the books took it.
    fn write(&mut self, batch: &[Job]) -> Result<VecDeque<bool>, LedgerFault> {
        if !batch.iter().any(Job::is_written) {
            return Ok(VecDeque::new());
        }
        self.stand_firm()?;
        let taken = self.commit(batch).map_err(|error| self.desk.place.fault(error))?;
        // Once more: what was written to a file that nobody will find again is not in the books.
        self.stand_firm()?;
        Ok(taken)
    }

    fn stand_firm(&self) -> Result<(), LedgerFault> {
        if self.footing.is_lost() { Err(LedgerFault::Lost { place: self.desk.place.clone() }) } else { Ok(()) }
    }

    fn commit(&mut self, batch: &[Job]) -> rusqlite::Result<VecDeque<bool>> {
        let mut taken = VecDeque::new();
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
