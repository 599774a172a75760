//! What the tests share: processes that are never left behind, and waiting for a state instead of for luck.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than anything that works takes, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Tries until there is something; fails with `what` when there is nothing in time.
#[expect(clippy::disallowed_methods, reason = "a probe that asks another process has nothing to be woken by")]
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// `session-reaper` with these arguments, without what this shell's environment would tell it.
pub(crate) fn session_reaper<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_session-reaper"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SESSION_REAPER")) {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// A running process with everything that it has said. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    said: Arc<Said>,
    listeners: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let said = Arc::new(Said::default());
        let listeners = vec![said.listen_to(child.stdout.take().expect("a pipe")), said.listen_to(child.stderr.take().expect("a pipe"))];
        Self { child, said, listeners }
    }

    /// The first line on either stream that contains this, said already or to come.
    pub(crate) fn line_with(&self, fragment: &str) -> String {
        let found = |lines: &[String]| lines.iter().find(|line| line.contains(fragment)).cloned();
        let lines = self.said.lines.lock().expect("no reader panics");
        let (lines, _) = self.said.more.wait_timeout_while(lines, PATIENCE, |lines| found(lines).is_none()).expect("no reader panics");
        found(&lines).unwrap_or_else(|| panic!("no line with {fragment:?} in:\n{}", lines.join("\n")))
    }

    /// How many lines that it has said contain this.
    pub(crate) fn lines_with(&self, fragment: &str) -> usize {
        self.said.lines.lock().expect("no reader panics").iter().filter(|line| line.contains(fragment)).count()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name: `TERM`, `INT`, `HUP`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().expect("kill is there");
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        eventually("the process ends", || self.child.try_wait().expect("it is our child"))
    }

    /// Waits for its end; gives everything that it said, on both streams.
    pub(crate) fn last_words(mut self) -> String {
        self.ended();
        self.listeners.drain(..).for_each(|listener| listener.join().expect("no reader panics"));
        self.said.lines.lock().expect("no reader panics").join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nobody to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    fn listen_to(self: &Arc<Self>, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let said = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                said.lines.lock().expect("no other thread panics with it").push(line);
                said.more.notify_all();
            }
        })
    }
}

/// A `session-reaper simulate` on a free port.
pub(crate) struct Simulate {
    pub(crate) process: Process,
    pub(crate) base_url: String,
}

impl Simulate {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(more: &[&str]) -> Self {
        let mut command = session_reaper(["simulate", "--listen", "127.0.0.1:0"]);
        command.args(more);
        let process = Process::start(command);
        let line = process.line_with("simulate: Browserbase at ");
        let base_url = line.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
        Self { process, base_url }
    }
}

/// What a script exits with where the foreign program that it needs cannot be had.
const UNAVAILABLE: i32 = 77;

/// Runs a script of this repository that tests us with somebody else's program; gives what it said. Nothing where that program cannot be had: that is
/// told past the capture of output, so that such a run cannot be taken for a real one. In CI it fails: there it must be had.
pub(crate) fn foreign_script(script: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("sh");
    let run = command.arg(format!("{}/{script}", env!("CARGO_MANIFEST_DIR"))).args(arguments).output().expect("a shell is there");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    if run.status.code() == Some(UNAVAILABLE) && !in_ci {
        let _ = writeln!(std::io::stderr(), "NOT TESTED: {script} {}: {}", arguments.join(" "), said.trim());
        return None;
    }
    assert!(run.status.success(), "{script}: {}\n{said}{}", run.status, String::from_utf8_lossy(&run.stderr));
    Some(said)
}
