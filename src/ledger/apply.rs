//! Each record as SQL, inside a transaction of the writer's. Applying a record twice changes nothing.

use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::notices;
use super::rows::{RELEASE_COLUMNS, length, millis, release_values};
use crate::domain::activity::Activity;
use crate::domain::name::{AccountName, SessionId};
use crate::domain::record::{Record, Sighting};
use crate::domain::release::Release;
use crate::domain::time::{SignedDuration, Timestamp};

pub(super) fn record(books: &Connection, record: &Record) -> rusqlite::Result<()> {
    match record {
        Record::Release(row) => release(books, row).map(drop),
        Record::WouldRelease { account, id, policy, limit, shadow, at } => {
            let sql = "INSERT OR IGNORE INTO would_release (account, id, policy, limit_word, shadow, counted_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let row = params![account.as_str(), id.as_str(), policy.as_str(), limit.as_str(), shadow, millis(*at)];
            books.prepare_cached(sql)?.execute(row).map(drop)
        }
        Record::Seen(sightings) => sightings.iter().try_for_each(|sighting| seen(books, sighting)),
        Record::Gone { account, id, at } => {
            let sql = "UPDATE sessions SET ended_at = ?3 WHERE account = ?1 AND id = ?2";
            books.prepare_cached(sql)?.execute(params![account.as_str(), id.as_str(), millis(*at)]).map(drop)
        }
        Record::Polled { account, at, gap_after } => polled(books, account, *at, *gap_after),
        Record::Tripped { account, at } => note(books, account, "tripped_at", *at),
        Record::Home { account, home } => settle_down(books, account, home),
        Record::Notice { receiver, notice } => notices::notice(books, receiver, notice),
        Record::Told { receiver, ids, at } => notices::told(books, receiver, ids, *at),
        Record::Allowance { account, opened_at } => note(books, account, "allowance_opened_at", *opened_at),
    }
}

/// Writes a release whole; gives whether it was written. A row that is final keeps its outcome: neither a late word from
/// before the end nor a second end may take it back.
pub(super) fn release(books: &Connection, release: &Release) -> rusqlite::Result<bool> {
    static UPSERT: LazyLock<String> = LazyLock::new(|| {
        let columns = RELEASE_COLUMNS.join(", ");
        let marks = vec!["?"; RELEASE_COLUMNS.len()].join(", ");
        let updates: Vec<String> = RELEASE_COLUMNS.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        format!(
            "INSERT INTO releases ({columns}) VALUES ({marks}) ON CONFLICT (account, id, life) DO UPDATE SET {} \
             WHERE releases.outcome NOT IN ('confirmed', 'already_ended') OR excluded.outcome = releases.outcome",
            updates.join(", ")
        )
    });
    let changed = books.prepare_cached(&UPSERT)?.execute(params_from_iter(release_values(release)))?;
    Ok(changed > 0)
}

/// A later sighting takes back that it is over; the same one again does not. What a listing could not learn of tags, region, keep-alive and browser
/// stays as it was: what ran under them is counted under them.
fn seen(books: &Connection, sighting: &Sighting) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sessions (account, id, provider, kind, created_at, started_at, expires_at, metadata, browser, first_seen_at, last_seen_at,
             region, keep_alive, activity, lived_until_at, home)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12, ?13, ?14, (SELECT home FROM accounts WHERE account = ?1))
         ON CONFLICT (account, id) DO UPDATE SET
             started_at = excluded.started_at, expires_at = excluded.expires_at,
             metadata = iif(excluded.metadata = 'null', sessions.metadata, excluded.metadata),
             browser = coalesce(excluded.browser, sessions.browser), last_seen_at = excluded.last_seen_at,
             region = coalesce(excluded.region, sessions.region), keep_alive = coalesce(excluded.keep_alive, sessions.keep_alive),
             activity = excluded.activity, lived_until_at = excluded.lived_until_at, home = excluded.home,
             ended_at = CASE WHEN excluded.last_seen_at > sessions.last_seen_at THEN NULL ELSE sessions.ended_at END
         WHERE excluded.last_seen_at >= sessions.last_seen_at";
    let row = params![
        sighting.account.as_str(),
        sighting.id.as_str(),
        sighting.provider.as_str(),
        sighting.kind.as_str(),
        millis(sighting.created_at),
        sighting.started_at.map(millis),
        sighting.expires_at.map(millis),
        sighting.metadata.to_string(),
        sighting.browser.as_ref().map(SessionId::as_str),
        millis(sighting.seen_at),
        sighting.region,
        sighting.keep_alive,
        activity(&sighting.activity),
        millis(sighting.lived_until),
    ];
    books.prepare_cached(sql)?.execute(row).map(drop)
}

/// Nothing where nothing is known.
fn activity(known: &Activity) -> Option<String> {
    (*known != Activity::default()).then(|| serde_json::to_string(known).ok()).flatten()
}

/// The account's last complete listing, and the gap before it if it came late.
fn polled(books: &Connection, account: &AccountName, at: Timestamp, gap_after: SignedDuration) -> rusqlite::Result<()> {
    let (at, gap_after) = (millis(at), length(gap_after));
    let sql = "SELECT last_complete_at FROM accounts WHERE account = ?1";
    let before: Option<i64> = books.prepare_cached(sql)?.query_row([account.as_str()], |row| row.get(0)).optional()?.flatten();
    if let Some(before) = before.filter(|before| at.saturating_sub(*before) > gap_after) {
        let sql = "INSERT OR IGNORE INTO gaps (account, from_at, until_at) VALUES (?1, ?2, ?3)";
        books.prepare_cached(sql)?.execute(params![account.as_str(), before, at])?;
    }
    let sql = "INSERT INTO accounts (account, last_complete_at, gap_after_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (account) DO UPDATE SET
             last_complete_at = max(coalesce(last_complete_at, excluded.last_complete_at), excluded.last_complete_at), gap_after_ms = excluded.gap_after_ms";
    books.prepare_cached(sql)?.execute(params![account.as_str(), at, gap_after]).map(drop)
}

fn settle_down(books: &Connection, account: &AccountName, home: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO accounts (account, home) VALUES (?1, ?2) ON CONFLICT (account) DO UPDATE SET home = excluded.home";
    books.prepare_cached(sql)?.execute(params![account.as_str(), home]).map(drop)
}

/// Keeps the latest instant of something about an account; `column` is one of our own words.
fn note(books: &Connection, account: &AccountName, column: &'static str, at: Timestamp) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO accounts (account, {column}) VALUES (?1, ?2)
         ON CONFLICT (account) DO UPDATE SET {column} = max(coalesce({column}, excluded.{column}), excluded.{column})"
    );
    books.prepare_cached(&sql)?.execute(params![account.as_str(), millis(at)]).map(drop)
}
