//! Ending a session: by its agent session where that lives, for its stop ends its browser too; else by its browser, and by its run where it has one.

use serde_json::json;
use serde_json::value::RawValue;

use super::items::{Agent, Item, Row};
use super::reading::{self, metadata};
use super::seen::Seen;
use super::wire;
use super::{Account, forbids_another_call, one};
use crate::domain::event::Operation;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::name::{ApiVersion, Kind, SessionId};
use crate::domain::session::{Session, Target};
use crate::provider::http::{Body, Call};
use crate::provider::trail::Trail;
use crate::provider::{Exchange, is_success};

/// Asks once. Gives the session where the answer speaks of every part that is meant.
pub(super) async fn release(account: &Account, target: &Target) -> Exchange<Option<Session>> {
    let parts = account.parts(target);
    match (target.kind, parts.own, &parts.browser, &parts.run) {
        (Kind::Browser, ..) => browser(account, target, &target.id, None).await,
        (_, true, ..) => agent(account, target).await,
        (_, false, Some(id), run) => browser(account, target, id, run.as_ref()).await,
        (_, false, None, Some(id)) => run(account, target, id).await,
        (_, false, None, None) => reading::conversation(account, target).await.then(|session| session.and_then(ended)),
    }
}

/// A run is cancelled before its browser goes, so that it opens no other. Whatever comes of that, the browser is stopped, for it is what bills; unless the
/// provider wants silence.
async fn browser(account: &Account, target: &Target, id: &SessionId, run: Option<&SessionId>) -> Exchange<Option<Session>> {
    let mut trail = Trail::default();
    if let Some(run) = run {
        let cancelled = trail.take(account.transport.send(cancel(run)).await);
        if let Some(fault) = cancelled.err().filter(forbids_another_call) {
            return trail.end(Err(fault));
        }
    }
    let call = Call::patch(Operation::Release, &["browsers", id.as_str()], json!({ "action": "stop" }));
    let stopped = trail.take(account.transport.send(call).await);
    let browser = accepted(stopped, wire::browser, id, |browser| Some(browser.id()));
    let whole = |browser| Seen::Browser(&browser).session(target, metadata(account.version, target, Some(&browser)));
    trail.end(browser.map(|browser| browser.filter(|_| run.is_none()).map(whole)))
}

async fn agent(account: &Account, target: &Target) -> Exchange<Option<Session>> {
    let id = target.id.as_str();
    let call = match account.version {
        ApiVersion::V2 => Call::patch(Operation::Release, &["sessions", id], json!({ "action": "stop" })),
        ApiVersion::V3 | ApiVersion::V4 => Call::post(Operation::Release, &["sessions", id, "stop"], json!({ "strategy": "session" })),
    };
    let exchange = account.transport.send(call).await;
    exchange.then(|body| {
        let agent = accepted(body, |raw| wire::agent(raw, account.version), &target.id, |agent| Some(agent.id()))?;
        Ok(agent.filter(|_| target.parts.browser.is_none()).map(|agent| alone(account, target, &agent)))
    })
}

async fn run(account: &Account, target: &Target, id: &SessionId) -> Exchange<Option<Session>> {
    let exchange = account.transport.send(cancel(id)).await;
    exchange.then(|body| {
        let agent = accepted(body, |raw| wire::run(raw, &target.id), id, |agent| agent.run.as_ref())?;
        Ok(agent.map(|agent| alone(account, target, &agent)))
    })
}

fn cancel(run: &SessionId) -> Call {
    Call::bare_post(Operation::Release, &["runs", run.as_str(), "cancel"])
}

fn alone(account: &Account, target: &Target, agent: &Agent) -> Session {
    Seen::Agent(agent).session(target, metadata(account.version, target, None))
}

/// A 2xx is an acceptance, whether or not its body could be read. Only a body that speaks of something else says that the provider did something else.
fn accepted<T>(
    answer: Result<Body, Fault>,
    read: impl FnOnce(&RawValue) -> Row<T>,
    asked: &SessionId,
    name: impl Fn(&T) -> Option<&SessionId>,
) -> Result<Option<T>, Fault> {
    let body = match answer {
        Ok(body) => body,
        Err(fault) if is_success(&fault) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    match wire::single(&body, read) {
        Ok(Row::Rejected(row)) if row.id.as_ref().is_none_or(|id| id == asked) => Ok(None),
        Ok(row) => one(row, asked, name).map(Some),
        Err(_) => Ok(None),
    }
}

/// A conversation cannot be ended, it can only be over.
fn ended(session: Session) -> Result<Option<Session>, Fault> {
    if session.status.phase.is_ended() {
        return Ok(Some(session));
    }
    Err(Fault::new(FaultKind::Rejected, "a conversation can be ended by its browser or its run alone, and neither is known"))
}
