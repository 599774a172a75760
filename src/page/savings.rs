//! What was saved, as charts and as the tables that say the same: by day and by policy.

use std::collections::BTreeMap;

use super::chart::{Bar, Bars, Columns};
use super::words;
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::domain::view::{Report, ReportRow};

/// Of a period of days.
#[derive(Clone, Debug)]
pub struct Savings {
    pub days: usize,
    pub released: u64,
    pub already_ended: u64,
    pub failed: u64,
    pub runtime: String,
    /// Nothing where currencies are mixed, which do not add up.
    pub cost: Option<String>,
    pub runtime_by_day: Columns,
    pub cost_by_day: Option<Columns>,
    pub runtime_by_policy: Option<Bars>,
    pub cost_by_policy: Option<Bars>,
    pub by_day: Vec<Line>,
    pub by_policy: Vec<Line>,
    /// Times without complete listings that fall into the period.
    pub gaps: usize,
}

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub key: String,
    pub released: u64,
    pub runtime: String,
    pub cost: String,
}

/// The beginning of the first of so many days, the last of which is today, in UTC.
pub fn since(now: Timestamp, days: usize) -> Timestamp {
    let into_today = SignedDuration::from_secs(now.as_second().rem_euclid(86_400));
    let before = SignedDuration::from_hours(24).saturating_mul(i32::try_from(days.saturating_sub(1)).unwrap_or(i32::MAX));
    later(Timestamp::from_second(later(now, -into_today).as_second()).unwrap_or(now), -before)
}

impl Savings {
    /// From the reports by day and by policy of the same period, which began so many days ago.
    pub fn new(by_day: &Report, by_policy: &Report, days: usize) -> Self {
        let total = &by_policy.total;
        let every_day = every_day(by_day, days);
        let policies: Vec<(String, &ReportRow)> = by_policy.rows.iter().map(|row| (row.key.clone().unwrap_or_default(), row)).collect();
        let priced = total.saved_cost.is_some_and(|cost| cost > 0.0);
        let days_of = |value: fn(&ReportRow) -> Bar| every_day.iter().map(|(day, row)| labelled(&short_day(day), value(row))).collect::<Vec<_>>();
        let policies_of = |value: fn(&ReportRow) -> Bar| policies.iter().map(|(policy, row)| labelled(policy, value(row))).collect::<Vec<_>>();
        Self {
            days,
            released: total.released,
            already_ended: total.already_ended,
            failed: total.failed,
            runtime: words::length(total.saved_runtime_seconds),
            cost: total.saved_cost.map(|cost| words::money(cost, total.currency.as_deref().unwrap_or_default())),
            runtime_by_day: Columns::new("Saved runtime by day", &days_of(runtime)),
            cost_by_day: priced.then(|| Columns::new("Saved cost by day", &days_of(cost))),
            runtime_by_policy: (!policies.is_empty()).then(|| Bars::new("Saved runtime by policy", &policies_of(runtime))),
            cost_by_policy: priced.then(|| Bars::new("Saved cost by policy", &policies_of(cost))),
            by_day: every_day.iter().rev().filter(|(_, row)| row.released > 0).map(|(day, row)| line(day, row)).collect(),
            by_policy: policies.iter().map(|(policy, row)| line(policy, row)).collect(),
            gaps: by_policy.gaps.len(),
        }
    }
}

/// A row for each day of the period, those on which nothing was released too.
fn every_day(report: &Report, days: usize) -> Vec<(String, ReportRow)> {
    let known: BTreeMap<&str, &ReportRow> = report.rows.iter().filter_map(|row| Some((row.key.as_deref()?, row))).collect();
    let nothing = ReportRow { released: 0, saved_runtime_seconds: 0.0, saved_cost: Some(0.0), ..report.total.clone() };
    let day = |n: usize| later(report.since, SignedDuration::from_hours(24).saturating_mul(i32::try_from(n).unwrap_or(i32::MAX)));
    let row = |day: String| {
        let row = known.get(day.as_str()).map_or_else(|| nothing.clone(), |row| (*row).clone());
        (day, row)
    };
    (0..days).map(|n| row(day(n).strftime("%Y-%m-%d").to_string())).collect()
}

/// `2026-11-20` as `20 Nov`.
fn short_day(day: &str) -> String {
    day.parse::<jiff::civil::Date>().map_or_else(|_| day.to_owned(), |date| date.strftime("%-d %b").to_string())
}

fn labelled(label: &str, bar: Bar) -> Bar {
    Bar { label: label.to_owned(), ..bar }
}

fn runtime(row: &ReportRow) -> Bar {
    Bar { label: String::new(), value: row.saved_runtime_seconds, said: words::length(row.saved_runtime_seconds) }
}

fn cost(row: &ReportRow) -> Bar {
    Bar { label: String::new(), value: row.saved_cost.unwrap_or(0.0), said: said_cost(row) }
}

fn said_cost(row: &ReportRow) -> String {
    row.saved_cost.map_or_else(|| "mixed".to_owned(), |cost| words::money(cost, row.currency.as_deref().unwrap_or_default()))
}

fn line(key: &str, row: &ReportRow) -> Line {
    Line { key: key.to_owned(), released: row.released, runtime: words::length(row.saved_runtime_seconds), cost: said_cost(row) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::at;
    use crate::domain::view::Overrun;

    fn row(key: Option<&str>, hours: f64, cost: Option<f64>) -> ReportRow {
        ReportRow {
            key: key.map(str::to_owned),
            released: 2,
            already_ended: 0,
            failed: 0,
            stuck: 0,
            saved_runtime_seconds: hours * 3_600.0,
            saved_cost: cost,
            currency: cost.map(|_| "USD".to_owned()),
            overrun_seconds: Overrun { p50: None, p99: None, max: None },
        }
    }

    fn report(by: &str, rows: Vec<ReportRow>, total: ReportRow) -> Report {
        Report { rows, total, ..Report::empty(since(at(0), 3), at(0), by) }
    }

    #[test]
    fn a_period_begins_at_midnight() {
        assert_eq!(since(at(0), 1), "2026-11-20T00:00:00Z".parse().expect("an instant"));
        assert_eq!(since(at(0), 7), "2026-11-14T00:00:00Z".parse().expect("an instant"));
    }

    #[test]
    fn days_without_a_release_have_their_place_in_the_chart_and_no_row() {
        let by_day = report("day", vec![row(Some("2026-11-19"), 2.0, Some(0.24))], row(None, 2.0, Some(0.24)));
        let savings = Savings::new(&by_day, &report("policy", vec![row(Some("ci"), 2.0, Some(0.24))], row(None, 2.0, Some(0.24))), 3);
        let days: Vec<String> = every_day(&by_day, 3).into_iter().map(|(day, row)| format!("{day} {}", row.released)).collect();
        assert_eq!(days, ["2026-11-18 0", "2026-11-19 2", "2026-11-20 0"]);
        assert_eq!(savings.by_day, [Line { key: "2026-11-19".to_owned(), released: 2, runtime: "2h".to_owned(), cost: "0.24 USD".to_owned() }]);
        assert_eq!((savings.runtime.as_str(), savings.cost.as_deref()), ("2h", Some("0.24 USD")));
        assert!(savings.cost_by_day.is_some() && savings.cost_by_policy.is_some());
    }

    #[test]
    fn mixed_currencies_have_no_sum_and_no_chart() {
        let policies = vec![row(Some("ci"), 2.0, Some(0.24)), row(Some("eu"), 1.0, None)];
        let savings = Savings::new(&report("day", Vec::new(), row(None, 3.0, None)), &report("policy", policies, row(None, 3.0, None)), 3);
        assert!(savings.cost.is_none() && savings.cost_by_day.is_none() && savings.cost_by_policy.is_none());
        assert_eq!(savings.by_policy[1].cost, "mixed");
    }
}
