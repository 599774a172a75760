//! The store's file: whether it is ours, who may open it, and its connections. A file that is refused is only ever read, never opened as a database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::{BUSY_SECONDS, LedgerFault, Place};
use super::schema::{self, APPLICATION_ID, FORMAT, MIGRATIONS};
use crate::config::StorePath;

/// What stands at a store's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// No file, or one without a byte in it.
    Nothing,
    /// A store of ours, in this format.
    Store { format: u32 },
}

/// Held by the one daemon of a store for as long as it runs.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] Option<File>);

impl Place {
    /// The place that a configuration names; each `:memory:` is a new one.
    pub(super) fn of(path: &StorePath) -> Self {
        static MEMORIES: AtomicU64 = AtomicU64::new(0);
        match path {
            StorePath::Memory => Self::Memory(format!("file:/session-reaper-{}?vfs=memdb", MEMORIES.fetch_add(1, Ordering::Relaxed)).into()),
            StorePath::File(path) => Self::File(path.as_path().into()),
        }
    }

    /// The daemon's way in: refuses what is not ours, damaged, or another daemon's, then creates or migrates.
    pub(super) fn open_for_daemon(&self) -> Result<(Connection, Lock), LedgerFault> {
        let found = self.inspect()?;
        let lock = self.lock()?;
        if let (Found::Store { .. }, Self::File(path)) = (found, self) {
            // A second look, because an operator's command may have been writing during the first, which takes no locks.
            self.verify(path).or_else(|_| self.verify(path))?;
        }
        let connection = self.create_or_migrate()?;
        connection.pragma_update(None, "wal_autocheckpoint", WRITE_AHEAD_PAGES).map_err(|error| self.fault(error))?;
        Ok((connection, lock))
    }

    /// An operator's way in: creates the store where there is none, and leaves migrations to the daemon.
    pub(super) fn open_for_operator(&self) -> Result<Connection, LedgerFault> {
        if matches!(self, Self::Memory(_)) {
            return Err(LedgerFault::InMemory);
        }
        match self.inspect()? {
            Found::Nothing => self.create_or_migrate(),
            Found::Store { format } if format < FORMAT => Err(self.older(format)),
            Found::Store { .. } => self.connect(),
        }
    }

    /// A reader's way in; `None` where there is nothing to read.
    pub(super) fn open_for_reader(&self) -> Result<Option<Connection>, LedgerFault> {
        match self.inspect()? {
            Found::Nothing => Ok(None),
            Found::Store { format } if format < FORMAT => Err(self.older(format)),
            Found::Store { .. } => self.connect_for_reading().map(Some),
        }
    }

    /// A connection that cannot write. It is no read-only one to SQLite, which would leave its side files behind.
    pub(super) fn connect_for_reading(&self) -> Result<Connection, LedgerFault> {
        let connection = self.connect()?;
        connection.pragma_update(None, "query_only", true).map_err(|error| self.fault(error))?;
        Ok(connection)
    }

    fn older(&self, found: u32) -> LedgerFault {
        LedgerFault::Older { place: self.clone(), found, known: FORMAT }
    }

    /// Reads the file's header with our own hands. Where the power went while our tables were made or migrated, what SQLite noted beside the file is
    /// taken back first: until then the file is neither the one nor the other.
    fn inspect(&self) -> Result<Found, LedgerFault> {
        let Self::File(path) = self else { return Ok(Found::Nothing) };
        let folder = folder_of(path);
        if !folder.is_dir() {
            return Err(LedgerFault::NoFolder { place: self.clone(), folder });
        }
        let header = self.header(path)?;
        if begins_with_magic(&with_suffix(path, "-journal")) && (is_blank(&header) || matches!(self.recognize(&header), Ok(Found::Store { .. }))) {
            self.roll_back()?;
            return self.recognize(&self.header(path)?);
        }
        self.recognize(&header)
    }

    /// Reading is enough: SQLite takes back what nobody is still at work on.
    fn roll_back(&self) -> Result<(), LedgerFault> {
        schema::version(&self.connect()?).map(drop).map_err(|error| self.fault(error))
    }

    /// The file's first bytes; none where there is no file.
    fn header(&self, path: &Path) -> Result<Vec<u8>, LedgerFault> {
        match first_bytes(path, HEADER_BYTES) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            read => read.map_err(|error| self.io_fault(&error)),
        }
    }

    fn recognize(&self, header: &[u8]) -> Result<Found, LedgerFault> {
        if header.is_empty() {
            return Ok(Found::Nothing);
        }
        if header.len() < HEADER_BYTES || !header.starts_with(MAGIC) || big_endian(header, APPLICATION_ID_AT) != APPLICATION_ID {
            return Err(LedgerFault::Foreign { place: self.clone() });
        }
        match big_endian(header, USER_VERSION_AT) {
            format if format > FORMAT => Err(LedgerFault::Newer { place: self.clone(), found: format, known: FORMAT }),
            format => Ok(Found::Store { format }),
        }
    }

    fn lock(&self) -> Result<Lock, LedgerFault> {
        let Self::File(path) = self else { return Ok(Lock(None)) };
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        for_owner_only(&mut options);
        let file = options.open(with_suffix(path, ".lock")).map_err(|error| self.io_fault(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(Some(file))),
            Err(TryLockError::WouldBlock) => Err(LedgerFault::InUse { place: self.clone() }),
            Err(TryLockError::Error(error)) => Err(self.io_fault(&error)),
        }
    }

    /// Looks for damage without changing a byte, beside or in the file. With a write-ahead file there, that must be read too, and stays.
    fn verify(&self, path: &Path) -> Result<(), LedgerFault> {
        let flags = OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let ahead = with_suffix(path, "-wal").metadata().is_ok_and(|ahead| ahead.len() > 0);
        let (query, mode) = if ahead { ("", OpenFlags::SQLITE_OPEN_READ_WRITE) } else { ("?immutable=1", OpenFlags::SQLITE_OPEN_READ_ONLY) };
        let look = || -> rusqlite::Result<String> {
            let connection = Connection::open_with_flags(format!("{}{query}", uri(path)), flags | mode)?;
            connection.busy_timeout(Duration::from_secs(BUSY_SECONDS))?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        };
        match look() {
            Ok(word) if word == "ok" => Ok(()),
            Ok(detail) => Err(LedgerFault::Damaged { place: self.clone(), detail }),
            Err(error) => Err(self.fault(error)),
        }
    }

    fn create_or_migrate(&self) -> Result<Connection, LedgerFault> {
        if let Self::File(path) = self {
            let mut options = OpenOptions::new();
            options.create(true).truncate(false).write(true);
            for_owner_only(&mut options);
            options.open(path).map_err(|error| self.io_fault(&error))?;
        }
        let mut connection = self.connect()?;
        schema::migrate(&mut connection, MIGRATIONS).map_err(|error| self.fault(error))?;
        if matches!(self, Self::File(_)) {
            connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).map_err(|error| self.fault(error))?;
        }
        Ok(connection)
    }

    fn connect(&self) -> Result<Connection, LedgerFault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> rusqlite::Result<Connection> {
            let connection = match self {
                Self::File(path) => Connection::open_with_flags(path, flags)?,
                Self::Memory(name) => Connection::open_with_flags(name.as_ref(), flags | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI)?,
            };
            connection.busy_timeout(Duration::from_secs(BUSY_SECONDS))?;
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES)?;
            Ok(connection)
        };
        open().map_err(|error| self.fault(error))
    }
}

/// Pages of 4 KiB that the write-ahead file has before they go into the store's own file and it begins anew: what the books need of a disk beside
/// their rows. One that has less than that takes writes for a while and then no more, until a restart.
const WRITE_AHEAD_PAGES: u32 = 250;

/// What the write-ahead file keeps of the disk once its rows stand in the store. A reader that goes on reading keeps it longer.
const JOURNAL_BYTES: i64 = 16 << 20;

/// SQLite's own file format: the first 100 bytes, and where in them the marks are.
const HEADER_BYTES: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
const USER_VERSION_AT: usize = 60;
const APPLICATION_ID_AT: usize = 68;

/// With which SQLite begins what it notes beside a file, to be able to take a change back.
const JOURNAL_MAGIC: &[u8] = &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

fn begins_with_magic(journal: &Path) -> bool {
    first_bytes(journal, JOURNAL_MAGIC.len()).is_ok_and(|bytes| bytes == JOURNAL_MAGIC)
}

/// A file that was to become a store, and had no first page yet.
fn is_blank(header: &[u8]) -> bool {
    !header.is_empty() && header.iter().all(|byte| *byte == 0)
}

fn first_bytes(path: &Path, count: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(count);
    File::open(path)?.take(count as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn big_endian(bytes: &[u8], at: usize) -> u32 {
    bytes.iter().skip(at).take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The path as a `file:` URI, whatever bytes it has.
fn uri(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let escape = |byte: &u8| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    format!("file:{}", path.as_os_str().as_encoded_bytes().iter().map(escape).collect::<String>())
}

#[cfg(unix)]
fn for_owner_only(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(not(unix))]
fn for_owner_only(_options: &mut OpenOptions) {}
