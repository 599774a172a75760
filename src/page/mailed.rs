//! The report as one file to mail: no script, nothing that is fetched from anywhere, its style inside it, and tables that say everything without it.

use askama::Template;

use super::chart::{Bar, Bars, Columns};
use super::words::cut;
use crate::domain::text::{HIDDEN, looks_secret};
use crate::domain::time::{SignedDuration, Timestamp, human, later};
use crate::domain::view::said::{self, FIGURES, figures, length, money};
use crate::domain::view::{ForecastPart, ForecastRow, Report, ReportRow};

/// Rows of one table; the total has them all.
const ROWS_SHOWN: usize = 200;
/// Columns of the chart by day; of a longer period several days share one.
const MOST_COLUMNS: i64 = 45;
const GAPS_SHOWN: usize = 20;
const LONGEST_KEY: usize = 200;
const DAY: SignedDuration = SignedDuration::from_hours(24);

#[derive(Clone, Debug, Template)]
#[template(path = "report.html")]
pub struct Mailed {
    since: String,
    until: String,
    period: String,
    version: &'static str,
    facts: Vec<(&'static str, String)>,
    charts: Vec<Chart>,
    /// What a row stands for.
    by: String,
    rows: Vec<Line>,
    total: Line,
    rows_left_out: usize,
    mixed: bool,
    leakers: Vec<[String; 5]>,
    forecasts: Vec<Watched>,
    /// How much of the period nobody looked, account by account.
    coverage: Vec<String>,
    gaps: Vec<String>,
    gaps_left_out: usize,
    days: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Chart {
    caption: String,
    svg: String,
}

/// One row of the main tables.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    key: String,
    cells: [String; 9],
}

/// One part of the forecast.
#[derive(Clone, Debug)]
struct Watched {
    heading: &'static str,
    explained: &'static str,
    rows: Vec<WatchedLine>,
    caveats: Vec<String>,
}

#[derive(Clone, Debug)]
struct WatchedLine {
    policy: String,
    limit: &'static str,
    cells: [String; 5],
}

impl Mailed {
    /// What stands above the cells of a [`WatchedLine`].
    const LENGTHS: [&'static str; 5] = ["sessions", "ran on", "cost", "to hard end", "cost"];

    /// Of one period: by what was asked for, by day, and by policy.
    pub fn new(report: &Report, by_day: &Report, by_policy: &Report) -> Self {
        let forecast = report.forecast.as_ref();
        let key = report.by.strip_prefix("metadata.").unwrap_or(&report.by);
        Self {
            since: instant(report.since),
            until: instant(report.until),
            period: human(report.until.duration_since(report.since)),
            version: env!("CARGO_PKG_VERSION"),
            facts: facts(&report.total),
            charts: charts(by_day, by_policy),
            by: open(key),
            rows: report.rows.iter().take(ROWS_SHOWN).map(line).collect(),
            total: Line { key: "total".to_owned(), ..line(&report.total) },
            rows_left_out: report.rows_left_out + report.rows.len().saturating_sub(ROWS_SHOWN),
            mixed: report.total.saved_cost.is_none(),
            leakers: report.leakers.iter().flatten().map(leaker).collect(),
            forecasts: forecast.into_iter().flat_map(|forecast| [observed(&forecast.observe), shadowed(&forecast.shadow)]).flatten().collect(),
            coverage: report.coverage.iter().filter_map(|of| said::coverage(of, report)).collect(),
            gaps: report.gaps.iter().take(GAPS_SHOWN).map(said::gap).collect(),
            gaps_left_out: report.gaps.len().saturating_sub(GAPS_SHOWN),
            days: by_day.rows.iter().map(line).collect(),
        }
    }
}

/// As a person reads it, to the minute.
fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A text of somebody else's: the beginning of a long one, and nothing of what may be a secret.
fn open(text: &str) -> String {
    if looks_secret(text) { HIDDEN.to_owned() } else { cut(text, LONGEST_KEY) }
}

fn facts(total: &ReportRow) -> Vec<(&'static str, String)> {
    let overrun = total.overrun_seconds;
    vec![
        ("released", total.released.to_string()),
        ("runtime saved", length(Some(total.saved_runtime_seconds))),
        ("cost saved", money(total.saved_cost, total.currency.as_deref())),
        ("had ended already", total.already_ended.to_string()),
        ("failed", total.failed.to_string()),
        ("stuck", total.stuck.to_string()),
        ("after the deadline: half within", length(overrun.p50)),
        ("99 of 100 within", length(overrun.p99)),
    ]
}

fn line(row: &ReportRow) -> Line {
    Line { key: row.key.as_deref().map_or_else(|| "(none)".to_owned(), open), cells: figures(row) }
}

fn leaker(of: &crate::domain::view::Leaker) -> [String; 5] {
    let saved = length(Some(of.saved_runtime_seconds));
    [open(&of.tag), open(&of.value), of.released.to_string(), saved, money(of.saved_cost, of.currency.as_deref())]
}

fn observed(part: &ForecastPart) -> Option<Watched> {
    let explained = "Sessions that fell due while the program only observed. What they ran on for is what listings showed; up to the hard end is what a \
                     release would have counted. None of it was saved.";
    watched(part, "Only observed", explained)
}

fn shadowed(part: &ForecastPart) -> Option<Watched> {
    let explained = "Sessions that policies in shadow would have released, beyond what was released. A session may be in the row of more than one policy; \
                     the total has it once. None of it was saved.";
    watched(part, "Policies in shadow", explained)
}

fn watched(part: &ForecastPart, heading: &'static str, explained: &'static str) -> Option<Watched> {
    let rows = part.rows.iter().chain([&part.total]).map(watched_line).collect();
    (!part.rows.is_empty()).then(|| Watched { heading, explained, rows, caveats: said::caveats(&part.total) })
}

fn watched_line(row: &ForecastRow) -> WatchedLine {
    WatchedLine {
        policy: row.policy.as_ref().map_or("total", |policy| policy.as_str()).to_owned(),
        limit: row.limit.map_or("", |limit| limit.as_str()),
        cells: [
            row.sessions.to_string(),
            length(Some(row.ran_on_seconds)),
            money(row.ran_on_cost, row.currency.as_deref()),
            length(Some(row.saved_runtime_seconds)),
            money(row.saved_cost, row.currency.as_deref()),
        ],
    }
}

/// A period without a release has nothing to draw.
fn charts(by_day: &Report, by_policy: &Report) -> Vec<Chart> {
    let (days_each, columns) = columns(by_day);
    let caption = match days_each {
        1 => "Runtime saved by day".to_owned(),
        days => format!("Runtime saved, {days} days to a column"),
    };
    let policies: Vec<Bar> = by_policy.rows.iter().filter(|row| row.saved_runtime_seconds > 0.0).map(bar).collect();
    let drawn = [
        Columns::new(&caption, &columns).render().map(|svg| Chart { caption, svg }),
        Bars::new("Runtime saved by policy", &policies).render().map(|svg| Chart { caption: "Runtime saved by policy".to_owned(), svg }),
    ];
    if policies.is_empty() { Vec::new() } else { drawn.into_iter().flatten().collect() }
}

fn bar(row: &ReportRow) -> Bar {
    let said = format!("{}, {}", length(Some(row.saved_runtime_seconds)), money(row.saved_cost, row.currency.as_deref()));
    Bar { label: row.key.as_deref().map_or_else(|| "(none)".to_owned(), open), value: row.saved_runtime_seconds, said }
}

/// The days of the period, those without a release too; how many there are to a column, and the columns.
fn columns(by_day: &Report) -> (i64, Vec<Bar>) {
    let day_of = |at: Timestamp| at.as_second().div_euclid(86_400);
    // Releases stand in the provider's time, and the last of them may be of a day that has not come here.
    let last_known = by_day.rows.iter().filter_map(day).max();
    let (first, last) = (day_of(by_day.since), last_known.unwrap_or(i64::MIN).max(day_of(later(by_day.until, -SignedDuration::from_nanos(1)))));
    let first = by_day.rows.iter().filter_map(day).min().map_or(first, |known| known.min(first));
    let days_each = (last - first + 1).max(1).unsigned_abs().div_ceil(MOST_COLUMNS.unsigned_abs());
    let days_each = i64::try_from(days_each).unwrap_or(i64::MAX);
    let mut saved = vec![0.0; usize::try_from((last - first) / days_each + 1).unwrap_or(1)];
    for row in &by_day.rows {
        let place = day(row).and_then(|day| usize::try_from((day - first) / days_each).ok());
        if let Some(sum) = place.and_then(|place| saved.get_mut(place)) {
            *sum += row.saved_runtime_seconds;
        }
    }
    let begins = |place: usize| {
        let day = first.saturating_add(days_each.saturating_mul(place as i64));
        later(Timestamp::UNIX_EPOCH, DAY.saturating_mul(i32::try_from(day).unwrap_or(i32::MAX))).strftime("%-d %b").to_string()
    };
    let column = |(place, value): (usize, f64)| Bar { label: begins(place), value, said: length(Some(value)) };
    (days_each, saved.into_iter().enumerate().map(column).collect())
}

/// The number of a row's day, counted from 1970.
fn day(row: &ReportRow) -> Option<i64> {
    let date: jiff::civil::Date = row.key.as_deref()?.parse().ok()?;
    let midnight = jiff::tz::TimeZone::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).ok()?;
    Some(midnight.as_second().div_euclid(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::at;
    use crate::domain::verdict::Limit;
    use crate::domain::view::{Coverage, Forecast, Gap, Leaker};

    fn row(key: &str, seconds: f64) -> ReportRow {
        let currency = Some("USD".to_owned());
        ReportRow { key: Some(key.to_owned()), released: 2, saved_runtime_seconds: seconds, saved_cost: Some(0.5), currency, ..ReportRow::default() }
    }

    /// Ten days from noon on.
    fn report(by: &str, rows: Vec<ReportRow>) -> Report {
        let total = ReportRow { key: None, ..row("", rows.iter().map(|row| row.saved_runtime_seconds).sum()) };
        Report { rows, total, ..Report::empty(at(0), at(10 * 86_400_000), by) }
    }

    fn drawn(report: &Report) -> String {
        let days = self::report("day", vec![row("2026-11-20", 3_600.0), row("2026-11-22", 7_200.0)]);
        Mailed::new(report, &days, &self::report("policy", vec![row("ci", 10_800.0)])).render().expect("a page")
    }

    fn full(value: &str) -> Report {
        let leaker = Leaker {
            tag: "team".to_owned(),
            value: value.to_owned(),
            released: 7,
            saved_runtime_seconds: 60.0,
            saved_cost: Some(0.5),
            currency: Some("USD".to_owned()),
        };
        let total = ForecastRow { sessions: 3, still_running: 1, ran_on_seconds: 7_200.0, ..ForecastRow::default() };
        let one = ForecastRow { policy: Some("trial".into()), limit: Some(Limit::Idle), ..total.clone() };
        let part = ForecastPart { rows: vec![one], total };
        let coverage = Coverage {
            account: "growth".into(),
            known_since: Some(at(0)),
            known_seconds: Some(864_000.0),
            without_seconds: 86_400.0,
            without_share: Some(0.1),
            open: false,
        };
        Report {
            leakers: Some(vec![leaker]),
            forecast: Some(Forecast { observe: part.clone(), shadow: part }),
            coverage: vec![coverage],
            gaps: vec![Gap { account: "growth".into(), from: at(0), until: None }],
            ..report("metadata.team", vec![row(value, 60.0)])
        }
    }

    #[test]
    fn everything_of_the_report_stands_in_the_file() {
        let html = drawn(&full("ml"));
        for part in [
            "2026-11-20 12:00 UTC",
            "Runtime saved by day",
            "Left most behind",
            "Only observed",
            "Policies in shadow",
            "1 of 3 are not known to be over",
            "1d without complete listings (10.0%)",
            "no complete listing of growth since",
            "<th scope=\"row\" align=\"left\"><bdi>ml</bdi></th>",
            "3h, 0.50 USD",
            "22 Nov: 2h",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn what_others_wrote_is_escaped_cut_and_turns_nothing_around() {
        let evil = format!("</td><script>alert(1)</script>\"' onload=x \u{202e}{}", "é".repeat(10_000));
        let html = drawn(&full(&evil));
        assert!(!html.contains("<script") && !html.contains("\"' onload"), "{html}");
        assert!(html.matches("é…</bdi>").count() >= 2 && html.len() < 40_000, "{} bytes", html.len());
        let secret = drawn(&full("bb_live_0123456789"));
        assert!(!secret.contains("bb_live") && secret.contains(HIDDEN), "{secret}");
    }

    #[test]
    fn it_needs_nothing_from_anywhere_and_runs_nothing() {
        let html = drawn(&full("ml"));
        for needed in ["<script", "<link", "<img", "<iframe", "http://", "https://", "@import", "url(", "onload", "src=", "href="] {
            assert!(!html.contains(needed), "{needed}: {html}");
        }
        assert!(html.contains("default-src 'none'") && html.contains("prefers-color-scheme: dark") && html.contains("@media print"), "{html}");
        assert!(html.matches("<table").count() == html.matches("</table>").count() && html.contains("border=\"1\""), "it reads without style");
    }

    #[test]
    fn a_period_in_which_nothing_happened_is_a_whole_page_too() {
        let nothing = Report::empty(at(0), at(1_000), "policy");
        let html = Mailed::new(&nothing, &nothing, &nothing).render().expect("a page");
        assert!(html.contains("Nothing was released") && !html.contains("<svg") && !html.contains("Left most behind"), "{html}");
    }

    #[test]
    fn more_rows_than_a_mail_bears_are_counted() {
        let rows = (0..ROWS_SHOWN + 5).map(|n| row(&n.to_string(), 1.0)).collect();
        let html = drawn(&Report { rows_left_out: 10, ..report("metadata.run", rows) });
        assert!(html.contains("15 more rows saved less") && html.contains("<bdi>199</bdi>") && !html.contains("<bdi>200</bdi>"), "{html}");
    }

    #[test]
    fn a_long_period_has_several_days_to_a_column_and_loses_none() {
        let days = |count: i64| {
            let rows = [0, 1, count - 1].map(|n| row(&later(at(0), DAY.saturating_mul(n as i32)).strftime("%Y-%m-%d").to_string(), 3_600.0));
            columns(&Report { until: later(at(0), DAY.saturating_mul(count as i32 - 1)), ..report("day", rows.to_vec()) })
        };
        for (count, each) in [(10, 1), (45, 1), (46, 2), (365, 9)] {
            let (days_each, bars) = days(count);
            let saved: f64 = bars.iter().map(|bar| bar.value).sum();
            assert_eq!((days_each, bars.len() as i64, saved), (each, (count + each - 1) / each, 3.0 * 3_600.0), "{count} days");
            assert_eq!(bars[0].label, "20 Nov");
        }
    }
}
