//! Releases: the last few on the first page, all of them on a view of their own.

use askama::Template;

use super::Frame;
use super::ask::AskedReleases;
use super::list::{self, Choice, choices};
use super::words::{self, When};
use crate::domain::name::{AccountName, PolicyName};
use crate::domain::release::{Outcome, Release, Releases};
use crate::domain::time::{Timestamp, between, seconds};

/// Rows of one page of `/releases`.
pub const PER_PAGE: usize = 50;

/// One release.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: String,
    pub href: String,
    pub account: String,
    pub policy: String,
    pub limit: &'static str,
    pub outcome: &'static str,
    /// When it was confirmed, else when it was asked for.
    pub at: When,
    pub overrun: String,
    /// From the first request to the provider's word that the session ended.
    pub confirmed_after: Option<String>,
    pub saved: Option<String>,
    pub cost: Option<String>,
    pub reason: String,
    pub fault: Option<String>,
}

impl Row {
    pub fn new(release: &Release, now: Timestamp) -> Self {
        Self {
            id: release.id.to_string(),
            href: list::href(release.account.as_str(), release.id.as_str()),
            account: release.account.to_string(),
            policy: release.policy.to_string(),
            limit: release.limit.as_str(),
            outcome: release.outcome.as_str(),
            at: When::new(release.confirmed_at.unwrap_or(release.requested_at), now),
            overrun: words::short(seconds(release.overrun)),
            confirmed_after: release.confirmed_at.map(|at| words::short(seconds(between(release.requested_at, at)))),
            saved: release.saved_runtime.map(|saved| words::length(seconds(saved))),
            cost: release.saved_cost.map(|cost| words::money(cost, &release.currency)),
            reason: words::cut(&release.reason, 160),
            fault: release.fault.as_deref().map(|fault| words::cut(fault, 160)),
        }
    }
}

/// `/releases`.
#[derive(Clone, Debug, Template)]
#[template(path = "releases.html")]
pub struct View {
    frame: Frame,
    asked: AskedReleases,
    rows: Vec<Row>,
    previous: Option<String>,
    next: Option<String>,
    accounts: Vec<Choice>,
    policies: Vec<Choice>,
    outcomes: Vec<Choice>,
}

/// What to ask the books for: one row more than is shown says whether there is another page.
pub fn wanted(asked: &AskedReleases) -> Releases {
    Releases {
        since: None,
        account: asked.account.as_deref().map(AccountName::from),
        policy: asked.policy.as_deref().map(PolicyName::from),
        outcome: asked.outcome,
        skip: (asked.page - 1) * PER_PAGE,
        limit: PER_PAGE + 1,
    }
}

impl View {
    /// `found` is what was [`wanted`]; accounts and policies are those that the configuration has.
    pub fn new(frame: Frame, asked: AskedReleases, found: &[Release], accounts: &[String], policies: &[String], now: Timestamp) -> Self {
        Self {
            rows: found.iter().take(PER_PAGE).map(|release| Row::new(release, now)).collect(),
            previous: (asked.page > 1).then(|| asked.on_page(asked.page - 1).href()),
            next: (found.len() > PER_PAGE).then(|| asked.on_page(asked.page + 1).href()),
            accounts: choices(accounts.iter().map(String::as_str), asked.account.as_deref()),
            policies: choices(policies.iter().map(String::as_str), asked.policy.as_deref()),
            outcomes: choices(Outcome::ALL.iter().map(|word| word.as_str()), asked.outcome.map(Outcome::as_str)),
            frame,
            asked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::{at, release, secs};
    use crate::domain::view::Mode;

    fn asked(page: usize) -> AskedReleases {
        AskedReleases { account: None, policy: None, outcome: None, page }
    }

    #[test]
    fn a_row_says_when_how_late_how_it_ended_and_what_it_saved() {
        let ended = Release {
            outcome: Outcome::Confirmed,
            confirmed_at: Some(at(1_260)),
            overrun: secs(2),
            saved_runtime: Some(secs(9_000)),
            saved_cost: Some(0.3),
            ..release("a", at(0))
        };
        let row = Row::new(&ended, at(0));
        assert_eq!((row.overrun.as_str(), row.confirmed_after.as_deref(), row.outcome), ("2.0s", Some("1.3s"), "confirmed"));
        assert_eq!(
            (row.saved.as_deref(), row.cost.as_deref(), row.at.machine.as_str()),
            (Some("2h 30m"), Some("0.30 USD"), "2026-11-20T12:00:01.260Z")
        );
        assert_eq!(Row::new(&release("a", at(0)), at(0)).confirmed_after, None);
    }

    #[test]
    fn one_row_more_than_fits_is_another_page() {
        let rows = |count: usize| (0..count).map(|n| release(&n.to_string(), at(0))).collect::<Vec<_>>();
        let view = |page, count| View::new(Frame::new(Mode::Enforce, at(0), None, false), asked(page), &rows(count), &[], &[], at(0));
        assert_eq!((wanted(&asked(3)).skip, wanted(&asked(3)).limit), (100, 51));
        assert_eq!((view(1, 51).rows.len(), view(1, 51).next.as_deref(), view(1, 51).previous), (50, Some("/releases?page=2"), None));
        assert_eq!((view(2, 50).next, view(2, 50).previous.as_deref()), (None, Some("/releases")));
    }
}
