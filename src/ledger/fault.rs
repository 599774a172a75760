//! What can go wrong with the store, each with what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

use super::operator::MOST_HOLDS;

/// Why the books could not be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    #[error("store {place}: the folder {} does not exist; create it, or set store.path to another place", folder.display())]
    NoFolder { place: Place, folder: PathBuf },
    #[error("store {place}: another session-reaper is running on it; stop that one, or give this one a store.path of its own")]
    InUse { place: Place },
    #[error("store {place}: this is not a session-reaper store, and it was left untouched; set store.path to another file")]
    Foreign { place: Place },
    #[error(
        "store {place}: written by a newer session-reaper (format {found}, this one knows {known}), and left untouched; run that version, or set store.path to another file"
    )]
    Newer { place: Place, found: u32, known: u32 },
    #[error(
        "store {place}: written by an older session-reaper (format {found}, this one writes {known}); start `session-reaper run` once, which brings it up to date"
    )]
    Older { place: Place, found: u32, known: u32 },
    #[error("store {place}: damaged ({detail}), and left untouched; move it away and restore a copy, or start with a new file")]
    Damaged { place: Place, detail: String },
    #[error("store {place}: not accessible ({detail}); this user must be able to read and write the file and its folder")]
    NoAccess { place: Place, detail: String },
    #[error("store {place}: no space left ({detail}); free some on that disk")]
    Full { place: Place, detail: String },
    #[error("store {place}: the disk fails ({detail}); look whether it is read-only, full or broken")]
    Disk { place: Place, detail: String },
    #[error("store {place}: another process has kept it locked for {BUSY_SECONDS} s; try again, and look for a program that holds it open")]
    Busy { place: Place },
    #[error(
        "store {place}: moved, deleted or replaced while it was open; put it back where it was, or restart session-reaper to go on with what is there now"
    )]
    Lost { place: Place },
    #[error("store {place}: {detail}")]
    Other { place: Place, detail: String },
    #[error("store {place}: the books say already that {account}/{id} has ended, so that no new release of it is begun")]
    Settled { place: Place, account: String, id: String },
    #[error("store {place}: {MOST_HOLDS} holds are in force already; lift some, or spare such sessions by a policy with `protect`")]
    TooManyHolds { place: Place },
    #[error("store {place}: closed already")]
    Closed { place: Place },
    #[error("store.path is \":memory:\", which no other process can reach: set it to a file for this command")]
    InMemory,
}

/// How long a connection waits for another process's transaction.
pub(super) const BUSY_SECONDS: u64 = 5;

/// What SQLite says where the index beside the write-ahead file finds no space; its code has no name of its own for that.
const NO_ROOM_FOR_THE_INDEX: i32 = rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// SQLite's name for a database that this process alone sees, shared by its connections.
    Memory(Arc<str>),
    File(Arc<Path>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(_) => f.write_str(":memory:"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Place {
    /// What a SQLite error means for the person who runs this.
    pub(super) fn fault(&self, error: rusqlite::Error) -> LedgerFault {
        let place = self.clone();
        let detail = error.to_string();
        if error.sqlite_error().is_some_and(|error| error.extended_code == NO_ROOM_FOR_THE_INDEX) {
            return LedgerFault::Full { place, detail };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => LedgerFault::Damaged { place, detail },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => LedgerFault::NoAccess { place, detail },
            Some(ErrorCode::SystemIoFailure) => LedgerFault::Disk { place, detail },
            Some(ErrorCode::DiskFull) => LedgerFault::Full { place, detail },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerFault::Busy { place },
            _ => LedgerFault::Other { place, detail },
        }
    }

    pub(super) fn io_fault(&self, error: &std::io::Error) -> LedgerFault {
        LedgerFault::NoAccess { place: self.clone(), detail: error.to_string() }
    }
}
