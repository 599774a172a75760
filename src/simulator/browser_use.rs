//! Browser Use's API over the world, in its three versions: a request as a value in, an answer as a value out, whichever way they travel.

mod parameters;
mod wire;

use serde_json::{Map, Value, json};

use super::agent::{Agent, NewAgent, NewTask, Task};
use super::answer::{Answer, Asked, Delivery};
use super::fault::{Fault, Shot, Struck};
use super::life::{Cause, End, Life, NewSession};
use super::world::{Request, World};
use crate::domain::event::Operation;
use crate::domain::name::{ApiVersion, SessionId};
use crate::domain::time::{SignedDuration, Timestamp, later};
use parameters::{Page, Parameters, field, labels, object};
pub(super) use wire::detail;

/// One request below `/api/vN`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiCall {
    pub version: ApiVersion,
    pub method: String,
    pub segments: Vec<String>,
    pub query: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An answer that is no yes: its status and its body.
struct Refusal(u16, Value);

type Said = Result<(u16, Value), Refusal>;

/// How long a task takes that a client gives, unless somebody stops it.
const TASK_TAKES: SignedDuration = SignedDuration::from_mins(20);
/// How long a run's browser is kept after it where the client does not say.
const KEPT_AFTER_RUN: SignedDuration = SignedDuration::from_secs(120);
/// No browser lives longer.
const LONGEST_MINUTES: i64 = 240;

impl World {
    /// Answers one request of Browser Use's API that arrives now, by the asker's clock, and does what it asks.
    pub fn answer_browser_use(&mut self, key: Option<&str>, call: &ApiCall, now: Timestamp) -> Answer {
        self.advance(now);
        let at = self.time(now);
        let known = key.filter(|key| key.starts_with(super::BROWSER_USE_KEY) && self.project(key).is_some());
        let answer = match known {
            None => Answer::json(401, detail(if key.is_some() { "Invalid API key" } else { "Missing API key" }), at),
            Some(key) => self.answer_customer(key, call, now, at),
        };
        let outcome = match answer.delivery {
            Delivery::Whole => answer.status.to_string(),
            Delivery::Never => "hung".to_owned(),
            Delivery::Cut => "cut".to_owned(),
        };
        let line = format!("{} /api/{}/{}", call.method, call.version, call.segments.join("/"));
        self.record(Request { at, asked: call.asked(), key: known.map(Into::into), session: call.session(), outcome, line });
        answer
    }

    fn answer_customer(&mut self, key: &str, call: &ApiCall, now: Timestamp, at: Timestamp) -> Answer {
        let session = call.session();
        let shot = call.operation().map(|operation| Shot { operation, key, status: call.inventory(), session: session.as_ref() });
        let struck = shot.map_or_else(Struck::default, |shot| self.faults_mut().strike(&shot, at));
        let said = match &struck.fault {
            Some((fault, _)) if fault.forestalls() => Ok((200, Value::Null)),
            fault => Desk { world: self, key, now, at, inert: matches!(fault, Some((Fault::NeverEnding, _))) }.serve(call),
        };
        let (status, body) = said.unwrap_or_else(|Refusal(status, body)| (status, body));
        let answer = Answer::json(status, body, at);
        let answer = if status == 204 { Answer { body: String::new(), ..answer } } else { answer };
        answer.spoilt(struck)
    }
}

impl ApiCall {
    fn path(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    fn asked(&self) -> Asked {
        match (self.method.as_str(), self.path().as_slice()) {
            ("GET", [_]) => Asked::List,
            ("GET", ["billing", ..]) => Asked::Projects,
            ("GET", _) => Asked::Read,
            ("DELETE", _) | ("POST", [_, _, "purge"]) => Asked::Destroy,
            ("PATCH", ["sessions", _]) if self.version == ApiVersion::V4 => Asked::Rename,
            ("PATCH", _) | ("POST", [_, _, "stop" | "cancel"]) => Asked::Release,
            ("POST", [_]) => Asked::Create,
            _ => Asked::Garbled,
        }
    }

    /// Faults are about the calls that a reaper makes.
    fn operation(&self) -> Option<Operation> {
        match self.asked() {
            Asked::List => Some(Operation::List),
            Asked::Read => Some(Operation::Read),
            Asked::Release => Some(Operation::Release),
            _ => None,
        }
    }

    fn inventory(&self) -> Option<&str> {
        self.segments.first().map(String::as_str)
    }

    fn session(&self) -> Option<SessionId> {
        self.segments.get(1).map(|id| id.as_str().into())
    }
}

/// One customer's request at work.
struct Desk<'a> {
    world: &'a mut World,
    key: &'a str,
    now: Timestamp,
    at: Timestamp,
    /// Stops are accepted and forgotten.
    inert: bool,
}

impl Desk<'_> {
    fn serve(mut self, call: &ApiCall) -> Said {
        let query = Parameters(&call.query);
        let path = call.path();
        match (call.method.as_str(), path.as_slice()) {
            ("GET", ["browsers"]) => self.list_browsers(&query),
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

    fn serve_v2(&mut self, method: &str, path: &[&str], query: &Parameters<'_>, body: &[u8]) -> Said {
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

    fn serve_v3(&mut self, method: &str, path: &[&str], query: &Parameters<'_>, body: &[u8]) -> Said {
        match (method, path) {
            ("GET", ["sessions"]) => {
                let rows = self.agents(|agent, at| Some(wire::session_v3(agent, at)));
                Ok((200, Page::snake(rows, query)?))
            }
            ("POST", ["sessions"]) => self.create_session_v3(body),
            ("GET", ["sessions", id]) => self.agent(id, wire::session_v3),
            ("GET", ["sessions", id, "messages"]) => self.agent(id, |_, _| json!({ "messages": [], "hasMore": false })),
            ("POST", ["sessions", id, "stop"]) => self.stop_session_v3(id, body),
            _ => nothing_here(),
        }
    }

    fn serve_v4(&mut self, method: &str, path: &[&str], query: &Parameters<'_>, body: &[u8]) -> Said {
        match (method, path) {
            ("GET", ["sessions"]) => {
                let mut rows: Vec<(String, Value)> =
                    self.agents_of_key().filter_map(|agent| Some((place(agent.latest()?), wire::session_v4(agent, self.at)?))).collect();
                rows.sort_by(|(one, _), (other, _)| other.cmp(one));
                Ok((200, Page::keyset("sessions", rows, query, 20)?))
            }
            ("GET", ["sessions", id]) => self.conversation(id),
            ("PATCH", ["sessions", id]) => self.rename(id, body),
            ("GET", ["runs"]) => self.list_runs(query),
            ("POST", ["runs"]) => self.create_run(body),
            ("GET", ["runs", id]) => self.task(id, wire::run),
            ("GET", ["runs", id, "status"]) => self.task(id, |agent, run, at| json!({ "status": wire::run_word(agent.progress(run, at).0) })),
            ("GET", ["runs", id, "events"]) => self.task(id, |_, _, _| json!({ "events": [], "nextAfter": null, "hasMore": false })),
            ("POST", ["runs", id, "cancel"]) => self.cancel(id),
            _ => nothing_here(),
        }
    }

    fn list_browsers(&self, query: &Parameters<'_>) -> Said {
        let wanted = query.word("filterBy", &["active", "stopped"])?;
        let labels: Vec<&str> = query.all("metadata").collect();
        let fits = |life: &&Life| {
            let shown = life.created_at <= self.at && wanted.is_none_or(|word| (word == "stopped") == life.ended(self.at).is_some());
            let owner = query.text("agentSessionId").is_none_or(|id| life.agent.as_ref().is_some_and(|agent| agent.as_str() == id));
            shown && owner && labels.iter().all(|label| has_label(life, label))
        };
        let mut lives: Vec<&Life> = self.world.lives().filter(|life| &*life.key == self.key).filter(fits).collect();
        lives.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok((200, Page::camel(lives.into_iter().map(|life| wire::browser(life, self.at)).collect(), query)?))
    }

    fn create_browser(&mut self, body: &[u8]) -> Said {
        let body = object(body)?;
        let minutes = field(&body, "timeout", Value::as_i64)?.unwrap_or(wire::DEFAULT_TIMEOUT.as_mins());
        match minutes {
            1..=LONGEST_MINUTES => {}
            ..1 => return Err(Refusal(422, wire::invalid(&["body", "timeout"], "Input should be at least 1"))),
            _ => return Err(Refusal(403, detail("Maximum session timeout is 4 hours (240 minutes)."))),
        }
        let new = NewSession { metadata: labels(&body)?, timeout: SignedDuration::from_mins(minutes), ..NewSession::default() };
        let id = self.world.create(self.key, new, self.now).ok_or_else(broken)?;
        self.browser(id.as_str()).map(|(_, row)| (201, row))
    }

    fn browser(&mut self, id: &str) -> Said {
        let at = self.at;
        self.world.life_mut(self.key, &id.into()).map(|life| (200, wire::browser(life, at))).ok_or_else(not_found)
    }

    fn stop_browser(&mut self, id: &str, body: &[u8]) -> Said {
        demand(&object(body)?, "action", &["stop"])?;
        let (at, inert) = (self.at, self.inert);
        let life = self.world.life_mut(self.key, &id.into()).ok_or_else(not_found)?;
        if !inert {
            life.request_release(at);
        }
        self.browser(id)
    }

    fn list_sessions_v2(&self, query: &Parameters<'_>) -> Said {
        let wanted = query.word("filterBy", &["active", "stopped"])?;
        let fits = |agent: &Agent| wanted.is_none_or(|word| (word == "stopped") == agent.ended(self.at).is_some());
        let rows = self.agents(|agent, at| fits(agent).then(|| wire::session_v2(agent, at)));
        Ok((200, Page::camel(rows, query)?))
    }

    fn create_session_v2(&mut self, body: &[u8]) -> Said {
        let keep_alive = field(&object(body)?, "keepAlive", Value::as_bool)?.unwrap_or(true);
        let id = self.open(NewAgent { keep_alive, ..with_browser() })?;
        self.agent(id.as_str(), wire::session_v2).map(|(_, row)| (201, row))
    }

    fn create_session_v3(&mut self, body: &[u8]) -> Said {
        let body = object(body)?;
        let keep_alive = field(&body, "keepAlive", Value::as_bool)?.unwrap_or(false);
        let tasks = field(&body, "task", Value::as_str)?.map(|_| NewTask { takes: Some(TASK_TAKES), ..NewTask::default() });
        let id = match field(&body, "sessionId", Value::as_str)? {
            Some(id) => self.give_task(id, NewTask { takes: Some(TASK_TAKES), ..NewTask::default() })?.0,
            None => self.open(NewAgent { keep_alive, tasks: tasks.into_iter().collect(), ..with_browser() })?,
        };
        self.agent(id.as_str(), wire::session_v3)
    }

    fn stop_session_v3(&mut self, id: &str, body: &[u8]) -> Said {
        let body = object(body)?;
        match field(&body, "strategy", Value::as_str)?.unwrap_or("session") {
            "session" => self.stop_agent(id)?,
            "task" => self.stop_tasks(id)?,
            _ => return Err(Refusal(422, wire::invalid(&["body", "strategy"], "Input should be session or task"))),
        }
        self.agent(id, wire::session_v3)
    }

    fn list_tasks(&self, query: &Parameters<'_>) -> Said {
        let wanted = query.word("filterBy", &wire::TASK_WORDS)?;
        let bound = |name| match query.text(name).map(str::parse::<Timestamp>) {
            Some(Err(_)) => Err(Refusal(422, wire::invalid(&["query", name], "Input should be a date and time"))),
            Some(Ok(at)) => Ok(Some(at)),
            None => Ok(None),
        };
        let (after, before) = (bound("after")?, bound("before")?);
        let fits = |agent: &Agent, task: &Task| {
            query.text("sessionId").is_none_or(|id| agent.id.as_str() == id)
                && wanted.is_none_or(|word| wire::task_word(agent.progress(task, self.at).0) == word)
                && after.is_none_or(|after| task.created_at >= after)
                && before.is_none_or(|before| task.created_at <= before)
        };
        let all = self.agents_of_key().flat_map(|agent| agent.tasks.iter().map(move |task| (agent, task)));
        let mut tasks: Vec<(&Agent, &Task)> = all.filter(|(agent, task)| task.created_at <= self.at && fits(agent, task)).collect();
        tasks.sort_by(|(_, one), (_, other)| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        Ok((200, Page::camel(tasks.into_iter().map(|(agent, task)| wire::task(agent, task, self.at)).collect(), query)?))
    }

    fn create_task(&mut self, body: &[u8]) -> Said {
        let body = object(body)?;
        field(&body, "task", Value::as_str)?.ok_or_else(|| Refusal(422, wire::invalid(&["body", "task"], "Field required")))?;
        let task = NewTask { metadata: field(&body, "metadata", Value::as_object)?.cloned().unwrap_or_default(), takes: Some(TASK_TAKES) };
        let (session, id) = match field(&body, "sessionId", Value::as_str)? {
            Some(session) => self.give_task(session, task)?,
            None => self.open_with(task, false)?,
        };
        Ok((202, json!({ "id": id, "sessionId": session })))
    }

    fn stop_task(&mut self, id: &str, body: &[u8]) -> Said {
        let action = demand(&object(body)?, "action", &["stop", "stop_task_and_session", "pause", "resume"])?;
        let (agent, _) = self.find_task(id)?;
        match action.as_str() {
            "stop" => self.end_task(id)?,
            "stop_task_and_session" => self.stop_agent(agent.as_str())?,
            _ => {}
        }
        self.task(id, wire::task_view)
    }

    fn list_runs(&self, query: &Parameters<'_>) -> Said {
        let wanted = |agent: &Agent| query.text("sessionId").is_none_or(|id| agent.id.as_str() == id);
        let agents = self.agents_of_key().filter(|agent| wanted(agent));
        let mut rows: Vec<(String, Value)> =
            agents.flat_map(|agent| agent.tasks.iter().map(move |run| (place(run), wire::run(agent, run, self.at)))).collect();
        rows.sort_by(|(one, _), (other, _)| other.cmp(one));
        Ok((200, Page::keyset("runs", rows, query, 50)?))
    }

    fn create_run(&mut self, body: &[u8]) -> Said {
        let body = object(body)?;
        field(&body, "task", Value::as_str)?.ok_or_else(|| Refusal(422, wire::invalid(&["body", "task"], "Field required")))?;
        let kept = field(&body, "keepAlive", Value::as_i64)?.map_or(KEPT_AFTER_RUN, SignedDuration::from_secs);
        let task = NewTask { takes: Some(TASK_TAKES), ..NewTask::default() };
        let (session, id) = match field(&body, "sessionId", Value::as_str)? {
            Some(session) => self.give_task(session, task)?,
            None => self.open_with(task, true)?,
        };
        self.task_mut(&id)?.keeps_browser = kept;
        Ok((
            200,
            json!({
                "id": id,
                "status": "running",
                "model": "minimax-m3",
                "sessionId": session,
                "workspaceId": session,
                "eventsUrl": format!("/api/v4/runs/{id}/events"),
            }),
        ))
    }

    /// The run is over at once; its browser is kept for a while.
    fn cancel(&mut self, id: &str) -> Said {
        let (agent, task) = self.find_task(id)?;
        let is_over = self.world.agent(&agent).is_some_and(|agent| agent.progress(&task, self.at).1.is_some());
        if !is_over && !self.inert {
            self.end_task(id)?;
            let end = End { at: later(self.at, task.keeps_browser), cause: Cause::Closed };
            let browser = self.world.agent(&agent).and_then(|agent| agent.browser.clone());
            if let Some(life) = browser.and_then(|browser| self.world.life_mut(self.key, &browser)) {
                life.fate = Some(life.fate.filter(|fate| fate.at < end.at).unwrap_or(end));
            }
        }
        self.task(id, wire::run)
    }

    fn conversation(&self, id: &str) -> Said {
        let agent = self.own(id)?;
        wire::session_v4(agent, self.at).map(|row| (200, row)).ok_or_else(not_found)
    }

    fn rename(&mut self, id: &str, body: &[u8]) -> Said {
        let title = field(&object(body)?, "title", Value::as_str)?.map(str::to_owned);
        self.own(id)?;
        if let Some(agent) = self.world.agent_mut(self.key, &id.into()) {
            agent.title = title;
        }
        self.conversation(id)
    }

    fn delete(&mut self, id: &str) -> Said {
        self.stop_agent(id)?;
        Ok((204, Value::Null))
    }

    fn account(&mut self) -> Said {
        let live = self.world.lives().filter(|life| &*life.key == self.key && life.ended(self.at).is_none()).count();
        self.world.project(self.key).map(|project| (200, wire::account(project, live))).ok_or_else(broken)
    }

    /// An agent session ends with its tasks and its browser.
    fn stop_agent(&mut self, id: &str) -> Result<(), Refusal> {
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

    fn stop_tasks(&mut self, id: &str) -> Result<(), Refusal> {
        let ids: Vec<SessionId> = self.own(id)?.tasks.iter().map(|task| task.id.clone()).collect();
        ids.iter().try_for_each(|id| self.end_task(id.as_str()))
    }

    fn end_task(&mut self, id: &str) -> Result<(), Refusal> {
        let at = self.at;
        let task = self.task_mut(&id.into())?;
        task.stopped_at = task.stopped_at.or(Some(at));
        Ok(())
    }

    fn open(&mut self, new: NewAgent) -> Result<SessionId, Refusal> {
        self.world.create_agent(self.key, new, self.now).ok_or_else(broken)
    }

    fn open_with(&mut self, task: NewTask, keep_alive: bool) -> Result<(SessionId, SessionId), Refusal> {
        let session = self.open(NewAgent { keep_alive, tasks: vec![task], ..with_browser() })?;
        let task = self.world.agent(&session).and_then(Agent::latest).map(|task| task.id.clone());
        Ok((session, task.ok_or_else(broken)?))
    }

    fn give_task(&mut self, session: &str, task: NewTask) -> Result<(SessionId, SessionId), Refusal> {
        self.own(session)?;
        let id = self.world.give_task(self.key, &session.into(), task, self.now).ok_or_else(broken)?;
        Ok((session.into(), id))
    }

    fn agents_of_key(&self) -> impl Iterator<Item = &Agent> {
        self.world.agents().filter(|agent| &*agent.key == self.key && agent.created_at <= self.at)
    }

    /// The newest first.
    fn agents(&self, row: impl Fn(&Agent, Timestamp) -> Option<Value>) -> Vec<Value> {
        let mut agents: Vec<&Agent> = self.agents_of_key().collect();
        agents.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        agents.into_iter().filter_map(|agent| row(agent, self.at)).collect()
    }

    fn own(&self, id: &str) -> Result<&Agent, Refusal> {
        self.agents_of_key().find(|agent| agent.id.as_str() == id).ok_or_else(not_found)
    }

    fn agent(&self, id: &str, row: impl FnOnce(&Agent, Timestamp) -> Value) -> Said {
        Ok((200, row(self.own(id)?, self.at)))
    }

    fn find_task(&self, id: &str) -> Result<(SessionId, Task), Refusal> {
        let all = || self.agents_of_key().flat_map(|agent| agent.tasks.iter().map(move |task| (agent, task)));
        all().find(|(_, task)| task.id.as_str() == id).map(|(agent, task)| (agent.id.clone(), task.clone())).ok_or_else(no_task)
    }

    fn task(&self, id: &str, row: impl FnOnce(&Agent, &Task, Timestamp) -> Value) -> Said {
        let (agent, task) = self.find_task(id)?;
        self.agent(agent.as_str(), |agent, at| row(agent, &task, at))
    }

    fn task_mut(&mut self, id: &SessionId) -> Result<&mut Task, Refusal> {
        let (agent, _) = self.find_task(id.as_str())?;
        let agent = self.world.agent_mut(self.key, &agent).ok_or_else(broken)?;
        agent.tasks.iter_mut().find(|task| task.id == *id).ok_or_else(no_task)
    }
}

/// A new session's browser lives for an hour.
fn with_browser() -> NewAgent {
    NewAgent { browser: Some(NewSession { timeout: wire::DEFAULT_TIMEOUT, ..NewSession::default() }), ..NewAgent::default() }
}

/// Where a run stands in a listing that leads from the newest to the oldest.
fn place(run: &Task) -> String {
    format!("{:015}-{}", run.created_at.as_millisecond(), run.id)
}

/// `key`, or `key=value`.
fn has_label(life: &Life, label: &str) -> bool {
    let (key, value) = label.split_once('=').map_or((label, None), |(key, value)| (key, Some(value)));
    let found = life.metadata.as_ref().and_then(|labels| labels.get(key));
    found.is_some_and(|found| value.is_none_or(|value| found == value))
}

/// A key of a body that must be one of these words.
fn demand(body: &Map<String, Value>, name: &str, words: &[&str]) -> Result<String, Refusal> {
    match field(body, name, Value::as_str)? {
        Some(word) if words.contains(&word) => Ok(word.to_owned()),
        _ => Err(Refusal(422, wire::invalid(&["body", name], &format!("Input should be one of {}", words.join(", "))))),
    }
}

fn not_found() -> Refusal {
    Refusal(404, detail("Session not found"))
}

fn no_task() -> Refusal {
    Refusal(404, detail("Task not found"))
}

fn nothing_here() -> Said {
    Err(Refusal(404, detail("Not Found")))
}

fn broken() -> Refusal {
    Refusal(500, detail("Internal Server Error"))
}
