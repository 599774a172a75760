//! One session, read part by part. It is over when every part is; a part that the provider does not know any more is over where another one is known.

use serde_json::value::RawValue;

use super::items::{Agent, Browser, Item, Row};
use super::seen::Seen;
use super::wire;
use super::{Account, one};
use crate::domain::event::Operation;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::name::{ApiVersion, Kind, SessionId};
use crate::domain::session::{Metadata, Parts, Session, Target};
use crate::provider::Exchange;
use crate::provider::http::{Call, LISTING_CAP};
use crate::provider::trail::Trail;

pub(super) async fn read(account: &Account, target: &Target) -> Exchange<Session> {
    let mut reader = Reader { account, operation: Operation::Read, trail: Trail::default(), missing: None };
    let result = reader.session(target).await;
    reader.trail.end(result)
}

/// The conversation itself, for what has neither a browser nor a run that could be ended.
pub(super) async fn conversation(account: &Account, target: &Target) -> Exchange<Session> {
    let mut reader = Reader { account, operation: Operation::Release, trail: Trail::default(), missing: None };
    let agent = reader.agent(&target.id).await;
    let result = agent.map(|agent| Seen::Agent(&agent).session(target, Metadata::NotKept));
    reader.trail.end(result)
}

struct Reader<'a> {
    account: &'a Account,
    operation: Operation,
    trail: Trail,
    /// What the provider said of the first part that it does not know.
    missing: Option<Fault>,
}

impl Reader<'_> {
    async fn session(&mut self, target: &Target) -> Result<Session, Fault> {
        let parts = self.account.parts(target);
        let browser = match browser_of(target, &parts) {
            Some(id) => self.browser(id).await,
            None => Ok(None),
        }?;
        let agent = self.other(target, &parts, browser.as_ref()).await?;
        match Seen::of(agent.as_ref(), browser.as_ref()) {
            Some(seen) => Ok(seen.session(target, metadata(self.account.version, target, browser.as_ref()))),
            None => Err(self.missing.take().unwrap_or_else(|| Fault::new(FaultKind::NotFound, "there is nothing to ask about"))),
        }
    }

    /// What there is beside the browser.
    async fn other(&mut self, target: &Target, parts: &Parts, browser: Option<&Browser>) -> Result<Option<Agent>, Fault> {
        let agent = match (target.kind, &parts.run) {
            (Kind::Browser, _) => return Ok(None),
            (_, Some(run)) => match browser {
                Some(browser) => self.run_beside(target, run, browser).await,
                None => self.run(target, run).await,
            },
            (_, None) if parts.own || parts.browser.is_none() => self.agent(&target.id).await,
            (_, None) => return Ok(None),
        };
        self.unless_missing(agent)
    }

    async fn browser(&mut self, id: &SessionId) -> Result<Option<Browser>, Fault> {
        let browser = self.get(&["browsers", id.as_str()], &wire::browser).await.and_then(|row| one(row, id, |browser| Some(browser.id())));
        self.unless_missing(browser)
    }

    async fn agent(&mut self, id: &SessionId) -> Result<Agent, Fault> {
        let version = self.account.version;
        let row = self.get(&["sessions", id.as_str()], &|raw: &RawValue| wire::agent(raw, version)).await?;
        one(row, id, |agent| Some(agent.id()))
    }

    async fn run(&mut self, target: &Target, run: &SessionId) -> Result<Agent, Fault> {
        let row = self.get(&["runs", run.as_str()], &|raw: &RawValue| wire::run(raw, &target.id)).await?;
        one(row, run, |agent| agent.run.as_ref())
    }

    /// Whether a run is over is all that is asked of it beside its browser, which tells the times.
    async fn run_beside(&mut self, target: &Target, run: &SessionId, browser: &Browser) -> Result<Agent, Fault> {
        let call = Call::get(self.operation, &["runs", run.as_str(), "status"]);
        let body = self.trail.take(self.account.transport.send(call).await)?;
        wire::status_of_run(&body, target.id.clone(), run, browser.started_at)
    }

    /// Agents' answers hold all that they were told and found: they may be as long as a listing.
    async fn get<T>(&mut self, segments: &[&str], row: &(dyn Fn(&RawValue) -> Row<T> + Sync)) -> Result<Row<T>, Fault> {
        let call = Call::get(self.operation, segments).cap(LISTING_CAP);
        self.trail.take(self.account.transport.send(call).await).and_then(|body| wire::single(&body, row))
    }

    fn unless_missing<T>(&mut self, part: Result<T, Fault>) -> Result<Option<T>, Fault> {
        match part {
            Err(fault) if fault.kind == FaultKind::NotFound => {
                self.missing.get_or_insert(fault);
                Ok(None)
            }
            part => part.map(Some),
        }
    }
}

/// The browser that is meant, if one is.
fn browser_of<'a>(target: &'a Target, parts: &'a Parts) -> Option<&'a SessionId> {
    if target.kind == Kind::Browser { Some(&target.id) } else { parts.browser.as_ref() }
}

/// The tags as far as one session's own answers tell them: those of tasks are asked for with a listing alone.
pub(super) fn metadata(version: ApiVersion, target: &Target, browser: Option<&Browser>) -> Metadata {
    match browser {
        Some(browser) if target.kind == Kind::Browser || version != ApiVersion::V2 => browser.metadata.clone(),
        None if version != ApiVersion::V2 && target.parts.browser.is_none() => Metadata::NotKept,
        _ => Metadata::Unlearnt { why: "tags are read with a listing" },
    }
}
