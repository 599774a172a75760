//! `session-reaper report`: what was released and saved, from the books.

use clap::ValueEnum;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::cli::table::{Column, Table, print, print_json, say};
use crate::cli::{Failure, Globals, store};
use crate::clock::Clock;
use crate::domain::time::{SignedDuration, Timestamp, between, human, later, parse_duration, rfc3339};
use crate::domain::view::{Gap, Overrun, Report, ReportRow};
use crate::ledger::By;

#[derive(Debug, clap::Args)]
pub struct Flags {
    /// From when: a duration before now (7d), an instant (2026-11-20T12:00:00Z) or a day in UTC (2026-11-20)
    #[arg(long, default_value = "7d", value_name = "WHEN")]
    pub since: String,
    /// Until when, in the same forms [default: now]
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// What a row stands for: account, policy, limit, kind, day or metadata.KEY
    #[arg(long, default_value = "policy", value_name = "KEY")]
    pub by: By,
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Table,
    Json,
    Csv,
}

/// Gaps that the table lists; the JSON has all of them.
const GAPS_SHOWN: usize = 10;

pub fn run(flags: &Flags, globals: &Globals) -> Result<(), Failure> {
    let now = Clock::start().now();
    let since = instant("--since", &flags.since, now)?;
    let until = flags.until.as_deref().map_or(Ok(now), |text| instant("--until", text, now))?;
    if since >= until {
        return Err(Failure::usage(format!("the period is empty: --since is {}, --until is {}", rfc3339(since), rfc3339(until))));
    }
    let reader = store::reader(globals)?;
    if reader.is_none() {
        anstream::eprintln!("session-reaper: there is no store yet, so that nothing is in its books");
    }
    let report = match reader {
        None => Report::empty(since, until, &flags.by),
        Some(reader) if flags.until.is_none() => reader.report_to_now(since, now, &flags.by).map_err(store::failure)?,
        Some(reader) => reader.report(since, until, &flags.by).map_err(store::failure)?,
    };
    match flags.format {
        ReportFormat::Table => print_table(&report, &flags.by),
        ReportFormat::Json => print_json(&report),
        ReportFormat::Csv => print(&csv(&report)),
    }
}

/// Reads a duration before now, an instant, or the beginning of a day in UTC.
fn instant(flag: &str, text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let ago = parse_duration(text).map(|length| later(now, -length)).ok();
    let day = || text.parse::<Date>().ok().and_then(|day| TimeZone::UTC.to_timestamp(day.to_datetime(Time::midnight())).ok());
    ago.or_else(|| text.parse().ok())
        .or_else(day)
        .ok_or_else(|| Failure::usage(format!("{flag} {text:?}: expected a duration (7d), an instant (2026-11-20T12:00:00Z) or a day (2026-11-20)")))
}

fn print_table(report: &Report, by: &By) -> Result<(), Failure> {
    if report.rows.is_empty() {
        say(format!("nothing was released from {} to {}", rfc3339(report.since), rfc3339(report.until)))?;
    } else {
        table(report, by.tag().unwrap_or(&report.by)).print()?;
    }
    if report.rows_left_out > 0 {
        say(format!("{} more rows saved less, and are in the total alone", report.rows_left_out))?;
    }
    if report.total.saved_cost.is_none() {
        say("\"mixed\": more than one currency, which do not add up; --by account keeps them apart")?;
    }
    notes(&report.gaps).into_iter().try_for_each(say)
}

fn table<'a>(report: &Report, key: &'a str) -> Table<'a> {
    let mut table = Table::new(&[
        Column::text(key),
        Column::number("released"),
        Column::number("saved"),
        Column::number("saved cost"),
        Column::number("already ended"),
        Column::number("failed"),
        Column::number("stuck"),
        Column::number("overrun p50"),
        Column::number("p99"),
        Column::number("max"),
    ]);
    for row in &report.rows {
        table.row(cells(row.key.as_deref().unwrap_or("(none)"), row));
    }
    table.row(cells("total", &report.total));
    table
}

fn cells(key: &str, row: &ReportRow) -> [String; 10] {
    let Overrun { p50, p99, max } = row.overrun_seconds;
    [
        key.to_owned(),
        row.released.to_string(),
        length(Some(row.saved_runtime_seconds)),
        cost(row),
        row.already_ended.to_string(),
        row.failed.to_string(),
        row.stuck.to_string(),
        length(p50),
        length(p99),
        length(max),
    ]
}

fn length(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        // Between a second and a minute the tenth still matters: that is what an overrun is about.
        Some(seconds) if (1.0..60.0).contains(&seconds) => format!("{seconds:.1}s"),
        Some(seconds) => human(SignedDuration::from_millis((seconds * 1_000.0).round() as i64)),
    }
}

fn cost(row: &ReportRow) -> String {
    match (row.saved_cost, &row.currency) {
        (None, _) => "mixed".to_owned(),
        (Some(cost), Some(currency)) => format!("{cost:.2} {currency}"),
        (Some(cost), None) => format!("{cost:.2}"),
    }
}

fn notes(gaps: &[Gap]) -> Vec<String> {
    let shown = gaps.iter().take(GAPS_SHOWN).map(|gap| match gap.until {
        Some(until) => {
            format!("no complete listing of {} from {} to {} ({})", gap.account, rfc3339(gap.from), rfc3339(until), human(between(gap.from, until)))
        }
        None => format!("no complete listing of {} since {}", gap.account, rfc3339(gap.from)),
    });
    let more = gaps.len().saturating_sub(GAPS_SHOWN);
    shown.chain((more > 0).then(|| format!("and {more} more times without; --format json has all"))).collect()
}

/// One line a row, without the total: programs add up by themselves.
fn csv(report: &Report) -> String {
    let mut text = "key,released,already_ended,failed,stuck,saved_runtime_seconds,saved_cost,currency,\
                    overrun_p50_seconds,overrun_p99_seconds,overrun_max_seconds\n"
        .to_owned();
    for row in &report.rows {
        text.push_str(&csv_fields(row).join(","));
        text.push('\n');
    }
    text
}

fn csv_fields(row: &ReportRow) -> [String; 11] {
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    [
        row.key.as_deref().map(quoted).unwrap_or_default(),
        row.released.to_string(),
        row.already_ended.to_string(),
        row.failed.to_string(),
        row.stuck.to_string(),
        row.saved_runtime_seconds.to_string(),
        number(row.saved_cost),
        row.currency.as_deref().map(quoted).unwrap_or_default(),
        number(row.overrun_seconds.p50),
        number(row.overrun_seconds.p99),
        number(row.overrun_seconds.max),
    ]
}

/// RFC 4180; an empty text is quoted, so that it differs from none.
fn quoted(field: &str) -> String {
    if field.is_empty() || field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: Option<&str>) -> ReportRow {
        ReportRow {
            key: key.map(str::to_owned),
            released: 12,
            already_ended: 1,
            failed: 0,
            stuck: 2,
            saved_runtime_seconds: 9_000.25,
            saved_cost: Some(0.3),
            currency: Some("USD".to_owned()),
            overrun_seconds: Overrun { p50: Some(0.012), p99: Some(1.5), max: None },
        }
    }

    fn report(rows: Vec<ReportRow>) -> Report {
        let by = By::Metadata("team".to_owned());
        Report { rows, total: row(None), ..Report::empty(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, &by) }
    }

    #[test]
    fn a_period_is_said_as_a_duration_an_instant_or_a_day() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (text, expected) in
            [("2d", "2026-11-18T12:00:00Z"), ("2026-11-19T10:00:00+02:00", "2026-11-19T08:00:00Z"), ("2026-11-19", "2026-11-19T00:00:00Z")]
        {
            assert_eq!(instant("--since", text, now).unwrap(), expected.parse().unwrap(), "{text}");
        }
        for text in ["", "7", "-2d", "yesterday", "2026-13-01"] {
            assert!(matches!(instant("--since", text, now), Err(Failure::Usage(_))), "{text}");
        }
    }

    #[test]
    fn the_table_has_a_row_for_what_has_no_tag_and_a_total() {
        let text = table(&report(vec![row(Some("growth")), row(None)]), "team").render(None);
        assert_eq!(
            text,
            "team    released   saved  saved cost  already ended  failed  stuck  overrun p50   p99  max\n\
             growth        12  2h 30m    0.30 USD              1       0      2         12ms  1.5s    -\n\
             (none)        12  2h 30m    0.30 USD              1       0      2         12ms  1.5s    -\n\
             total         12  2h 30m    0.30 USD              1       0      2         12ms  1.5s    -\n"
        );
    }

    #[test]
    fn the_table_fits_eighty_columns_with_every_number_whole() {
        let text = table(&report(vec![row(Some("growth")), row(None)]), "team").render(Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.matches("0.30 USD").count(), 3, "{text}");
        assert_eq!(text.matches("2h 30m").count(), 3, "{text}");
    }

    #[test]
    fn csv_quotes_what_would_break_a_line_and_tells_empty_from_none() {
        let text = csv(&report(vec![row(Some("a,\"b\"\nc")), row(Some("")), row(None)]));
        let rest = "12,1,0,2,9000.25,0.3,USD,0.012,1.5,\n";
        let (_, rows) = text.split_once('\n').unwrap();
        assert_eq!(rows, format!("\"a,\"\"b\"\"\nc\",{rest}\"\",{rest},{rest}"));
    }

    #[test]
    fn mixed_currencies_are_called_mixed() {
        assert_eq!(cost(&ReportRow { saved_cost: None, currency: None, ..row(None) }), "mixed");
    }
}
