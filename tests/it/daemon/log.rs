//! The log tells; it never holds anything up.

use std::process::{Child, Stdio};

use super::stage::{Script, Stage};

/// Killed whatever becomes of the test.
struct Unread(Child);

impl Drop for Unread {
    fn drop(&mut self) {
        // Already dead where the test has killed it.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A pipe takes 64 KiB before whoever writes into it has to wait for a reader.
#[test]
fn a_log_that_nobody_reads_delays_no_release() {
    let stage = Stage::playing(&Script { top: "requests_per_second = 200", ..Script::default() });
    let ids: Vec<_> = (0..300).map(|_| stage.due_in(-1_000)).collect();
    let mut command = stage.command(["run", "--log-level", "debug"]);
    let mut daemon = Unread(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts"));
    stage.all_end(&ids);
    daemon.0.kill().expect("it runs");
    let said = std::io::read_to_string(daemon.0.stderr.take().expect("a pipe")).unwrap_or_default();
    assert!(said.len() > 60_000, "the pipe was full: {} bytes", said.len());
}
