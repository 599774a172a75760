//! The report: releases added up by a key. Only what the provider confirmed counts as released, and only that has saved anything.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, Row, params};

use super::queries::all;
use super::rows::{account, instant, json, maybe_instant, millis, word};
use crate::domain::release::Outcome;
use crate::domain::session::{Metadata, scalar_text};
use crate::domain::time::{SignedDuration, Timestamp, seconds};
use crate::domain::view::{Gap, Overrun, Report, ReportRow};

/// What a report's rows stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    Account,
    Policy,
    Limit,
    Kind,
    /// Days in UTC.
    Day,
    /// A metadata key or dotted path.
    Metadata(String),
}

impl By {
    /// The metadata key, where the rows stand for one's values.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Metadata(key) => Some(key),
            _ => None,
        }
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "account" => Ok(Self::Account),
            "policy" => Ok(Self::Policy),
            "limit" => Ok(Self::Limit),
            "kind" => Ok(Self::Kind),
            "day" => Ok(Self::Day),
            _ => match text.strip_prefix("metadata.") {
                Some(key) if !key.is_empty() => Ok(Self::Metadata(key.to_owned())),
                _ => Err("expected account, policy, limit, kind, day or metadata.KEY".to_owned()),
            },
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("account"),
            Self::Policy => f.write_str("policy"),
            Self::Limit => f.write_str("limit"),
            Self::Kind => f.write_str("kind"),
            Self::Day => f.write_str("day"),
            Self::Metadata(key) => write!(f, "metadata.{key}"),
        }
    }
}

/// Releases of `[since, last)`, the provider's time, in a report that says `[since, until)`, ours.
pub(super) fn report(books: &Connection, since: Timestamp, until: Timestamp, last: Timestamp, by: &By) -> rusqlite::Result<Report> {
    let sql = "SELECT * FROM releases WHERE coalesce(confirmed_at, requested_at) >= ?1 AND coalesce(confirmed_at, requested_at) < ?2
         AND outcome <> 'requested' ORDER BY account, id";
    let mut tallies: BTreeMap<Option<String>, Tally> = BTreeMap::new();
    let mut total = Tally::default();
    let mut statement = books.prepare_cached(sql)?;
    let mut rows = statement.query(params![millis(since), millis(last)])?;
    while let Some(row) = rows.next()? {
        let entry = Entry::read(row)?;
        tallies.entry(key(row, by)?).or_default().add(&entry);
        total.add(&entry);
    }
    let rows_left_out = tallies.len().saturating_sub(MOST_ROWS);
    let (rows, gaps) = (in_order(tallies, by), gaps(books, since, until)?);
    Ok(Report { since, until, by: by.to_string(), rows, rows_left_out, total: total.row(None), gaps })
}

/// Rows of one report: those that saved most, or the first days.
const MOST_ROWS: usize = 10_000;

impl Report {
    /// The report of books in which nothing is.
    pub fn empty(since: Timestamp, until: Timestamp, by: &By) -> Self {
        Self { since, until, by: by.to_string(), rows: Vec::new(), rows_left_out: 0, total: Tally::default().row(None), gaps: Vec::new() }
    }
}

/// The row that a release belongs to; `None` for sessions without the tag.
fn key(row: &Row<'_>, by: &By) -> rusqlite::Result<Option<String>> {
    match by {
        By::Account => row.get("account"),
        By::Policy => row.get("policy"),
        By::Limit => row.get("limit_word"),
        By::Kind => row.get("kind"),
        By::Day => {
            let at = maybe_instant(row, "confirmed_at")?.map_or_else(|| instant(row, "requested_at"), Ok)?;
            Ok(Some(at.strftime("%Y-%m-%d").to_string()))
        }
        By::Metadata(key) => {
            let metadata = Metadata::from_json(Some(json(row, "metadata")?));
            let value = metadata.get(key).filter(|value| !value.is_null());
            Ok(value.map(|value| scalar_text(value).map_or_else(|| value.to_string(), |text| text.into_owned())))
        }
    }
}

/// Most saved first; days as they came.
fn in_order(tallies: BTreeMap<Option<String>, Tally>, by: &By) -> Vec<ReportRow> {
    let mut tallies: Vec<(Option<String>, Tally)> = tallies.into_iter().collect();
    if *by != By::Day {
        tallies.sort_by_key(|(_, tally)| std::cmp::Reverse((tally.saved_runtime_ms, tally.overruns_ms.len())));
    }
    tallies.into_iter().take(MOST_ROWS).map(|(key, tally)| tally.row(key)).collect()
}

/// What the report needs of one release.
struct Entry {
    outcome: Outcome,
    overrun_ms: i64,
    saved_runtime_ms: i64,
    saved_cost: f64,
    currency: String,
}

impl Entry {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            outcome: word(row, "outcome", Outcome::from_word)?,
            overrun_ms: row.get("overrun_ms")?,
            saved_runtime_ms: row.get::<_, Option<i64>>("saved_runtime_ms")?.unwrap_or(0),
            saved_cost: row.get::<_, Option<f64>>("saved_cost")?.unwrap_or(0.0),
            currency: row.get("currency")?,
        })
    }
}

/// One row while it is added up.
#[derive(Default)]
struct Tally {
    already_ended: u64,
    failed: u64,
    stuck: u64,
    saved_runtime_ms: i64,
    cost_by_currency: BTreeMap<String, f64>,
    /// One for each confirmed release, so that their number is how many were released.
    overruns_ms: Vec<i64>,
}

impl Tally {
    fn add(&mut self, entry: &Entry) {
        match entry.outcome {
            Outcome::Requested => {}
            Outcome::AlreadyEnded => self.already_ended += 1,
            Outcome::Denied | Outcome::Failed => self.failed += 1,
            Outcome::Stuck => self.stuck += 1,
            Outcome::Confirmed => {
                self.saved_runtime_ms = self.saved_runtime_ms.saturating_add(entry.saved_runtime_ms);
                *self.cost_by_currency.entry(entry.currency.clone()).or_default() += entry.saved_cost;
                self.overruns_ms.push(entry.overrun_ms);
            }
        }
    }

    fn row(mut self, key: Option<String>) -> ReportRow {
        self.overruns_ms.sort_unstable();
        let one_currency = self.cost_by_currency.len() <= 1;
        // Not `sum`, whose zero is a negative one.
        let cost = self.cost_by_currency.values().fold(0.0, |sum, cost| sum + cost);
        ReportRow {
            key,
            released: self.overruns_ms.len() as u64,
            already_ended: self.already_ended,
            failed: self.failed,
            stuck: self.stuck,
            saved_runtime_seconds: as_seconds(self.saved_runtime_ms),
            saved_cost: one_currency.then_some(to_micros(cost)),
            currency: self.cost_by_currency.into_keys().next().filter(|_| one_currency),
            overrun_seconds: Overrun {
                p50: percentile(&self.overruns_ms, 50),
                p99: percentile(&self.overruns_ms, 99),
                max: percentile(&self.overruns_ms, 100),
            },
        }
    }
}

/// The nearest rank: the smallest value that at least `percent` of all do not exceed. Expects them sorted.
fn percentile(sorted_ms: &[i64], percent: usize) -> Option<f64> {
    let rank = (sorted_ms.len() * percent).div_ceil(100);
    sorted_ms.get(rank.checked_sub(1)?).copied().map(as_seconds)
}

fn as_seconds(millis: i64) -> f64 {
    seconds(SignedDuration::from_millis(millis))
}

/// Cuts the noise of binary fractions, which begins far below a millionth.
fn to_micros(cost: f64) -> f64 {
    (cost * 1e6).round() / 1e6
}

/// The gaps that overlap the period, and those that are still open: an account whose next listing has been due for longer than it bears.
fn gaps(books: &Connection, since: Timestamp, until: Timestamp) -> rusqlite::Result<Vec<Gap>> {
    let sql = "SELECT account, from_at, until_at FROM gaps WHERE from_at < ?2 AND until_at > ?1
         UNION ALL
         SELECT account, last_complete_at, NULL FROM accounts WHERE last_complete_at + gap_after_ms < ?2
         ORDER BY 1, 2";
    let read = |row: &Row<'_>| Ok(Gap { account: account(row, "account")?, from: instant(row, "from_at")?, until: maybe_instant(row, "until_at")? });
    all(books, sql, params![millis(since), millis(until)], read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::tests::{at, release};
    use super::super::{apply, schema};
    use super::*;
    use crate::domain::record::Record;
    use crate::domain::release::Release;

    fn books(releases: &[Release]) -> Connection {
        let mut books = Connection::open_in_memory().unwrap();
        schema::migrate(&mut books, schema::MIGRATIONS).unwrap();
        releases.iter().for_each(|row| assert!(apply::release(&books, row).unwrap()));
        books
    }

    fn report(books: &Connection, since: Timestamp, until: Timestamp, by: &By) -> rusqlite::Result<Report> {
        super::report(books, since, until, until, by)
    }

    #[test]
    fn of_a_tag_with_values_without_end_those_that_saved_most_have_rows_and_the_total_has_all() {
        let releases: Vec<Release> = (0..=MOST_ROWS).map(|n| saved(&format!("s{n}"), n as i64 + 1, json!({ "run": n }))).collect();
        let books = books(&releases);
        let report = report(&books, at(0), at(100), &By::Metadata("run".to_owned())).unwrap();
        assert_eq!((report.rows.len(), report.rows_left_out, report.total.released), (MOST_ROWS, 1, MOST_ROWS as u64 + 1));
        assert!(!report.rows.iter().any(|row| row.key.as_deref() == Some("0")), "it saved least");
    }

    #[test]
    fn a_release_at_a_provider_whose_clock_is_ahead_counts_at_once() {
        let ahead = Release { confirmed_at: Some(at(3_600)), ..saved("a", 10, json!({})) };
        let report = super::report(&books(&[ahead]), at(0), at(10), Timestamp::MAX, &By::Policy).unwrap();
        assert_eq!((report.total.released, report.until), (1, at(10)));
    }

    fn keys(report: &Report) -> Vec<Option<&str>> {
        report.rows.iter().map(|row| row.key.as_deref()).collect()
    }

    fn saved(id: &str, seconds: i64, metadata: Value) -> Release {
        Release { saved_runtime: Some(SignedDuration::from_secs(seconds)), metadata, ..release(id, Outcome::Confirmed) }
    }

    #[test]
    fn rows_by_tag_follow_dotted_paths_and_most_saved_comes_first() {
        let releases = [
            saved("a", 10, json!({ "team": { "name": "ml" } })),
            saved("b", 30, json!({ "team.name": 7 })),
            saved("c", 20, json!({ "team": "flat" })),
            saved("d", 5, json!({ "team": { "name": "ml" } })),
            saved("e", 1, Value::Null),
        ];
        let report = report(&books(&releases), at(0), at(10), &By::Metadata("team.name".to_owned())).unwrap();
        assert_eq!(keys(&report), [Some("7"), None, Some("ml")]);
        assert_eq!(report.rows[1].released, 2);
        assert_eq!(report.total.saved_runtime_seconds, 66.0);
    }

    #[test]
    fn days_come_in_their_order_and_the_end_of_the_period_is_outside() {
        let on = |id: &str, second, saved_seconds| Release { confirmed_at: Some(at(second)), ..saved(id, saved_seconds, json!({})) };
        let day = 86_400;
        let books = books(&[on("a", day, 1), on("b", 0, 2), on("c", 2 * day, 3), on("d", -1, 4)]);
        let report = report(&books, at(0), at(2 * day), &By::Day).unwrap();
        assert_eq!(keys(&report), [Some("2026-11-20"), Some("2026-11-21")]);
    }

    #[test]
    fn currencies_are_not_added_up() {
        let euro = Release { currency: "EUR".to_owned(), policy: "eu".into(), ..release("b", Outcome::Confirmed) };
        let report = report(&books(&[release("a", Outcome::Confirmed), euro]), at(0), at(10), &By::Policy).unwrap();
        assert_eq!((report.total.saved_cost, report.total.currency), (None, None));
        assert!(report.rows.iter().all(|row| row.saved_cost == Some(0.1199) && row.currency.is_some()));
    }

    #[test]
    fn gaps_are_those_that_overlap_and_those_still_open() {
        let books = books(&[]);
        let polled = |account: &str, second| {
            let gap_after = SignedDuration::from_secs(60);
            apply::record(&books, &Record::Polled { account: account.into(), at: at(second), gap_after }).unwrap();
        };
        [0, 60, 200, 200, 150, 260, 1_000, 1_060].into_iter().for_each(|second| polled("growth", second));
        polled("quiet", 500);
        let report = report(&books, at(200), at(1_100), &By::Policy).unwrap();
        assert_eq!(
            report.gaps,
            [Gap { account: "growth".into(), from: at(260), until: Some(at(1_000)) }, Gap { account: "quiet".into(), from: at(500), until: None },]
        );
    }

    fn any_release() -> impl Strategy<Value = (u8, Outcome, i64, i64, i64, i64)> {
        let outcome = proptest::sample::select(Outcome::ALL);
        (0..4_u8, outcome, -5..15_i64, 0..5_000_i64, -50..90_000_i64, 0..40_i64)
    }

    proptest! {
        /// Against the books kept by hand: filter, group and add up, with nothing of the implementation's in it.
        #[test]
        fn the_report_is_what_adding_up_by_hand_gives(drawn in proptest::collection::vec(any_release(), 0..40)) {
            let releases: Vec<Release> = drawn.iter().enumerate().map(|(n, (policy, outcome, second, overrun, saved, cents))| Release {
                policy: format!("p{policy}").into(),
                confirmed_at: (*outcome == Outcome::Confirmed).then(|| at(*second)),
                requested_at: at(if *outcome == Outcome::Confirmed { -100 } else { *second }),
                overrun: SignedDuration::from_millis(*overrun),
                saved_runtime: Some(SignedDuration::from_millis(*saved)),
                saved_cost: Some(*cents as f64 / 100.0),
                ..release(&format!("s{n}"), *outcome)
            }).collect();
            let report = report(&books(&releases), at(0), at(10), &By::Policy).unwrap();
            for row in report.rows.iter().chain([&report.total]) {
                let mine: Vec<_> = drawn.iter()
                    .filter(|(policy, _, second, ..)| (0..10).contains(second) && row.key.as_ref().is_none_or(|key| *key == format!("p{policy}")))
                    .collect();
                let count = |wanted: &[Outcome]| mine.iter().filter(|drawn| wanted.contains(&drawn.1)).count() as u64;
                let confirmed: Vec<_> = mine.iter().filter(|drawn| drawn.1 == Outcome::Confirmed).collect();
                prop_assert_eq!(row.released, confirmed.len() as u64);
                prop_assert_eq!(row.already_ended, count(&[Outcome::AlreadyEnded]));
                prop_assert_eq!(row.failed, count(&[Outcome::Failed, Outcome::Denied]));
                prop_assert_eq!(row.stuck, count(&[Outcome::Stuck]));
                prop_assert_eq!(row.saved_runtime_seconds, confirmed.iter().map(|drawn| drawn.4).sum::<i64>() as f64 / 1_000.0);
                prop_assert_eq!(row.saved_cost, Some(confirmed.iter().map(|drawn| drawn.5).sum::<i64>() as f64 / 100.0));
                let at_most = |bound: f64| confirmed.iter().filter(|drawn| drawn.3 as f64 / 1_000.0 <= bound).count();
                if let Overrun { p50: Some(p50), p99: Some(p99), max: Some(max) } = row.overrun_seconds {
                    prop_assert!(at_most(p50) * 2 >= confirmed.len() && at_most(p50 - 0.001) * 2 < confirmed.len());
                    prop_assert!(at_most(p99) * 100 >= confirmed.len() * 99);
                    prop_assert_eq!(at_most(max), confirmed.len());
                } else {
                    prop_assert!(confirmed.is_empty());
                }
            }
            let expected: std::collections::BTreeSet<_> =
                drawn.iter().filter(|drawn| (0..10).contains(&drawn.2) && drawn.1 != Outcome::Requested).map(|drawn| format!("p{}", drawn.0)).collect();
            let found: std::collections::BTreeSet<_> = report.rows.iter().filter_map(|row| row.key.clone()).collect();
            prop_assert_eq!(found, expected);
            prop_assert!(report.rows.is_sorted_by(|a, b| a.saved_runtime_seconds >= b.saved_runtime_seconds));
        }
    }
}
