//! What the operating system asks of us: TERM and INT drain, HUP reloads, and a second TERM or INT exits at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// A wish of whoever runs us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Finish what was requested, write the books, exit.
    Drain,
    /// Read the configuration again.
    Reload,
}

/// The signals of this process, from [`Signals::install`] on.
pub struct Signals {
    stream: signal_hook_tokio::Signals,
}

impl Signals {
    /// Takes over TERM, INT and HUP; inside a tokio runtime. The second TERM or INT, of either kind, exits from within the handler, whatever the
    /// program is doing, with 128 plus its number: 143 or 130, as if it had not been caught.
    pub fn install() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            // In this order: the first signal must find the flag down, and then raise it.
            flag::register_conditional_shutdown(signal, 128 + signal, asked.clone())?;
            flag::register(signal, asked.clone())?;
        }
        Ok(Self { stream: signal_hook_tokio::Signals::new([SIGTERM, SIGINT, SIGHUP])? })
    }

    /// The next signal; cancel safe.
    pub async fn next(&mut self) -> Signal {
        match self.stream.next().await {
            Some(SIGHUP) => Signal::Reload,
            Some(_) => Signal::Drain,
            // The stream ends only when its handle is closed, and nobody holds one.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use signal_hook::low_level::raise;

    use super::*;

    /// Runs one of the ignored tests below as a process of its own, whose signals are not ours.
    fn process(test: &str) -> Output {
        let program = std::env::current_exe().expect("this program");
        Command::new(program).args(["--exact", "--ignored", &format!("signals::tests::{test}")]).output().expect("a child")
    }

    async fn drained_then(second: i32) {
        let mut signals = Signals::install().expect("signals");
        raise(SIGHUP).expect("a signal");
        assert_eq!(signals.next().await, Signal::Reload);
        raise(SIGTERM).expect("a signal");
        assert_eq!(signals.next().await, Signal::Drain);
        raise(second).expect("a signal");
    }

    #[tokio::test]
    #[ignore = "ends its process: run by the tests below"]
    async fn a_term_and_a_hup() {
        drained_then(SIGHUP).await;
    }

    #[tokio::test]
    #[ignore = "ends its process: run by the tests below"]
    async fn a_term_and_an_int() {
        drained_then(SIGINT).await;
    }

    #[tokio::test]
    #[ignore = "ends its process: run by the tests below"]
    async fn two_terms() {
        drained_then(SIGTERM).await;
    }

    #[test]
    fn the_first_term_drains_and_a_reload_does_not_end_it() {
        let said = process("a_term_and_a_hup").stdout;
        assert!(String::from_utf8_lossy(&said).contains("1 passed"), "{said:?}");
    }

    #[test]
    fn the_second_term_or_int_exits_at_once() {
        assert_eq!(process("two_terms").status.code(), Some(143));
        assert_eq!(process("a_term_and_an_int").status.code(), Some(130));
    }
}
