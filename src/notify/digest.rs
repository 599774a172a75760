//! The daily digest: when it is due, and what the books say of the day before.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use serde_json::json;

use super::compose::{cost, id, words};
use crate::domain::name::ReceiverName;
use crate::domain::notice::{Notice, Topic};
use crate::domain::time::{SignedDuration, Timestamp, human, later, rfc3339};
use crate::domain::view::{Report, ReportRow};
use crate::ledger::{By, LedgerFault, Reader};

/// Rows of one kind that a digest has; those that saved most come first.
const MOST_ROWS: usize = 10;

/// A receiver's hour of the day.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Schedule {
    pub(super) at: Time,
    pub(super) zone: TimeZone,
}

/// The day that a digest is about: from the digest before it to its own hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

impl Schedule {
    /// The first hour after `now`. A time of day that a change of clocks leaves out is the one that it becomes; one that comes twice counts once.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned(self.zone.clone());
        [0, 1, 2].into_iter().filter_map(|days| self.on(&today, days)).find(|at| *at > now)
    }

    /// When the first digest is due: at its next hour, or now, where the last one fell into a time without us and there was one before it.
    pub(super) fn first(&self, now: Timestamp, told: impl Fn(Day) -> bool) -> Option<Timestamp> {
        let last = self.last(now).filter(|day| !told(*day));
        let before = last.and_then(|day| self.last(later(day.until, -SignedDuration::from_millis(1))));
        if before.is_some_and(told) { Some(now) } else { self.next(now) }
    }

    /// The day that was over last.
    pub(super) fn last(&self, now: Timestamp) -> Option<Day> {
        let today = now.to_zoned(self.zone.clone());
        let until = [0, -1, -2].into_iter().find(|days| self.on(&today, *days).is_some_and(|at| at <= now))?;
        Some(Day { since: self.on(&today, until - 1)?, until: self.on(&today, until)? })
    }

    fn on(&self, today: &Zoned, days: i32) -> Option<Timestamp> {
        let date = today.date().checked_add(days.days()).ok()?;
        Some(date.to_datetime(self.at).to_zoned(self.zone.clone()).ok()?.timestamp())
    }
}

/// One digest has one id, whoever asks for it and when.
pub(super) fn digest_id(receiver: &ReceiverName, day: Day) -> String {
    id(Topic::Digest, &[receiver.as_str(), &day.until.as_millisecond().to_string()])
}

/// Reads the books; blocks while it does.
pub(super) fn compose(books: &Reader, receiver: &ReceiverName, day: Day, now: Timestamp) -> Result<Notice, LedgerFault> {
    let report = |by| books.report(day.since, day.until, &by);
    Ok(notice(receiver, day, &report(By::Account)?, &report(By::Policy)?, now))
}

fn notice(receiver: &ReceiverName, day: Day, accounts: &Report, policies: &Report, now: Timestamp) -> Notice {
    let total = &accounts.total;
    let rows = |report: &Report| report.rows.iter().take(MOST_ROWS).cloned().collect::<Vec<_>>();
    let data = json!({
        "since": rfc3339(day.since), "until": rfc3339(day.until), "total": total, "accounts": rows(accounts), "policies": rows(policies),
    });
    let words = words([
        ("since", rfc3339(day.since)),
        ("until", rfc3339(day.until)),
        ("released", total.released.to_string()),
        ("already_ended", total.already_ended.to_string()),
        ("failed", total.failed.to_string()),
        ("stuck", total.stuck.to_string()),
        ("saved_runtime", runtime(total)),
        ("saved_cost", saved_cost(total)),
        ("accounts", lines("account", accounts)),
        ("policies", lines("policy", policies)),
    ]);
    let metadata = serde_json::Value::Null;
    Notice { id: digest_id(receiver, day), topic: Topic::Digest.as_str().to_owned(), at: now, data, words, metadata }
}

/// One line for each row.
fn lines(what: &str, report: &Report) -> String {
    let line = |row: &ReportRow| {
        let name = row.key.as_deref().unwrap_or("none");
        format!("{what} {name}: {} released, {}, {} saved, {} stuck, {} failed", row.released, runtime(row), saved_cost(row), row.stuck, row.failed)
    };
    let left_out = (report.rows.len() + report.rows_left_out).saturating_sub(MOST_ROWS);
    let more = (left_out > 0).then(|| format!("and {left_out} more"));
    report.rows.iter().take(MOST_ROWS).map(line).chain(more).collect::<Vec<_>>().join("\n")
}

fn runtime(row: &ReportRow) -> String {
    SignedDuration::try_from_secs_f64(row.saved_runtime_seconds).map_or_else(|_| "unknown".to_owned(), human)
}

/// A row of several currencies has no sum.
fn saved_cost(row: &ReportRow) -> String {
    row.saved_cost.map_or_else(|| "several currencies".to_owned(), |amount| cost(Some(amount), row.currency.as_deref()))
}

#[cfg(test)]
mod tests;
