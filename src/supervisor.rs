//! What we tell whoever runs us as a service: systemd, over its notification socket. Where there is none, nothing is told, and nothing differs.
//!
//! Source: `sd_notify(3)` and `systemd.service(5)` (`Type=notify`, `WatchdogSec=`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// Without a watchdog the status is told as often as this.
const USUAL_INTERVAL: Duration = Duration::from_secs(5);

/// Of the time after which a watchdog takes us for dead, we speak up this many times.
const WORDS_PER_WATCH: u32 = 4;

/// The service manager of this process, if it has one.
#[derive(Debug, Default)]
pub struct Supervisor {
    listens: bool,
    watchdog: Option<Duration>,
    /// A word that did not arrive has been told of.
    unheard: AtomicBool,
}

impl Supervisor {
    /// As `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` say.
    pub fn from_environment() -> Self {
        let listens = std::env::var_os("NOTIFY_SOCKET").is_some();
        Self { listens, watchdog: sd_notify::watchdog_enabled().filter(|_| listens), unheard: AtomicBool::new(false) }
    }

    pub const fn listens(&self) -> bool {
        self.listens
    }

    /// How often it wants to hear from us.
    pub fn interval(&self) -> Duration {
        self.watchdog.map_or(USUAL_INTERVAL, |watchdog| (watchdog / WORDS_PER_WATCH).min(USUAL_INTERVAL))
    }

    /// Every part stands: what waits for us may start.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// A new configuration is being taken over, until [`Self::ready`].
    pub fn reloading(&self) {
        let since = NotifyState::monotonic_usec_now();
        self.tell(&[Some(NotifyState::Reloading), since.ok()].into_iter().flatten().collect::<Vec<_>>());
    }

    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("finishing what was requested")]);
    }

    /// We live. Whoever does not say so in time is killed and started anew.
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// How it goes, in a line.
    pub fn status(&self, line: &str) {
        self.tell(&[NotifyState::Status(line)]);
    }

    fn tell(&self, words: &[NotifyState<'_>]) {
        if !self.listens {
            return;
        }
        match sd_notify::notify(words) {
            Ok(()) => self.unheard.store(false, Ordering::Relaxed),
            Err(why) if !self.unheard.swap(true, Ordering::Relaxed) => tracing::warn!(%why, "the service manager cannot be told how it goes"),
            Err(_) => {}
        }
    }
}
