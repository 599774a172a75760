//! One session of ours, put together from what was seen of it.

use super::items::{Agent, Browser, Item};
use crate::domain::activity::Sign;
use crate::domain::session::{Metadata, Phase, Session, Status, Target};
use crate::domain::time::Timestamp;

/// Of a session's two faces, what is known of each. An agent session that is over stays known: it dates what it left behind.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    Agent(&'a Agent),
    Browser(&'a Browser),
    Both(&'a Agent, &'a Browser),
}

impl<'a> Seen<'a> {
    pub(super) fn of(agent: Option<&'a Agent>, browser: Option<&'a Browser>) -> Option<Self> {
        match (agent, browser) {
            (Some(agent), Some(browser)) => Some(Self::Both(agent, browser)),
            (Some(agent), None) => Some(Self::Agent(agent)),
            (None, Some(browser)) => Some(Self::Browser(browser)),
            (None, None) => None,
        }
    }

    /// One session of it.
    pub(super) fn session(self, target: &Target, metadata: Metadata) -> Session {
        let (agent, browser) = (self.agent(), self.browser());
        let status = self.status();
        let own_start = agent.and_then(|agent| agent.started_at);
        Session {
            id: target.id.clone(),
            kind: target.kind,
            created_at: self.created_at(),
            started_at: own_start.or(browser.map(|browser| browser.started_at)),
            expires_at: browser.and_then(|browser| browser.expires_at),
            ended_at: self.ended_at().filter(|_| status.phase.is_ended()),
            status,
            region: None,
            keep_alive: agent.and_then(|agent| agent.keep_alive),
            keep_alive_unlearnt: false,
            project: None,
            proxy_bytes: browser.and_then(|browser| browser.proxy_bytes).or(agent.and_then(|agent| agent.proxy_bytes)),
            sign: agent.map_or(Sign::Nothing, |agent| agent.sign),
            metadata,
            parts: target.parts.clone(),
        }
    }

    const fn agent(self) -> Option<&'a Agent> {
        match self {
            Self::Agent(agent) | Self::Both(agent, _) => Some(agent),
            Self::Browser(_) => None,
        }
    }

    const fn browser(self) -> Option<&'a Browser> {
        match self {
            Self::Browser(browser) | Self::Both(_, browser) => Some(browser),
            Self::Agent(_) => None,
        }
    }

    const fn created_at(self) -> Timestamp {
        match self {
            Self::Agent(agent) | Self::Both(agent, _) => agent.created_at,
            Self::Browser(browser) => browser.started_at,
        }
    }

    /// The browser's end is what counts where there is one: it bills.
    fn ended_at(self) -> Option<Timestamp> {
        match self {
            Self::Agent(agent) => agent.ended_at(),
            Self::Browser(browser) | Self::Both(_, browser) => browser.ended_at,
        }
    }

    fn status(self) -> Status {
        match self {
            Self::Agent(agent) => agent.status.clone(),
            Self::Browser(browser) => browser.status.clone(),
            Self::Both(agent, browser) => of_both(&agent.status, &browser.status),
        }
    }
}

/// The status of the part that decides: an unknown one, for nothing is done about what is not understood; else one that lives; else the agent's where it
/// says that something went wrong, and the browser's.
fn of_both(agent: &Status, browser: &Status) -> Status {
    match (agent.phase, browser.phase) {
        (Phase::Unknown | Phase::Running, _) if browser.phase != Phase::Unknown => agent.clone(),
        (_, Phase::Unknown | Phase::Running | Phase::Pending) => browser.clone(),
        (Phase::TimedOut | Phase::Errored, Phase::Completed) => agent.clone(),
        // Its browser came and went, so that it does not wait for one any more.
        (Phase::Pending, _) => Status { phase: Phase::Running, ..agent.clone() },
        _ => browser.clone(),
    }
}
