//! Browserbase's JSON, and what it means in our words. Fields that could hold a credential are not named here, so that they are never read.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::activity::Sign;
use crate::domain::fault::Fault;
use crate::domain::listing::RejectedRow;
use crate::domain::name::{Kind, SessionId};
use crate::domain::session::{Parts, Phase, Session, Status};
use crate::provider::http::unreadable;
use crate::provider::json::{self, instant, metadata, missing, optional, word};

/// The project that the account is limited to, if any.
pub(super) type Project = Option<Arc<str>>;

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
    json::rows(body, |raw| each(row(raw, project)))
}

/// Reads a body that is one session.
pub(super) fn session(body: &[u8]) -> Result<Row, Fault> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    Ok(row(raw, &None))
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
    if !json::is_object(raw) {
        return Row::Rejected(RejectedRow { id: None, why: "the row is not an object".to_owned() });
    }
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(raw.get()) else {
        let id = serde_json::from_str::<IdAlone<'_>>(raw.get()).ok().and_then(|row| json::id(row.id, "id").ok());
        return Row::Rejected(RejectedRow { id, why: "the row has a field twice".to_owned() });
    };
    let id = match json::id(fields.id, "id") {
        Ok(id) => id,
        Err(why) => return Row::Rejected(RejectedRow { id: None, why }),
    };
    match live(&fields, id.clone(), project) {
        Ok(session) if session.status.phase.is_ended() || is_foreign(&session, project) => Row::LeftOut(Box::new(session)),
        Ok(session) => Row::Live(Box::new(session)),
        Err(why) => Row::Rejected(RejectedRow { id: Some(id), why }),
    }
}

fn live(fields: &Fields<'_>, id: SessionId, project: &Project) -> Result<Session, String> {
    let created_at = instant(fields.created_at, "createdAt")?;
    let started_at = instant(fields.started_at, "startedAt")?;
    let owner = word(fields.project_id, "projectId")?;
    if project.is_some() && owner.is_none() {
        return Err("`projectId` is missing, and the account is limited to one".to_owned());
    }
    Ok(Session {
        id,
        kind: Kind::Session,
        status: status(&word(fields.status, "status")?.ok_or_else(|| missing("status"))?),
        created_at: created_at.or(started_at).ok_or("`createdAt` and `startedAt` are missing")?,
        started_at,
        expires_at: instant(fields.expires_at, "expiresAt")?,
        ended_at: instant(fields.ended_at, "endedAt")?,
        region: word(fields.region, "region")?.map(Into::into),
        keep_alive: optional(fields.keep_alive, "keepAlive")?,
        keep_alive_unlearnt: false,
        project: owner.map(Into::into),
        proxy_bytes: fields.proxy_bytes.and_then(|raw| serde_json::from_str(raw.get()).ok()),
        // `updatedAt` is no sign: that it moves with activity is not documented.
        sign: Sign::Nothing,
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

#[cfg(test)]
mod tests;
