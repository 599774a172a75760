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

pub(super) fn report(books: &Connection, since: Timestamp, until: Timestamp, by: &By) -> rusqlite::Result<Report> {
    let sql = "SELECT * FROM releases WHERE coalesce(confirmed_at, requested_at) >= ?1 AND coalesce(confirmed_at, requested_at) < ?2
         AND outcome <> 'requested' ORDER BY account, id";
    let mut tallies: BTreeMap<Option<String>, Tally> = BTreeMap::new();
    let mut total = Tally::default();
    let mut statement = books.prepare_cached(sql)?;
    let mut rows = statement.query(params![millis(since), millis(until)])?;
    while let Some(row) = rows.next()? {
        let entry = Entry::read(row)?;
        tallies.entry(key(row, by)?).or_default().add(&entry);
        total.add(&entry);
    }
    Ok(Report { since, until, by: by.to_string(), rows: in_order(tallies, by), total: total.row(None), gaps: gaps(books, since, until)? })
}

impl Report {
    /// The report of books in which nothing is.
    pub fn empty(since: Timestamp, until: Timestamp, by: &By) -> Self {
        Self { since, until, by: by.to_string(), rows: Vec::new(), total: Tally::default().row(None), gaps: Vec::new() }
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
    tallies.into_iter().map(|(key, tally)| tally.row(key)).collect()
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
        let cost = self.cost_by_currency.values().sum::<f64>();
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
