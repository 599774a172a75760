//! The report as tables for people, one under the other.

use crate::cli::table::{Column, Table, visible};
use crate::domain::time::rfc3339;
use crate::domain::view::said::{self, FIGURES, figures, length, money};
use crate::domain::view::{ForecastPart, ForecastRow, Leaker, Report, ReportRow};
use crate::ledger::By;

/// Gaps that are listed one by one; the JSON has all of them.
const GAPS_SHOWN: usize = 10;

/// The whole report, to be rendered as wide as there is room for.
pub fn sections<'a>(report: &'a Report, by: &'a By) -> impl Fn(Option<u16>) -> String + 'a {
    move |width| {
        let sections = [
            rows(report, by, width),
            leakers(report.leakers.as_deref().unwrap_or_default(), width),
            report.forecast.as_ref().map(|forecast| part(&forecast.observe, OBSERVED, width)).unwrap_or_default(),
            report.forecast.as_ref().map(|forecast| part(&forecast.shadow, SHADOWED, width)).unwrap_or_default(),
            lines(notes(report)),
        ];
        sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

const OBSERVED: &str = "fell due while only observed, and ran on (no part of what was saved):";
const SHADOWED: &str = "would have been released by policies in shadow, and ran on (no part of what was saved):";

fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().flat_map(|line| [visible(&line), "\n".to_owned()]).collect()
}

fn rows(report: &Report, by: &By, width: Option<u16>) -> String {
    let nothing = || lines([format!("nothing was released from {} to {}", rfc3339(report.since), rfc3339(report.until))]);
    let text = if report.rows.is_empty() { nothing() } else { table(report, by.tag().unwrap_or(&report.by)).render(width) };
    let left_out = (report.rows_left_out > 0).then(|| format!("{} more rows saved less, and are in the total alone", report.rows_left_out));
    let mixed = "\"mixed\": more than one currency, which do not add up; --by account keeps them apart";
    let mixed = report.total.saved_cost.is_none().then(|| mixed.to_owned());
    text + &lines(left_out.into_iter().chain(mixed))
}

fn table<'a>(report: &Report, key: &'a str) -> Table<'a> {
    let columns: Vec<Column<'a>> = std::iter::once(Column::text(key)).chain(FIGURES.map(Column::number)).collect();
    let mut table = Table::new(&columns);
    for row in &report.rows {
        table.row(cells(row.key.as_deref().unwrap_or("(none)"), row));
    }
    table.row(cells("total", &report.total));
    table
}

fn cells(key: &str, row: &ReportRow) -> impl Iterator<Item = String> {
    std::iter::once(key.to_owned()).chain(figures(row))
}

fn leakers(leakers: &[Leaker], width: Option<u16>) -> String {
    if leakers.is_empty() {
        return String::new();
    }
    let headings = [Column::text("tag"), Column::text("value"), Column::number("released"), Column::number("saved"), Column::number("saved cost")];
    let mut table = Table::new(&headings);
    for Leaker { tag, value, released, saved_runtime_seconds, saved_cost, currency } in leakers {
        let saved = length(Some(*saved_runtime_seconds));
        table.row([tag.clone(), value.clone(), released.to_string(), saved, money(*saved_cost, currency.as_deref())]);
    }
    format!("left most behind to be released:\n{}", table.render(width))
}

fn part(part: &ForecastPart, heading: &str, width: Option<u16>) -> String {
    if part.rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        Column::text("policy"),
        Column::whole("limit"),
        Column::number("sessions"),
        Column::number("ran on"),
        Column::number("cost"),
        Column::number("to hard end"),
        Column::number("cost"),
    ]);
    for row in part.rows.iter().chain([&part.total]) {
        table.row(forecast_cells(row));
    }
    format!("{heading}\n{}{}", table.render(width), lines(said::caveats(&part.total)))
}

fn forecast_cells(row: &ForecastRow) -> [String; 7] {
    [
        row.policy.as_ref().map_or("total", |policy| policy.as_str()).to_owned(),
        row.limit.map_or("", |limit| limit.as_str()).to_owned(),
        row.sessions.to_string(),
        length(Some(row.ran_on_seconds)),
        money(row.ran_on_cost, row.currency.as_deref()),
        length(Some(row.saved_runtime_seconds)),
        money(row.saved_cost, row.currency.as_deref()),
    ]
}

fn notes(report: &Report) -> Vec<String> {
    let coverage = report.coverage.iter().filter_map(|of| said::coverage(of, report));
    let shown = report.gaps.iter().take(GAPS_SHOWN).map(said::gap);
    let more = report.gaps.len().saturating_sub(GAPS_SHOWN);
    coverage.chain(shown).chain((more > 0).then(|| format!("and {more} more times without; --format json has all"))).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::domain::verdict::Limit;
    use crate::domain::view::Overrun;
    use crate::domain::view::{Coverage, Forecast, Gap};

    pub fn row(key: Option<&str>) -> ReportRow {
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

    pub fn report(rows: Vec<ReportRow>) -> Report {
        Report { rows, total: row(None), ..Report::empty(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, "metadata.team") }
    }

    fn text(report: &Report, width: Option<u16>) -> String {
        sections(report, &By::Metadata("team".to_owned()))(width)
    }

    #[test]
    fn the_table_has_a_row_for_what_has_no_tag_and_a_total() {
        assert_eq!(
            text(&report(vec![row(Some("growth")), row(None)]), None),
            "team    released   saved  saved cost  already ended  failed  stuck  overrun p50   p99  max\n\
             growth        12  2h 30m    0.30 USD              1       0      2         12ms  1.5s    -\n\
             (none)        12  2h 30m    0.30 USD              1       0      2         12ms  1.5s    -\n\
             total         12  2h 30m    0.30 USD              1       0      2         12ms  1.5s    -\n"
        );
    }

    #[test]
    fn the_table_fits_eighty_columns_with_every_number_whole() {
        let text = text(&report(vec![row(Some("growth")), row(None)]), Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.matches("0.30 USD").count(), 3, "{text}");
        assert_eq!(text.matches("2h 30m").count(), 3, "{text}");
    }

    #[test]
    fn what_is_not_known_to_be_saved_stands_under_a_heading_of_its_own() {
        let leaker = Leaker {
            tag: "team".to_owned(),
            value: "ml\n\u{1b}[31m".to_owned(),
            released: 7,
            saved_runtime_seconds: 60.0,
            saved_cost: Some(0.5),
            currency: None,
        };
        let total = ForecastRow {
            sessions: 4,
            still_running: 1,
            ran_on_seconds: 3_600.0,
            ran_on_cost: None,
            saved_cost: Some(1.0),
            ..ForecastRow::default()
        };
        let one = ForecastRow { policy: Some("ci".into()), limit: Some(Limit::MaxAge), ..total.clone() };
        let forecast = Forecast { observe: ForecastPart { rows: vec![one], total }, shadow: ForecastPart::default() };
        let whole = Report { leakers: Some(vec![leaker]), forecast: Some(forecast), ..report(vec![row(Some("growth"))]) };
        assert_eq!(
            text(&whole, None),
            "team    released   saved  saved cost  already ended  failed  stuck  overrun p50   p99  max\n\
             growth        12  2h 30m    0.30 USD              1       0      2         12ms  1.5s    -\n\
             total         12  2h 30m    0.30 USD              1       0      2         12ms  1.5s    -\n\
             \n\
             left most behind to be released:\n\
             tag   value     released  saved  saved cost\n\
             team  ml  [31m         7     1m        0.50\n\
             \n\
             fell due while only observed, and ran on (no part of what was saved):\n\
             policy  limit    sessions  ran on   cost  to hard end  cost\n\
             ci      max_age         4      1h  mixed           0s  1.00\n\
             total                   4      1h  mixed           0s  1.00\n\
             1 of 4 are not known to be over: what they ran on for still grows\n"
        );
    }

    #[test]
    fn times_without_listings_are_said_by_account_and_one_by_one_as_far_as_there_is_room() {
        let gap = Gap { account: "growth".into(), from: Timestamp::UNIX_EPOCH, until: None };
        let coverage = Coverage {
            account: "growth".into(),
            known_since: Some(Timestamp::UNIX_EPOCH),
            known_seconds: Some(600.0),
            without_seconds: 60.0,
            without_share: Some(0.1),
            open: false,
        };
        let text = text(&Report { gaps: vec![gap; 12], coverage: vec![coverage], ..report(Vec::new()) }, None);
        assert!(text.contains("account growth: 1m without complete listings (10.0%)\n"), "{text}");
        assert_eq!(text.matches("no complete listing of growth since 1970").count(), 10);
        assert!(text.ends_with("and 2 more times without; --format json has all\n"), "{text}");
    }

    #[test]
    fn mixed_currencies_are_called_mixed() {
        let total = ReportRow { saved_cost: None, currency: None, ..row(None) };
        let text = text(&Report { total, ..report(vec![row(Some("growth"))]) }, None);
        assert!(text.contains("mixed") && text.contains("--by account keeps them apart"), "{text}");
    }
}
