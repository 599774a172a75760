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

    /// Nobody saw it alive when it was counted, or later.
    fn had_ended(&self) -> bool {
        self.ended_at.is_some_and(|ended_at| ended_at < self.at)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::apply;
    use super::super::super::tests::{at, release};
    use super::super::tests::{books, whole};
    use super::*;
    use crate::domain::activity::Activity;
    use crate::domain::name::{Kind, Provider};
    use crate::domain::record::{Record, Sighting};
    use crate::domain::release::{Outcome, Release};
    use crate::domain::tariff::Tariff;

    const HOUR: i64 = 3_600;

    fn prices() -> Prices {
        let tariff = Tariff { price_per_hour: 0.12, refunded_by: SignedDuration::ZERO };
        Prices::from([("growth".into(), Price { tariff, currency: "USD".to_owned() })])
    }

    /// Seen live until then, with a hard end.
    fn seen(id: &str, until: i64, hard_end: Option<i64>) -> Record {
        Record::Seen(vec![Sighting {
            account: "growth".into(),
            provider: Provider::Browserbase,
            id: id.into(),
            kind: Kind::Session,
            browser: None,
            created_at: at(-60),
            started_at: Some(at(-60)),
            expires_at: hard_end.map(at),
            region: None,
            keep_alive: None,
            metadata: json!({}),
            activity: Activity::default(),
            seen_at: at(until),
            lived_until: at(until),
        }])
    }

    fn over(id: &str, second: i64) -> Record {
        Record::Gone { account: "growth".into(), id: id.into(), at: at(second) }
    }

    fn due(id: &str, policy: &str, limit: Limit, shadow: bool, second: i64) -> Record {
        Record::WouldRelease { account: "growth".into(), id: id.into(), policy: policy.into(), limit, shadow, at: at(second) }
    }

    fn observed(id: &str, second: i64) -> Record {
        due(id, "ci", Limit::MaxAge, false, second)
    }

    /// The forecast of the first ten seconds.
    fn after(records: impl IntoIterator<Item = Record>) -> Forecast {
        let books = books(&[]);
        records.into_iter().for_each(|record| apply::record(&books, &record).unwrap());
        whole(&books, &[], &prices()).forecast.unwrap()
    }

    #[test]
    fn a_session_ran_on_until_its_end_and_would_have_saved_up_to_its_hard_end() {
        let forecast = after([seen("a", 60, Some(5 * HOUR)), observed("a", 0), over("a", 2 * HOUR)]);
        let row = &forecast.observe.rows[0];
        assert_eq!((row.policy.as_ref().map(PolicyName::as_str), row.limit, row.sessions), (Some("ci"), Some(Limit::MaxAge), 1));
        assert_eq!((row.ran_on_seconds, row.saved_runtime_seconds), (2.0 * 3_600.0, 5.0 * 3_600.0));
        assert_eq!((row.ran_on_cost, row.saved_cost, row.currency.as_deref()), (Some(0.24), Some(0.6), Some("USD")));
        assert_eq!((row.still_running, row.already_ended, row.without_hard_end, row.unknown, row.unpriced), (0, 0, 0, 0, 0));
        assert_eq!(forecast.shadow, ForecastPart::default());
        assert_eq!(forecast.observe.total, ForecastRow { policy: None, limit: None, ..row.clone() });
    }

    #[test]
    fn one_that_still_runs_ran_on_to_where_it_was_seen_last() {
        let row = after([seen("a", HOUR, None), observed("a", 0)]).observe.total;
        assert_eq!((row.still_running, row.without_hard_end, row.ran_on_seconds, row.saved_runtime_seconds), (1, 1, 3_600.0, 0.0));
    }

    #[test]
    fn one_that_the_books_forgot_and_one_that_had_ended_are_in_no_figure() {
        let forgotten = after([observed("a", 0)]).observe.total;
        assert_eq!((forgotten.sessions, forgotten.unknown, forgotten.ran_on_seconds, forgotten.still_running), (1, 1, 0.0, 0));
        let seen_last = after([seen("a", 1, Some(HOUR)), observed("a", 1), over("a", 1)]).observe.total;
        assert_eq!((seen_last.already_ended, seen_last.saved_runtime_seconds), (0, 3_599.0), "the listing that showed it due showed it alive");
        let ended = after([seen("a", -5, Some(HOUR)), observed("a", 1), over("a", 0)]).observe.total;
        assert_eq!((ended.sessions, ended.already_ended, ended.saved_runtime_seconds), (1, 1, 0.0));
    }

    #[test]
    fn a_session_counts_once_under_what_it_broke_first_and_in_the_period_of_that() {
        let again = due("a", "night", Limit::Idle, false, 5);
        let forecast = after([seen("a", HOUR, None), observed("a", 0), again.clone()]);
        assert_eq!((forecast.observe.rows.len(), forecast.observe.total.sessions), (1, 1));
        assert_eq!(forecast.observe.rows[0].limit, Some(Limit::MaxAge));
        let before = after([seen("a", HOUR, None), observed("a", -1), again]);
        assert_eq!(before.observe, ForecastPart::default());
        assert_eq!(after([seen("a", HOUR, None), observed("a", 10)]).observe.total.sessions, 0, "the end of the period is outside");
    }

    #[test]
    fn shadow_policies_are_apart_and_each_is_a_forecast_of_its_own() {
        let shadow = |policy: &str, second| due("a", policy, Limit::MaxAge, true, second);
        let twice = due("a", "trial", Limit::Idle, true, 4);
        let forecast = after([seen("a", 100, None), over("a", 100), observed("a", 9), shadow("trial", 2), shadow("other", 3), twice]);
        let rows: Vec<_> = forecast.shadow.rows.iter().map(|row| (row.policy.as_ref().map(PolicyName::as_str), row.ran_on_seconds)).collect();
        assert_eq!(rows, [(Some("trial"), 98.0), (Some("other"), 97.0)]);
        assert_eq!((forecast.shadow.total.sessions, forecast.shadow.total.ran_on_seconds), (1, 98.0));
        assert_eq!((forecast.observe.total.sessions, forecast.observe.total.ran_on_seconds), (1, 91.0));
    }

    #[test]
    fn what_a_later_release_saved_is_no_part_of_the_forecast() {
        let released = Release { ended_at: Some(at(HOUR)), confirmed_at: Some(at(HOUR)), ..release("a", Outcome::Confirmed) };
        let records = [seen("a", HOUR, Some(5 * HOUR)), observed("a", 0), over("a", HOUR), Record::Release(Box::new(released))];
        let row = after(records).observe.total;
        assert_eq!((row.ran_on_seconds, row.saved_runtime_seconds), (3_600.0, 3_600.0));
    }

    #[test]
    fn what_has_no_price_is_in_no_cost_and_is_counted() {
        let books = books(&[]);
        [seen("a", HOUR, Some(HOUR)), observed("a", 0)].iter().for_each(|record| apply::record(&books, record).unwrap());
        let row = whole(&books, &[], &Prices::new()).forecast.unwrap().observe.total;
        assert_eq!((row.unpriced, row.ran_on_seconds, row.ran_on_cost, row.currency), (1, 3_600.0, Some(0.0), None));
    }
}
