//! What tasks, messages and runs tell of their agent session's activity. What they are about is not named here.

use serde_json::value::RawValue;

use super::{Fields, judged, run_status};
use crate::domain::activity::Sign;
use crate::domain::name::{ApiVersion, SessionId};
use crate::domain::session::{Phase, Status};
use crate::domain::time::Timestamp;
use crate::provider::browser_use::items::{Deed, Owner, Row};
use crate::provider::json::{id, instant};

/// A row of v2's `/tasks`, of v3's `/sessions/{id}/messages`, or of v4's `/runs`. One of another session says nothing.
pub(in crate::provider::browser_use) fn deed(raw: &RawValue, version: ApiVersion, session: &SessionId) -> Row<Deed> {
    judged(
        raw,
        |fields| (id(fields.id, "id"), Ok(Owner::None)),
        |fields, own| {
            let told = match version {
                _ if id(fields.session_id, "sessionId")? != *session => Sign::Nothing,
                ApiVersion::V2 => task(fields)?,
                ApiVersion::V3 => Sign::At(fields.created_at()?),
                ApiVersion::V4 => run(fields)?,
            };
            Ok(Deed { id: own, sign: told })
        },
    )
}

/// A word that is not known may mean that it runs. One that ran and does not say until when may have ended just now.
fn task(fields: &Fields<'_>) -> Result<Sign, String> {
    let word = fields.status()?;
    if !matches!(word.as_str(), "finished" | "failed" | "stopped") {
        return Ok(Sign::Busy);
    }
    let (created_at, started_at) = (fields.created_at()?, instant(fields.started_at, "startedAt")?);
    match instant(fields.finished_at, "finishedAt")? {
        None if started_at.is_some() || word == "finished" => Err("`finishedAt` is missing".to_owned()),
        finished_at => Ok(newest([Some(created_at), started_at, finished_at])),
    }
}

fn run(fields: &Fields<'_>) -> Result<Sign, String> {
    if is_at_work(&run_status(&fields.status()?)) {
        return Ok(Sign::Busy);
    }
    let updated_at = instant(fields.updated_at, "updatedAt")?.ok_or("`updatedAt` is missing")?;
    Ok(newest([Some(fields.created_at()?), Some(updated_at)]))
}

/// By the words of v3's agent sessions and of v4's runs. One that is not known may mean it.
pub(in crate::provider::browser_use) fn is_at_work(status: &Status) -> bool {
    let rests = status.phase == Phase::Running && status.word.as_ref() == "idle";
    !rests && !status.phase.is_ended()
}

pub(super) const fn sign(is_at_work: bool) -> Sign {
    if is_at_work { Sign::Busy } else { Sign::Nothing }
}

fn newest<const N: usize>(instants: [Option<Timestamp>; N]) -> Sign {
    instants.into_iter().flatten().max().map_or(Sign::Nothing, Sign::At)
}
