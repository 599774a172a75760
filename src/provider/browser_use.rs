//! Browser Use, in three versions of its API. It has two inventories: browsers, which bill, and agent sessions, each of which may have a browser. An agent
//! session with its browser is one session of ours. Nothing here deletes or purges: that would take the history along.

mod evidence;
mod items;
mod paging;
mod pairs;
mod reading;
mod releasing;
mod remembered;
mod seen;
mod tags;
mod wire;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::HeaderName;
use secrecy::SecretString;
use serde_json::value::RawValue;

use crate::clock::Clock;
use crate::config::AccountSettings;
use crate::domain::activity::Evidence;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::listing::Listing;
use crate::domain::name::{ApiVersion, Kind, SessionId};
use crate::domain::session::{Metadata, Parts, Session, Target};
use crate::provider::http::{Client, ClientSettings, Transport};
use crate::provider::trail::Trail;
use crate::provider::{Answer, Connected, Lister, Releaser, another_session, testimony, unread};
use items::Row;
use paging::Inventory;
use pairs::Joined;
use remembered::BrowserTags;
use tags::TaskTags;

/// The version of an account that names none: the one whose agent sessions carry tags.
const DEFAULT_VERSION: ApiVersion = ApiVersion::V2;

/// One account, over a pool of connections of its own.
pub(super) fn connect(settings: &AccountSettings, key: SecretString, clock: Clock) -> Result<Connected, String> {
    let client = Client::new(ClientSettings {
        base_url: &settings.base_url,
        header_name: HeaderName::from_static("x-browser-use-api-key"),
        key,
        timeout: settings.request_timeout,
        clock,
    })?;
    Ok(over(Arc::new(client), settings.api_version.unwrap_or(DEFAULT_VERSION)))
}

/// One account, over whatever carries its calls.
pub(super) fn over(transport: Arc<dyn Transport>, version: ApiVersion) -> Connected {
    let account = Account { transport, version };
    let lister = BrowserUseLister { account: account.clone(), memory: Arc::default() };
    Connected { lister: Arc::new(lister), releaser: Arc::new(BrowserUseReleaser { account }) }
}

/// What both faces share.
#[derive(Clone)]
struct Account {
    transport: Arc<dyn Transport>,
    version: ApiVersion,
}

impl Account {
    /// What can be asked about of what is meant: a conversation can only be renamed, and the older versions have no runs.
    fn parts(&self, target: &Target) -> Parts {
        match self.version {
            ApiVersion::V2 | ApiVersion::V3 => Parts { run: None, ..target.parts.clone() },
            ApiVersion::V4 => Parts { own: target.parts.own && target.kind == Kind::Browser, ..target.parts.clone() },
        }
    }
}

/// Reads sessions.
struct BrowserUseLister {
    account: Account,
    memory: Arc<Memory>,
}

/// What is known from one listing to the next.
#[derive(Default)]
struct Memory {
    browsers: Mutex<BrowserTags>,
    tasks: Mutex<TaskTags>,
}

impl Lister for BrowserUseLister {
    fn list(&self) -> Answer<Listing> {
        let (account, memory) = (self.account.clone(), self.memory.clone());
        Box::pin(async move {
            let mut trail = Trail::default();
            let joined = list(&account, &memory, &mut trail).await;
            trail.end(joined.map(Joined::listing))
        })
    }

    fn read(&self, target: &Target) -> Answer<Session> {
        let (account, target) = (self.account.clone(), target.clone());
        Box::pin(async move { reading::read(&account, &target).await })
    }

    fn evidence(&self, target: &Target) -> Answer<Evidence> {
        let (account, target) = (self.account.clone(), target.clone());
        Box::pin(async move { evidence::ask(&account, &target).await })
    }
}

/// Ends sessions.
struct BrowserUseReleaser {
    account: Account,
}

impl Releaser for BrowserUseReleaser {
    fn release(&self, target: &Target) -> Answer<Option<Session>> {
        let (account, target) = (self.account.clone(), target.clone());
        Box::pin(async move { releasing::release(&account, &target).await })
    }
}

/// Browsers come first: a pair that comes to be between the two readings then shows as an agent session alone, whose stop ends its browser too. In the other
/// order it would show as a browser that its agent session has left behind.
async fn list(account: &Account, memory: &Memory, trail: &mut Trail) -> Result<Joined, Fault> {
    let transport = account.transport.as_ref();
    let browsers = paging::read(transport, trail, Inventory::Browsers, &wire::browser).await;
    if let Err(fault) = &browsers
        && forbids_another_call(fault)
    {
        return Err(fault.clone());
    }
    let agent = |raw: &RawValue| wire::agent(raw, account.version);
    let agents = paging::read(transport, trail, Inventory::Agents(account.version), &agent).await;
    let silenced = agents.as_ref().err().filter(|fault| forbids_another_call(fault)).cloned();
    let mut joined = pairs::joined(account.version, browsers, agents)?;
    let all = joined.why.is_none();
    memory.browsers.lock().unwrap_or_else(PoisonError::into_inner).apply(joined.sessions_mut(), all);
    if account.version == ApiVersion::V2 {
        add_tags(transport, &memory.tasks, trail, silenced, &mut joined).await;
    }
    Ok(joined)
}

/// The most agent sessions whose tasks are asked for one by one with one listing. The others wait for the next, and until then their tags are not known.
const MOST_STRANGERS: usize = 100;

/// Adds to each agent session the tags of its tasks. Where they cannot be read a session is known to be there, and what it is tagged with is not.
async fn add_tags(transport: &dyn Transport, tags: &Mutex<TaskTags>, trail: &mut Trail, silenced: Option<Fault>, joined: &mut Joined) {
    let held = || tags.lock().unwrap_or_else(PoisonError::into_inner);
    if silenced.is_none() {
        match meet_strangers(transport, tags, trail, joined).await {
            Ok(waiting) => unlearn(joined, "its tasks are still to be asked for", |session| waiting.contains(&session.id)),
            Err(fault) => return without_tags(joined, fault),
        }
    }
    let Some(after) = held().after(tagged(joined)) else { return };
    let tasks = match silenced {
        Some(fault) => Err(fault),
        None => paging::read(transport, trail, Inventory::Tasks { after }, &wire::task).await,
    };
    match tasks.and_then(|tasks| held().learn(tagged(joined), tasks)) {
        Ok(()) => joined.sessions_mut().for_each(|session| held().apply(session)),
        // No such inventory under this address: nobody could tag a task here.
        Err(fault) if fault.kind == FaultKind::NotFound => {}
        Err(fault) => without_tags(joined, fault),
    }
}

/// Asks for the tasks of those that are not known, one by one. Gives those that have to wait.
async fn meet_strangers(transport: &dyn Transport, tags: &Mutex<TaskTags>, trail: &mut Trail, joined: &Joined) -> Result<BTreeSet<SessionId>, Fault> {
    let held = || tags.lock().unwrap_or_else(PoisonError::into_inner);
    let mut strangers = held().strangers(tagged(joined));
    let waiting = strangers.split_off(strangers.len().min(MOST_STRANGERS));
    for id in &strangers {
        let read = paging::read(transport, trail, Inventory::TasksOf(id), &wire::task).await;
        match read.and_then(|tasks| held().learn_of(id, tasks)) {
            Err(fault) if fault.kind == FaultKind::NotFound => return Ok(BTreeSet::new()),
            learnt => learnt?,
        }
    }
    Ok(waiting.into_iter().collect())
}

/// The agent sessions whose tags are known but for those of their tasks.
fn tagged(joined: &Joined) -> impl Iterator<Item = &Session> {
    joined.sessions().filter(|session| is_tagged(session))
}

fn is_tagged(session: &Session) -> bool {
    session.kind == Kind::Agent && matches!(session.metadata, Metadata::Tags(_))
}

fn without_tags(joined: &mut Joined, fault: Fault) {
    unlearn(joined, "its tasks could not be read", |_| true);
    testimony::meet(&mut joined.why, fault);
}

fn unlearn(joined: &mut Joined, why: &'static str, which: impl Fn(&Session) -> bool) {
    for session in joined.sessions_mut().filter(|session| is_tagged(session) && which(session)) {
        session.metadata = Metadata::Unlearnt { why };
    }
}

/// The key is refused, or is to be silent: another call would only make it worse. A 403 is not among these: a key may have a right to one inventory alone.
fn forbids_another_call(fault: &Fault) -> bool {
    fault.kind == FaultKind::Unauthorized || fault.asks_for_silence()
}

/// What a row says, where it speaks of what was asked for: `name` is by what that is known in it.
fn one<T>(row: Row<T>, asked: &SessionId, name: impl Fn(&T) -> Option<&SessionId>) -> Result<T, Fault> {
    match row {
        Row::Read(item) if name(&item) == Some(asked) => Ok(item),
        Row::Rejected(row) if row.id.as_ref().is_none_or(|id| id == asked) => Err(unread(&row.why)),
        _ => Err(another_session()),
    }
}

#[cfg(test)]
mod tests;
