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
