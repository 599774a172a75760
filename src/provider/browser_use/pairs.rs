//! Browsers and agent sessions, joined into what a person would call a session: an agent session and its browser are one.

use std::collections::{BTreeMap, BTreeSet};

use super::items::{Agent, Browser, Owner};
use super::paging::Read;
use super::seen::Seen;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::listing::{Complete, Listing, RejectedRow, Rows};
use crate::domain::name::{ApiVersion, Kind, SessionId};
use crate::domain::session::{Metadata, Parts, Session, Target};
use crate::provider::weightier;

/// A listing in the making.
#[derive(Debug)]
pub(super) struct Joined {
    /// Of these kinds everything is known, and stands in `sure`.
    pub(super) kinds: &'static [Kind],
    pub(super) sure: Rows,
    pub(super) rest: Rows,
    pub(super) why: Option<Fault>,
}

impl Joined {
    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sure.sessions.iter().chain(&self.rest.sessions)
    }

    pub(super) fn sessions_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sure.sessions.iter_mut().chain(&mut self.rest.sessions)
    }

    pub(super) fn listing(self) -> Listing {
        match self.why {
            None => Listing::complete(self.sure),
            Some(why) => {
                let whole = (!self.kinds.is_empty()).then(|| Complete::of(self.kinds, self.sure));
                Listing::Partial { rows: self.rest, whole, why }
            }
        }
    }
}

/// Joins what was read. Fails where nothing was.
pub(super) fn joined(version: ApiVersion, browsers: Result<Read<Browser>, Fault>, agents: Result<Read<Agent>, Fault>) -> Result<Joined, Fault> {
    let why = match (&browsers, &agents) {
        (Err(first), Err(second)) => return Err(weightier(first, second).clone()),
        (first, second) => [lack(first), lack(second)].into_iter().flatten().reduce(weightier).cloned(),
    };
    let whole = (lack(&browsers).is_none(), lack(&agents).is_none());
    let (alone, of_agents) = Inventories::new(version, browsers, agents).sessions();
    Ok(match whole {
        (true, true) => Joined { kinds: Kind::ALL, sure: both(alone, of_agents), rest: Rows::default(), why },
        (true, false) => Joined { kinds: &[Kind::Browser], sure: alone, rest: of_agents, why },
        (false, _) => Joined { kinds: &[], sure: Rows::default(), rest: both(alone, of_agents), why },
    })
}

fn lack<T>(inventory: &Result<Read<T>, Fault>) -> Option<&Fault> {
    match inventory {
        Ok(read) => read.lack.as_ref(),
        Err(fault) => Some(fault),
    }
}

/// Each id once: the first word on it stands.
fn both(mut rows: Rows, more: Rows) -> Rows {
    let known: BTreeSet<SessionId> = rows.there().cloned().collect();
    rows.sessions.extend(more.sessions.into_iter().filter(|session| !known.contains(&session.id)));
    rows.rejected.extend(more.rejected.into_iter().filter(|row| row.id.as_ref().is_none_or(|id| !known.contains(id))));
    rows
}

/// The two inventories, sorted for joining.
struct Inventories {
    version: ApiVersion,
    alone: Vec<Browser>,
    /// The live browsers of each agent session, the oldest first.
    browsers: BTreeMap<SessionId, Vec<Browser>>,
    agents: BTreeMap<SessionId, Agent>,
    /// Browsers that could not be read, unless they belong to an agent session.
    rejected: Vec<RejectedRow>,
    /// Agent sessions of which something could not be read, and what.
    rejected_agents: BTreeMap<SessionId, String>,
    nameless_agents: Vec<RejectedRow>,
    /// Every live browser's agent session is known.
    browsers_known: bool,
    /// An agent session of which no browser was read may have one all the same.
    browsers_hidden: bool,
    /// A browser's agent session that was not read may live all the same.
    agents_hidden: bool,
    /// Every live agent session is known, with whether it is kept alive where the version says so.
    agents_known: bool,
}

impl Inventories {
    fn new(version: ApiVersion, browsers: Result<Read<Browser>, Fault>, agents: Result<Read<Agent>, Fault>) -> Self {
        // What is not in a list that was read to its end is not live. A key without the right to read an inventory has nothing but the other to go by.
        // Any other fault says nothing of what would have been read.
        let hides = |lack: Option<&Fault>| lack.is_some_and(|fault| fault.kind != FaultKind::Forbidden);
        let nameless = agents.as_ref().is_ok_and(|read| read.rejected.iter().any(|row| row.id.is_none()));
        let mut sorted = Self {
            version,
            alone: Vec::new(),
            browsers: BTreeMap::new(),
            agents: BTreeMap::new(),
            rejected: Vec::new(),
            rejected_agents: BTreeMap::new(),
            nameless_agents: Vec::new(),
            browsers_known: lack(&browsers).is_none(),
            browsers_hidden: hides(lack(&browsers)),
            agents_hidden: hides(lack(&agents)) || nameless,
            agents_known: lack(&agents).is_none() || version != ApiVersion::V2,
        };
        browsers.into_iter().for_each(|read| sorted.sort_browsers(read));
        agents.into_iter().for_each(|read| sorted.sort_agents(read));
        sorted
    }

    fn sort_browsers(&mut self, read: Read<Browser>) {
        for row in read.rejected {
            match row.owner {
                Owner::None => self.rejected.push(RejectedRow { id: row.id, why: row.why }),
                // Its agent session would be taken for one without a browser.
                Owner::Agent(agent) => drop(self.rejected_agents.insert(agent, format!("its browser is not known: {}", row.why))),
                Owner::Unknown => {
                    self.browsers_known = false;
                    self.browsers_hidden = true;
                    self.rejected.push(RejectedRow { id: None, why: row.why });
                }
            }
        }
        for browser in read.rows.into_iter().filter(|browser| !browser.status.phase.is_ended()) {
            match browser.agent.clone() {
                None => self.alone.push(browser),
                Some(agent) => self.browsers.entry(agent).or_default().push(browser),
            }
        }
        for browsers in self.browsers.values_mut() {
            browsers.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
        }
    }

    fn sort_agents(&mut self, read: Read<Agent>) {
        for row in read.rejected {
            match row.id {
                Some(id) => drop(self.rejected_agents.insert(id, row.why)),
                None => self.nameless_agents.push(RejectedRow { id: None, why: row.why }),
            }
        }
        self.agents.extend(read.rows.into_iter().map(|agent| (agent.id.clone(), agent)));
    }

    /// The browsers alone, and whatever belongs to agents.
    fn sessions(self) -> (Rows, Rows) {
        let alone = self.alone.iter().map(alone).collect();
        let ids: BTreeSet<&SessionId> = self.agents.keys().chain(self.browsers.keys()).collect();
        let (mut of_agents, mut rejected) = (Vec::new(), Vec::new());
        for id in ids.into_iter().filter(|id| !self.rejected_agents.contains_key(id)) {
            match self.lacks_half(id) {
                Some(why) => rejected.push(RejectedRow { id: Some(id.clone()), why: why.to_owned() }),
                None => of_agents.extend(self.of_agent(id)),
            }
        }
        rejected.extend(self.rejected_agents.into_iter().map(|(id, why)| RejectedRow { id: Some(id), why }));
        rejected.extend(self.nameless_agents);
        (Rows { sessions: alone, rejected: self.rejected }, Rows { sessions: of_agents, rejected })
    }

    /// Why a session is known to be there and no more. Half of one is not judged: its browser may be held, or make it younger; its agent session may be one
    /// that is to be kept alive.
    fn lacks_half(&self, id: &SessionId) -> Option<&'static str> {
        match self.agents.get(id) {
            None if self.agents_hidden => Some("its browser alone could be read"),
            Some(agent) if self.browsers_hidden && !agent.status.phase.is_ended() && !self.browsers.contains_key(id) => {
                Some("whether it has a browser could not be read")
            }
            _ => None,
        }
    }

    /// The session under an agent session's id, unless it is over.
    ///
    /// Of several live browsers the oldest is meant. Where the agent session lives its stop ends them all; where it does not, the others show up one by one,
    /// each as another life, once the one before is over.
    fn of_agent(&self, id: &SessionId) -> Option<Session> {
        let agent = self.agents.get(id);
        let browsers = self.browsers.get(id).map_or(&[][..], Vec::as_slice);
        let live = agent.filter(|agent| !agent.status.phase.is_ended());
        let parts = Parts {
            own: self.version != ApiVersion::V4 && live.is_some(),
            browser: browsers.first().map(|browser| browser.id.clone()),
            run: live.and_then(|agent| agent.run.clone()),
        };
        if live.is_none() && browsers.is_empty() {
            return None;
        }
        let target = Target { id: id.clone(), kind: Kind::Agent, parts };
        let session = Seen::of(agent, browsers.first())?.session(&target, self.metadata(browsers));
        Some(Session { keep_alive_unlearnt: agent.is_none() && !self.agents_known, ..session })
    }

    fn metadata(&self, browsers: &[Browser]) -> Metadata {
        match (self.version, browsers) {
            // A tag on a browser that was not read could protect it.
            (_, []) if !self.browsers_known => Metadata::Unlearnt { why: "the browsers could not be read" },
            // Those of its tasks are still to come.
            (ApiVersion::V2, []) => Metadata::default(),
            (ApiVersion::V3 | ApiVersion::V4, []) => Metadata::NotKept,
            (_, browsers) => of_all(browsers),
        }
    }
}

fn alone(browser: &Browser) -> Session {
    let target = Target { id: browser.id.clone(), kind: Kind::Browser, parts: Parts::default() };
    Seen::Browser(browser).session(&target, browser.metadata.clone())
}

/// What stands on any of them: the stop of their agent session ends them all. The oldest has the first word.
fn of_all(browsers: &[Browser]) -> Metadata {
    let mut all = serde_json::Map::new();
    for browser in browsers {
        let Metadata::Tags(tags) = &browser.metadata else { return browser.metadata.clone() };
        for (key, value) in tags {
            all.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Metadata::Tags(all)
}

#[cfg(test)]
mod tests;
