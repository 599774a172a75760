//! Browserbase's JSON, and what it means in our words. Fields that could hold a credential are not named here, so that they are never read.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::fault::Fault;
use crate::domain::listing::RejectedRow;
use crate::domain::name::{Kind, SessionId};
use crate::domain::session::{Metadata, Parts, Phase, Session, Status};
use crate::domain::time::Timestamp;
use crate::provider::http::unreadable;

/// The project that the account is limited to, if any.
pub(super) type Project = Option<Arc<str>>;

/// An id longer than this is none.
const LONGEST_ID: usize = 256;

/// One row of a listing, judged.
#[derive(Debug)]
pub(super) enum Row {
    Live(Box<Session>),
    /// Ended, or of another project.
    LeftOut(Box<Session>),
    Rejected(RejectedRow),
}

impl Row {
    pub(super) fn id(&self) -> Option<&SessionId> {
        match self {
            Self::Live(session) | Self::LeftOut(session) => Some(&session.id),
            Self::Rejected(row) => row.id.as_ref(),
        }
    }
}

/// Reads a listing row by row as it stands in memory. Fails only where the whole is not a list.
pub(super) fn rows(body: &[u8], project: &Project, mut each: impl FnMut(Row)) -> Result<(), Fault> {
    let mut input = serde_json::Deserializer::from_slice(body);
    let list = EachRow(|raw: &RawValue| each(row(raw, project)));
    list.deserialize(&mut input).and_then(|()| input.end()).map_err(|error| unreadable(body, &error))
}

/// Reads a body that is one session.
pub(super) fn session(body: &[u8]) -> Result<Row, Fault> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    Ok(row(raw, &None))
}

struct EachRow<F>(F);

impl<'de, F: FnMut(&'de RawValue)> DeserializeSeed<'de> for EachRow<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for EachRow<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of sessions")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element()? {
            (self.0)(row);
        }
        Ok(())
    }
}

/// The fields that are read of a session, each still as written: one that cannot be read spoils its own row, and is named.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    started_at: Option<&'a RawValue>,
    #[serde(borrow)]
    expires_at: Option<&'a RawValue>,
    #[serde(borrow)]
    ended_at: Option<&'a RawValue>,
    #[serde(borrow)]
    project_id: Option<&'a RawValue>,
    #[serde(borrow)]
    region: Option<&'a RawValue>,
    #[serde(borrow)]
    keep_alive: Option<&'a RawValue>,
    #[serde(borrow)]
    proxy_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    user_metadata: Option<&'a RawValue>,
}

/// What is read of a row whose fields cannot be told apart.
#[derive(Deserialize)]
struct IdAlone<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

fn row(raw: &RawValue, project: &Project) -> Row {
    // Without this check a list would be taken for an object, field by field in our order.
    if !raw.get().starts_with('{') {
        return Row::Rejected(RejectedRow { id: None, why: "the row is not an object".to_owned() });
    }
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(raw.get()) else {
        let id = serde_json::from_str::<IdAlone<'_>>(raw.get()).ok().and_then(|row| id(row.id).ok());
        return Row::Rejected(RejectedRow { id, why: "the row has a field twice".to_owned() });
    };
    let id = match id(fields.id) {
        Ok(id) => id,
        Err(why) => return Row::Rejected(RejectedRow { id: None, why }),
    };
    match live(&fields, id.clone(), project) {
        Ok(session) if session.status.phase.is_ended() || is_foreign(&session, project) => Row::LeftOut(Box::new(session)),
        Ok(session) => Row::Live(Box::new(session)),
        Err(why) => Row::Rejected(RejectedRow { id: Some(id), why }),
    }
}

/// Non-empty, printable, and such that it can stand in an address.
fn id(raw: Option<&RawValue>) -> Result<SessionId, String> {
    let text: String = required(raw, "id")?;
    let fits = text.chars().count() <= LONGEST_ID && !text.chars().any(char::is_control) && !matches!(text.trim(), "" | "." | "..");
    if fits { Ok(text.into()) } else { Err("`id` is empty, too long or not printable".to_owned()) }
}

fn live(fields: &Fields<'_>, id: SessionId, project: &Project) -> Result<Session, String> {
    let created_at = instant(fields.created_at, "createdAt")?;
    let started_at = instant(fields.started_at, "startedAt")?;
    let owner: Option<String> = optional(fields.project_id, "projectId")?;
    if project.is_some() && owner.is_none() {
        return Err("`projectId` is missing, and the account is limited to one".to_owned());
    }
    Ok(Session {
        id,
        kind: Kind::Session,
        status: status(&required::<String>(fields.status, "status")?),
        created_at: created_at.or(started_at).ok_or("`createdAt` and `startedAt` are missing")?,
        started_at,
        expires_at: instant(fields.expires_at, "expiresAt")?,
        ended_at: instant(fields.ended_at, "endedAt")?,
        region: optional::<String>(fields.region, "region")?.map(Into::into),
        keep_alive: optional(fields.keep_alive, "keepAlive")?,
        project: owner.map(Into::into),
        proxy_bytes: fields.proxy_bytes.and_then(|raw| serde_json::from_str(raw.get()).ok()),
        metadata: metadata(fields.user_metadata),
        parts: Parts::default(),
    })
}

fn is_foreign(session: &Session, project: &Project) -> bool {
    project.is_some() && session.project != *project
}

/// `REQUEST_RELEASE` and the words of older versions are unknown on purpose: none of them says that a session runs, or that it ended.
fn status(word: &str) -> Status {
    let phase = match word {
        "PENDING" => Phase::Pending,
        "RUNNING" => Phase::Running,
        "COMPLETED" => Phase::Completed,
        "TIMED_OUT" => Phase::TimedOut,
        "ERROR" => Phase::Errored,
        _ => Phase::Unknown,
    };
    Status::new(word, phase)
}

fn metadata(raw: Option<&RawValue>) -> Metadata {
    match raw.map(|raw| serde_json::from_str::<Value>(raw.get())).transpose() {
        Ok(value) => Metadata::from_json(value),
        Err(_) => Metadata::Unreadable { found: "JSON that cannot be held" },
    }
}

/// RFC 3339; without an offset it is UTC.
fn instant(raw: Option<&RawValue>, name: &str) -> Result<Option<Timestamp>, String> {
    let Some(text) = optional::<String>(raw, name)? else { return Ok(None) };
    let text = text.trim();
    match text.parse().or_else(|_| format!("{text}Z").parse()) {
        Ok(at) => Ok(Some(at)),
        Err(_) => Err(format!("`{name}` is not an instant")),
    }
}

fn required<T: DeserializeOwned>(raw: Option<&RawValue>, name: &str) -> Result<T, String> {
    optional(raw, name)?.ok_or_else(|| format!("`{name}` is missing"))
}

fn optional<T: DeserializeOwned>(raw: Option<&RawValue>, name: &str) -> Result<Option<T>, String> {
    raw.map_or(Ok(None), |raw| serde_json::from_str(raw.get()).map_err(|_| format!("`{name}` cannot be read")))
}

#[cfg(test)]
mod tests;
