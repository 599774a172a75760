//! Books first: with a disk that takes nothing, or takes it where nobody would find it again, nothing is released; that is said, and ends by itself.

#![expect(clippy::print_stdout, reason = "what was measured is for whoever reads the test's output")]

mod own;

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::between;

use self::own::OwnDisk;
use super::power::{strace, under};
use super::stage::{Daemon, Stage, side_by_side};
use crate::support::{Process, eventually};

/// Waits until the daemon has looked at the provider so many times more: long enough for anything that it wants to do.
fn goes_on_for(daemon: &Daemon, polls: f64) {
    let outcome = [("outcome", "complete")];
    let before = daemon.metric("session_reaper_polls_total", &outcome);
    daemon.reaches(before + polls, "session_reaper_polls_total", &outcome);
}

fn writable(daemon: &Daemon) -> f64 {
    daemon.metric("session_reaper_books_writable", &[])
}

fn printed(mut command: Command, arguments: &[&str]) -> String {
    let output = command.args(arguments).output().expect("the program starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Alive, answering, and releasing nothing of what is due; and it has said why, once.
fn holds_back(stage: &Stage, daemon: &Daemon, ids: &[SessionId]) {
    eventually("the books refuse", || (writable(daemon) == 0.0).then_some(()));
    eventually("they are due", || ids.iter().all(|id| daemon.session(id)["verdict"] == "due").then_some(()));
    goes_on_for(daemon, 4.0);
    assert_eq!(writable(daemon), 0.0, "what cannot be written is not writable in between");
    assert!(stage.requested().is_empty(), "a release without an intent in the books");
    for path in ["/healthz", "/readyz", "/", "/api/v1/releases", "/api/v1/savings"] {
        assert_eq!(daemon.get(path).0, 200, "{path}");
    }
    assert_eq!(daemon.process.lines_with("the books cannot be written"), 1);
    assert!(daemon.process.lines_with("nothing was sent") <= 1);
}

/// Commands that look work all the while.
fn shows(program: impl Fn() -> Command, id: &SessionId) {
    assert!(printed(program(), &["explain", id.as_str()]).contains("due"));
    assert!(printed(program(), &["plan"]).contains(id.as_str()));
    printed(program(), &["report"]);
}

/// Each is released once, soon, and the books are whole.
fn catches_up(stage: &Stage, daemon: &Daemon, ids: &[SessionId], books: &Path) {
    let mended_at = stage.now();
    eventually("all are requested", || (stage.requested().len() >= ids.len()).then_some(()));
    let last = stage.requested().iter().map(|request| request.at).max().expect("a request");
    let took = between(mended_at, last).as_secs_f64();
    println!("the last of {} left {took} s after the disk took writes again", ids.len());
    assert!(took < 5.0, "the last left {took} s after that");
    ids.iter().for_each(|id| drop(daemon.comes_to(id, "confirmed")));
    ids.iter().for_each(|id| assert_eq!(stage.requests_for(id).len(), 1, "{id}"));
    assert_eq!((writable(daemon), daemon.process.lines_with("the books can be written")), (1.0, 1));
    assert_eq!(integrity(daemon, books), "ok");
}

/// SQLite's word on a copy of the books as they are at this moment.
fn integrity(daemon: &Daemon, books: &Path) -> String {
    let copy = tempfile::tempdir().expect("a folder");
    daemon.process.signal("STOP");
    for suffix in ["", "-wal"] {
        std::fs::copy(format!("{}{suffix}", books.display()), copy.path().join(format!("books.db{suffix}"))).expect("it is there");
    }
    daemon.process.signal("CONT");
    let books = Connection::open(copy.path().join("books.db")).expect("the books");
    books.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a word")
}

fn thirty_due(stage: &Stage) -> Vec<SessionId> {
    (1..=30).map(|n| stage.due_in(n * -1_000)).collect()
}

#[test]
fn a_full_disk_stops_all_releases_until_there_is_space() {
    let stage = Stage::new();
    let Some(disk) = OwnDisk::new(&stage, "2m") else { return };
    let daemon = disk.daemon();
    daemon.is_ready();
    disk.fill(&daemon);
    let ids = thirty_due(&stage);
    holds_back(&stage, &daemon, &ids);
    assert_eq!(daemon.process.lines_with("no space left"), 2, "the books and the account, once each");
    shows(|| disk.beside(&daemon), &ids[0]);
    disk.free(&daemon);
    catches_up(&stage, &daemon, &ids, &disk.path(&daemon, "books.db"));
    assert_eq!(daemon.stops(), Some(0));
}

/// The kernel is made to answer as the kernel of a broken disk does, for the write-ahead file and for as long as strace watches.
#[test]
fn a_disk_that_fails_to_write_or_to_sync_stops_all_releases_until_it_works() {
    let Some(strace) = strace() else { return };
    side_by_side(["pwrite64:error=EROFS", "pwrite64:error=EIO", "pwrite64:error=EDQUOT", "fsync,fdatasync:error=EIO"], |fault| {
        let stage = Stage::new();
        let daemon = stage.daemon();
        daemon.is_ready();
        let mut command = Command::new(&strace);
        command.args(["-f", "-o", "/dev/null", "-e", &format!("inject={fault}"), "-p", &daemon.process.id().to_string(), "-P"]);
        let mut faulty = Process::start({
            command.arg(stage.path("books.db-wal").canonicalize().expect("it is there"));
            command
        });
        faulty.line_with("attached");
        let ids = thirty_due(&stage);
        holds_back(&stage, &daemon, &ids);
        shows(|| stage.command([]), &ids[0]);
        faulty.signal("INT");
        faulty.ended();
        catches_up(&stage, &daemon, &ids, &stage.path("books.db"));
        assert_eq!(daemon.stops(), Some(0));
    });
}

#[test]
fn a_daemon_that_starts_on_a_disk_that_fails_says_so_and_begins_when_it_works() {
    let Some(strace) = strace() else { return };
    let stage = Stage::new();
    assert_eq!(stage.output(["run", "--once"]).status.code(), Some(0), "a store to start with");
    let ids = thirty_due(&stage);
    let ahead = stage.path("").canonicalize().expect("a folder").join("books.db-wal");
    // A tracer that may be told to let go.
    let faulty = ["-D", "-I", "1", "-f", "-o", "/dev/null", "-e", "inject=pwrite64:error=EIO", "-P", ahead.to_str().expect("text")];
    let daemon = stage.daemon_with(under(&strace, &faulty, &stage.command(["run"])));
    holds_back(&stage, &daemon, &ids);
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.process.id())).expect("it runs");
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).expect("a line").trim();
    assert!(Command::new("kill").args(["-INT", tracer]).status().expect("kill is there").success());
    catches_up(&stage, &daemon, &ids, &stage.path("books.db"));
}

#[derive(Clone, Copy, Debug)]
enum Loss {
    File,
    WriteAheadFile,
    Folder,
    /// By another store.
    Replaced,
}

#[test]
fn a_store_that_is_not_where_it_was_stops_all_releases_until_it_is_back() {
    side_by_side([Loss::File, Loss::WriteAheadFile, Loss::Folder, Loss::Replaced], |loss| {
        let stage = Stage::new();
        std::fs::create_dir(stage.path("store")).expect("a folder");
        let books = stage.path("store/books.db");
        let daemon = stage.daemon_with(stage.command(["--set", "store.path=store/books.db", "run"]));
        daemon.is_ready();
        let lost = stage.path(match loss {
            Loss::File | Loss::Replaced => "store/books.db",
            Loss::WriteAheadFile => "store/books.db-wal",
            Loss::Folder => "store",
        });
        std::fs::rename(&lost, stage.path("away")).expect("it is there");
        if matches!(loss, Loss::Replaced) {
            std::fs::copy(stage.path("away"), &books).expect("a copy");
        }
        let ids = thirty_due(&stage);
        holds_back(&stage, &daemon, &ids);
        assert!(daemon.process.lines_with("moved, deleted or replaced while it was open; put it back") > 0);
        std::fs::rename(stage.path("away"), &lost).expect("its place is free");
        catches_up(&stage, &daemon, &ids, &books);
        assert_eq!(daemon.stops(), Some(0));
    });
}

#[test]
fn a_store_that_is_deleted_for_good_is_begun_anew_by_the_next_daemon() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    daemon.is_ready();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        std::fs::remove_file(stage.path(&format!("books.db{suffix}"))).expect("it is there");
    }
    let ids = thirty_due(&stage);
    holds_back(&stage, &daemon, &ids);
    assert_eq!(daemon.stops(), Some(0));

    let daemon = stage.daemon();
    ids.iter().for_each(|id| drop(daemon.comes_to(id, "confirmed")));
    assert_eq!(stage.requested().len(), 30);
}

#[test]
fn a_disk_that_is_full_or_read_only_at_the_start_is_a_clear_error_and_the_next_start_works() {
    let full = "head -c 4m /dev/zero >filler 2>/dev/null || true";
    let cases = [
        (full.to_owned(), "no space left"),
        (format!("cp ../books.db . && {full}"), "no space left"),
        ("mount -o remount,ro .".to_owned(), "not accessible"),
        ("cp ../books.db . && mount -o remount,ro .".to_owned(), "not accessible"),
    ];
    side_by_side(cases, |(first, word)| {
        let stage = Stage::new();
        let Some(disk) = OwnDisk::new(&stage, "2m") else { return };
        assert_eq!(stage.output(["run", "--once"]).status.code(), Some(0), "a store to start with");
        let id = stage.due_in(-60_000);
        let mut refused = disk.after(&first, &["run"]);
        assert_eq!(refused.ended().code(), Some(1));
        let why = refused.last_words();
        assert!(why.contains(word) && why.lines().count() == 1, "{why}");
        assert!(stage.requested().is_empty());

        let before = if first.starts_with("cp") { "cp ../books.db ." } else { "true" };
        let daemon = Daemon::started(disk.after(before, &["run"]));
        daemon.comes_to(&id, "confirmed");
    });
}

#[test]
fn one_pass_on_a_full_disk_releases_nothing_and_fails() {
    let stage = Stage::new();
    let Some(disk) = OwnDisk::new(&stage, "128k") else { return };
    let id = stage.due_in(-60_000);
    // Enough for the store to be made.
    let mut pass = disk.after("head -c 0 /dev/zero >filler", &["run", "--once"]);
    let status = pass.ended().code();
    let said = pass.last_words();
    assert_eq!(status, Some(1), "{said}");
    assert!(stage.requested().is_empty() && !stage.has_ended(&id), "{said}");
    assert!(said.contains("no space left") && said.contains("not asked for, because the books could not be written"), "{said}");
}
