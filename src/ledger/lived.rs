//! How long each session ran, for budgets: read row by row, so that a million of them need no more memory than one.

use std::ops::ControlFlow;

use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::rows::{instant, json, maybe_instant, millis, session, word};
use crate::domain::activity::Sign;
use crate::domain::name::{AccountName, Kind};
use crate::domain::record::Lived;
use crate::domain::session::{Metadata, Parts, Phase, Session, Status};
use crate::domain::time::{SignedDuration, Timestamp, later};

/// What is looked for by our time may be as much later in the provider's.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(24);

/// Written as its index is, so that only the rows that are wanted are read. A session that was seen when the account was elsewhere is not the account's,
/// and one that was never seen to run has spent nothing.
pub(super) const LIVED: &str = "SELECT * FROM sessions
     WHERE account = ?1 AND coalesce(ended_at, last_seen_at) >= ?2 AND started_at IS NOT NULL
     AND coalesce(home = (SELECT home FROM accounts WHERE account = ?1), TRUE)";

pub(super) fn lived(books: &Connection, account: &AccountName, since: Timestamp, mut each: impl FnMut(Lived)) -> rusqlite::Result<()> {
    let mut statement = books.prepare_cached(LIVED)?;
    let mut rows = statement.query(params![account.as_str(), millis(later(since, -CLOCKS_APART))])?;
    while let Some(row) = rows.next()? {
        let lived = one(row)?;
        if lived.until >= since {
            each(lived);
        }
    }
    Ok(())
}

/// Sessions that are looked through, the latest first: what was longer ago than all of these counts as never.
const LATEST_SESSIONS: usize = 10_000;

pub(super) fn latest(books: &Connection, account: &AccountName, mut each: impl FnMut(Lived) -> ControlFlow<()>) -> rusqlite::Result<()> {
    let mut statement = books.prepare_cached(&latest_first())?;
    let mut rows = statement.query(params![account.as_str(), i64::MIN])?;
    while let Some(row) = rows.next()? {
        if each(one(row)?).is_break() {
            break;
        }
    }
    Ok(())
}

/// Walks the same index from its end.
pub(super) fn latest_first() -> String {
    format!("{LIVED} ORDER BY coalesce(ended_at, last_seen_at) DESC LIMIT {LATEST_SESSIONS}")
}

fn one(row: &Row<'_>) -> rusqlite::Result<Lived> {
    let ended_at = maybe_instant(row, "ended_at")?;
    // Rows of an older format have the last sighting in our time alone.
    let known = ended_at.or(maybe_instant(row, "lived_until_at")?);
    let until = known.map_or_else(|| instant(row, "last_seen_at"), Ok)?;
    let phase = if ended_at.is_some() { Phase::Completed } else { Phase::Running };
    let keep_alive: Option<bool> = row.get("keep_alive")?;
    let session = Session {
        id: session(row, "id")?,
        kind: word(row, "kind", Kind::from_word)?,
        status: Status::new("", phase),
        created_at: instant(row, "created_at")?,
        started_at: maybe_instant(row, "started_at")?,
        expires_at: maybe_instant(row, "expires_at")?,
        ended_at,
        region: row.get::<_, Option<String>>("region")?.map(Into::into),
        keep_alive,
        // The books do not tell a provider that did not say from a listing that could not learn it: what decides nothing is the safe one.
        keep_alive_unlearnt: keep_alive.is_none(),
        project: None,
        proxy_bytes: None,
        sign: Sign::Nothing,
        metadata: tags(json(row, "metadata")?),
        parts: Parts::default(),
    };
    Ok(Lived { session, until, over: ended_at.is_some() })
}

/// `null` in the books are tags that could not be learnt, never none.
fn tags(value: Value) -> Metadata {
    match value {
        Value::Null => Metadata::Unlearnt { why: "they were not known when it was last seen" },
        value => Metadata::from_json(Some(value)),
    }
}
