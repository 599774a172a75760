//! What the server shows: each loop is asked when somebody looks, so that nothing is prepared for nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::daemon::account::{Control, Depth, View};
use crate::daemon::crew::{Line, Lines};
use crate::daemon::pulse::{Pulse, STALLED_AFTER};
use crate::daemon::shelf::Shelf;
use crate::domain::name::{AccountName, SessionId};
use crate::domain::release::{Release, Releases};
use crate::domain::tariff::Prices;
use crate::domain::time::{Timestamp, human};
use crate::domain::view::{AccountView, Explanation, Mode, Report, Snapshot};
use crate::ledger::{By, Ledger, LedgerFault, Wanted};
use crate::policy::{Policy, shown};
use crate::server::{Answer, Source};

/// The daemon as the server knows it.
pub struct Board {
    pub clock: Clock,
    pub lines: Lines,
    pub ledger: Ledger,
    /// Enforcing, as of the last configuration.
    pub enforcing: Arc<AtomicBool>,
    pub draining: Arc<AtomicBool>,
    /// A loop has ended by a fault of its own.
    pub broken: Arc<AtomicBool>,
    /// Of the daemon's own loop.
    pub pulse: Arc<Pulse>,
    /// As of the last configuration.
    pub prices: Arc<RwLock<Prices>>,
    /// What the page has been shown of the books.
    pub shelf: Arc<Shelf>,
}

impl Board {
    fn lines(&self) -> Vec<Line> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which loop has stalled. What waits for another one is named after that.
    fn stalled(&self) -> Option<String> {
        let account = |line: Line| Some(format!("account {} has not turned for {}", line.account, human(line.pulse.stalled_for(&self.clock)?)));
        // It waits for releases then, for as long as it is allowed to.
        let daemon = self.pulse.stalled_for(&self.clock).filter(|_| !self.draining.load(Ordering::Relaxed));
        let writer = self.ledger.busy_for().filter(|busy| *busy > STALLED_AFTER);
        let writer =
            writer.map(|busy| format!("the ledger has waited {} to write: the disk hangs, or another process keeps the store locked", human(busy)));
        writer
            .or_else(|| self.lines().into_iter().find_map(account))
            .or_else(|| daemon.map(|still| format!("the daemon's own loop has not turned for {}", human(still))))
    }

    fn look(&self, depth: Depth) -> Answer<Snapshot> {
        let (lines, at, mode) = (self.lines(), self.clock.now(), self.mode());
        Box::pin(async move {
            let mut snapshot = Snapshot { at, mode, accounts: Vec::new(), sessions: Vec::new(), budgets: Vec::new(), policies: Vec::new() };
            let mut table: Arc<[Policy]> = Arc::default();
            for view in views(lines, mode, depth, LOOP_WITHIN).await {
                snapshot.accounts.push(view.account);
                snapshot.sessions.extend(view.sessions);
                snapshot.budgets.extend(view.budgets);
                // All judge by the same, but for a loop that has ended, which has none.
                table = if view.policies.is_empty() { table } else { view.policies };
            }
            snapshot.policies = shown::policies(&table, &snapshot.sessions);
            Ok(snapshot)
        })
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
        self.look(Depth::Whole)
    }

    fn outline(&self) -> Answer<Snapshot> {
        self.look(Depth::Outline)
    }

    fn explain(&self, account: AccountName, id: SessionId) -> Answer<Option<Box<Explanation>>> {
        let line = self.lines().into_iter().find(|line| line.account == account);
        Box::pin(async move {
            let Some(line) = line else { return Ok(None) };
            let (reply, answer) = oneshot::channel();
            // A loop that has ended knows of no session.
            _ = line.control.send(Control::Explain(id, reply)).await;
            Ok(answer.await.unwrap_or(None))
        })
    }

    fn releases(&self, wanted: Releases) -> Answer<Vec<Release>> {
        let reader = self.ledger.reader();
        in_background(move || reader.releases(&wanted))
    }

    fn release(&self, id: SessionId) -> Answer<Vec<Release>> {
        let reader = self.ledger.reader();
        in_background(move || reader.release(&id))
    }

    fn report(&self, since: Timestamp, until: Timestamp, by: String) -> Answer<Report> {
        let reader = self.ledger.reader();
        match by.parse::<By>() {
            Ok(key) => self.shelf.get((since, by), self.clock, move || reader.report_to_now(since, until, &key).map_err(|fault| fault.to_string())),
            Err(why) => Box::pin(std::future::ready(Err(why))),
        }
    }

    fn savings(&self, since: Timestamp, until: Timestamp, by: String) -> Answer<Report> {
        let prices = self.prices.read().unwrap_or_else(PoisonError::into_inner).clone();
        let reader = self.ledger.reader();
        match by.parse::<By>() {
            Ok(by) => in_background(move || {
                let wanted = Wanted { since, until, to_now: true, by, leakers: Some(Vec::new()), forecast: Some(prices) };
                reader.whole_report(&wanted, &mut |_| {})
            }),
            Err(why) => Box::pin(std::future::ready(Err(why))),
        }
    }

    fn health(&self) -> Result<(), String> {
        if self.broken.load(Ordering::Relaxed) {
            return Err("an account's loop ended by a fault of its own; see the log".to_owned());
        }
        self.stalled().map_or(Ok(()), Err)
    }

    fn ready(&self) -> Result<(), String> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("draining".to_owned());
        }
        let waiting = self.lines().into_iter().find(|line| !line.pulse.introduced());
        waiting.map_or(Ok(()), |line| Err(format!("account {} has had no complete listing yet", line.account)))
    }
}

async fn views(lines: Vec<Line>, mode: Mode, depth: Depth, within: Duration) -> Vec<View> {
    let watched = |line: Line| async move {
        let asked = tokio::time::timeout(within, view(&line, depth)).await;
        asked.map_or_else(|_| unwatched(&line, mode, HANGS), |view| view.unwrap_or_else(|| unwatched(&line, mode, ENDED)))
    };
    join_all(lines.into_iter().map(watched)).await
}

/// One loop that hangs must not hide the others, so that it is given up before whoever looks gives up.
const LOOP_WITHIN: Duration = Duration::from_millis(1_500);
const HANGS: &str = "not watched now: its loop does not answer; see /healthz";
const ENDED: &str = "not watched any more: its loop ended by a fault of its own; restart the daemon";

/// Nothing where the loop has ended.
async fn view(line: &Line, depth: Depth) -> Option<View> {
    let (reply, answer) = oneshot::channel();
    line.control.send(Control::View(depth, reply)).await.ok()?;
    answer.await.ok()
}

/// An account whose loop says nothing is shown with that, beside all the others, and without a word about its sessions.
fn unwatched(line: &Line, mode: Mode, why: &str) -> View {
    let error = Some(why.to_owned());
    let account = AccountView {
        name: line.account.clone(),
        provider: line.provider,
        mode,
        listing: None,
        live: 0,
        rejected_rows: 0,
        error: error.clone(),
        last_complete_at: None,
        last_error: error,
        clock_skew_seconds: 0.0,
        paused: false,
        paused_reason: None,
        tripped: false,
        cost_per_hour: None,
        currency: String::new(),
    };
    View { account, sessions: Vec::new(), budgets: Vec::new(), policies: Arc::default() }
}

/// The books are files: reading them must not hold up the loops.
fn in_background<T: Send + 'static>(read: impl FnOnce() -> Result<T, LedgerFault> + Send + 'static) -> Answer<T> {
    Box::pin(async move {
        let read = tokio::task::spawn_blocking(read).await.map_err(|error| format!("the books could not be read: {error}"))?;
        read.map_err(|fault| fault.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StorePath;
    use crate::domain::name::Provider;
    use crate::domain::time::SignedDuration;
    use crate::ledger::OpenOptions;

    fn line(account: &str, control: tokio::sync::mpsc::Sender<Control>, pulse: Pulse) -> Line {
        Line { account: account.into(), provider: Provider::Browserbase, control, pulse: Arc::new(pulse) }
    }

    /// A board over loops of which each has stood still for so long: the daemon's own, and those of `growth` and `research`.
    fn standing_still(daemon: SignedDuration, accounts: [SignedDuration; 2]) -> Board {
        let clock = Clock::start();
        let (control, _) = tokio::sync::mpsc::channel(1);
        let lines =
            ["growth", "research"].into_iter().zip(accounts).map(|(name, still)| line(name, control.clone(), Pulse::still_for(&clock, still)));
        let lines: Lines = Arc::new(std::sync::RwLock::new(lines.collect()));
        let options = OpenOptions { retention: SignedDuration::ZERO, now: clock.now() };
        let ledger = Ledger::open(&StorePath::Memory, options).expect("books in memory");
        let pulse = Arc::new(Pulse::still_for(&clock, daemon));
        Board {
            clock,
            lines,
            ledger,
            enforcing: Arc::default(),
            draining: Arc::default(),
            broken: Arc::default(),
            pulse,
            prices: Arc::default(),
            shelf: Arc::default(),
        }
    }

    #[test]
    fn the_loop_that_has_stalled_is_named() {
        let (turning, stalled) = (STALLED_AFTER / 2, STALLED_AFTER + SignedDuration::from_secs(1));
        assert_eq!(standing_still(turning, [turning; 2]).health(), Ok(()));
        let names = |daemon, accounts, which: &str| {
            let why = standing_still(daemon, accounts).health().expect_err("one has stalled");
            assert!(why.starts_with(&format!("{which} has not turned for 3")), "{why}");
        };
        names(turning, [turning, stalled], "account research");
        names(stalled, [turning; 2], "the daemon's own loop");
        // Which waits for this one, most likely.
        names(stalled, [stalled, turning], "account growth");
    }

    #[test]
    fn a_daemon_that_waits_for_its_last_releases_has_not_stalled() {
        let board = standing_still(STALLED_AFTER * 2, [SignedDuration::ZERO; 2]);
        board.draining.store(true, Ordering::Relaxed);
        assert_eq!(board.health(), Ok(()));
        board.broken.store(true, Ordering::Relaxed);
        assert!(board.health().is_err(), "a loop that has ended by a fault of its own is not one of these");
    }

    #[tokio::test]
    async fn an_account_whose_loop_has_ended_is_shown_beside_the_others() {
        let clock = Clock::start();
        let (control, inbox) = tokio::sync::mpsc::channel(1);
        drop(inbox);
        let shown = views(vec![line("gone", control, Pulse::new(&clock))], Mode::Enforce, Depth::Whole, Duration::ZERO).await;
        assert!(shown.iter().all(|view| view.account.error.as_ref().is_some_and(|error| error.contains("not watched any more"))));
        assert_eq!(shown.len(), 1);
    }

    #[tokio::test]
    async fn an_account_whose_loop_hangs_hides_no_other() {
        let clock = Clock::start();
        let (hanging, _inbox) = tokio::sync::mpsc::channel(1);
        let (gone, inbox) = tokio::sync::mpsc::channel(1);
        drop(inbox);
        let lines = vec![line("hanging", hanging, Pulse::new(&clock)), line("gone", gone, Pulse::new(&clock))];
        let errors: Vec<Option<String>> =
            views(lines, Mode::Enforce, Depth::Whole, Duration::ZERO).await.into_iter().map(|view| view.account.error).collect();
        assert_eq!(errors, [Some(HANGS.to_owned()), Some(ENDED.to_owned())]);
    }
}
