//! A small disk for one daemon alone.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

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

    /// The program on this disk, after a shell that stands in it has done this.
    pub(super) fn after(&self, first: &str, arguments: &[&str]) -> Process {
        let program = self.program();
        let mut command = Command::new("sh");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/power/disk.sh")).arg(self.size).arg(self.stage.path("disk"));
        command.args(["sh", "-c", &format!("(cd disk && {first}) && exec \"$0\" \"$@\"")]).arg(program.get_program()).args(program.get_args());
        command.args(arguments).current_dir(self.stage.path("")).envs(environment(&program));
        Process::start(command)
    }

    pub(super) fn daemon(&self) -> Daemon {
        Daemon::started(self.after("true", &["run"]))
    }

    fn program(&self) -> Command {
        let mut command = self.stage.command([]);
        command.arg("--set").arg(format!("store.path={}", self.stage.path("disk/books.db").display()));
        command
    }

    /// The program with the same disk before its eyes as the daemon has.
    pub(super) fn beside(&self, daemon: &Daemon) -> Command {
        let program = self.program();
        let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/user")).expect("a namespace");
        let pid = daemon.process.id().to_string();
        let mut beside = Command::new("nsenter");
        beside.args(["--target", &pid, "--mount"]);
        if namespace(&pid) != namespace("self") {
            beside.args(["--user", "--preserve-credentials"]);
        }
        beside.arg(program.get_program()).args(program.get_args()).envs(environment(&program));
        beside
    }

    /// A path on it, for everybody else.
    pub(super) fn path(&self, daemon: &Daemon, name: &str) -> PathBuf {
        let disk = self.stage.path("disk").canonicalize().expect("a folder").join(name);
        PathBuf::from(format!("/proc/{}/root{}", daemon.process.id(), disk.display()))
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

fn environment(command: &Command) -> Vec<(&OsStr, &OsStr)> {
    command.get_envs().filter_map(|(name, value)| Some((name, value?))).collect()
}
