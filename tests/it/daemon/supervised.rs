//! A service manager listens: it hears when the daemon is ready, takes a new configuration over, lives, stalls and stops.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rusqlite::Connection;
use session_reaper::domain::event::Operation;
use session_reaper::simulator::{Extent, Fault, Target};

use super::stage::{Daemon, Script, Stage};
use crate::support::PATIENCE;

/// What a watchdog of four seconds wants to hear: one word a second.
const WATCHDOG_MICROS: &str = "4000000";

/// The manager's end of its socket.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn listens_on(stage: &Stage) -> Self {
        let socket = UnixDatagram::bind(stage.path("notify")).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a patience");
        Self { socket }
    }

    fn daemon(&self, stage: &Stage) -> Daemon {
        let mut command = stage.command(["run"]);
        command.env("NOTIFY_SOCKET", stage.path("notify")).env("WATCHDOG_USEC", WATCHDOG_MICROS).env_remove("WATCHDOG_PID");
        stage.daemon_with(command)
    }

    /// The next word.
    fn hears(&self) -> String {
        let mut word = [0; 4_096];
        let length = self.socket.recv(&mut word).expect("a word in time");
        String::from_utf8_lossy(&word[..length]).trim().to_owned()
    }

    /// The first word from now on that contains this.
    fn waits_for(&self, fragment: &str) -> String {
        std::iter::from_fn(|| Some(self.hears())).find(|word| word.contains(fragment)).unwrap_or_default()
    }
}

#[test]
fn readiness_does_not_wait_for_a_provider_and_the_status_says_how_it_goes() {
    let stage = Stage::playing(&Script { mode: "observe", ..Script::default() });
    let (target, fault) = (Target::from(Operation::List), Fault::status(503, "arranged"));
    stage.world.with(|world| world.inject(target, fault, Extent::Forever));
    let manager = Manager::listens_on(&stage);
    let daemon = manager.daemon(&stage);
    assert_eq!(manager.hears(), "READY=1", "the first word");
    manager.waits_for("STATUS=observe mode: 0 sessions live in 1 account; growth cannot be listed");
    stage.clear_faults();
    stage.due_in(60_000);
    manager.waits_for("STATUS=observe mode: 1 session live in 1 account");
    (0..3).for_each(|_| _ = manager.waits_for("WATCHDOG=1"));

    stage.write(&Script { mode: "enforce", ..Script::default() });
    daemon.process.signal("HUP");
    let reloading = manager.waits_for("RELOADING=1");
    let since = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(since.is_some_and(|micros| micros.parse::<u64>().is_ok()), "{reloading}");
    assert_eq!(manager.waits_for("READY=1"), "READY=1");
    manager.waits_for("STATUS=enforce mode: ");
    assert_eq!(daemon.stops(), Some(0));
    manager.waits_for("STOPPING=1");
}

#[test]
fn who_has_stalled_does_not_say_that_it_lives() {
    let stage = Stage::new();
    let manager = Manager::listens_on(&stage);
    let daemon = manager.daemon(&stage);
    daemon.is_ready();
    let other = Connection::open(stage.path("books.db")).expect("the books");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock on the books");
    manager.waits_for("STATUS=stalled: the ledger has waited 3");
    manager.socket.set_read_timeout(Some(Duration::from_secs(4))).expect("a patience");
    let mut word = [0; 4_096];
    while let Ok(length) = manager.socket.recv(&mut word) {
        let word = String::from_utf8_lossy(&word[..length]);
        assert!(word.starts_with("STATUS=stalled"), "{word}");
        if word.contains("the ledger has waited 4") {
            break;
        }
    }
    other.execute_batch("ROLLBACK").expect("the lock is given back");
    manager.socket.set_read_timeout(Some(PATIENCE)).expect("a patience");
    manager.waits_for("WATCHDOG=1");
}
