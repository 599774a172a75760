//! Releases added up.

use rusqlite::Row;

use super::super::rows::word;
use crate::domain::release::Outcome;
use crate::domain::time::{SignedDuration, seconds};
use crate::domain::view::{Overrun, ReportRow};

/// The columns that [`Tally::add`] reads.
pub(super) const COLUMNS: &str = "outcome, overrun_ms, saved_runtime_ms, saved_cost, currency";

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
        match word(row, "outcome", Outcome::from_word)? {
            Outcome::Requested => {}
            Outcome::AlreadyEnded => self.already_ended += 1,
            Outcome::Denied | Outcome::Failed => self.failed += 1,
            Outcome::Stuck => self.stuck += 1,
            Outcome::Confirmed => {
                self.saved_runtime_ms = self.saved_runtime_ms.saturating_add(saved_runtime_ms(row)?);
                self.costs.add_saved(row)?;
                self.overruns_ms.push(row.get("overrun_ms")?);
            }
        }
        Ok(())
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

/// Money, by currency: amounts of several do not add up.
#[derive(Default)]
pub(super) struct Costs(Vec<(Box<str>, f64)>);

impl Costs {
    pub(super) fn add(&mut self, currency: &str, amount: f64) {
        match self.0.iter_mut().find(|(known, _)| **known == *currency) {
            Some((_, sum)) => *sum += amount,
            None => {
                // Mostly there is one, and a million of these at once.
                self.0.reserve_exact(1);
                self.0.push((currency.into(), amount));
            }
        }
    }

    /// What a release saved.
    pub(super) fn add_saved(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let currency = row.get_ref("currency")?.as_str()?;
        self.add(currency, row.get::<_, Option<f64>>("saved_cost")?.unwrap_or(0.0));
        Ok(())
    }

    /// The sum and its currency; no sum where there are several.
    pub(super) fn sum(&self) -> (Option<f64>, Option<String>) {
        match self.0.as_slice() {
            [] => (Some(0.0), None),
            [(currency, sum)] => (Some(to_micros(*sum)), Some(currency.to_string())),
            _ => (None, None),
        }
    }
}

pub(super) fn saved_runtime_ms(row: &Row<'_>) -> rusqlite::Result<i64> {
    Ok(row.get::<_, Option<i64>>("saved_runtime_ms")?.unwrap_or(0))
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
