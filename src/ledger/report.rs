//! The report: releases added up by a key. Only what the provider confirmed counts as released, and only that has saved anything.

mod by;
mod coverage;
mod forecast;
mod leakers;
mod tally;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::rows::{instant, json, maybe_instant, millis};
use crate::domain::session::{Metadata, scalar_text};
use crate::domain::tariff::Prices;
use crate::domain::time::Timestamp;
use crate::domain::view::{Report, ReportRow};

pub use by::By;
use tally::Tally;

/// Everything that a report may be asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub since: Timestamp,
    /// Ours.
    pub until: Timestamp,
    /// `until` is now. Releases stand in the provider's time, which may be ahead of ours: the latest of them may lie after it.
    pub to_now: bool,
    pub by: By,
    /// Tags to which those who left most behind are restricted; empty: all tags. Nothing where they are not wanted.
    pub leakers: Option<Vec<String>>,
    /// At which the forecast is priced; nothing where none is wanted.
    pub forecast: Option<Prices>,
}

impl Wanted {
    /// What is released before this is in the report.
    fn last(&self) -> Timestamp {
        if self.to_now { Timestamp::MAX } else { self.until }
    }
}

/// How far reading the books has come: so many rows of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    pub rows: u64,
    pub of: u64,
}

/// Rows between two words about how far it has come.
const ROWS_A_WORD: u64 = 4_096;

/// Releases of the period.
#[derive(Clone, Copy)]
struct Period<'a> {
    books: &'a Connection,
    since: Timestamp,
    /// The provider's time.
    last: Timestamp,
}

impl Period<'_> {
    /// Every release of the period, in the order of time.
    fn each(self, columns: &str, mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
        let sql = format!(
            "SELECT {columns} FROM releases WHERE coalesce(confirmed_at, requested_at) >= ?1 AND coalesce(confirmed_at, requested_at) < ?2
             AND outcome <> 'requested' ORDER BY coalesce(confirmed_at, requested_at)"
        );
        let mut statement = self.books.prepare_cached(&sql)?;
        let mut rows = statement.query(params![millis(self.since), millis(self.last)])?;
        while let Some(row) = rows.next()? {
            each(row)?;
        }
        Ok(())
    }

    /// All of them, also what is only requested.
    fn count(self) -> rusqlite::Result<u64> {
        let sql = "SELECT count(*) FROM releases WHERE coalesce(confirmed_at, requested_at) >= ?1 AND coalesce(confirmed_at, requested_at) < ?2";
        let count: i64 = self.books.query_row(sql, params![millis(self.since), millis(self.last)], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}

/// Tells every so many rows how far it has come.
struct Hearing<'a> {
    read: Read,
    hear: &'a mut dyn FnMut(Read),
}

impl Hearing<'_> {
    fn row(&mut self) {
        self.read.rows += 1;
        if self.read.rows.is_multiple_of(ROWS_A_WORD) {
            (self.hear)(self.read);
        }
    }
}

/// The whole report: rows, and what else is wanted.
pub(super) fn whole(books: &Connection, wanted: &Wanted, hear: &mut dyn FnMut(Read)) -> rusqlite::Result<Report> {
    let period = Period { books, since: wanted.since, last: wanted.last() };
    let passes = 1 + u64::from(wanted.leakers.is_some());
    let mut hearing = Hearing { read: Read { rows: 0, of: period.count()? * passes }, hear };
    let mut report = rows(period, wanted.until, &wanted.by, &mut hearing)?;
    report.leakers = wanted.leakers.as_ref().map(|tags| leakers::leakers(period, tags, &mut hearing)).transpose()?;
    report.forecast = wanted.forecast.as_ref().map(|prices| forecast::forecast(books, wanted.since, wanted.last(), prices)).transpose()?;
    Ok(report)
}

/// The rows alone. Releases of `[since, last)`, the provider's time, in a report that says `[since, until)`, ours.
pub(super) fn report(books: &Connection, since: Timestamp, until: Timestamp, last: Timestamp, by: &By) -> rusqlite::Result<Report> {
    rows(Period { books, since, last }, until, by, &mut Hearing { read: Read { rows: 0, of: 0 }, hear: &mut |_| {} })
}

fn rows(period: Period<'_>, until: Timestamp, by: &By, hearing: &mut Hearing<'_>) -> rusqlite::Result<Report> {
    let mut tallies: BTreeMap<Option<String>, Tally> = BTreeMap::new();
    let mut total = Tally::default();
    period.each(&format!("{}, {}", tally::COLUMNS, key_columns(by)), |row| {
        hearing.row();
        tallies.entry(key(row, by)?).or_default().add(row)?;
        total.add(row)
    })?;
    let rows_left_out = tallies.len().saturating_sub(MOST_ROWS);
    let gaps = coverage::gaps(period.books, period.since, until)?;
    Ok(Report {
        rows: in_order(tallies, by),
        rows_left_out,
        total: total.row(None),
        coverage: coverage::coverage(period.books, &gaps, period.since, until)?,
        gaps,
        ..Report::empty(period.since, until, by)
    })
}

/// Rows of one report: those that saved most, or the first days.
const MOST_ROWS: usize = 10_000;

/// Metadata may be long, and is read only where it must be.
fn key_columns(by: &By) -> &'static str {
    match by {
        By::Account => "account",
        By::Policy => "policy",
        By::Limit => "limit_word",
        By::Kind => "kind",
        By::Day => "confirmed_at, requested_at",
        By::Metadata(_) => "metadata",
    }
}

/// The row that a release belongs to; `None` for sessions without the tag.
fn key(row: &Row<'_>, by: &By) -> rusqlite::Result<Option<String>> {
    match by {
        By::Account | By::Policy | By::Limit | By::Kind => row.get(key_columns(by)),
        By::Day => {
            let at = maybe_instant(row, "confirmed_at")?.map_or_else(|| instant(row, "requested_at"), Ok)?;
            Ok(Some(at.strftime("%Y-%m-%d").to_string()))
        }
        By::Metadata(key) => {
            let metadata = Metadata::from_json(Some(json(row, "metadata")?));
            Ok(metadata.get(key).and_then(tag_text))
        }
    }
}

/// A tag's value as text; nothing where there is none.
fn tag_text(value: &serde_json::Value) -> Option<String> {
    if value.is_null() { None } else { Some(scalar_text(value).map_or_else(|| value.to_string(), std::borrow::Cow::into_owned)) }
}

/// Most saved first; days as they came.
fn in_order(tallies: BTreeMap<Option<String>, Tally>, by: &By) -> Vec<ReportRow> {
    let mut tallies: Vec<(Option<String>, Tally)> = tallies.into_iter().collect();
    if *by != By::Day {
        tallies.sort_by_key(|(_, tally)| Reverse(tally.weight()));
    }
    tallies.into_iter().take(MOST_ROWS).map(|(key, tally)| tally.row(key)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::tests::{at, release};
    use super::super::{apply, schema};
    use super::*;
    use crate::domain::record::Record;
    use crate::domain::release::{Outcome, Release};
    use crate::domain::time::SignedDuration;
    use crate::domain::view::{Gap, Overrun};

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
