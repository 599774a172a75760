//! When nobody looked: the times in which an account had no complete listing, and how much of the period they are.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::super::queries::all;
use super::super::rows::{account, instant, maybe_instant, millis};
use crate::domain::name::AccountName;
use crate::domain::time::{SignedDuration, Timestamp, between, seconds};
use crate::domain::view::{Coverage, Gap};

/// The gaps that overlap the period, and those that are still open: an account whose next listing has been due for longer than it bears.
pub(super) fn gaps(books: &Connection, since: Timestamp, until: Timestamp) -> rusqlite::Result<Vec<Gap>> {
    let sql = "SELECT account, from_at, until_at FROM gaps WHERE from_at < ?2 AND until_at > ?1
         UNION ALL
         SELECT account, last_complete_at, NULL FROM accounts WHERE last_complete_at + gap_after_ms < ?2
         ORDER BY 1, 2";
    let read = |row: &Row<'_>| Ok(Gap { account: account(row, "account")?, from: instant(row, "from_at")?, until: maybe_instant(row, "until_at")? });
    all(books, sql, params![millis(since), millis(until)], read)
}

/// Every account that the books know in the period, each with what its gaps come to.
pub(super) fn coverage(books: &Connection, gaps: &[Gap], since: Timestamp, until: Timestamp) -> rusqlite::Result<Vec<Coverage>> {
    let known = known_since(books)?;
    let known = known.into_iter().filter(|(_, known_since)| known_since.is_none_or(|known_since| known_since < until));
    Ok(known.map(|(account, known_since)| of(account, known_since, gaps, since, until)).collect())
}

fn of(account: AccountName, known_since: Option<Timestamp>, gaps: &[Gap], since: Timestamp, until: Timestamp) -> Coverage {
    let mine = || gaps.iter().filter(|gap| gap.account == account);
    let within = |gap: &Gap| between(gap.from.max(since), gap.until.unwrap_or(until).min(until)).max(SignedDuration::ZERO);
    let without = seconds(mine().map(within).fold(SignedDuration::ZERO, SignedDuration::saturating_add));
    let known = known_since.map(|known_since| seconds(between(known_since.max(since), until)));
    Coverage {
        known_since,
        known_seconds: known,
        without_seconds: without,
        without_share: known.filter(|known| *known > 0.0).map(|known| without / known),
        open: mine().any(|gap| gap.until.is_none_or(|gap_until| gap_until >= until)),
        account,
    }
}

/// How many of an account's sessions are looked at for when it was first known: those that were over first.
const FIRST_SESSIONS: usize = 100;

/// The books do not note when an account came into them: the first of what they tell of it stands in for that. Nothing for an account that has only ever
/// had its last listing noted.
fn known_since(books: &Connection) -> rusqlite::Result<BTreeMap<AccountName, Option<Timestamp>>> {
    let sql = format!(
        "SELECT account, min(
             coalesce((SELECT min(first_seen_at) FROM
                 (SELECT first_seen_at FROM sessions WHERE account = accounts.account ORDER BY coalesce(ended_at, last_seen_at) LIMIT {FIRST_SESSIONS})),
                 {never}),
             coalesce((SELECT min(from_at) FROM gaps WHERE account = accounts.account), {never})) AS known_at
         FROM accounts WHERE last_complete_at IS NOT NULL",
        never = i64::MAX
    );
    let read = |row: &Row<'_>| {
        let known = row.get::<_, i64>("known_at")? != i64::MAX;
        Ok((account(row, "account")?, if known { maybe_instant(row, "known_at")? } else { None }))
    };
    Ok(all(books, &sql, [], read)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::at;
    use super::super::super::{apply, schema};
    use super::*;
    use crate::domain::activity::Activity;
    use crate::domain::name::{Kind, Provider};
    use crate::domain::record::{Record, Sighting};

    fn books() -> Connection {
        let mut books = Connection::open_in_memory().unwrap();
        schema::migrate(&mut books, schema::MIGRATIONS).unwrap();
        books
    }

    fn polled(books: &Connection, account: &str, seconds: &[i64]) {
        for second in seconds {
            let gap_after = SignedDuration::from_secs(60);
            apply::record(books, &Record::Polled { account: account.into(), at: at(*second), gap_after }).unwrap();
        }
    }

    fn seen(books: &Connection, account: &str, first: i64) {
        let sighting = Sighting {
            account: account.into(),
            provider: Provider::Browserbase,
            id: format!("{account}-{first}").as_str().into(),
            kind: Kind::Session,
            browser: None,
            created_at: at(first),
            started_at: None,
            expires_at: None,
            region: None,
            keep_alive: None,
            metadata: serde_json::Value::Null,
            activity: Activity::default(),
            seen_at: at(first),
            lived_until: at(first),
        };
        apply::record(books, &Record::Seen(vec![sighting])).unwrap();
    }

    fn covered(books: &Connection, since: i64, until: i64) -> Vec<Coverage> {
        coverage(books, &gaps(books, at(since), at(until)).unwrap(), at(since), at(until)).unwrap()
    }

    #[test]
    fn gaps_are_those_that_overlap_and_those_still_open() {
        let books = books();
        polled(&books, "growth", &[0, 60, 200, 200, 150, 260, 1_000, 1_060]);
        polled(&books, "quiet", &[500]);
        assert_eq!(
            gaps(&books, at(200), at(1_100)).unwrap(),
            [Gap { account: "growth".into(), from: at(260), until: Some(at(1_000)) }, Gap { account: "quiet".into(), from: at(500), until: None },]
        );
    }

    #[test]
    fn only_what_of_a_gap_lies_in_the_period_counts() {
        let books = books();
        polled(&books, "growth", &[0, 100, 160, 300, 360]);
        let whole = &covered(&books, 50, 370)[0];
        assert_eq!((whole.known_since, whole.known_seconds, whole.without_seconds), (Some(at(0)), Some(320.0), 50.0 + 140.0));
        assert_eq!((whole.without_share, whole.open), (Some(190.0 / 320.0), false));
        let cut = &covered(&books, 200, 250)[0];
        assert_eq!((cut.without_seconds, cut.without_share, cut.open), (50.0, Some(1.0), true));
    }

    #[test]
    fn an_open_gap_reaches_to_the_end_of_the_period() {
        let books = books();
        seen(&books, "growth", 0);
        polled(&books, "growth", &[0, 50]);
        let open = &covered(&books, 0, 200)[0];
        assert_eq!((open.without_seconds, open.without_share, open.open), (150.0, Some(0.75), true));
        assert!(!covered(&books, 0, 110)[0].open, "the next listing is not late yet");
    }

    #[test]
    fn an_account_is_known_since_the_first_that_the_books_tell_of_it() {
        let books = books();
        polled(&books, "new", &[900]);
        seen(&books, "new", 880);
        seen(&books, "new", 860);
        polled(&books, "empty", &[900]);
        let found = covered(&books, 0, 950);
        let of: Vec<_> = found.iter().map(|of| (of.account.as_str(), of.known_since, of.known_seconds, of.without_share)).collect();
        assert_eq!(of, [("empty", None, None, None), ("new", Some(at(860)), Some(90.0), Some(0.0))]);
        assert_eq!(covered(&books, 0, 860).len(), 1, "the period was over before it was known");
    }
}
