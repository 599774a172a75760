//! Browser Use's API over the world, in its three versions: a request as a value in, an answer as a value out, whichever way they travel.

mod browsers;
mod desk;
mod messages;
mod parameters;
mod sessions;
mod tasks;
mod wire;

use serde_json::Value;

use super::answer::{Answer, Asked, Delivery};
use super::fault::{Fault, Shot, Struck};
use super::world::{Request, World};
use crate::domain::event::Operation;
use crate::domain::name::{ApiVersion, SessionId};
use crate::domain::time::Timestamp;
use desk::Desk;
pub(super) use wire::detail;

/// One request below `/api/vN`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiCall {
    pub version: ApiVersion,
    pub method: String,
    pub segments: Vec<String>,
    pub query: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What it is for, where the caller says so: v2's tasks of one session are part of a listing, and evidence.
    pub purpose: Option<Operation>,
}

/// An answer that is no yes: its status and its body.
struct Refusal(u16, Value);

type Said = Result<(u16, Value), Refusal>;

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
        let shot =
            call.purpose.or_else(|| call.operation()).map(|operation| Shot { operation, key, status: call.inventory(), session: session.as_ref() });
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
            ("GET", [_, _, "messages" | "events"]) => Asked::Evidence,
            ("GET", ["runs"]) if self.is_about_one() => Asked::Evidence,
            ("GET", [_]) => Asked::List,
            ("GET", ["billing", ..]) => Asked::Projects,
            ("GET", _) => Asked::Read,
            ("DELETE", _) | ("POST", [_, _, "purge"]) => Asked::Destroy,
            ("PATCH", ["sessions", _]) if self.version == ApiVersion::V4 => Asked::Rename,
            ("PATCH", _) | ("POST", [_, _, "stop" | "cancel"]) => Asked::Release,
            ("POST", [_]) => Asked::Create,
            ("POST", ["browsers", _, "simulate"]) => Asked::Act,
            _ => Asked::Garbled,
        }
    }

    /// Faults are about the calls that a reaper makes.
    fn operation(&self) -> Option<Operation> {
        match self.asked() {
            Asked::List => Some(Operation::List),
            Asked::Read => Some(Operation::Read),
            Asked::Release => Some(Operation::Release),
            Asked::Evidence => Some(Operation::Evidence),
            _ => None,
        }
    }

    /// What is asked of one session alone.
    fn is_about_one(&self) -> bool {
        self.query.iter().any(|(name, _)| name == "sessionId")
    }

    fn inventory(&self) -> Option<&str> {
        self.segments.first().map(String::as_str)
    }

    fn session(&self) -> Option<SessionId> {
        let of_query = || self.query.iter().find(|(name, _)| name == "sessionId").map(|(_, id)| id.as_str());
        self.segments.get(1).map(String::as_str).or_else(of_query).map(SessionId::from)
    }
}

fn not_found() -> Refusal {
    Refusal(404, detail("Session not found"))
}

fn no_task() -> Refusal {
    Refusal(404, detail("Task not found"))
}

fn broken() -> Refusal {
    Refusal(500, detail("Internal Server Error"))
}
