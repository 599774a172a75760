//! What was only watched: sessions that observe mode, or a policy in `shadow`, counted as due, and how long they ran on.
//!
//! Two lengths are told of each. The one that is proven: from when it was counted to its end, or to where a listing showed it last. And the one that the
//! books would have for a release: up to its hard end, whatever ended it before that; where a release did end it later, up to there, because the rest is
//! what that release saved.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use super::super::rows::{self, instant, maybe_instant, policy, word};
use super::tally::{Costs, as_seconds};
use crate::domain::name::{AccountName, PolicyName};
use crate::domain::tariff::{Price, Prices};
use crate::domain::time::{SignedDuration, Timestamp, between};
use crate::domain::verdict::Limit;
use crate::domain::view::{Forecast, ForecastPart, ForecastRow};

/// In the order of the table's own key, so that what was counted of one session stands together. Of several lives of a session the last one's release is
/// the one that may have ended what was watched.
const COUNTED: &str = "SELECT account, id, policy, limit_word, shadow, counted_at,
         sessions.first_seen_at IS NOT NULL AS is_known, expires_at, ended_at, coalesce(lived_until_at, last_seen_at) AS seen_at,
         (SELECT max(coalesce(ended_at, confirmed_at)) FROM releases WHERE account = counted.account AND id = counted.id AND outcome = 'confirmed') AS released_at
     FROM would_release AS counted LEFT JOIN sessions USING (account, id) ORDER BY account, id, counted_at, policy, limit_word";

/// Sessions that were first counted within `[since, last)`, the provider's time: what enforce mode would have released before is not released again.
pub(super) fn forecast(books: &Connection, since: Timestamp, last: Timestamp, prices: &Prices) -> rusqlite::Result<Forecast> {
    let (mut observe, mut shadow) = (Sum::default(), Sum::default());
    let mut session = Session::default();
    let mut statement = books.prepare_cached(COUNTED)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        session.go_on_to(row)?;
        let counted = Counted::read(row)?;
        let news = session.news(&counted);
        if !(since..last).contains(&counted.at) {
            continue;
        }
        let sum = if counted.shadow { &mut shadow } else { &mut observe };
        let price = session.account.as_ref().and_then(|account| prices.get(account));
        if news.of_the_row {
            sum.by.entry((counted.policy.clone(), counted.limit)).or_default().add(&counted, price);
        }
        if news.of_the_total {
            sum.total.add(&counted, price);
        }
    }
    Ok(Forecast { observe: observe.part(), shadow: shadow.part() })
}

/// One row of `would_release`, with what became of the session.
struct Counted {
    policy: PolicyName,
    limit: Limit,
    shadow: bool,
    at: Timestamp,
    /// The books still know the session.
    is_known: bool,
    expires_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    seen_at: Option<Timestamp>,
    /// When a release of ours ended it.
    released_at: Option<Timestamp>,
}

impl Counted {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            policy: policy(row)?,
            limit: word(row, "limit_word", Limit::from_word)?,
            shadow: row.get("shadow")?,
            at: instant(row, "counted_at")?,
            is_known: row.get("is_known")?,
            expires_at: maybe_instant(row, "expires_at")?,
            ended_at: maybe_instant(row, "ended_at")?,
            seen_at: maybe_instant(row, "seen_at")?,
            released_at: maybe_instant(row, "released_at")?,
        })
    }

    /// How long it ran, as far as anybody knows.
    fn ran_on(&self) -> Option<SignedDuration> {
        let until = self.released_at.or(self.ended_at).or(self.seen_at)?;
        Some(between(self.at, until).max(SignedDuration::ZERO))
    }

    /// What the books would have for its release.
    fn saved(&self) -> Option<SignedDuration> {
        let until = self.expires_at?.min(self.released_at.unwrap_or(Timestamp::MAX));
        Some(between(self.at, until).max(SignedDuration::ZERO))
    }

    fn had_ended(&self) -> bool {
        self.ended_at.is_some_and(|ended_at| ended_at <= self.at)
    }
}

/// What has been counted of one session.
#[derive(Default)]
struct Session {
    account: Option<AccountName>,
    id: String,
    observed: bool,
    shadows: Vec<PolicyName>,
}

/// Whether a row is the first of its session.
struct News {
    of_the_row: bool,
    of_the_total: bool,
}

impl Session {
    fn go_on_to(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let (account, id) = (row.get_ref("account")?.as_str()?, row.get_ref("id")?.as_str()?);
        let same = self.id == id && self.account.as_ref().is_some_and(|known| known.as_str() == account);
        if !same {
            *self = Self { account: Some(account.into()), id: id.to_owned(), ..Self::default() };
        }
        Ok(())
    }

    /// Enforced, one release would have been the end of it; each shadow policy is another thing that might be enforced.
    fn news(&mut self, counted: &Counted) -> News {
        if !counted.shadow {
            let first = !std::mem::replace(&mut self.observed, true);
            return News { of_the_row: first, of_the_total: first };
        }
        let news = News { of_the_row: !self.shadows.contains(&counted.policy), of_the_total: self.shadows.is_empty() };
        self.shadows.push(counted.policy.clone());
        news
    }
}

#[derive(Default)]
struct Sum {
    by: BTreeMap<(PolicyName, Limit), Tally>,
    total: Tally,
}

impl Sum {
    /// Most first.
    fn part(self) -> ForecastPart {
        let row = |((policy, limit), tally): ((PolicyName, Limit), Tally)| ForecastRow { policy: Some(policy), limit: Some(limit), ..tally.row() };
        let mut rows: Vec<ForecastRow> = self.by.into_iter().map(row).collect();
        rows.sort_by(|a, b| b.ran_on_seconds.total_cmp(&a.ran_on_seconds));
        ForecastPart { rows, total: self.total.row() }
    }
}

/// One row of the forecast while it is added up.
#[derive(Default)]
struct Tally {
    row: ForecastRow,
    ran_on_ms: i64,
    saved_ms: i64,
    ran_on_costs: Costs,
    saved_costs: Costs,
}

impl Tally {
    fn add(&mut self, counted: &Counted, price: Option<&Price>) {
        self.row.sessions += 1;
        if !counted.is_known {
            self.row.unknown += 1;
            return;
        }
        if counted.had_ended() {
            self.row.already_ended += 1;
            return;
        }
        let (ran_on, saved) = (counted.ran_on(), counted.saved());
        self.row.still_running += u64::from(counted.ended_at.is_none() && counted.released_at.is_none());
        self.row.without_hard_end += u64::from(saved.is_none());
        self.row.unpriced += u64::from(price.is_none());
        spend(&mut self.ran_on_ms, &mut self.ran_on_costs, ran_on, price);
        spend(&mut self.saved_ms, &mut self.saved_costs, saved, price);
    }

    fn row(self) -> ForecastRow {
        let ((ran_on_cost, ran_on_currency), (saved_cost, currency)) = (self.ran_on_costs.sum(), self.saved_costs.sum());
        ForecastRow {
            ran_on_seconds: as_seconds(self.ran_on_ms),
            ran_on_cost,
            saved_runtime_seconds: as_seconds(self.saved_ms),
            saved_cost,
            currency: currency.or(ran_on_currency),
            ..self.row
        }
    }
}

fn spend(sum_ms: &mut i64, costs: &mut Costs, length: Option<SignedDuration>, price: Option<&Price>) {
    let Some(length) = length else { return };
    *sum_ms = sum_ms.saturating_add(rows::length(length));
    if let Some(price) = price {
        costs.add(&price.currency, price.tariff.worth(length));
    }
}
