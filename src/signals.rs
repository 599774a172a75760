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
