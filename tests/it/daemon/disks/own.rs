//! A small disk for one daemon alone.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::super::stage::{Daemon, Stage};
use crate::support::{Process, foreign_script};

pub(super) struct OwnDisk<'a> {
    stage: &'a Stage,
    size: &'static str,
}

impl<'a> OwnDisk<'a> {
    /// Nothing where none can be mounted.
    pub(super) fn new(stage: &'a Stage, size: &'static str) -> Option<Self> {
        std::fs::create_dir(stage.path("disk")).expect("a writable folder");
        foreign_script("tests/power/disk.sh", &[size, stage.path("disk").to_str()?, "true"])?;
        Some(Self { stage, size })
    }

    /// `run` on this disk, after `first` has been done to it by a shell that stands in it.
    pub(super) fn after(&self, first: &str) -> Process {
        let run = self.stage.command(["run", "--set", "store.path=disk/books.db"]);
        let mut command = Command::new("sh");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/power/disk.sh")).arg(self.size).arg(self.stage.path("disk"));
        command.args(["sh", "-c", &format!("(cd disk && {first}) && exec \"$0\" \"$@\"")]).arg(run.get_program()).args(run.get_args());
        command.current_dir(self.stage.path("")).envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Process::start(command)
    }

    pub(super) fn daemon(&self) -> Daemon {
        Daemon::started(self.after("true"))
    }

    /// A path on it, for everybody else.
    fn path(&self, daemon: &Daemon, name: &str) -> PathBuf {
        let disk = self.stage.path("disk").canonicalize().expect("a folder").join(name);
        PathBuf::from(format!("/proc/{}/root{}", daemon.process.id(), disk.display()))
    }

    /// What a command prints that stands on the same disk, beside the daemon; it must work.
    pub(super) fn printed<const N: usize>(&self, daemon: &Daemon, arguments: [&str; N]) -> String {
        let command = self.stage.command(arguments);
        let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/user")).expect("a namespace");
        let pid = daemon.process.id().to_string();
        let mut beside = Command::new("nsenter");
        beside.args(["--target", &pid, "--mount"]);
        if namespace(&pid) != namespace("self") {
            beside.args(["--user", "--preserve-credentials"]);
        }
        beside
            .arg(command.get_program())
            .args(command.get_args())
            .arg("--set")
            .arg(format!("store.path={}", self.stage.path("disk/books.db").display()));
        beside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = beside.output().expect("nsenter is there");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// The store as it is at this moment, in a folder of its own.
    pub(super) fn copied(&self, daemon: &Daemon) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        daemon.process.signal("STOP");
        for name in ["books.db", "books.db-wal"] {
            std::fs::copy(self.path(daemon, name), folder.path().join(name)).expect("it is there");
        }
        daemon.process.signal("CONT");
        folder
    }

    /// Not a byte is left.
    pub(super) fn fill(&self, daemon: &Daemon) {
        let mut filler = File::create(self.path(daemon, "filler")).expect("a file");
        while filler.write_all(&[7; 4_096]).is_ok() {}
        while filler.write_all(&[7]).is_ok() {}
    }

    pub(super) fn free(&self, daemon: &Daemon) {
        std::fs::remove_file(self.path(daemon, "filler")).expect("the filler is there");
    }
}
