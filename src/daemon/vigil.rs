//! Keeps the service manager informed: that we live, and in a line how it goes. A loop that has stalled keeps us from saying that we live.

use std::sync::Arc;
use std::time::Duration;

use crate::daemon::board::Board;
use crate::domain::view::{AccountView, Mode};
use crate::server::Source;
use crate::supervisor::Supervisor;

/// Accounts are asked how they are for no longer than this: whoever hangs must not keep us from saying that the rest lives, until it counts as stalled.
const PATIENCE: Duration = Duration::from_secs(1);

/// Goes on until it is dropped.
pub async fn keep(board: Arc<Board>, supervisor: Arc<Supervisor>) {
    let mut told = String::new();
    while supervisor.listens() {
        let line = match board.health() {
            Ok(()) => {
                supervisor.alive();
                tokio::time::timeout(PATIENCE, board.outline()).await.ok().and_then(Result::ok).map(|outline| status(outline.mode, &outline.accounts))
            }
            Err(why) => Some(format!("stalled: {why}")),
        };
        if let Some(line) = line.filter(|line| *line != told) {
            supervisor.status(&line);
            told = line;
        }
        tokio::time::sleep(supervisor.interval()).await;
    }
}

/// How it goes: what is watched, and what is wrong with it.
fn status(mode: Mode, accounts: &[AccountView]) -> String {
    let live: usize = accounts.iter().map(|account| account.live).sum();
    let count = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    let watched = format!("{mode} mode: {} live in {}", count(live, "session"), count(accounts.len(), "account"));
    let wrong = accounts.iter().filter_map(|account| trouble(account).map(|trouble| format!("{} {trouble}", account.name)));
    [watched].into_iter().chain(wrong).collect::<Vec<_>>().join("; ")
}

fn trouble(account: &AccountView) -> Option<&'static str> {
    match account {
        AccountView { paused: true, .. } => Some("is paused"),
        AccountView { tripped: true, .. } => Some("has tripped its release fraction"),
        AccountView { error: Some(_), .. } => Some("cannot be listed"),
        AccountView { last_complete_at: None, .. } => Some("has not been listed yet"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::at;
    use crate::domain::name::Provider;

    fn account(name: &str, live: usize) -> AccountView {
        AccountView {
            name: name.into(),
            provider: Provider::Browserbase,
            mode: Mode::Enforce,
            listing: None,
            live,
            rejected_rows: 0,
            error: None,
            last_complete_at: Some(at(0)),
            last_error: None,
            clock_skew_seconds: 0.0,
            paused: false,
            paused_reason: None,
            tripped: false,
            cost_per_hour: None,
            currency: String::new(),
        }
    }

    #[test]
    fn a_line_says_what_is_watched_and_what_is_wrong() {
        assert_eq!(status(Mode::Observe, &[account("growth", 1)]), "observe mode: 1 session live in 1 account");
        let troubles = [
            AccountView { paused: true, error: Some("503".to_owned()), ..account("a", 3) },
            AccountView { tripped: true, ..account("b", 4) },
            AccountView { error: Some("503: a text that may hold anything".to_owned()), ..account("c", 0) },
            AccountView { last_complete_at: None, ..account("d", 0) },
            account("e", 5),
        ];
        let line = "enforce mode: 12 sessions live in 5 accounts; a is paused; b has tripped its release fraction; c cannot be listed; \
                    d has not been listed yet";
        assert_eq!(status(Mode::Enforce, &troubles), line);
    }
}
