//! Daemons that live one after the other on one store, under strace.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use session_reaper::domain::name::SessionId;

use super::super::stage::{Daemon, Stage};
use super::disk::Disk;
use super::trace::{self, Act};
use super::{strace, under};
use crate::support::eventually;

pub(super) struct Lives {
    pub(super) stage: Stage,
    pub(super) folder: PathBuf,
    /// What all of them did to the store and sent, in order.
    pub(super) acts: Vec<Act>,
    /// The store before all that, where there was one.
    before: Option<Vec<u8>>,
    strace: String,
    lived: usize,
}

impl Lives {
    /// On what stands there, which is on the disk for certain; nothing where strace cannot be had.
    pub(super) fn on(stage: Stage) -> Option<Self> {
        let folder = stage.path("").canonicalize().expect("a folder");
        let before = std::fs::read(folder.join("books.db")).ok();
        Some(Self { stage, folder, acts: Vec::new(), before, strace: strace()?, lived: 0 })
    }

    /// Lets a daemon live until `life` has ended it.
    pub(super) fn live(&mut self, life: impl FnOnce(&Stage, Daemon)) {
        self.lived += 1;
        let record = self.folder.join(format!("life-{}.strace", self.lived));
        let options = ["-D", "-f", "-yy", "-xx", "-s", "1000000", "-e", trace::CALLS, "-o", record.to_str().expect("text")];
        let daemon = self.stage.daemon_with(under(&self.strace, &options, &self.stage.command(["run"])));
        let process = daemon.process.id();
        life(&self.stage, daemon);
        eventually("the record is whole", || is_whole(&record, process).then_some(()));
        let record = std::fs::read_to_string(&record).expect("a record");
        self.acts.extend(trace::read(&record, &self.folder, "books.db"));
    }

    /// Every release that left, in order.
    pub(super) fn requested(&self) -> Vec<&SessionId> {
        self.acts.iter().filter_map(|act| if let Act::Requested(id) = act { Some(id) } else { None }).collect()
    }

    /// How often the write-ahead file went into the store's own, once releases had begun to leave.
    pub(super) fn checkpoints(&self) -> usize {
        let begun = self.acts.iter().skip_while(|act| !matches!(act, Act::Requested(_)));
        begun.filter(|act| matches!(act, Act::Synced(file) if *file == self.folder.join("books.db"))).count()
    }

    /// Plays it all again, and stops after each act: with what a disk may hold by then, and what had left.
    pub(super) fn replay(&self, mut stop: impl FnMut(usize, &Act, &Disk, &BTreeSet<SessionId>)) {
        let before = self.before.iter().map(|bytes| (self.folder.join("books.db"), bytes.clone()));
        let (mut disk, mut sent) = (Disk::holding(before), BTreeSet::new());
        for (moment, act) in self.acts.iter().enumerate() {
            if let Act::Requested(id) = act {
                sent.insert(id.clone());
            }
            disk.take(act, &self.folder);
            stop(moment, act, &disk, &sent);
        }
    }
}

/// The process's own end is the last line.
fn is_whole(record: &Path, process: u32) -> bool {
    let mut tail = String::new();
    let read = File::open(record).and_then(|mut file| file.seek(SeekFrom::End(-100)).and_then(|_| file.read_to_string(&mut tail)));
    let line = tail.lines().next_back().and_then(|line| line.split_once(' '));
    read.is_ok() && line.is_some_and(|(number, end)| number == process.to_string() && end.trim_start().starts_with("+++ "))
}
