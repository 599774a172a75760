//! What agents are given to do: v2's tasks and v4's runs, which are the same objects.

use serde_json::{Value, json};

use super::desk::Desk;
use super::parameters::{Page, Parameters, demand, field, object};
use super::{Refusal, Said, broken, no_task, wire};
use crate::domain::name::SessionId;
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::simulator::agent::{Agent, NewTask, Task};
use crate::simulator::life::{Cause, End};

/// How long a task takes that a client gives, unless somebody stops it.
pub(super) const TASK_TAKES: SignedDuration = SignedDuration::from_mins(20);
/// How long a run's browser is kept after it where the client does not say.
const KEPT_AFTER_RUN: SignedDuration = SignedDuration::from_secs(120);

impl Desk<'_> {
    pub(super) fn list_tasks(&self, query: &Parameters<'_>) -> Said {
        let wanted = query.word("filterBy", &wire::TASK_WORDS)?;
        let bound = |name| match query.text(name).map(|text| text.parse::<Timestamp>().or_else(|_| format!("{text}Z").parse())) {
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

    pub(super) fn create_task(&mut self, body: &[u8]) -> Said {
        let body = object(body)?;
        field(&body, "task", Value::as_str)?.ok_or_else(|| Refusal(422, wire::invalid(&["body", "task"], "Field required")))?;
        let task = NewTask { metadata: field(&body, "metadata", Value::as_object)?.cloned().unwrap_or_default(), takes: Some(TASK_TAKES) };
        let (session, id) = match field(&body, "sessionId", Value::as_str)? {
            Some(session) => self.give_task(session, task)?,
            None => self.open_with(task, false)?,
        };
        Ok((202, json!({ "id": id, "sessionId": session })))
    }

    pub(super) fn stop_task(&mut self, id: &str, body: &[u8]) -> Said {
        let action = demand(&object(body)?, "action", &["stop", "stop_task_and_session", "pause", "resume"])?;
        let (agent, _) = self.find_task(id)?;
        match action.as_str() {
            "stop" => {
                self.end_task(id)?;
                // A session that was opened for its task ends with it.
                if self.world.agent(&agent).is_some_and(|agent| !agent.keep_alive) {
                    self.world.end(&agent, Cause::Closed, self.at);
                }
            }
            "stop_task_and_session" => self.stop_agent(agent.as_str())?,
            _ => {}
        }
        self.task(id, wire::task_view)
    }

    pub(super) fn list_runs(&self, query: &Parameters<'_>) -> Said {
        let wanted = |agent: &Agent| query.text("sessionId").is_none_or(|id| agent.id.as_str() == id);
        let agents = self.agents_of_key().filter(|agent| wanted(agent));
        let mut rows: Vec<(String, Value)> =
            agents.flat_map(|agent| agent.tasks.iter().map(move |run| (place(run), wire::run(agent, run, self.at)))).collect();
        rows.sort_by(|(one, _), (other, _)| other.cmp(one));
        Ok((200, Page::keyset("runs", rows, query, 50)?))
    }

    pub(super) fn create_run(&mut self, body: &[u8]) -> Said {
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
    pub(super) fn cancel(&mut self, id: &str) -> Said {
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

    pub(super) fn end_task(&mut self, id: &str) -> Result<(), Refusal> {
        let at = self.at;
        let task = self.task_mut(&id.into())?;
        task.stopped_at = task.stopped_at.or(Some(at));
        Ok(())
    }

    pub(super) fn find_task(&self, id: &str) -> Result<(SessionId, Task), Refusal> {
        let all = || self.agents_of_key().flat_map(|agent| agent.tasks.iter().map(move |task| (agent, task)));
        all().find(|(_, task)| task.id.as_str() == id).map(|(agent, task)| (agent.id.clone(), task.clone())).ok_or_else(no_task)
    }

    pub(super) fn task(&self, id: &str, row: impl FnOnce(&Agent, &Task, Timestamp) -> Value) -> Said {
        let (agent, task) = self.find_task(id)?;
        self.agent(agent.as_str(), |agent, at| row(agent, &task, at))
    }

    pub(super) fn task_mut(&mut self, id: &SessionId) -> Result<&mut Task, Refusal> {
        let (agent, _) = self.find_task(id.as_str())?;
        let agent = self.world.agent_mut(self.key, &agent).ok_or_else(broken)?;
        agent.tasks.iter_mut().find(|task| task.id == *id).ok_or_else(no_task)
    }
}

/// Where a run stands in a listing that leads from the newest to the oldest.
pub(super) fn place(run: &Task) -> String {
    format!("{:015}-{}", run.created_at.as_millisecond(), run.id)
}
