//! The store and the address: each is one daemon's, and what is not ours is left as it was.

use std::net::TcpListener;
use std::process::Command;

use rusqlite::Connection;
use session_reaper::domain::name::SessionId;

use super::stage::{Script, Stage};
use crate::support::{Process, eventually};

/// The exit status and the words of a program that cannot start. One that starts all the same is not waited for without end.
fn refusal(command: Command) -> (Option<i32>, String) {
    let mut process = Process::start(command);
    let status = process.ended().code();
    (status, process.last_words())
}

#[test]
fn a_second_daemon_on_one_store_is_refused() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    let (status, why) = refusal(stage.command(["run"]));
    assert_eq!(status, Some(1), "{why}");
    assert!(why.contains("another session-reaper is running on it"), "{why}");
    daemon.is_ready();
}

#[test]
fn an_address_in_use_is_a_clear_error() {
    let stage = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("server.listen={}", taken.local_addr().expect("an address"));
    let (status, why) = refusal(stage.command(["--set", &listen, "run"]));
    assert_eq!(status, Some(1), "{why}");
    assert!(why.contains("choose a free address"), "{why}");
}

#[test]
fn a_store_that_is_newer_foreign_or_damaged_is_refused_and_left_untouched() {
    let stage = Stage::new();
    assert_eq!(stage.output(["run", "--once"]).status.code(), Some(0));
    let sound = std::fs::read(stage.path("books.db")).expect("the books");
    let mut newer = sound.clone();
    // SQLite keeps a file's `user_version` here.
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    let mut damaged = sound.clone();
    let middle = damaged.len() / 2;
    damaged[4_096..middle].fill(0xA5);
    let cases = [("newer", newer), ("not a session-reaper store", b"a letter to a friend".to_vec()), ("damaged", damaged)];
    for (word, bytes) in cases {
        std::fs::write(stage.path("books.db"), &bytes).expect("a writable folder");
        for command in ["run", "plan"] {
            let (status, why) = refusal(stage.command([command]));
            assert!(command == "plan" || (status == Some(1) && why.contains(word)), "{word}, {command}: {why}");
            assert!(std::fs::read(stage.path("books.db")).expect("the books") == bytes, "{word}: `{command}` changed the file");
        }
    }
}

#[test]
fn nothing_is_sent_while_its_intent_cannot_be_written() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    daemon.is_ready();
    let other = Connection::open(stage.path("books.db")).expect("the books");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock on the books");
    let id = stage.due_in(-60_000);
    eventually("the books refuse", || (daemon.metric("session_reaper_books_writable", &[]) == 0.0).then_some(()));
    assert!(stage.requested().is_empty(), "a release without an intent in the books");
    assert_eq!(daemon.get("/healthz").0, 200);

    other.execute_batch("ROLLBACK").expect("the lock is given back");
    daemon.comes_to(&id, "confirmed");
    assert_eq!(stage.requests_for(&id).len(), 1);
    assert_eq!(daemon.metric("session_reaper_books_writable", &[]), 1.0);
}

#[test]
fn operators_are_heard_while_the_daemon_is_at_its_busiest() {
    let stage = Stage::playing(&Script { top: "requests_per_second = 50", ..Script::default() });
    let ids: Vec<SessionId> = (1..=200).map(|n| stage.due_in(n * -1_000)).collect();
    // The least overdue: its turn would come last.
    let spared = &ids[0];
    let daemon = stage.daemon();
    eventually("the burst is on its way", || (stage.requested().len() >= 20).then_some(()));
    stage.printed(["hold", spared.as_str(), "--for", "10m", "--reason", "not this one"]);
    daemon.is_held(spared, "operator");
    stage.all_end(&ids[1..]);
    daemon.reaches(199.0, "session_reaper_sessions_released_total", &[]);
    assert!(stage.requests_for(spared).is_empty() && !stage.has_ended(spared));
}
