//! The rows of the tables, from and to the words of the house.

use std::fmt;

use rusqlite::types::{Type, Value as Sql};
use rusqlite::{Row, RowIndex};
use serde_json::Value;

use crate::domain::activity::Activity;
use crate::domain::name::{AccountName, Kind, PolicyName, Provider, SessionId};
use crate::domain::release::{Outcome, Release};
use crate::domain::session::Parts;
use crate::domain::time::{SignedDuration, Timestamp, floor_millis};
use crate::domain::verdict::Limit;

/// The columns of `releases`, in the order of [`release_values`].
pub(super) const RELEASE_COLUMNS: [&str; 25] = [
    "account",
    "id",
    "provider",
    "kind",
    "parts",
    "life",
    "region",
    "policy",
    "limit_word",
    "deadline_at",
    "requested_at",
    "asked_at",
    "accepted_at",
    "confirmed_at",
    "ended_at",
    "expires_at",
    "outcome",
    "attempts",
    "overrun_ms",
    "saved_runtime_ms",
    "saved_cost",
    "currency",
    "reason",
    "fault",
    "metadata",
];

pub(super) fn release_values(release: &Release) -> [Sql; RELEASE_COLUMNS.len()] {
    let text = |word: &str| Sql::from(word.to_owned());
    [
        text(release.account.as_str()),
        text(release.id.as_str()),
        text(release.provider.as_str()),
        text(release.kind.as_str()),
        serde_json::to_string(&release.parts).unwrap_or_default().into(),
        text(release.life.as_ref().map_or("", SessionId::as_str)),
        release.region.clone().into(),
        text(release.policy.as_str()),
        text(release.limit.as_str()),
        millis(release.deadline).into(),
        millis(release.requested_at).into(),
        release.asked_at.map(millis).into(),
        release.accepted_at.map(millis).into(),
        release.confirmed_at.map(millis).into(),
        release.ended_at.map(millis).into(),
        release.expires_at.map(millis).into(),
        text(release.outcome.as_str()),
        i64::from(release.attempts).into(),
        length(release.overrun).into(),
        release.saved_runtime.map(length).into(),
        release.saved_cost.into(),
        text(&release.currency),
        text(&release.reason),
        release.fault.clone().into(),
        release.metadata.to_string().into(),
    ]
}

pub(super) fn release(row: &Row<'_>) -> rusqlite::Result<Release> {
    Ok(Release {
        account: account(row, "account")?,
        provider: word(row, "provider", Provider::from_word)?,
        id: session(row, "id")?,
        kind: word(row, "kind", Kind::from_word)?,
        parts: parts(row)?,
        life: Some(session(row, "life")?).filter(|life| !life.as_str().is_empty()),
        region: row.get("region")?,
        policy: policy(row)?,
        limit: word(row, "limit_word", Limit::from_word)?,
        deadline: instant(row, "deadline_at")?,
        requested_at: instant(row, "requested_at")?,
        asked_at: maybe_instant(row, "asked_at")?,
        accepted_at: maybe_instant(row, "accepted_at")?,
        confirmed_at: maybe_instant(row, "confirmed_at")?,
        ended_at: maybe_instant(row, "ended_at")?,
        expires_at: maybe_instant(row, "expires_at")?,
        outcome: word(row, "outcome", Outcome::from_word)?,
        attempts: row.get("attempts")?,
        overrun: SignedDuration::from_millis(row.get("overrun_ms")?),
        saved_runtime: row.get::<_, Option<i64>>("saved_runtime_ms")?.map(SignedDuration::from_millis),
        saved_cost: row.get("saved_cost")?,
        currency: row.get("currency")?,
        reason: row.get("reason")?,
        fault: row.get("fault")?,
        metadata: json(row, "metadata")?,
    })
}

/// Milliseconds since 1970, cut and not rounded.
pub(super) fn millis(at: Timestamp) -> i64 {
    floor_millis(at).as_millisecond()
}

/// A duration in milliseconds, held at the ends.
pub(super) fn length(duration: SignedDuration) -> i64 {
    let end = if duration.is_negative() { i64::MIN } else { i64::MAX };
    i64::try_from(duration.as_millis()).unwrap_or(end)
}

pub(super) fn account(row: &Row<'_>, column: &str) -> rusqlite::Result<AccountName> {
    row.get::<_, String>(column).map(AccountName::from)
}

pub(super) fn session(row: &Row<'_>, column: &str) -> rusqlite::Result<SessionId> {
    row.get::<_, String>(column).map(SessionId::from)
}

pub(super) fn policy(row: &Row<'_>) -> rusqlite::Result<PolicyName> {
    row.get::<_, String>("policy").map(PolicyName::from)
}

pub(super) fn word<T>(row: &Row<'_>, column: impl RowIndex + fmt::Display, read: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let found = row.get_ref(column)?.as_str()?;
    read(found).ok_or_else(|| unreadable(Type::Text, format!("{column} holds {found:?}, a word that this version does not know")))
}

pub(super) fn instant(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    from_millis(row.get(column)?, column)
}

pub(super) fn maybe_instant(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(|millis| from_millis(millis, column)).transpose()
}

pub(super) fn json(row: &Row<'_>, column: impl RowIndex + fmt::Display) -> rusqlite::Result<Value> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| unreadable(Type::Text, format!("{column} is not JSON: {error}")))
}

/// What is remembered of a session's activity; nothing where that cannot be read.
pub(super) fn activity(row: &Row<'_>) -> rusqlite::Result<Option<Activity>> {
    Ok(row.get_ref("activity")?.as_str().ok().and_then(|text| serde_json::from_str(text).ok()))
}

fn parts(row: &Row<'_>) -> rusqlite::Result<Parts> {
    serde_json::from_value(json(row, "parts")?).map_err(|error| unreadable(Type::Text, format!("parts cannot be read: {error}")))
}

fn from_millis(millis: i64, column: &str) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(millis).map_err(|_| unreadable(Type::Integer, format!("{column} holds {millis}, which is no instant")))
}

fn unreadable(found: Type, why: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, found, why.into())
}
