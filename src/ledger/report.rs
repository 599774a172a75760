//! The report: releases added up by a key. Only what the provider confirmed counts as released, and only that has saved anything.

mod by;
mod coverage;
mod forecast;
mod leakers;
mod tags;
mod tally;

use std::cmp::Reverse;

use rusqlite::{Connection, Row, params};

use super::rows::{json, millis};
use crate::domain::session::Metadata;
use crate::domain::tariff::Prices;
use crate::domain::time::Timestamp;
use crate::domain::view::{Report, ReportRow};

pub use by::By;
use tags::ByText;
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
    /// Every release of the period with [`tally::COLUMNS`] and this one, in the order of time.
    fn each(self, key: &str, mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
        let sql = format!(
            "SELECT {}, {key} FROM releases WHERE coalesce(confirmed_at, requested_at) >= ?1 AND coalesce(confirmed_at, requested_at) < ?2
             AND outcome <> 'requested' ORDER BY coalesce(confirmed_at, requested_at)",
            tally::COLUMNS
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
    let mut tallies: ByText<Tally> = ByText::default();
    // Of those without the tag.
    let mut untold = Tally::default();
    let mut total = Tally::default();
    period.each(column(by), |row| {
        hearing.row();
        tally_of(&mut tallies, &mut untold, row, by)?.add(row)?;
        total.add(row)
    })?;
    let mut tallies: Vec<(Option<Box<str>>, Tally)> = tallies.into_iter().map(|(key, tally)| (Some(key), tally)).collect();
    tallies.extend(untold.has_any().then_some((None, untold)));
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
fn column(by: &By) -> &'static str {
    match by {
        By::Account => "account",
        By::Policy => "policy",
        By::Limit => "limit_word",
        By::Kind => "kind",
        By::Day => "coalesce(confirmed_at, requested_at)",
        By::Metadata(_) => "metadata",
    }
}

/// Where a release is added up.
fn tally_of<'a>(tallies: &'a mut ByText<Tally>, untold: &'a mut Tally, row: &Row<'_>, by: &By) -> rusqlite::Result<&'a mut Tally> {
    Ok(match by {
        By::Account | By::Policy | By::Limit | By::Kind => under(tallies, row.get_ref(tally::KEY)?.as_str()?),
        By::Day => under(tallies, &day(row.get(tally::KEY)?)),
        By::Metadata(tag) => {
            let metadata = Metadata::from_json(Some(json(row, tally::KEY)?));
            metadata.get(tag).and_then(tags::text).map_or(untold, |value| under(tallies, &value))
        }
    })
}

fn under<'a>(tallies: &'a mut ByText<Tally>, key: &str) -> &'a mut Tally {
    tallies.entry(key.into()).or_default()
}

/// In UTC.
fn day(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// Most saved first, and what saved the same by its name; days as they came.
fn in_order(mut tallies: Vec<(Option<Box<str>>, Tally)>, by: &By) -> Vec<ReportRow> {
    let most_first = |tally: &Tally| (*by != By::Day).then(|| Reverse(tally.weight()));
    tallies.sort_by(|(a_key, a), (b_key, b)| most_first(a).cmp(&most_first(b)).then_with(|| a_key.cmp(b_key)));
    tallies.into_iter().take(MOST_ROWS).map(|(key, tally)| tally.row(key.map(String::from))).collect()
}

#[cfg(test)]
mod tests;
