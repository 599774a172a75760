//! One daemon on the stage: the shipped engine, executor and ledger, over a disk that outlives it.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rusqlite::{Connection, OpenFlags};
use session_reaper::config::StorePath;
use session_reaper::domain::hold::Orders;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::release::Release;
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::engine::{Command, Engine, Input, Runtime, Terms};
use session_reaper::executor::{Call, Executor};
use session_reaper::ledger::{Ledger, OpenOptions, Reader, Scribe};
use session_reaper::metrics::Metrics;
use session_reaper::simulator::SharedWorld;
use session_reaper::simulator::in_process::Carrier;
use session_reaper::telemetry::Telemetry;
use tempfile::TempDir;

use super::books::Books;
use super::face::Face;
use super::sabotage::Sabotage;
use super::watch::Watch;

/// Turns that write whatever may wait.
const TURNS_FOR_EVERYTHING: usize = 20;

/// What outlives the process, and what is known of it from outside.
#[derive(Debug)]
pub(crate) struct Node {
    /// What the configuration means, as whoever watches knows it.
    pub terms: Terms,
    pub orders: Orders,
    pub life: Option<Life>,
    /// How often it was started.
    pub lives: usize,
    /// Our clock minus the true time.
    pub clock_off: SignedDuration,
    pub watch: Watch,
    /// Where it dies: after so many more steps.
    pub dies_in: Option<u32>,
    pub disk: Disk,
    pub sabotage: Sabotage,
}

/// The store's folder, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: TempDir,
    pub refuses: bool,
    /// How long a write takes.
    pub latency: SignedDuration,
    pub retention: SignedDuration,
    /// Beside the daemon, as an operator's command would read it.
    reading: Option<Connection>,
}

impl Disk {
    /// In memory, where the machine has such a place: it takes no time to sync, and a killed process leaves there what it has written.
    fn new() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
        Self { folder, refuses: false, latency: SignedDuration::ZERO, retention: SignedDuration::from_hours(24 * 90), reading: None }
    }

    /// How large everything in it is.
    pub(crate) fn bytes(&self) -> u64 {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|file| file.len()).sum()
    }

    pub(crate) fn store(&self) -> StorePath {
        StorePath::File(self.file())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("books.db")
    }

    fn open_for_reading(&mut self) {
        let file = self.file();
        self.reading.get_or_insert_with(|| Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the store can be read"));
    }
}

/// From a start to a death.
pub(crate) struct Life {
    pub engine: Engine,
    pub executor: Executor,
    pub carrier: Arc<Carrier>,
    pub telemetry: Arc<Telemetry>,
    ledger: Ledger,
    scribe: Scribe,
    /// Books that nobody reads, where intents are written to the wrong ones.
    elsewhere: Option<(Ledger, Scribe)>,
    /// Releases whose intent is being written.
    pub intended: Vec<super::Sent>,
    /// The scribe will turn.
    pub turning: bool,
}

impl std::fmt::Debug for Life {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.engine.fmt(f)
    }
}

impl Node {
    pub(crate) fn new(terms: Terms) -> Self {
        // A listing, what it may have to be repeated for, and what the books have of a session that does not change.
        let blind = terms.poll_interval * 2 + SignedDuration::from_mins(10);
        Self {
            terms,
            orders: Orders::default(),
            life: None,
            lives: 0,
            clock_off: SignedDuration::ZERO,
            watch: Watch::new(blind),
            dies_in: None,
            disk: Disk::new(),
            sabotage: Sabotage::default(),
        }
    }

    /// Our clock at the true time.
    pub(crate) fn ours(&self, now: Timestamp) -> Timestamp {
        later(now, self.clock_off)
    }

    /// Starts from the books, as the daemon does.
    pub(crate) fn start(&mut self, face: Face, world: &SharedWorld, now: Timestamp) {
        let ours = self.ours(now);
        let options = OpenOptions { retention: self.disk.retention, now: ours };
        let (ledger, scribe) = Ledger::open_with_scribe(&self.disk.store(), options).expect("the store can be opened");
        scribe.refuse_writes(self.disk.refuses).expect("the disk can be told");
        self.disk.open_for_reading();
        let elsewhere = self.sabotage.writes_elsewhere().then(|| Ledger::open_with_scribe(&StorePath::Memory, options).expect("memory"));
        let (carrier, account) = face.connect(world, now);
        let telemetry = Arc::new(Telemetry::new(Metrics::new("0", "0").expect("the metrics are sound")));
        let executor = Executor {
            account: self.terms.account.clone(),
            lister: account.lister,
            releaser: Some(account.releaser),
            ledger: elsewhere.as_ref().map_or_else(|| ledger.clone(), |(other, _)| other.clone()),
            telemetry: telemetry.clone(),
        };
        let terms = self.sabotage.terms(&self.terms);
        let recall = self.sabotage.recall(ledger.reader().recall(&terms.account, ours).expect("the books can be read"));
        let runtime = runtime(&terms, &ledger.reader(), ours);
        let mut engine = Engine::new(terms, recall, Arc::new(self.sabotage.orders(&self.orders)), ours);
        engine.account_for(runtime, ours);
        self.lives += 1;
        self.watch.restarts();
        self.watch.paces(self.terms.requests_per_second);
        self.life = Some(Life { engine, executor, carrier, telemetry, ledger, scribe, elsewhere, intended: Vec::new(), turning: false });
    }

    /// Somebody sets our clock, while we are down.
    pub(crate) fn set_clock(&mut self, by: SignedDuration) {
        self.clock_off += by;
        self.watch.blind += by.abs();
    }

    /// A kill: what was not written is lost.
    pub(crate) fn dies(&mut self) {
        self.life = None;
        self.dies_in = None;
    }

    /// Gives whether it dies at this step.
    pub(crate) fn steps(&mut self) -> bool {
        self.dies_in = self.dies_in.map(|left| left.saturating_sub(1));
        self.dies_in == Some(0)
    }

    /// When it wants to be woken, in true time.
    pub(crate) fn wakes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let wanted = self.life.as_ref()?.engine.poll_timeout(self.ours(now))?;
        Some(later(wanted, -self.clock_off).max(now))
    }

    pub(crate) fn handle(&mut self, input: Input, now: Timestamp) {
        let ours = self.ours(now);
        if let Some(life) = &mut self.life {
            life.engine.handle(input, ours);
        }
    }

    pub(crate) fn next_command(&mut self) -> Option<Command> {
        self.life.as_mut()?.engine.next_command()
    }

    /// The new configuration, with the runtime that the books have by it.
    pub(crate) fn reconfigure(&mut self, terms: Terms, now: Timestamp) {
        self.terms = terms;
        self.watch.paces(self.terms.requests_per_second);
        let (ours, terms) = (self.ours(now), self.sabotage.terms(&self.terms));
        let Some(life) = &mut self.life else { return };
        life.flush(ours);
        let runtime = Box::new(runtime(&terms, &life.ledger.reader(), ours));
        self.handle(Input::Reconfigured { terms: Box::new(terms), runtime, new_credential: false }, now);
    }

    pub(crate) fn turn(&mut self, now: Timestamp) {
        let ours = self.ours(now);
        if let Some(life) = &mut self.life {
            life.scribe.turn(ours);
            if !self.disk.refuses {
                self.watch.is_written();
            }
            life.elsewhere.iter_mut().for_each(|(_, scribe)| scribe.turn(ours));
        }
    }

    pub(crate) fn refuse_writes(&mut self, refuse: bool) {
        self.disk.refuses = refuse;
        if let Some(life) = &self.life {
            life.scribe.refuse_writes(refuse).expect("the disk can be told");
        }
    }

    /// What the books say, with all that waits written.
    pub(crate) fn books(&mut self, now: Timestamp) -> Books {
        let ours = self.ours(now);
        if let Some(life) = &mut self.life {
            life.flush(ours);
            return Books::read(&life.ledger.reader(), &self.terms.account, ours);
        }
        let reader = Reader::open(&self.disk.store()).expect("the store can be read");
        reader.map(|reader| Books::read(&reader, &self.terms.account, ours)).unwrap_or_default()
    }

    /// Whether the books have an intent for this release, as somebody reading the disk would find it.
    pub(crate) fn has_intent(&self, row: &Release) -> bool {
        let reading = self.disk.reading.as_ref().expect("who sends has opened the store");
        let sql = "SELECT EXISTS (SELECT 1 FROM releases WHERE account = ?1 AND id = ?2 AND life = ?3 AND attempts >= ?4)";
        let life = row.life.as_ref().map_or("", SessionId::as_str);
        let mut statement = reading.prepare_cached(sql).expect("a table of releases");
        statement.query_row((row.account.as_str(), row.id.as_str(), life, row.attempts), |row| row.get(0)).expect("the books can be read")
    }
}

impl Life {
    fn flush(&mut self, ours: Timestamp) {
        (0..TURNS_FOR_EVERYTHING).for_each(|_| self.scribe.turn(ours));
    }
}

fn runtime(terms: &Terms, reader: &Reader, ours: Timestamp) -> Runtime {
    let mut runtime = Runtime::new(terms.account.clone(), terms.provider, terms.policies.clone());
    if let Some(since) = runtime.since(ours) {
        reader.lived(&terms.account, since, |lived| runtime.add(lived, ours)).expect("the books can be read");
    }
    runtime
}

/// Goes as far with a call as it comes without waiting.
pub(crate) fn advance(call: &mut Call) -> Option<Input> {
    match Pin::new(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(input) => Some(input),
        Poll::Pending => None,
    }
}
