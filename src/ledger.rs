//! The books, in SQLite: every release with its policy, limit, deadline, overrun and outcome; what was seen; and what operators said.
//!
//! One thread writes, in order and in groups, and a write is on the disk before anybody is told so. Reading needs no writer. The daemon
//! holds a lock on its store; operators' commands write beside it, and it sees what they wrote within a quarter of a second.

mod apply;
mod desk;
mod fault;
mod file;
mod footing;
mod lived;
mod notices;
mod operator;
mod queries;
mod report;
mod retention;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::config::StorePath;
use crate::domain::hold::Orders;
use crate::domain::name::AccountName;
use crate::domain::record::{Lived, Recall, Record};
use crate::domain::release::Release;
use crate::domain::time::{SignedDuration, Timestamp};

use desk::{Desk, Job};
pub use fault::{LedgerFault, Place};
pub use operator::{Operator, Resumed};
pub use queries::Reader;
pub use report::{By, Read, Wanted};
pub use writer::Scribe;

/// How the daemon opens its books.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// What is older is forgotten, at the start and every hour; zero keeps it for ever.
    pub retention: SignedDuration,
    pub now: Timestamp,
}

/// The daemon's handle on its books; cheap to clone. The last one that goes away closes them.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    desk: Arc<Desk>,
    reader: Reader,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ledger {
    /// Opens the books for writing: creates or migrates them, and takes the store's lock. A file that is foreign, newer or damaged is refused untouched.
    pub fn open(path: &StorePath, options: OpenOptions) -> Result<Self, LedgerFault> {
        let (ledger, scribe) = Self::open_with_scribe(path, options)?;
        let work = move || scribe.work(options.now);
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(work).map_err(|error| ledger.inner.desk.place.io_fault(&error))?;
        *ledger.inner.thread() = Some(thread);
        Ok(ledger)
    }

    /// The same, with the scribe to be turned by hand: in virtual time nothing happens by itself, and what has not been written dies with the scribe.
    pub fn open_with_scribe(path: &StorePath, options: OpenOptions) -> Result<(Self, Scribe), LedgerFault> {
        let place = Place::of(path);
        let (connection, lock) = place.open_for_daemon()?;
        let orders = queries::orders(&connection).map_err(|error| place.fault(error))?;
        let reader = Reader::over(place.clone(), place.connect_for_reading()?);
        let desk = Arc::new(Desk::new(place, orders));
        let scribe = Scribe::new(desk.clone(), connection, lock, options);
        Ok((Self { inner: Arc::new(Inner { desk, reader, thread: Mutex::default() }) }, scribe))
    }

    /// Writes a release before it is requested. It is on the disk when this returns `Ok`; on an error it is not kept, and the request must not be sent.
    pub async fn intend(&self, release: &Release) -> Result<(), LedgerFault> {
        let (reply, answer) = oneshot::channel();
        self.inner.desk.put(Job::Intend(Box::new(release.clone()), reply));
        answer.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// Queues a fact, in order; it is kept and tried again for as long as it cannot be written.
    pub fn record(&self, record: Record) {
        self.inner.desk.put(Job::Record(record));
    }

    /// Waits until everything queued so far is on the disk; false where it was not within that time.
    pub async fn flush(&self, within: Duration) -> bool {
        let (done, answer) = oneshot::channel();
        self.inner.desk.put(Job::Flush(done));
        matches!(tokio::time::timeout(within, answer).await, Ok(Ok(())))
    }

    /// Whether the books can be written; else why not.
    pub fn health(&self) -> watch::Receiver<Result<(), String>> {
        self.inner.desk.health.subscribe()
    }

    /// For how long the hand that writes has been at one write, or has waited for another process's lock; nothing where it rests, or was refused.
    pub fn busy_for(&self) -> Option<SignedDuration> {
        self.inner.desk.busy_for()
    }

    /// What operators have said, as they say it. Instants are the wall clock of the process that wrote them.
    pub fn orders(&self) -> watch::Receiver<Arc<Orders>> {
        self.inner.desk.orders.subscribe()
    }

    /// What an engine has to know of its account when it starts; sees everything that was recorded before.
    pub async fn recall(&self, account: &AccountName, now: Timestamp) -> Result<Recall, LedgerFault> {
        let (reply, answer) = oneshot::channel();
        self.inner.desk.put(Job::Recall(account.clone(), now, reply));
        answer.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// As [`Reader::lived`]; sees everything that was recorded before. Read beside the writer, on a connection of its own: however many rows there are,
    /// no intent waits for them.
    pub async fn lived(&self, account: &AccountName, since: Timestamp, each: impl FnMut(Lived) + Send + 'static) -> Result<(), LedgerFault> {
        let account = account.clone();
        self.beside(move |reader| reader.lived(&account, since, each)).await
    }

    /// As [`Reader::latest`], in the same way.
    pub async fn latest(&self, account: &AccountName, each: impl FnMut(Lived) -> ControlFlow<()> + Send + 'static) -> Result<(), LedgerFault> {
        let account = account.clone();
        self.beside(move |reader| reader.latest(&account, each)).await
    }

    async fn beside(&self, read: impl FnOnce(&Reader) -> Result<(), LedgerFault> + Send + 'static) -> Result<(), LedgerFault> {
        let (reply, answer) = oneshot::channel();
        self.inner.desk.put(Job::CatchUp(reply));
        answer.await.unwrap_or_else(|_| Err(self.closed()))?;
        let place = self.inner.desk.place.clone();
        let read = move || read(&Reader::over(place.clone(), place.connect_for_reading()?));
        let failed = |error: tokio::task::JoinError| LedgerFault::Other { place: self.inner.desk.place.clone(), detail: error.to_string() };
        tokio::task::spawn_blocking(read).await.map_err(failed)?
    }

    pub fn reader(&self) -> Reader {
        self.inner.reader.clone()
    }

    /// Writes what is queued, if it can be written, and gives the store back. Blocks while it does; other handles find the books closed.
    pub fn close(self) {
        self.inner.close();
    }

    fn closed(&self) -> LedgerFault {
        LedgerFault::Closed { place: self.inner.desk.place.clone() }
    }

    #[cfg(test)]
    fn meddle(&self, meddle: impl FnOnce(&rusqlite::Connection) + Send + 'static) {
        self.inner.desk.put(Job::Meddle(Box::new(meddle)));
    }
}

impl Inner {
    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let thread = self.thread().take();
        if let Some(thread) = thread {
            self.desk.start_closing();
            // The thread ends by itself; a panic in it has been said by the panic hook already.
            drop(thread.join());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
