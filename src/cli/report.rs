//! `session-reaper report`: what was released and saved, from the books.

mod csv;
mod output;
mod sections;

use askama::Template;
use clap::ValueEnum;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::cli::progress::Progress;
use crate::cli::{Failure, Globals, store};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::crew::prices;
use crate::domain::time::{Timestamp, later, parse_duration, rfc3339};
use crate::domain::view::{Forecast, Report};
use crate::ledger::{By, Reader, Wanted};
use crate::page::mailed::Mailed;

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
    /// Looks for those who left most behind among the values of this tag alone (team, owner.name); may be said more than once [default: all tags]
    #[arg(long, value_name = "TAG")]
    pub leakers: Vec<String>,
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
    /// Write it into this file instead of standard output; it is there whole, or not at all
    #[arg(long, value_name = "FILE")]
    pub output: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Table,
    Json,
    /// The rows alone
    Csv,
    /// One file to mail, with charts: nothing in it runs, or is fetched from anywhere
    Html,
}

pub fn run(flags: &Flags, globals: &Globals) -> Result<(), Failure> {
    let config = store::offline(globals)?;
    let wanted = wanted(flags, &config, Clock::start().now())?;
    let also = if flags.format == ReportFormat::Html { CHARTED } else { &[] };
    let (report, charted) = match Reader::open(&config.store.path).map_err(store::failure)? {
        Some(reader) => read(&reader, &wanted, also)?,
        None => {
            anstream::eprintln!("session-reaper: there is no store yet, so that nothing is in its books");
            empty(&wanted, also)
        }
    };
    let file = flags.output.as_deref();
    match (flags.format, charted.as_slice()) {
        (ReportFormat::Table, _) => output::table(&sections::sections(&report, &wanted.by), file),
        (ReportFormat::Json, _) => output::text(&output::json(&report)?, file),
        (ReportFormat::Csv, _) => output::text(&csv::csv(&report), file),
        (ReportFormat::Html, [by_day, by_policy]) => output::text(&Mailed::new(&report, by_day, by_policy).render().map_err(Failure::work)?, file),
        (ReportFormat::Html, _) => Err(Failure::work("the books gave no rows to draw")),
    }
}

/// What the file to mail draws, whatever its rows stand for.
const CHARTED: &[By] = &[By::Day, By::Policy];

fn read(reader: &Reader, wanted: &Wanted, also: &[By]) -> Result<(Report, Vec<Report>), Failure> {
    let progress = Progress::of("reading the books");
    reader.whole_reports(wanted, also, &mut |read| progress.at(read.rows, read.of)).map_err(store::failure)
}

fn empty(wanted: &Wanted, also: &[By]) -> (Report, Vec<Report>) {
    let empty = |by: &By| Report::empty(wanted.since, wanted.until, by);
    (Report { leakers: Some(Vec::new()), forecast: Some(Forecast::default()), ..empty(&wanted.by) }, also.iter().map(empty).collect())
}

/// What is asked of the books. What was to come before `--until` has not, where that is later than now.
fn wanted(flags: &Flags, config: &Config, now: Timestamp) -> Result<Wanted, Failure> {
    let since = instant("--since", &flags.since, now)?;
    let asked = flags.until.as_deref().map(|text| instant("--until", text, now)).transpose()?;
    let until = asked.filter(|until| *until < now);
    let is_whole = flags.format != ReportFormat::Csv;
    let wanted = Wanted {
        since,
        until: until.unwrap_or(now),
        to_now: until.is_none(),
        by: flags.by.clone(),
        leakers: is_whole.then(|| flags.leakers.iter().map(|tag| tag.strip_prefix("metadata.").unwrap_or(tag).to_owned()).collect()),
        forecast: is_whole.then(|| prices(config)),
    };
    if wanted.since >= wanted.until {
        let (since, until) = (rfc3339(wanted.since), rfc3339(wanted.until));
        return Err(Failure::usage(format!("the period is empty: --since is {since}, --until is {until}")));
    }
    Ok(wanted)
}

/// Reads a duration before now, an instant, or the beginning of a day in UTC.
fn instant(flag: &str, text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let ago = parse_duration(text).map(|length| later(now, -length)).ok();
    let day = || text.parse::<Date>().ok().and_then(|day| TimeZone::UTC.to_timestamp(day.to_datetime(Time::midnight())).ok());
    ago.or_else(|| text.parse().ok())
        .or_else(day)
        .ok_or_else(|| Failure::usage(format!("{flag} {text:?}: expected a duration (7d), an instant (2026-11-20T12:00:00Z) or a day (2026-11-20)")))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
