//! Browserbase. Sessions are listed by a single status, so that a listing is two calls; a release is a request (`REQUEST_RELEASE`), and what became of it is
//! learnt by reading.

mod evidence;
mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::header::HeaderName;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::config::AccountSettings;
use crate::domain::activity::Evidence;
use crate::domain::event::Operation;
use crate::domain::fault::Fault;
use crate::domain::listing::{Listing, Rows};
use crate::domain::name::SessionId;
use crate::domain::session::{Session, Target};
use crate::provider::http::{Body, Call, Client, ClientSettings, LISTING_CAP, Transport};
use crate::provider::trail::Trail;
use crate::provider::{Answer, Connected, Exchange, Lister, Releaser, another_session, is_success, turns_us_away, unread};
use wire::{Project, Row};

/// One account: both its faces share a client.
pub(super) fn connect(settings: &AccountSettings, key: SecretString, clock: Clock) -> Result<Connected, String> {
    let client = Client::new(ClientSettings {
        base_url: &settings.base_url,
        header_name: HeaderName::from_static("x-bb-api-key"),
        key,
        timeout: settings.request_timeout,
        clock,
    })?;
    Ok(over(Arc::new(client), settings.project_id.as_deref()))
}

/// One account, over whatever carries its calls.
pub(super) fn over(transport: Arc<dyn Transport>, project: Option<&str>) -> Connected {
    let project: Project = project.map(Arc::from);
    let lister = BrowserbaseLister { transport: transport.clone(), project: project.clone() };
    Connected { lister: Arc::new(lister), releaser: Arc::new(BrowserbaseReleaser { transport, project }) }
}

/// Reads sessions.
struct BrowserbaseLister {
    transport: Arc<dyn Transport>,
    project: Project,
}

impl Lister for BrowserbaseLister {
    fn list(&self) -> Answer<Listing> {
        let (transport, project) = (self.transport.clone(), self.project.clone());
        Box::pin(async move { list(transport.as_ref(), &project).await })
    }

    fn read(&self, target: &Target) -> Answer<Session> {
        let (transport, id) = (self.transport.clone(), target.id.clone());
        Box::pin(async move {
            let exchange = transport.send(Call::get(Operation::Read, &["v1", "sessions", id.as_str()])).await;
            exchange.then(|body| read(&body?, &id))
        })
    }

    fn evidence(&self, target: &Target) -> Answer<Evidence> {
        let (transport, id) = (self.transport.clone(), target.id.clone());
        Box::pin(async move { evidence::ask(transport.as_ref(), &id).await })
    }
}

/// Ends sessions.
struct BrowserbaseReleaser {
    transport: Arc<dyn Transport>,
    project: Project,
}

impl Releaser for BrowserbaseReleaser {
    fn release(&self, target: &Target) -> Answer<Option<Session>> {
        let (transport, id) = (self.transport.clone(), target.id.clone());
        let body = request_release(&self.project);
        Box::pin(async move {
            let exchange = transport.send(Call::post(Operation::Release, &["v1", "sessions", id.as_str()], body)).await;
            exchange.then(|body| released(body, &id))
        })
    }
}

fn request_release(project: &Project) -> Value {
    match project {
        Some(project) => json!({ "status": "REQUEST_RELEASE", "projectId": project.as_ref() }),
        None => json!({ "status": "REQUEST_RELEASE" }),
    }
}

/// PENDING is asked first: a session that begins to run between the two calls is then in both, and in the other order it would be in neither.
async fn list(transport: &dyn Transport, project: &Project) -> Exchange<Listing> {
    let mut trail = Trail::default();
    let pending = trail.take(transport.send(of_status("PENDING")).await);
    if let Some(fault) = pending.as_ref().err().filter(|fault| turns_us_away(fault)).cloned() {
        return trail.end(Err(fault));
    }
    let running = trail.take(transport.send(of_status("RUNNING")).await);
    trail.end(merged(pending, running, project))
}

fn of_status(status: &'static str) -> Call {
    Call::get(Operation::List, &["v1", "sessions"]).query("status", status).cap(LISTING_CAP)
}

/// Without the running ones there is no listing; without the pending ones it is partial. RUNNING was asked last and wins.
fn merged(pending: Result<Body, Fault>, running: Result<Body, Fault>, project: &Project) -> Result<Listing, Fault> {
    let mut gathered = Gathered::default();
    wire::rows(&running?, project, |row| gathered.add(row))?;
    let mut early = Vec::new();
    let pending = pending.and_then(|body| wire::rows(&body, project, |row| early.push(row)));
    early.into_iter().for_each(|row| gathered.add(row));
    Ok(match pending {
        Ok(()) => Listing::complete(gathered.rows),
        Err(why) => Listing::partial(gathered.rows, why),
    })
}

/// The rows so far, each id once: the first word on it stands, even where that word is to leave it out.
#[derive(Default)]
struct Gathered {
    seen: BTreeSet<SessionId>,
    rows: Rows,
}

impl Gathered {
    fn add(&mut self, row: Row) {
        if row.id().is_some_and(|id| !self.seen.insert(id.clone())) {
            return;
        }
        match row {
            Row::Live(session) => self.rows.sessions.push(*session),
            Row::Rejected(rejected) => self.rows.rejected.push(rejected),
            Row::LeftOut(_) => {}
        }
    }
}

fn read(body: &[u8], asked: &SessionId) -> Result<Session, Fault> {
    match wire::session(body)? {
        Row::Live(session) | Row::LeftOut(session) if session.id == *asked => Ok(*session),
        Row::Rejected(row) if row.id.as_ref().is_none_or(|id| id == asked) => Err(unread(&row.why)),
        _ => Err(another_session()),
    }
}

/// A 2xx is an acceptance, whether or not its body could be read. Only a body that speaks of another session says that the provider did something else.
fn released(body: Result<Body, Fault>, asked: &SessionId) -> Result<Option<Session>, Fault> {
    let body = match body {
        Ok(body) => body,
        Err(fault) if is_success(&fault) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    match wire::session(&body) {
        Ok(row) if row.id().is_some_and(|id| id != asked) => Err(another_session()),
        Ok(Row::Live(session) | Row::LeftOut(session)) => Ok(Some(*session)),
        Ok(Row::Rejected(_)) | Err(_) => Ok(None),
    }
}
