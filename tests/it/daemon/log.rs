//! The log tells; it never holds anything up.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use super::stage::{Script, Stage};
use crate::support::eventually;

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

/// The body of `/metrics` at this address; nothing while nobody answers there.
fn metrics(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Ten thousand lines may wait for a reader.
#[test]
fn lines_that_nobody_reads_are_lost_and_counted() {
    let stage = Stage::playing(&Script { mode: "observe", ..Script::default() });
    (0..12_000).for_each(|_| drop(stage.due_in(-1_000)));
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").to_string();
    let mut command = stage.command(["--set", &format!("server.listen={address}"), "run"]);
    let _daemon = Unread(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts"));
    eventually("lines are lost, and counted", || {
        let shown = metrics(&address)?;
        let lost = shown.lines().find_map(|line| line.strip_prefix("session_reaper_log_lines_lost_total "))?.parse::<f64>().ok()?;
        (lost > 0.0).then_some(())
    });
}
