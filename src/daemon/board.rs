//! What the server shows: each loop is asked when somebody looks, so that nothing is prepared for nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use futures_util::future::join_all;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::daemon::account::{Control, View};
use crate::daemon::crew::{Line, Lines};
use crate::domain::time::{SignedDuration, Timestamp, human};
use crate::domain::view::{AccountView, Mode, ReleaseView, Report, Snapshot};
use crate::ledger::{By, Reader};
use crate::server::{Answer, Source};

/// A loop wakes every few seconds; one that has not for this long has stalled.
const STALLED_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// The daemon as the server knows it.
pub struct Board {
    pub clock: Clock,
    pub lines: Lines,
    pub reader: Reader,
    /// Enforcing, as of the last configuration.
    pub enforcing: Arc<AtomicBool>,
    pub draining: Arc<AtomicBool>,
    /// A loop has ended by a fault of its own.
    pub broken: Arc<AtomicBool>,
}

impl Board {
    fn lines(&self) -> Vec<Line> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn mode(&self) -> Mode {
        if self.enforcing.load(Ordering::Relaxed) { Mode::Enforce } else { Mode::Observe }
    }
}

impl Source for Board {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn snapshot(&self) -> Answer<Snapshot> {
        let (lines, at, mode) = (self.lines(), self.clock.now(), self.mode());
        Box::pin(async move {
            let mut snapshot = Snapshot { at, mode, accounts: Vec::new(), sessions: Vec::new() };
            for view in views(lines).await? {
                snapshot.accounts.push(view.account);
                snapshot.sessions.extend(view.sessions);
            }
            Ok(snapshot)
        })
    }

    fn accounts(&self) -> Answer<Vec<AccountView>> {
        let lines = self.lines();
        Box::pin(async move { Ok(views(lines).await?.into_iter().map(|view| view.account).collect()) })
    }

    fn releases(&self, since: Option<Timestamp>, limit: usize) -> Answer<Vec<ReleaseView>> {
        let reader = self.reader.clone();
        in_background(move || reader.releases(since, limit).map(|rows| rows.into_iter().map(ReleaseView::from).collect()))
    }

    fn report(&self, since: Timestamp, until: Timestamp, by: String) -> Answer<Report> {
        let reader = self.reader.clone();
        match by.parse::<By>() {
            Ok(by) => in_background(move || reader.report(since, until, &by)),
            Err(why) => Box::pin(async move { Err(why.to_string()) }),
        }
    }

    fn health(&self) -> Result<(), String> {
        if self.broken.load(Ordering::Relaxed) {
            return Err("an account's loop ended by a fault of its own; see the log".to_owned());
        }
        let stalled = self.lines().into_iter().find(|line| line.pulse.age(&self.clock) > STALLED_AFTER);
        stalled.map_or(Ok(()), |line| Err(format!("account {} has not turned for {}", line.account, human(line.pulse.age(&self.clock)))))
    }

    fn ready(&self) -> Result<(), String> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("draining".to_owned());
        }
        let waiting = self.lines().into_iter().find(|line| !line.pulse.introduced());
        waiting.map_or(Ok(()), |line| Err(format!("account {} has had no complete listing yet", line.account)))
    }
}

async fn views(lines: Vec<Line>) -> Result<Vec<View>, String> {
    join_all(lines.into_iter().map(view)).await.into_iter().collect()
}

async fn view(line: Line) -> Result<View, String> {
    let gone = |_| format!("account {} is not being watched any more", line.account);
    let (reply, answer) = oneshot::channel();
    line.control.send(Control::View(reply)).await.map_err(|_| gone(()))?;
    answer.await.map_err(|_| gone(()))
}

/// The books are files: reading them must not hold up the loops.
fn in_background<T: Send + 'static>(read: impl FnOnce() -> Result<T, crate::ledger::LedgerFault> + Send + 'static) -> Answer<T> {
    Box::pin(async move {
        let read = tokio::task::spawn_blocking(read).await.map_err(|error| format!("the books could not be read: {error}"))?;
        read.map_err(|fault| fault.to_string())
    })
}
