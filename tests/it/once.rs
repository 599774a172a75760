//! `plan` and `run --once` against providers that refuse, are slow, or keep another time: somebody waits for the answer.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Process, Simulate, session_reaper};

struct Desk {
    folder: TempDir,
}

impl Desk {
    /// A configuration in which everything but the youngest is due.
    fn new(base_url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "mode = \"enforce\"\ndrain_timeout = \"1s\"\n[[accounts]]\nname = \"growth\"\nprovider = \"browserbase\"\napi_key_env = \"KEY\"\n\
             base_url = \"{base_url}\"\n[[policies]]\nname = \"all\"\nmatch = \"all\"\nmax_age = \"2m\"\n"
        );
        std::fs::write(folder.path().join("c.toml"), text).expect("a file");
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("c.toml")
    }

    fn command<const N: usize>(&self, key: &str, arguments: [&str; N]) -> Command {
        let file: &Path = &self.file();
        let mut command = session_reaper(arguments);
        command.arg("--config").arg(file).env("KEY", key);
        command
    }
}

#[test]
fn a_refused_credential_is_said_at_once() {
    let simulate = Simulate::start();
    let desk = Desk::new(&simulate.base_url);
    for command in [desk.command("refused", ["plan"]), desk.command("refused", ["run", "--once"])] {
        let mut process = Process::start(command);
        process.line_with("401: Invalid API key");
        // Asking again half a minute later, and again a minute after that, would outlast everybody's patience.
        assert_eq!(process.ended().code(), Some(1));
    }
}

#[test]
fn a_pass_counts_what_it_released_whatever_the_provider_takes_the_time_to_be() {
    let simulate = Simulate::with(&["--speed", "500"]);
    let desk = Desk::new(&simulate.base_url);
    let mut pass = Process::start(desk.command("bb_demo", ["run", "--once"]));
    let summary = pass.line_with(" saved; ");
    assert_eq!(pass.ended().code(), Some(0), "{summary}");
    let released: u32 = summary.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    assert!(released > 0, "{summary}");
    let report = desk.command("bb_demo", ["report", "--format", "json"]).output().expect("a report");
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("JSON");
    assert_eq!(report["total"]["released"], released, "{report}");
}

#[test]
fn a_pass_that_is_told_to_stop_says_that_it_is_not_whole_and_a_reload_does_not_end_it() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let desk = Desk::new(&format!("http://{}", silent.local_addr().expect("an address")));
    let mut pass = Process::start(desk.command("bb_demo", ["run", "--once"]));
    // Connected, so that its signals are its own by now.
    let (_connection, _) = silent.accept().expect("a connection");
    pass.signal("HUP");
    pass.signal("TERM");
    pass.line_with("told to stop before the pass was over");
    assert_eq!(pass.ended().code(), Some(1));
}

#[test]
fn a_hold_on_a_session_that_nobody_has_seen_says_so() {
    let simulate = Simulate::start();
    let desk = Desk::new(&simulate.base_url);
    let plan = desk.command("bb_demo", ["plan", "--format", "json"]).output().expect("a plan");
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).expect("JSON");
    let live = plan["sessions"].as_array().and_then(|sessions| sessions.last()).and_then(|last| last["id"].as_str()).expect("a session");
    desk.command("bb_demo", ["run", "--once", "--set", "mode=observe"]).output().expect("a pass");
    for (session, doubt) in [(live, false), ("misspelt", true)] {
        let hold = desk.command("bb_demo", ["hold", session, "--for", "5m", "--reason", "demo"]).output().expect("a hold");
        let said = String::from_utf8_lossy(&hold.stderr);
        assert!(hold.status.success() && said.contains("has been seen yet") == doubt, "{said}");
    }
}
