//! Releases added up.

use rusqlite::Row;

use super::super::rows::word;
use crate::domain::release::Outcome;
use crate::domain::time::{SignedDuration, seconds};
use crate::domain::view::{Overrun, ReportRow};

/// The columns that are read of every release, by their places: to find them by name a million times takes longer than to read them.
pub(super) const COLUMNS: &str = "outcome, overrun_ms, saved_runtime_ms, saved_cost, currency";
const OUTCOME: usize = 0;
const OVERRUN: usize = 1;
const SAVED_RUNTIME: usize = 2;
const SAVED_COST: usize = 3;
const CURRENCY: usize = 4;
/// The first column after these.
pub(super) const KEY: usize = 5;

/// One row while it is added up.
#[derive(Default)]
pub(super) struct Tally {
    already_ended: u64,
    failed: u64,
    stuck: u64,
    saved_runtime_ms: i64,
    costs: Costs,
    /// One for each confirmed release, so that their number is how many were released.
    overruns_ms: Vec<i64>,
}

impl Tally {
    pub(super) fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        match word(row, OUTCOME, Outcome::from_word)? {
            Outcome::Requested => {}
            Outcome::AlreadyEnded => self.already_ended += 1,
            Outcome::Denied | Outcome::Failed => self.failed += 1,
            Outcome::Stuck => self.stuck += 1,
            Outcome::Confirmed => {
                self.saved_runtime_ms = self.saved_runtime_ms.saturating_add(saved_runtime_ms(row)?);
                self.costs.add_saved(row)?;
                self.overruns_ms.push(row.get(OVERRUN)?);
            }
        }
        Ok(())
    }

    pub(super) fn has_any(&self) -> bool {
        self.already_ended + self.failed + self.stuck > 0 || !self.overruns_ms.is_empty()
    }

    /// What is most comes last.
    pub(super) fn weight(&self) -> (i64, usize) {
        (self.saved_runtime_ms, self.overruns_ms.len())
    }

    pub(super) fn row(mut self, key: Option<String>) -> ReportRow {
        self.overruns_ms.sort_unstable();
        let (saved_cost, currency) = self.costs.sum();
        ReportRow {
            key,
            released: self.overruns_ms.len() as u64,
            already_ended: self.already_ended,
            failed: self.failed,
            stuck: self.stuck,
            saved_runtime_seconds: as_seconds(self.saved_runtime_ms),
            saved_cost,
            currency,
            overrun_seconds: Overrun {
                p50: percentile(&self.overruns_ms, 50),
                p99: percentile(&self.overruns_ms, 99),
                max: percentile(&self.overruns_ms, 100),
            },
        }
    }
}

/// Money, by currency: amounts of several do not add up. Mostly there is one, and a million of these at once.
#[derive(Default)]
pub(super) struct Costs {
    first: Option<(Box<str>, f64)>,
    others: Vec<(Box<str>, f64)>,
}

impl Costs {
    pub(super) fn add(&mut self, currency: &str, amount: f64) {
        if let Some((_, sum)) = self.first.iter_mut().chain(&mut self.others).find(|(known, _)| **known == *currency) {
            *sum += amount;
        } else if self.first.is_none() {
            self.first = Some((currency.into(), amount));
        } else {
            self.others.push((currency.into(), amount));
        }
    }

    /// What a release saved.
    pub(super) fn add_saved(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let currency = row.get_ref(CURRENCY)?.as_str()?;
        self.add(currency, row.get::<_, Option<f64>>(SAVED_COST)?.unwrap_or(0.0));
        Ok(())
    }

    /// The sum and its currency; no sum where there are several.
    pub(super) fn sum(&self) -> (Option<f64>, Option<String>) {
        match &self.first {
            None => (Some(0.0), None),
            Some((currency, sum)) if self.others.is_empty() => (Some(to_micros(*sum)), Some(currency.to_string())),
            Some(_) => (None, None),
        }
    }
}

pub(super) fn is_confirmed(row: &Row<'_>) -> rusqlite::Result<bool> {
    Ok(word(row, OUTCOME, Outcome::from_word)? == Outcome::Confirmed)
}

pub(super) fn saved_runtime_ms(row: &Row<'_>) -> rusqlite::Result<i64> {
    Ok(row.get::<_, Option<i64>>(SAVED_RUNTIME)?.unwrap_or(0))
}

/// The nearest rank: the smallest value that at least `percent` of all do not exceed. Expects them sorted.
fn percentile(sorted_ms: &[i64], percent: usize) -> Option<f64> {
    let rank = (sorted_ms.len() * percent).div_ceil(100);
    sorted_ms.get(rank.checked_sub(1)?).copied().map(as_seconds)
}

pub(super) fn as_seconds(millis: i64) -> f64 {
    seconds(SignedDuration::from_millis(millis))
}

/// Cuts the noise of binary fractions, which begins far below a millionth.
fn to_micros(cost: f64) -> f64 {
    (cost * 1e6).round() / 1e6
}
