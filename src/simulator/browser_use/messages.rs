//! What agents say while they work: v3's messages and v4's events, which are the same moments of the same tasks.

use serde_json::{Value, json};

use super::desk::Desk;
use super::parameters::Parameters;
use super::{Refusal, Said, wire};
use crate::domain::time::{Timestamp, rfc3339};
use crate::simulator::TYPED_SECRET;
use crate::simulator::agent::{Agent, Moment, Task};

impl Desk<'_> {
    /// In chronological order; `after` and `before` are the ids of messages, and the page lies next to them.
    pub(super) fn list_messages(&self, id: &str, query: &Parameters<'_>) -> Said {
        let limit = query.count("limit", 10, 100)?;
        let mut all = messages(self.own(id)?, self.at);
        let place = |name: &str, all: &[Value]| match query.text(name).map(|id| all.iter().position(|message| message["id"] == id)) {
            Some(None) => Err(Refusal(404, wire::detail("Message not found"))),
            found => Ok(found.flatten()),
        };
        if let Some(place) = place("before", &all)? {
            all.truncate(place);
        }
        if let Some(place) = place("after", &all)? {
            all.drain(..=place);
        }
        let has_more = all.len() > limit;
        // Before a message, the nearest are the last.
        let page =
            if query.text("before").is_some() { all.split_off(all.len().saturating_sub(limit)) } else { all.into_iter().take(limit).collect() };
        Ok((200, json!({ "messages": page, "hasMore": has_more })))
    }

    /// In the order of their numbers; `after` is the number of the last one that is known.
    pub(super) fn list_events(&self, id: &str, query: &Parameters<'_>) -> Said {
        let limit = query.count("limit", 200, 1_000)?;
        let after: usize = match query.text("after").map(str::parse) {
            Some(Err(_)) => return Err(Refusal(422, wire::invalid(&["query", "after"], "Input should be a whole number"))),
            number => number.and_then(Result::ok).unwrap_or(0),
        };
        self.task(id, |agent, run, at| {
            let moments = agent.moments(run, at);
            let events: Vec<Value> =
                moments.iter().enumerate().skip(after).take(limit).map(|(number, moment)| event(run, number + 1, *moment)).collect();
            let last = after + events.len();
            let has_more = last < moments.len();
            json!({ "events": events, "nextAfter": has_more.then_some(last), "hasMore": has_more })
        })
    }
}

fn messages(agent: &Agent, now: Timestamp) -> Vec<Value> {
    let of_task = |task| agent.moments(task, now).into_iter().enumerate().map(move |(number, moment)| (task, number, moment));
    let mut all: Vec<(&Task, usize, (Timestamp, Moment))> = agent.tasks.iter().flat_map(of_task).collect();
    all.sort_by_key(|(_, _, (at, _))| *at);
    all.into_iter().map(|(task, number, moment)| message(agent, task, number, moment)).collect()
}

fn message(agent: &Agent, task: &Task, number: usize, (at, moment): (Timestamp, Moment)) -> Value {
    let (role, kind) = match moment {
        Moment::Given => ("human", "user_message"),
        Moment::Step => ("ai", "browser_action"),
        Moment::Finished => ("ai", "completion"),
    };
    json!({
        "id": numbered(task.id.as_str(), number),
        "sessionId": agent.id,
        "role": role,
        "data": format!("type {TYPED_SECRET} into the form"),
        "type": kind,
        "summary": format!("Typing {TYPED_SECRET}"),
        "screenshotUrl": null,
        "hidden": false,
        "createdAt": rfc3339(at),
    })
}

/// A UUID that is the task's in all but its last part.
fn numbered(task: &str, number: usize) -> String {
    format!("{}-{number:012x}", task.rsplit_once('-').map_or(task, |(front, _)| front))
}

fn event(run: &Task, number: usize, (at, moment): (Timestamp, Moment)) -> Value {
    let kind = match moment {
        Moment::Given => "run.started",
        Moment::Step => "step",
        Moment::Finished => "run.completed",
    };
    json!({ "runId": run.id, "id": number, "ts": rfc3339(at), "type": kind, "data": { "text": TYPED_SECRET } })
}
