//! Says, in a few lines a minute, what the daemon has done: read from its books, like a report.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::table::say;
use crate::clock::Clock;
use crate::domain::release::{Outcome, Release, Releases};
use crate::domain::time::{SignedDuration, Timestamp, clock_time, human};
use crate::ledger::Reader;

/// Between two looks at the books, and between two lines once the first has been said.
const LOOK: Duration = Duration::from_millis(500);
const LINE: SignedDuration = SignedDuration::from_secs(10);

/// More than a demonstration can release.
const MOST: usize = 100_000;

/// Tells for ever; whoever started it ends it. The first release is told at once.
pub(super) async fn narrate(reader: Reader, clock: Clock) {
    let mut told = 0;
    let mut told_at = Timestamp::MIN;
    loop {
        tokio::time::sleep(LOOK).await;
        let books = reader.clone();
        let read = tokio::task::spawn_blocking(move || books.releases(&Releases::latest(MOST))).await;
        let Ok(Ok(releases)) = read else { continue };
        let confirmed: Vec<&Release> = releases.iter().filter(|release| release.outcome == Outcome::Confirmed).collect();
        let now = clock.now();
        if confirmed.len() > told && now.duration_since(told_at) >= LINE {
            // Nobody to read it is no reason to stop the daemon.
            _ = say(line(&confirmed, confirmed.len() - told, now));
            (told, told_at) = (confirmed.len(), now);
        }
    }
}

/// `releases` newest first, of which the first `news` were not told yet.
fn line(releases: &[&Release], news: usize, now: Timestamp) -> String {
    let mut by_policy: BTreeMap<&str, usize> = BTreeMap::new();
    releases.iter().take(news).for_each(|release| *by_policy.entry(release.policy.as_str()).or_default() += 1);
    let policies: Vec<String> = by_policy.into_iter().map(|(policy, count)| format!("{count} by {policy}")).collect();
    let saved: SignedDuration =
        releases.iter().filter_map(|release| release.saved_runtime).fold(SignedDuration::ZERO, |sum, saved| sum.saturating_add(saved));
    let cost: f64 = releases.iter().filter_map(|release| release.saved_cost).sum();
    let worst = releases.iter().take(news).map(|release| release.overrun).max().unwrap_or_default();
    let currency = releases.first().map_or("", |release| release.currency.as_str());
    format!(
        "{}  {news} released and confirmed ({}; asked for within {} of their deadlines); {} so far: {} of runtime saved, {cost:.2} {currency}",
        clock_time(now),
        policies.join(", "),
        human(worst),
        releases.len(),
        human(saved),
    )
}
