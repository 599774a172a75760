//! The report in words, the same wherever it is shown.

use crate::domain::time::{SignedDuration, between, human, rfc3339};
use crate::domain::view::{Coverage, ForecastRow, Gap, Overrun, Report, ReportRow};

/// A length of time; `-` where there is none.
pub fn length(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        // Between a second and a minute the tenth still matters: that is what an overrun is about.
        Some(seconds) if (1.0..60.0).contains(&seconds) => format!("{seconds:.1}s"),
        Some(seconds) => human(SignedDuration::from_millis((seconds * 1_000.0).round() as i64)),
    }
}

/// An amount of money; of several currencies there is none.
pub fn money(amount: Option<f64>, currency: Option<&str>) -> String {
    match (amount, currency) {
        (None, _) => "mixed".to_owned(),
        (Some(amount), Some(currency)) => format!("{amount:.2} {currency}"),
        (Some(amount), None) => format!("{amount:.2}"),
    }
}

/// What stands above the [`figures`] of a row.
pub const FIGURES: [&str; 9] = ["released", "saved", "saved cost", "already ended", "failed", "stuck", "overrun p50", "p99", "max"];

pub fn figures(row: &ReportRow) -> [String; 9] {
    let Overrun { p50, p99, max } = row.overrun_seconds;
    [
        row.released.to_string(),
        length(Some(row.saved_runtime_seconds)),
        money(row.saved_cost, row.currency.as_deref()),
        row.already_ended.to_string(),
        row.failed.to_string(),
        row.stuck.to_string(),
        length(p50),
        length(p99),
        length(max),
    ]
}

/// A share from 0 to 1, with a digit that tells little from nothing.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        _ if percent <= 0.0 => "0%".to_owned(),
        _ if percent < 0.1 => "under 0.1%".to_owned(),
        _ if percent > 99.9 && percent < 100.0 => "over 99.9%".to_owned(),
        _ => format!("{percent:.1}%"),
    }
}

/// One time without complete listings.
pub fn gap(gap: &Gap) -> String {
    match gap.until {
        Some(until) => {
            format!("no complete listing of {} from {} to {} ({})", gap.account, rfc3339(gap.from), rfc3339(until), human(between(gap.from, until)))
        }
        None => format!("no complete listing of {} since {}", gap.account, rfc3339(gap.from)),
    }
}

/// How much of the period an account was without complete listings; nothing where it was not, and is known for all of it.
pub fn coverage(of: &Coverage, report: &Report) -> Option<String> {
    let account = &of.account;
    let without = match of.without_share {
        _ if of.without_seconds <= 0.0 => "no time without complete listings since then".to_owned(),
        Some(share) => format!("{} without complete listings ({})", length(Some(of.without_seconds)), percent(share)),
        None => format!("{} without complete listings", length(Some(of.without_seconds))),
    };
    let open = if of.open { ", up to the end of the period" } else { "" };
    match of.known_since {
        None => Some(format!("account {account}: nothing in the books says since when it is watched: {without}{open}")),
        Some(known_since) if known_since > report.since => Some(format!(
            "account {account}: known since {}, which is {} of the period's {}: {without}{open}",
            rfc3339(known_since),
            length(of.known_seconds),
            human(between(report.since, report.until))
        )),
        Some(_) if of.without_seconds > 0.0 => Some(format!("account {account}: {without}{open}")),
        Some(_) => None,
    }
}

/// What has to be known of a row of the forecast to read its figures right.
pub fn caveats(row: &ForecastRow) -> Vec<String> {
    let of = |count: u64, what: &str| (count > 0).then(|| format!("{count} of {} {what}", row.sessions));
    [
        of(row.still_running, "are not known to be over: what they ran on for still grows"),
        of(row.already_ended, "were not seen alive after they fell due, and are in no figure"),
        of(row.without_hard_end, "have no hard end that is known, and are in no figure up to it"),
        of(row.unknown, "are forgotten by the books, so that nobody knows how long they ran; they are in no figure"),
        of(row.unpriced, "are of accounts whose price is not known, and are in no cost"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::at;

    fn covered(known_since: Option<i64>, without: f64, open: bool) -> Coverage {
        let known_seconds = known_since.map(|second| (864_000 - second.max(0)) as f64);
        let without_share = known_seconds.map(|known| without / known);
        Coverage {
            account: "growth".into(),
            known_since: known_since.map(|second| at(second * 1_000)),
            known_seconds,
            without_seconds: without,
            without_share,
            open,
        }
    }

    fn said(of: &Coverage) -> Option<String> {
        coverage(of, &Report::empty(at(0), at(864_000_000), "policy"))
    }

    #[test]
    fn an_account_that_was_watched_all_the_time_is_worth_no_word() {
        assert_eq!(said(&covered(Some(-1), 0.0, false)), None);
    }

    #[test]
    fn an_account_that_came_late_is_measured_by_the_time_for_which_it_is_known() {
        let late = said(&covered(Some(432_000), 43_200.0, true)).unwrap_or_default();
        assert!(late.contains("5d of the period's 10d: 12h without complete listings (10.0%), up to the end of the period"), "{late}");
        let never = said(&covered(None, 60.0, false)).unwrap_or_default();
        assert!(never.contains("nothing in the books says since when") && never.ends_with("1m without complete listings"), "{never}");
        let whole = said(&covered(Some(0), 86.4, false)).unwrap_or_default();
        assert_eq!(whole, "account growth: 1m 26s without complete listings (under 0.1%)");
    }

    #[test]
    fn little_is_not_nothing_and_nearly_all_is_not_all() {
        for (share, text) in [(0.0, "0%"), (0.000_5, "under 0.1%"), (0.025, "2.5%"), (0.999_5, "over 99.9%"), (1.0, "100.0%")] {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn only_what_applies_to_a_row_of_the_forecast_is_said_of_it() {
        assert!(caveats(&ForecastRow { sessions: 3, ..ForecastRow::default() }).is_empty());
        let all = caveats(&ForecastRow {
            sessions: 9,
            still_running: 1,
            already_ended: 2,
            without_hard_end: 3,
            unknown: 4,
            unpriced: 5,
            ..ForecastRow::default()
        });
        let counts: Vec<String> = all.iter().map(|caveat| caveat.chars().take(6).collect()).collect();
        assert_eq!(counts, ["1 of 9", "2 of 9", "3 of 9", "4 of 9", "5 of 9"]);
    }
}
