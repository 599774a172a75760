//! Agent sessions: v2's and v3's, which can be stopped, and v4's conversations, which cannot.

use serde_json::Value;

use super::desk::{Desk, with_browser};
use super::parameters::{Page, Parameters, field, object};
use super::tasks::{TASK_TAKES, place};
use super::{Refusal, Said, not_found, wire};
use crate::domain::name::SessionId;
use crate::simulator::agent::{Agent, NewAgent, NewTask};

impl Desk<'_> {
    pub(super) fn list_sessions_v2(&self, query: &Parameters<'_>) -> Said {
        let wanted = query.word("filterBy", &["active", "stopped"])?;
        let fits = |agent: &Agent| wanted.is_none_or(|word| (word == "stopped") == agent.ended(self.at).is_some());
        let rows = self.agents(|agent, at| fits(agent).then(|| wire::session_v2(agent, at)));
        Ok((200, Page::camel(rows, query)?))
    }

    pub(super) fn create_session_v2(&mut self, body: &[u8]) -> Said {
        let keep_alive = field(&object(body)?, "keepAlive", Value::as_bool)?.unwrap_or(true);
        let id = self.open(NewAgent { keep_alive, ..with_browser() })?;
        self.agent(id.as_str(), wire::session_v2).map(|(_, row)| (201, row))
    }

    pub(super) fn create_session_v3(&mut self, body: &[u8]) -> Said {
        let body = object(body)?;
        let keep_alive = field(&body, "keepAlive", Value::as_bool)?.unwrap_or(false);
        let tasks = field(&body, "task", Value::as_str)?.map(|_| NewTask { takes: Some(TASK_TAKES), ..NewTask::default() });
        let id = match field(&body, "sessionId", Value::as_str)? {
            Some(id) => self.give_task(id, NewTask { takes: Some(TASK_TAKES), ..NewTask::default() })?.0,
            None => self.open(NewAgent { keep_alive, tasks: tasks.into_iter().collect(), ..with_browser() })?,
        };
        self.agent(id.as_str(), wire::session_v3)
    }

    pub(super) fn stop_session_v3(&mut self, id: &str, body: &[u8]) -> Said {
        let body = object(body)?;
        match field(&body, "strategy", Value::as_str)?.unwrap_or("session") {
            "session" => self.stop_agent(id)?,
            "task" => self.stop_tasks(id)?,
            _ => return Err(Refusal(422, wire::invalid(&["body", "strategy"], "Input should be session or task"))),
        }
        self.agent(id, wire::session_v3)
    }

    pub(super) fn list_sessions_v4(&self, query: &Parameters<'_>) -> Said {
        let row = |agent: &Agent| Some((place(agent.latest()?), wire::session_v4(agent, self.at)?));
        let mut rows: Vec<(String, Value)> = self.agents_of_key().filter_map(row).collect();
        rows.sort_by(|(one, _), (other, _)| other.cmp(one));
        Ok((200, Page::keyset("sessions", rows, query, 20)?))
    }

    pub(super) fn conversation(&self, id: &str) -> Said {
        let agent = self.own(id)?;
        wire::session_v4(agent, self.at).map(|row| (200, row)).ok_or_else(not_found)
    }

    pub(super) fn rename(&mut self, id: &str, body: &[u8]) -> Said {
        let title = field(&object(body)?, "title", Value::as_str)?.map(str::to_owned);
        self.own(id)?;
        if let Some(agent) = self.world.agent_mut(self.key, &id.into()) {
            agent.title = title.or(agent.title.take());
        }
        self.conversation(id)
    }

    pub(super) fn delete(&mut self, id: &str) -> Said {
        self.stop_agent(id)?;
        Ok((204, Value::Null))
    }

    /// An agent session ends with its tasks and its browser.
    pub(super) fn stop_agent(&mut self, id: &str) -> Result<(), Refusal> {
        self.own(id)?;
        let Some(agent) = self.world.agent_mut(self.key, &id.into()).filter(|_| !self.inert) else { return Ok(()) };
        let (end, browser) = (agent.request_release(self.at), agent.browser.clone());
        if let (Some(end), Some(life)) = (end, browser.and_then(|browser| self.world.life_mut(self.key, &browser)))
            && life.ended(self.at).is_none()
        {
            life.release = life.release.or(Some(end));
        }
        Ok(())
    }

    pub(super) fn stop_tasks(&mut self, id: &str) -> Result<(), Refusal> {
        let ids: Vec<SessionId> = self.own(id)?.tasks.iter().map(|task| task.id.clone()).collect();
        ids.iter().try_for_each(|id| self.end_task(id.as_str()))
    }
}
