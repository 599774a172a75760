//! A running daemon and its addresses: what it serves, and what it comes to.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use session_reaper::domain::name::SessionId;

use crate::support::{Process, eventually};

pub(in crate::daemon) struct Daemon {
    pub(in crate::daemon) process: Process,
    port: u16,
}

impl Daemon {
    /// Waits until it watches, and learns where it listens.
    pub(in crate::daemon) fn started(process: Process) -> Self {
        let line = process.line_with("watching in ");
        let (_, behind) = line.split_once("127.0.0.1:").expect("the address that it listens on");
        let port = behind.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a port");
        Self { process, port }
    }

    /// The status and the body; nothing where nobody answers.
    pub(in crate::daemon) fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    pub(in crate::daemon) fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).expect("the daemon answers")
    }

    pub(in crate::daemon) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    pub(in crate::daemon) fn account(&self, name: &str) -> Value {
        row(&self.json("/api/v1/accounts")["accounts"], "name", name)
    }

    /// One live session; null where it is not among them.
    pub(in crate::daemon) fn session(&self, id: &SessionId) -> Value {
        row(&self.json("/api/v1/sessions")["sessions"], "id", id.as_str())
    }

    /// One release; null where there is none.
    pub(in crate::daemon) fn release(&self, id: &SessionId) -> Value {
        row(&self.json("/api/v1/releases?limit=1000")["releases"], "id", id.as_str())
    }

    /// The sum of a metric's series that have these labels.
    pub(in crate::daemon) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.get("/metrics").1;
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let is_meant = |series: &str| series.split(['{', ' ']).next() == Some(name) && labels.iter().all(|label| series.contains(label));
        let values: Vec<f64> =
            text.lines().filter(|line| is_meant(line)).filter_map(|line| line.rsplit(' ').next()).filter_map(|value| value.parse().ok()).collect();
        assert!(!values.is_empty(), "no series {name} with {labels:?}");
        values.iter().sum()
    }

    /// The first listing of every account has come.
    pub(in crate::daemon) fn is_ready(&self) {
        eventually("the daemon is ready", || (self.get("/readyz").0 == 200).then_some(()));
    }

    /// Waits until a session's release has come to this outcome; gives its row.
    pub(in crate::daemon) fn comes_to(&self, id: &SessionId, outcome: &str) -> Value {
        let row = || Some(self.release(id)).filter(|row| row["outcome"] == outcome);
        eventually(&format!("the release of {id} comes to {outcome}"), row)
    }

    /// Waits until the account's held session is shown with this hold; gives its row.
    pub(in crate::daemon) fn is_held(&self, id: &SessionId, hold: &str) -> Value {
        eventually(&format!("{id} is held by {hold}"), || Some(self.session(id)).filter(|row| row["hold"] == hold))
    }

    pub(in crate::daemon) fn reaches(&self, count: f64, name: &str, labels: &[(&str, &str)]) {
        eventually(&format!("{name} {labels:?} reaches {count}"), || (self.metric(name, labels) >= count).then_some(()));
    }

    /// SIGKILL.
    pub(in crate::daemon) fn dies(mut self) {
        self.process.signal("KILL");
        self.process.ended();
    }

    /// SIGTERM; gives the exit status.
    pub(in crate::daemon) fn stops(mut self) -> Option<i32> {
        self.process.signal("TERM");
        self.process.ended().code()
    }
}

fn row(rows: &Value, key: &str, wanted: &str) -> Value {
    rows.as_array().expect("rows").iter().find(|row| row[key] == wanted).cloned().unwrap_or_default()
}
