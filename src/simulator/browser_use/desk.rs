//! One customer's request at work: which handler it is for, and what the handlers share.

use serde_json::{Value, json};

use super::parameters::{Page, Parameters, demand, object};
use super::{ApiCall, Refusal, Said, broken, not_found, wire};
use crate::domain::name::{ApiVersion, SessionId};
use crate::domain::time::Timestamp;
use crate::simulator::agent::{Agent, NewAgent, NewTask};
use crate::simulator::life::NewSession;
use crate::simulator::world::World;

/// One customer's request at work.
pub(super) struct Desk<'a> {
    pub(super) world: &'a mut World,
    pub(super) key: &'a str,
    pub(super) now: Timestamp,
    pub(super) at: Timestamp,
    /// Stops are accepted and forgotten.
    pub(super) inert: bool,
}

impl Desk<'_> {
    pub(super) fn serve(mut self, call: &ApiCall) -> Said {
        let query = Parameters(&call.query);
        let path = call.path();
        match (call.method.as_str(), path.as_slice()) {
            ("GET", ["browsers"]) => self.list_browsers(&query),
            ("POST", ["browsers", id, "simulate"]) => self.act(id, &call.body),
            ("POST", ["browsers"]) => self.create_browser(&call.body),
            ("GET", ["browsers", id]) => self.browser(id),
            ("PATCH", ["browsers", id]) => self.stop_browser(id, &call.body),
            ("GET", ["billing", "account"]) if call.version != ApiVersion::V4 => self.account(),
            ("DELETE", ["sessions", id]) => self.delete(id),
            (method, path) => match call.version {
                ApiVersion::V2 => self.serve_v2(method, path, &query, &call.body),
                ApiVersion::V3 => self.serve_v3(method, path, &query, &call.body),
                ApiVersion::V4 => self.serve_v4(method, path, &query, &call.body),
            },
        }
    }

    pub(super) fn serve_v2(&mut self, method: &str, path: &[&str], query: &Parameters<'_>, body: &[u8]) -> Said {
        match (method, path) {
            ("GET", ["sessions"]) => self.list_sessions_v2(query),
            ("POST", ["sessions"]) => self.create_session_v2(body),
            ("GET", ["sessions", id]) => self.agent(id, wire::session_view_v2),
            ("PATCH", ["sessions", id]) => {
                demand(&object(body)?, "action", &["stop"])?;
                self.stop_agent(id)?;
                self.agent(id, wire::session_view_v2)
            }
            ("GET", ["tasks"]) => self.list_tasks(query),
            ("POST", ["tasks"]) => self.create_task(body),
            ("GET", ["tasks", id]) => self.task(id, wire::task_view),
            ("PATCH", ["tasks", id]) => self.stop_task(id, body),
            ("GET", ["tasks", id, "status"]) => self.task(id, |agent, task, at| {
                let (progress, over) = agent.progress(task, at);
                json!({ "id": task.id, "status": wire::task_word(progress), "finishedAt": over.map(crate::domain::time::rfc3339) })
            }),
            _ => nothing_here(),
        }
    }

    pub(super) fn serve_v3(&mut self, method: &str, path: &[&str], query: &Parameters<'_>, body: &[u8]) -> Said {
        match (method, path) {
            ("GET", ["sessions"]) => {
                let rows = self.agents(|agent, at| Some(wire::session_v3(agent, at)));
                Ok((200, Page::snake(rows, query)?))
            }
            ("POST", ["sessions"]) => self.create_session_v3(body),
            ("GET", ["sessions", id]) => self.agent(id, wire::session_v3),
            ("GET", ["sessions", id, "messages"]) => self.list_messages(id, query),
            ("POST", ["sessions", id, "stop"]) => self.stop_session_v3(id, body),
            _ => nothing_here(),
        }
    }

    pub(super) fn serve_v4(&mut self, method: &str, path: &[&str], query: &Parameters<'_>, body: &[u8]) -> Said {
        match (method, path) {
            ("GET", ["sessions"]) => self.list_sessions_v4(query),
            ("GET", ["sessions", id]) => self.conversation(id),
            ("PATCH", ["sessions", id]) => self.rename(id, body),
            ("GET", ["runs"]) => self.list_runs(query),
            ("POST", ["runs"]) => self.create_run(body),
            ("GET", ["runs", id]) => self.task(id, wire::run),
            ("GET", ["runs", id, "status"]) => self.task(id, |agent, run, at| json!({ "status": wire::run_word(agent.progress(run, at).0) })),
            ("GET", ["runs", id, "events"]) => self.list_events(id, query),
            ("POST", ["runs", id, "cancel"]) => self.cancel(id),
            _ => nothing_here(),
        }
    }

    pub(super) fn account(&mut self) -> Said {
        let live = self.world.lives().filter(|life| &*life.key == self.key && life.ended(self.at).is_none()).count();
        self.world.project(self.key).map(|project| (200, wire::account(project, live))).ok_or_else(broken)
    }

    pub(super) fn agents_of_key(&self) -> impl Iterator<Item = &Agent> {
        self.world.agents().filter(|agent| &*agent.key == self.key && agent.created_at <= self.at)
    }

    /// The newest first.
    pub(super) fn agents(&self, row: impl Fn(&Agent, Timestamp) -> Option<Value>) -> Vec<Value> {
        let mut agents: Vec<&Agent> = self.agents_of_key().collect();
        agents.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        agents.into_iter().filter_map(|agent| row(agent, self.at)).collect()
    }

    pub(super) fn own(&self, id: &str) -> Result<&Agent, Refusal> {
        self.agents_of_key().find(|agent| agent.id.as_str() == id).ok_or_else(not_found)
    }

    pub(super) fn agent(&self, id: &str, row: impl FnOnce(&Agent, Timestamp) -> Value) -> Said {
        Ok((200, row(self.own(id)?, self.at)))
    }

    pub(super) fn open(&mut self, new: NewAgent) -> Result<SessionId, Refusal> {
        self.world.create_agent(self.key, new, self.now).ok_or_else(broken)
    }

    pub(super) fn open_with(&mut self, task: NewTask, keep_alive: bool) -> Result<(SessionId, SessionId), Refusal> {
        let session = self.open(NewAgent { keep_alive, tasks: vec![task], ..with_browser() })?;
        let task = self.world.agent(&session).and_then(Agent::latest).map(|task| task.id.clone());
        Ok((session, task.ok_or_else(broken)?))
    }

    pub(super) fn give_task(&mut self, session: &str, task: NewTask) -> Result<(SessionId, SessionId), Refusal> {
        self.own(session)?;
        let id = self.world.give_task(self.key, &session.into(), task, self.now).ok_or_else(broken)?;
        Ok((session.into(), id))
    }
}

/// A new session's browser lives for an hour.
pub(super) fn with_browser() -> NewAgent {
    NewAgent { browser: Some(NewSession { timeout: wire::DEFAULT_TIMEOUT, ..NewSession::default() }), ..NewAgent::default() }
}

fn nothing_here() -> Said {
    Err(Refusal(404, wire::detail("Not Found")))
}
