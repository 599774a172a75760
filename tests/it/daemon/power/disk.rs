//! What a disk may hold when the power goes: all that was synced, and of all that was written since then any part, in any order, torn between sectors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fastrand::Rng;

use super::trace::Act;

/// What of the writes that were not synced has reached the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Luck {
    /// Nothing but what was synced.
    None,
    /// All of them: what a killed process leaves behind as well.
    All,
    AllButTheLast,
    /// Some, and some of those torn between sectors of this size.
    Some {
        sector: usize,
    },
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Cut { length: usize },
}

/// A file by what is certain of it, and what is not yet.
#[derive(Clone, Debug, Default)]
struct File {
    certain: Vec<u8>,
    changes: Vec<Change>,
    /// Changes that the sync under way will have made certain.
    syncing: usize,
}

/// A folder's files. Names, too, are certain only once their folder is synced.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    certain_names: BTreeMap<PathBuf, usize>,
    /// The file of the newest change.
    last_changed: Option<usize>,
}

impl Disk {
    pub(super) fn holding(files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> Self {
        let mut disk = Self::default();
        for (name, certain) in files {
            disk.names.insert(name, disk.files.len());
            disk.files.push(File { certain, ..File::default() });
        }
        disk.certain_names = disk.names.clone();
        disk
    }

    pub(super) fn take(&mut self, act: &Act, folder: &Path) {
        match act {
            Act::Created(name) => self.create(name),
            Act::Removed(name) => drop(self.names.remove(name)),
            Act::Wrote { file, at, bytes } => self.change(file, Change::Write { at: *at, bytes: bytes.clone() }),
            Act::Cut { file, length } => self.change(file, Change::Cut { length: *length }),
            Act::Synced(path) if path == folder => self.certain_names = self.names.clone(),
            Act::Syncing(path) if path != folder => {
                let file = self.file(path);
                file.syncing = file.changes.len();
            }
            Act::Synced(path) => self.file(path).sync(),
            Act::Syncing(_) | Act::Requested(_) => {}
        }
    }

    /// A name that is there already stays what it is.
    fn create(&mut self, name: &Path) {
        if !self.names.contains_key(name) {
            self.files.push(File::default());
            self.names.insert(name.to_owned(), self.files.len() - 1);
        }
    }

    fn change(&mut self, name: &Path, change: Change) {
        self.file(name).changes.push(change);
        self.last_changed = self.names.get(name).copied();
    }

    fn file(&mut self, name: &Path) -> &mut File {
        let place = self.names[name];
        &mut self.files[place]
    }

    /// One of the folders that may be found when the power is back.
    pub(super) fn found(&self, luck: Luck, rng: &mut Rng) -> BTreeMap<PathBuf, Vec<u8>> {
        let names: BTreeSet<&PathBuf> = self.names.keys().chain(self.certain_names.keys()).collect();
        let mut found = BTreeMap::new();
        for name in names {
            let (certain, current) = (self.certain_names.get(name), self.names.get(name));
            let file = match luck {
                Luck::None => certain,
                Luck::All | Luck::AllButTheLast => current,
                Luck::Some { .. } => {
                    if rng.bool() {
                        certain
                    } else {
                        current
                    }
                }
            };
            if let Some(file) = file {
                found.insert(name.clone(), self.files[*file].found(luck, self.last_changed == Some(*file), rng));
            }
        }
        found
    }
}

impl File {
    fn sync(&mut self) {
        for change in self.changes.drain(..self.syncing) {
            change.apply(&mut self.certain, usize::MAX, || true);
        }
        self.syncing = 0;
    }

    fn found(&self, luck: Luck, is_last: bool, rng: &mut Rng) -> Vec<u8> {
        let mut content = self.certain.clone();
        let count = match luck {
            Luck::None => 0,
            Luck::AllButTheLast if is_last => self.changes.len().saturating_sub(1),
            _ => self.changes.len(),
        };
        for change in &self.changes[..count] {
            match (luck, rng.u8(..4)) {
                (Luck::Some { .. }, 0) => {}
                (Luck::Some { sector }, 1) => change.apply(&mut content, sector, || rng.bool()),
                _ => change.apply(&mut content, usize::MAX, || true),
            }
        }
        content
    }
}

impl Change {
    /// Sector by sector, as each of them arrives or does not.
    fn apply(&self, content: &mut Vec<u8>, sector: usize, mut arrives: impl FnMut() -> bool) {
        match self {
            Self::Cut { length } => content.resize(*length, 0),
            Self::Write { at, bytes } => {
                content.resize(content.len().max(at + bytes.len()), 0);
                let (mut place, end) = (*at, at + bytes.len());
                while place < end {
                    let next = end.min((place / sector + 1).saturating_mul(sector));
                    if arrives() {
                        content[place..next].copy_from_slice(&bytes[place - at..next - at]);
                    }
                    place = next;
                }
            }
        }
    }
}
