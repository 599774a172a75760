//! Books first: with a disk that takes no more, nothing is released; that is said, and ends by itself.

mod own;

use rusqlite::Connection;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::between;

use self::own::OwnDisk;
use super::stage::{Daemon, Stage};
use crate::support::eventually;

/// Waits until the daemon has looked at the provider so many times more: long enough for anything that it wants to do.
fn goes_on_for(daemon: &Daemon, polls: f64) {
    let outcome = [("outcome", "complete")];
    let before = daemon.metric("session_reaper_polls_total", &outcome);
    daemon.reaches(before + polls, "session_reaper_polls_total", &outcome);
}

fn writable(daemon: &Daemon) -> f64 {
    daemon.metric("session_reaper_books_writable", &[])
}

/// Alive, answering, and releasing nothing of what is due; and it has said why, once.
fn holds_back(stage: &Stage, disk: &OwnDisk<'_>, daemon: &Daemon, ids: &[SessionId]) {
    eventually("the books refuse", || (writable(daemon) == 0.0).then_some(()));
    goes_on_for(daemon, 4.0);
    assert_eq!(writable(daemon), 0.0, "what cannot be written is not writable in between");
    assert!(stage.requested().is_empty(), "a release without an intent in the books");
    for path in ["/healthz", "/readyz", "/", "/api/v1/releases", "/api/v1/savings"] {
        assert_eq!(daemon.get(path).0, 200, "{path}");
    }
    assert!(ids.iter().all(|id| daemon.session(id)["verdict"] == "due"));
    assert!(disk.printed(daemon, ["explain", ids[0].as_str()]).contains("due"));
    assert!(disk.printed(daemon, ["plan"]).contains(ids[0].as_str()));
    disk.printed(daemon, ["report"]);
    assert_eq!(daemon.process.lines_with("the books cannot be written"), 1);
    assert!(daemon.process.lines_with("nothing was sent") <= 1);
}

/// Each is released once, soon, and the books are whole.
fn catches_up(stage: &Stage, disk: &OwnDisk<'_>, daemon: &Daemon, ids: &[SessionId]) {
    let freed_at = stage.now();
    eventually("all are requested", || (stage.requested().len() >= ids.len()).then_some(()));
    let last = stage.requested().iter().map(|request| request.at).max().expect("a request");
    println!("the last of {} left {} s after the disk took writes again", ids.len(), between(freed_at, last).as_secs_f64());
    assert!(between(freed_at, last).as_secs() < 5, "the last left {} after that", between(freed_at, last));
    ids.iter().for_each(|id| drop(daemon.comes_to(id, "confirmed")));
    ids.iter().for_each(|id| assert_eq!(stage.requests_for(id).len(), 1, "{id}"));
    assert_eq!((writable(daemon), daemon.process.lines_with("the books can be written")), (1.0, 1));
    let copy = disk.copied(daemon);
    let books = Connection::open(copy.path().join("books.db")).expect("the books");
    let word: String = books.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a word");
    assert_eq!(word, "ok");
}

#[test]
fn a_full_disk_stops_all_releases_until_there_is_space() {
    let stage = Stage::new();
    let Some(disk) = OwnDisk::new(&stage, "1m") else { return };
    let daemon = disk.daemon();
    daemon.is_ready();
    disk.fill(&daemon);
    let ids: Vec<SessionId> = (1..=30).map(|n| stage.due_in(n * -1_000)).collect();
    holds_back(&stage, &disk, &daemon, &ids);
    disk.free(&daemon);
    catches_up(&stage, &disk, &daemon, &ids);
    assert_eq!(daemon.stops(), Some(0));
}
