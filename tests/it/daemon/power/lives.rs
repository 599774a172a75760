//! Daemons that live one after the other on one store, under strace.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;

use session_reaper::domain::name::SessionId;

use super::super::stage::{Daemon, Stage};
use super::disk::Disk;
use super::strace;
use super::trace::{self, Act};
use crate::support::eventually;

pub(super) struct Lives {
    pub(super) stage: Stage,
    pub(super) folder: PathBuf,
    /// What all of them did to the store and sent, in order.
    pub(super) acts: Vec<Act>,
    strace: String,
    lived: usize,
}

impl Lives {
    /// On a store that is not there yet; nothing where strace cannot be had.
    pub(super) fn on(stage: Stage) -> Option<Self> {
        let folder = stage.path("").canonicalize().expect("a folder");
        Some(Self { stage, folder, acts: Vec::new(), strace: strace()?, lived: 0 })
    }

    /// Lets a daemon live until `life` has ended it.
    pub(super) fn live(&mut self, life: impl FnOnce(&Stage, Daemon)) {
        self.lived += 1;
        let record = self.folder.join(format!("life-{}.strace", self.lived));
        let daemon = self.stage.daemon_with(traced(&self.strace, &self.stage.command(["run"]), &record));
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

    /// Plays it all again, and stops after each act: with what a disk may hold by then, and what had left.
    pub(super) fn replay(&self, mut stop: impl FnMut(usize, &Act, &Disk, &BTreeSet<SessionId>)) {
        let (mut disk, mut sent) = (Disk::default(), BTreeSet::new());
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

/// The same command, traced. The tracer stands aside, so that the process is the program's own.
fn traced(strace: &str, command: &Command, record: &Path) -> Command {
    let mut traced = Command::new(strace);
    traced
        .args(["-D", "-f", "-yy", "-xx", "-s", "1000000", "-e", trace::CALLS, "-o"])
        .arg(record)
        .arg(command.get_program())
        .args(command.get_args());
    traced.current_dir(command.get_current_dir().expect("a stage's commands have one"));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    traced
}
