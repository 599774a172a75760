//! What receivers are to be told: it outlives the process, and so does what they were told already.

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};

use super::queries::all;
use super::rows::millis;
use crate::domain::name::ReceiverName;
use crate::domain::notice::Notice;
use crate::domain::record::Untold;
use crate::domain::time::Timestamp;

/// Rows that one receiver may have waiting here, and ids of what it was told: beyond it the oldest are not read.
const MOST_ROWS: usize = 10_000;

pub(super) fn notice(books: &Connection, receiver: &ReceiverName, notice: &Notice) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO notices (receiver, id, notice, noticed_at) VALUES (?1, ?2, ?3, ?4)";
    let written = serde_json::to_string(notice).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    books.prepare_cached(sql)?.execute(params![receiver.as_str(), notice.id, written, millis(notice.at)]).map(drop)
}

pub(super) fn told(books: &Connection, receiver: &ReceiverName, ids: &[String], at: Timestamp) -> rusqlite::Result<()> {
    // The text has served: what is kept is that it was told.
    let sql = "UPDATE notices SET told_at = ?3, notice = '' WHERE receiver = ?1 AND id = ?2 AND told_at IS NULL";
    let mut statement = books.prepare_cached(sql)?;
    ids.iter().try_for_each(|id| statement.execute(params![receiver.as_str(), id, millis(at)]).map(drop))
}

pub(super) fn untold(books: &Connection, receiver: &ReceiverName, since: Timestamp) -> rusqlite::Result<Untold> {
    let waiting = format!(
        "SELECT * FROM (SELECT rowid AS place, notice FROM notices WHERE receiver = ?1 AND told_at IS NULL ORDER BY rowid DESC LIMIT {MOST_ROWS}) ORDER BY place"
    );
    let known = format!("SELECT id FROM notices WHERE receiver = ?1 AND told_at >= ?2 ORDER BY rowid DESC LIMIT {MOST_ROWS}");
    Ok(Untold {
        notices: all(books, &waiting, [receiver.as_str()], read)?,
        told: all(books, &known, params![receiver.as_str(), millis(since)], |row| row.get("id"))?,
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Notice> {
    let written: String = row.get("notice")?;
    serde_json::from_str(&written).map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into()))
}
