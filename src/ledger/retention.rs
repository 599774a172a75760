//! Forgetting what is older than `store.retention`, a few rows at a time, so that no intent waits long for it.

use rusqlite::Connection;

use super::rows::millis;
use crate::domain::time::{SignedDuration, Timestamp, later};

/// Rows of one table that one transaction forgets.
pub(super) const BATCH_ROWS: usize = 500;

/// How long a hold that has run out may be listed still.
const EXPIRED_HOLDS_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How long a `resume` is remembered: what it lifts holds for an hour.
const RESUMES_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How long it is known what a receiver was told: longer than anything is tried again, and than a session lives that was announced.
const NOTICES_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Forgets one batch; true where there is more. A release that is not final is never forgotten, nor is what observe mode counted for a session that is
/// still seen: it would be counted again.
pub(super) fn forget_some(books: &Connection, retention: SignedDuration, now: Timestamp) -> rusqlite::Result<bool> {
    let mut more = forget(books, "holds WHERE session IN (SELECT session FROM holds WHERE until_at < ?1", later(now, -EXPIRED_HOLDS_KEPT))?;
    more |= forget(books, "resumes WHERE account IN (SELECT account FROM resumes WHERE resumed_at < ?1", later(now, -RESUMES_KEPT))?;
    let notices = "notices WHERE rowid IN (SELECT rowid FROM notices WHERE noticed_at < ?1";
    more |= forget(books, notices, later(now, -NOTICES_KEPT))?;
    if retention.is_zero() {
        return Ok(more);
    }
    for rows in [
        "releases WHERE rowid IN (SELECT rowid FROM releases
             WHERE (outcome IN ('confirmed', 'already_ended') OR confirmed_at IS NOT NULL) AND coalesce(confirmed_at, requested_at) < ?1",
        "sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE last_seen_at < ?1",
        "would_release WHERE (account, id, policy, limit_word, shadow) IN (SELECT account, id, policy, limit_word, shadow FROM would_release AS counted
             WHERE counted_at < ?1
             AND NOT EXISTS (SELECT 1 FROM sessions WHERE account = counted.account AND id = counted.id AND last_seen_at >= ?1)",
        "gaps WHERE (account, from_at) IN (SELECT account, from_at FROM gaps WHERE until_at < ?1",
        "accounts WHERE account IN (SELECT account FROM accounts WHERE last_complete_at < ?1",
    ] {
        more |= forget(books, rows, later(now, -retention))?;
    }
    Ok(more)
}

/// `rows` is a table and a condition, open for the limit.
fn forget(books: &Connection, rows: &'static str, before: Timestamp) -> rusqlite::Result<bool> {
    let sql = format!("DELETE FROM {rows} LIMIT {BATCH_ROWS})");
    let gone = books.prepare_cached(&sql)?.execute([millis(before)])?;
    Ok(gone == BATCH_ROWS)
}
