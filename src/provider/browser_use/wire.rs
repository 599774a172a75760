//! Browser Use's JSON, and what it means in our words. Fields that could hold a credential, and what agents were told and found, are not named here, so that
//! they are never read.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::fault::{Fault, FaultKind};
use crate::domain::name::{ApiVersion, SessionId};
use crate::domain::session::{Metadata, Phase, Status};
use crate::domain::time::Timestamp;
use crate::provider::http::unreadable;
use crate::provider::json::{self, id, instant, metadata, optional, required};
use crate::provider::unread;

/// How many digits of a figure in megabytes are still whole bytes.
const BYTES_IN_MB_DIGITS: usize = 6;

/// One row, judged.
#[derive(Debug)]
pub(super) enum Row<T> {
    Read(T),
    Rejected(Rejected),
}

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    pub(super) id: Option<SessionId>,
    pub(super) owner: Owner,
    /// What was wrong, without any of the row's values.
    pub(super) why: String,
}

/// The agent session that a row belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    None,
    Agent(SessionId),
    /// It could not be read: any agent session may be it.
    Unknown,
}

/// What has an id of its own in an inventory.
pub(super) trait Item {
    fn id(&self) -> &SessionId;

    /// When it ended, where that can be told of the likes of it.
    fn ended_at(&self) -> Option<Timestamp> {
        None
    }
}

/// A browser: what bills, on its own or for an agent session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Browser {
    pub(super) id: SessionId,
    /// The agent session that opened it.
    pub(super) agent: Option<SessionId>,
    pub(super) status: Status,
    pub(super) started_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) proxy_bytes: Option<u64>,
    pub(super) metadata: Metadata,
}

/// An agent session; under v4 a conversation as its latest run shows it, or that run alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Agent {
    pub(super) id: SessionId,
    /// As it is without a browser.
    pub(super) status: Status,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) updated_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) keep_alive: Option<bool>,
    pub(super) proxy_bytes: Option<u64>,
    /// The latest run, under v4.
    pub(super) run: Option<SessionId>,
}

/// What its owner wrote on a task, under v2.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Task {
    pub(super) id: SessionId,
    pub(super) agent: SessionId,
    pub(super) created_at: Timestamp,
    pub(super) metadata: Metadata,
}

impl Item for Browser {
    fn id(&self) -> &SessionId {
        &self.id
    }
}

impl Item for Agent {
    fn id(&self) -> &SessionId {
        &self.id
    }

    /// v3 and v4 name no instant for it; the last change of what has ended is the nearest that they give.
    fn ended_at(&self) -> Option<Timestamp> {
        self.finished_at.or(self.updated_at).filter(|_| self.status.phase.is_ended())
    }
}

impl Item for Task {
    fn id(&self) -> &SessionId {
        &self.id
    }
}

/// What a page says beside its rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Margin {
    /// How many rows there are on all pages; nothing where that is missing or no number.
    pub(super) total: Option<u64>,
    /// Whether there are more pages, where pages follow each other by a cursor; nothing where that is no yes or no.
    pub(super) has_more: Option<bool>,
    pub(super) cursor: Option<String>,
}

/// A page's own fields. `items` and `totalItems` are those of `/browsers` and of v2; v3 and v4 have `sessions`, and v3 `total`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    items: Option<&'a RawValue>,
    #[serde(borrow)]
    sessions: Option<&'a RawValue>,
    #[serde(borrow)]
    total_items: Option<&'a RawValue>,
    #[serde(borrow)]
    total: Option<&'a RawValue>,
    #[serde(borrow)]
    has_more: Option<&'a RawValue>,
    #[serde(borrow)]
    next_cursor: Option<&'a RawValue>,
}

/// Reads a page row by row. Fails only where the whole is not a page.
pub(super) fn page<'a>(body: &'a [u8], each: impl FnMut(&'a RawValue)) -> Result<Margin, Fault> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    let not_a_page = || Fault::new(FaultKind::Unreadable, "JSON of another shape than the provider documents");
    let envelope: Envelope<'_> =
        Some(raw).filter(|raw| json::is_object(raw)).and_then(|raw| serde_json::from_str(raw.get()).ok()).ok_or_else(not_a_page)?;
    json::rows(envelope.items.or(envelope.sessions).ok_or_else(not_a_page)?.get().as_bytes(), each)?;
    let (more, cursor) = (optional::<bool>(envelope.has_more, "hasMore"), optional::<String>(envelope.next_cursor, "nextCursor"));
    Ok(Margin {
        total: optional(envelope.total_items.or(envelope.total), "total").ok().flatten(),
        has_more: more.ok().zip(cursor.as_ref().ok()).map(|(more, cursor)| more.unwrap_or(cursor.is_some())),
        cursor: cursor.ok().flatten(),
    })
}

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
        required(self.status, "status")
    }

    fn created_at(&self) -> Result<Timestamp, String> {
        instant(self.created_at, "createdAt")?.ok_or_else(|| "`createdAt` is missing".to_owned())
    }

    fn started_at(&self) -> Result<Timestamp, String> {
        instant(self.started_at, "startedAt")?.ok_or_else(|| "`startedAt` is missing".to_owned())
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
    })
}

fn agent_v3(fields: &Fields<'_>, id: SessionId) -> Result<Agent, String> {
    Ok(Agent {
        id,
        status: status_v3(&fields.status()?),
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
    Ok(Agent {
        id: session,
        status: run_status(&fields.status()?),
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
    Ok(Agent {
        id: session,
        status: run_status(&word),
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

/// A browser that is stopped by nobody runs to its hard end, and the provider calls both the same.
fn browser_status(word: &str, ended_at: Option<Timestamp>, expires_at: Option<Timestamp>) -> Status {
    let status = status_v2(word);
    let timed_out = status.phase == Phase::Completed && ended_at.zip(expires_at).is_some_and(|(end, hard_end)| end >= hard_end);
    if timed_out { Status { phase: Phase::TimedOut, ..status } } else { status }
}

fn status_v2(word: &str) -> Status {
    let phase = match word {
        "active" => Phase::Running,
        "stopped" => Phase::Completed,
        _ => Phase::Unknown,
    };
    Status::new(word, phase)
}

fn status_v3(word: &str) -> Status {
    let phase = match word {
        "created" => Phase::Pending,
        "idle" | "running" => Phase::Running,
        "stopped" => Phase::Completed,
        "timed_out" => Phase::TimedOut,
        "error" => Phase::Errored,
        _ => Phase::Unknown,
    };
    Status::new(word, phase)
}

fn run_status(word: &str) -> Status {
    let phase = match word {
        "queued" | "dispatching" => Phase::Pending,
        "running" => Phase::Running,
        "completed" | "cancelled" => Phase::Completed,
        "failed" => Phase::Errored,
        _ => Phase::Unknown,
    };
    Status::new(word, phase)
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
