//! The files that the books are written to, known again whatever comes to stand at their paths.

use std::path::PathBuf;

use super::fault::Place;
use super::file::with_suffix;

/// The store's file and the two beside it as they were when the books were opened. SQLite goes on writing to files that were deleted or replaced, and
/// whoever opens the store then has other ones.
pub(super) struct Footing(Vec<(PathBuf, Option<FileId>)>);

/// The device and the number of a file on it; nothing where there is none, or where files have no such numbers.
type FileId = (u64, u64);

impl Footing {
    pub(super) fn of(place: &Place) -> Self {
        let Place::File(path) = place else { return Self(Vec::new()) };
        Self(["", "-wal", "-shm"].map(|suffix| with_suffix(path, suffix)).map(|path| (path.clone(), id(&path))).into())
    }

    /// Whether what is written now would be found by nobody who opens the store.
    pub(super) fn is_lost(&self) -> bool {
        self.0.iter().any(|(path, known)| known.is_some() && id(path) != *known)
    }
}

#[cfg(unix)]
fn id(path: &std::path::Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|file| (file.dev(), file.ino()))
}

/// An open file can be neither deleted nor replaced there.
#[cfg(not(unix))]
fn id(_path: &std::path::Path) -> Option<FileId> {
    None
}
