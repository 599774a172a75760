//! Browser Use's JSON, and what it means in our words. Fields that could hold a credential, and what agents were told and found, are not named here, so that
//! they are never read.

mod deed;
mod page;
mod status;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::items::{Agent, Browser, Owner, Rejected, Row, Task};
use crate::domain::activity::Sign;
use crate::domain::fault::Fault;
use crate::domain::name::{ApiVersion, SessionId};
use crate::domain::time::Timestamp;
use crate::provider::http::unreadable;
use crate::provider::json::{self, id, instant, metadata, missing, optional, word};
use crate::provider::unread;
pub(super) use deed::{deed, is_at_work};
pub(super) use page::{Margin, page};
use status::{browser_status, run_status, status_v2, status_v3};

/// How many digits of a figure in megabytes are still whole bytes.
const BYTES_IN_MB_DIGITS: usize = 6;

/// Reads a body that is one row.
pub(super) fn single<T>(body: &[u8], row: impl FnOnce(&RawValue) -> Row<T>) -> Result<Row<T>, Fault> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    Ok(row(raw))
}

/// The fields that are read of any row, each still as written: one that cannot be read spoils its own row, and is named.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow)]
    agent_session_id: Option<&'a RawValue>,
    #[serde(borrow)]
    latest_run_id: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    started_at: Option<&'a RawValue>,
    #[serde(borrow)]
    updated_at: Option<&'a RawValue>,
    #[serde(borrow)]
    finished_at: Option<&'a RawValue>,
    #[serde(borrow)]
    timeout_at: Option<&'a RawValue>,
    #[serde(borrow)]
    keep_alive: Option<&'a RawValue>,
    #[serde(borrow)]
    proxy_used_mb: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn of(raw: &'a RawValue) -> Result<Self, &'static str> {
        if !json::is_object(raw) {
            return Err("the row is not an object");
        }
        serde_json::from_str(raw.get()).map_err(|_| "the row has a field twice")
    }

    fn status(&self) -> Result<String, String> {
        word(self.status, "status")?.ok_or_else(|| missing("status"))
    }

    fn created_at(&self) -> Result<Timestamp, String> {
        instant(self.created_at, "createdAt")?.ok_or_else(|| missing("createdAt"))
    }

    fn started_at(&self) -> Result<Timestamp, String> {
        instant(self.started_at, "startedAt")?.ok_or_else(|| missing("startedAt"))
    }

    fn proxy_bytes(&self) -> Option<u64> {
        bytes(&optional::<String>(self.proxy_used_mb, "proxyUsedMb").ok().flatten()?)
    }
}

/// Judges a row by what is read of its fields; `names` says under which name its own id stands, and which field names its agent session.
fn judged<'a, T>(
    raw: &'a RawValue,
    names: impl FnOnce(&Fields<'a>) -> (Result<SessionId, String>, Result<Owner, String>),
    read: impl FnOnce(&Fields<'a>, SessionId) -> Result<T, String>,
) -> Row<T> {
    let fields = match Fields::of(raw) {
        Ok(fields) => fields,
        Err(why) => return Row::Rejected(Rejected { id: None, owner: Owner::Unknown, why: why.to_owned() }),
    };
    let (id, owner) = names(&fields);
    match (id.clone().and_then(|id| read(&fields, id)), owner) {
        (Ok(item), Ok(_)) => Row::Read(item),
        (Err(why), owner) => Row::Rejected(Rejected { id: id.ok(), owner: owner.unwrap_or(Owner::Unknown), why }),
        (Ok(_), Err(why)) => Row::Rejected(Rejected { id: id.ok(), owner: Owner::Unknown, why }),
    }
}

pub(super) fn browser(raw: &RawValue) -> Row<Browser> {
    judged(
        raw,
        |fields| (id(fields.id, "id"), owner(fields.agent_session_id)),
        |fields, id| {
            let expires_at = instant(fields.timeout_at, "timeoutAt")?;
            let ended_at = instant(fields.finished_at, "finishedAt")?;
            Ok(Browser {
                id,
                agent: match owner(fields.agent_session_id)? {
                    Owner::Agent(agent) => Some(agent),
                    Owner::None | Owner::Unknown => None,
                },
                status: browser_status(&fields.status()?, ended_at, expires_at),
                started_at: fields.started_at()?,
                expires_at,
                ended_at,
                proxy_bytes: fields.proxy_bytes(),
                metadata: metadata(fields.metadata),
            })
        },
    )
}

fn owner(raw: Option<&RawValue>) -> Result<Owner, String> {
    if raw.is_none() { Ok(Owner::None) } else { id(raw, "agentSessionId").map(Owner::Agent) }
}

/// A row of a version's `/sessions`, or one session of it.
pub(super) fn agent(raw: &RawValue, version: ApiVersion) -> Row<Agent> {
    let name = |fields: &Fields<'_>| match version {
        ApiVersion::V2 | ApiVersion::V3 => id(fields.id, "id"),
        ApiVersion::V4 => id(fields.session_id, "sessionId"),
    };
    judged(
        raw,
        |fields| (name(fields), Ok(Owner::None)),
        |fields, id| match version {
            ApiVersion::V2 => agent_v2(fields, id),
            ApiVersion::V3 => agent_v3(fields, id),
            ApiVersion::V4 => conversation(fields, id),
        },
    )
}

fn agent_v2(fields: &Fields<'_>, id: SessionId) -> Result<Agent, String> {
    let started_at = fields.started_at()?;
    Ok(Agent {
        id,
        status: status_v2(&fields.status()?),
        created_at: started_at,
        started_at: Some(started_at),
        updated_at: None,
        finished_at: instant(fields.finished_at, "finishedAt")?,
        keep_alive: optional(fields.keep_alive, "keepAlive")?,
        proxy_bytes: fields.proxy_bytes(),
        run: None,
        // It is `active` whether a task of it runs or not.
        sign: Sign::Nothing,
    })
}

fn agent_v3(fields: &Fields<'_>, id: SessionId) -> Result<Agent, String> {
    let status = status_v3(&fields.status()?);
    Ok(Agent {
        id,
        sign: deed::sign(is_at_work(&status)),
        status,
        created_at: fields.created_at()?,
        started_at: None,
        updated_at: instant(fields.updated_at, "updatedAt")?,
        finished_at: None,
        keep_alive: None,
        proxy_bytes: fields.proxy_bytes(),
        run: None,
    })
}

fn conversation(fields: &Fields<'_>, session: SessionId) -> Result<Agent, String> {
    let run = id(fields.latest_run_id, "latestRunId")?;
    latest_run(fields, session, run)
}

/// A run as `/runs/{id}` shows it, as the whole of its conversation. The row's own id is the run's.
pub(super) fn run(raw: &RawValue, session: &SessionId) -> Row<Agent> {
    judged(raw, |fields| (id(fields.id, "id"), Ok(Owner::None)), |fields, run| latest_run(fields, session.clone(), run))
}

fn latest_run(fields: &Fields<'_>, session: SessionId, run: SessionId) -> Result<Agent, String> {
    let status = run_status(&fields.status()?);
    Ok(Agent {
        id: session,
        sign: deed::sign(is_at_work(&status)),
        status,
        created_at: fields.created_at()?,
        started_at: None,
        updated_at: instant(fields.updated_at, "updatedAt")?,
        finished_at: None,
        keep_alive: None,
        proxy_bytes: None,
        run: Some(run),
    })
}

/// A run of which the status alone is known, as `/runs/{id}/status` has it.
pub(super) fn status_of_run(body: &[u8], session: SessionId, run: &SessionId, created_at: Timestamp) -> Result<Agent, Fault> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    let word = Fields::of(raw).map_err(str::to_owned).and_then(|fields| fields.status()).map_err(|why| unread(&why))?;
    let status = run_status(&word);
    Ok(Agent {
        id: session,
        sign: deed::sign(is_at_work(&status)),
        status,
        created_at,
        started_at: None,
        updated_at: None,
        finished_at: None,
        keep_alive: None,
        proxy_bytes: None,
        run: Some(run.clone()),
    })
}

/// A row of v2's `/tasks`.
pub(super) fn task(raw: &RawValue) -> Row<Task> {
    let agent = |fields: &Fields<'_>| id(fields.session_id, "sessionId");
    judged(
        raw,
        |fields| (id(fields.id, "id"), agent(fields).map(Owner::Agent)),
        |fields, id| Ok(Task { id, agent: agent(fields)?, created_at: fields.created_at()?, metadata: metadata(fields.metadata) }),
    )
}

/// A decimal figure in megabytes as whole bytes, exactly; nothing where it is none, or below zero.
fn bytes(megabytes: &str) -> Option<u64> {
    let text = megabytes.strip_prefix('+').unwrap_or(megabytes);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction: String = fraction.chars().chain("000000".chars()).take(BYTES_IN_MB_DIGITS).collect();
    format!("{whole}{fraction}").parse().ok()
}

#[cfg(test)]
mod tests;
