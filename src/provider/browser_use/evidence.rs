//! What Browser Use can tell of a session's activity: an agent session's tasks, messages or runs, by version; of a browser by itself nothing. What a person does
//! in a browser past its agent is in none of them.

use serde_json::value::RawValue;

use super::items::Deed;
use super::paging::{self, Inventory, Read};
use super::{Account, one, wire};
use crate::domain::activity::{Evidence, Question, Said, Sign};
use crate::domain::event::Operation;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::name::{ApiVersion, Kind, SessionId};
use crate::domain::session::{Status, Target};
use crate::provider::http::{Call, LISTING_CAP};
use crate::provider::testimony::{dated, evidence, meet};
use crate::provider::trail::Trail;
use crate::provider::{Exchange, turns_us_away};

/// An agent session that is over is asked about too: it tells what was done last with the browser that it left behind.
pub(super) async fn ask(account: &Account, target: &Target) -> Exchange<Evidence> {
    if target.kind == Kind::Browser {
        let nothing = Said::Nothing { why: "a browser by itself shows no activity".to_owned() };
        return Exchange::unasked(evidence([(question(account.version), Ok(nothing))]), account.transport.now());
    }
    let mut trail = Trail::default();
    let result = match account.version {
        ApiVersion::V3 => status_and_messages(account, &target.id, &mut trail).await,
        ApiVersion::V2 | ApiVersion::V4 => tasks_or_runs(account, &target.id, &mut trail).await,
    };
    trail.end(result)
}

const fn question(version: ApiVersion) -> Question {
    match version {
        ApiVersion::V2 => Question::Tasks,
        ApiVersion::V3 => Question::Messages,
        ApiVersion::V4 => Question::Runs,
    }
}

async fn tasks_or_runs(account: &Account, id: &SessionId, trail: &mut Trail) -> Result<Evidence, Fault> {
    match deeds(account, id, trail).await {
        Err(fault) if turns_us_away(&fault) => Err(fault),
        read => Ok(told(Vec::new(), account.version, read)),
    }
}

/// One that is at work needs no second question.
async fn status_and_messages(account: &Account, id: &SessionId, trail: &mut Trail) -> Result<Evidence, Fault> {
    let said = status(account, id, trail).await.map(|status| {
        if wire::is_at_work(&status) { Said::Busy } else { Said::Nothing { why: format!("it is {}, and does not say since when", status.word) } }
    });
    match said {
        Err(fault) if turns_us_away(&fault) => Err(fault),
        Ok(Said::Busy) => Ok(evidence([(Question::Status, said)])),
        said => Ok(told(vec![(Question::Status, said)], account.version, deeds(account, id, trail).await)),
    }
}

async fn status(account: &Account, id: &SessionId, trail: &mut Trail) -> Result<Status, Fault> {
    let call = Call::get(Operation::Evidence, &["sessions", id.as_str()]).cap(LISTING_CAP);
    let body = trail.take(account.transport.send(call).await)?;
    let row = wire::single(&body, |raw| wire::agent(raw, account.version))?;
    one(row, id, |agent| Some(&agent.id)).map(|agent| agent.status)
}

async fn deeds(account: &Account, id: &SessionId, trail: &mut Trail) -> Result<Read<Deed>, Fault> {
    let deed = |raw: &RawValue| wire::deed(raw, account.version, id);
    paging::read(account.transport.as_ref(), trail, Inventory::DeedsOf(id, account.version), &deed).await
}

/// The answers before, and what the deeds say.
fn told(mut answers: Vec<(Question, Result<Said, Fault>)>, version: ApiVersion, read: Result<Read<Deed>, Fault>) -> Evidence {
    // That there is more than is read is no fault of the provider.
    let met = read.as_ref().ok().and_then(|read| read.lack.clone()).filter(|fault| fault.kind != FaultKind::Unreadable);
    answers.push((question(version), read.map(|read| said(read, version))));
    let mut evidence = evidence(answers);
    met.into_iter().for_each(|fault| meet(&mut evidence.fault, fault));
    evidence
}

fn said(read: Read<Deed>, version: ApiVersion) -> Said {
    if read.rows.iter().any(|deed| deed.sign == Sign::Busy) {
        return Said::Busy;
    }
    let newest = read.rows.iter().filter_map(|deed| if let Sign::At(at) = deed.sign { Some(at) } else { None }).max();
    let rejected = read.rejected.first().map(|row| format!("one of them cannot be read: {}", row.why));
    let lack = read.lack.map(|fault| fault.to_string()).or(rejected);
    dated(newest, lack, &format!("it has no {}", question(version)))
}

#[cfg(test)]
mod tests;
