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

/// The whole report: rows, and what else is wanted. With it the rows alone by other keys, of the same books at the same moment.
pub(super) fn whole(books: &Connection, wanted: &Wanted, also: &[By], hear: &mut dyn FnMut(Read)) -> rusqlite::Result<(Report, Vec<Report>)> {
    let period = Period { books, since: wanted.since, last: wanted.last() };
    let passes = 1 + also.len() as u64 + u64::from(wanted.leakers.is_some());
    let mut hearing = Hearing { read: Read { rows: 0, of: period.count()? * passes }, hear };
    let mut report = rows(period, wanted.until, &wanted.by, &mut hearing)?;
    report.leakers = wanted.leakers.as_ref().map(|tags| leakers::leakers(period, tags, &mut hearing)).transpose()?;
    report.forecast = wanted.forecast.as_ref().map(|prices| forecast::forecast(books, wanted.since, wanted.last(), prices)).transpose()?;
    let also = also.iter().map(|by| rows(period, wanted.until, by, &mut hearing)).collect::<rusqlite::Result<_>>()?;
    Ok((report, also))
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
mod tests;
