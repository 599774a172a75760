//! Agent sessions of Browser Use, each with the browser that it drives and the task that it is at.

use session_reaper::domain::name::{ApiVersion, SessionId};
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::{NewAgent, NewSession, NewTask};

use super::{Api, Stage, ci};

/// An agent session that drives this browser, as old as it, at a task without end.
pub(in crate::daemon) fn linked(browser: NewSession) -> NewAgent {
    NewAgent { age: browser.age, fate: browser.fate, tasks: vec![NewTask::default()], browser: Some(browser), ..NewAgent::default() }
}

impl Stage {
    pub(in crate::daemon) fn add_agent(&self, new: NewAgent) -> SessionId {
        self.world.with(|world| world.create_agent(&self.key("growth"), new, self.clock.now())).expect("the key is one of this world's")
    }

    /// An agent session whose browser is one of `ci` and falls due so many milliseconds from now, and so does it.
    pub(in crate::daemon) fn pair_due_in(&self, millis: i64) -> SessionId {
        self.add_agent(linked(ci(millis)))
    }

    pub(in crate::daemon) fn linked_browser(&self, agent: &SessionId) -> Option<SessionId> {
        self.world.with(|world| world.lives().find(|life| life.agent.as_ref() == Some(agent)).map(|life| life.id.clone()))
    }

    pub(in crate::daemon) fn browser_of(&self, agent: &SessionId) -> SessionId {
        self.linked_browser(agent).expect("it drives one")
    }

    pub(in crate::daemon) fn run_of(&self, agent: &SessionId) -> SessionId {
        let run = self.world.with(|world| Some(world.agent(agent)?.latest()?.id.clone()));
        run.expect("it has one")
    }

    /// What is asked for to release a session, a pair or a browser alone, by the ids of what is asked about.
    pub(in crate::daemon) fn asked_to_release(&self, id: &SessionId) -> Vec<SessionId> {
        let is_conversation = self.api == Api::BrowserUse(ApiVersion::V4) && self.world.with(|world| world.agent(id).is_some());
        if is_conversation { vec![self.run_of(id), self.browser_of(id)] } else { vec![id.clone()] }
    }

    /// Every release request that was about any part of an agent session, in order, by the ids of what was asked about.
    pub(in crate::daemon) fn requests_about(&self, agent: &SessionId) -> Vec<SessionId> {
        let parts = [agent.clone(), self.browser_of(agent), self.run_of(agent)];
        let releases = self.journal().into_iter().filter(|request| request.asked == Asked::Release);
        releases.filter_map(|request| request.session).filter(|id| parts.contains(id)).collect()
    }
}
