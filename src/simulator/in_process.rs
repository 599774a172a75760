//! The world in process, for virtual time: what a client of the provider would make of each answer, without a socket or a clock.

mod carrier;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::answer::{Answer, Ask, Delivery};
use super::world::World;
use crate::domain::activity::Sign;
use crate::domain::event::Operation;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::listing::{ClockReading, Listing, RejectedRow, Rows};
use crate::domain::name::{Kind, SessionId};
use crate::domain::session::{Metadata, Parts, Phase, Session, Status};
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::provider::{Body, Exchange, RequestTrace, fault_kind};

pub use carrier::Carrier;

/// A client of one account. Its calls return at once; how long each would have taken is in the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub key: String,
    /// How long it waits for one answer.
    pub request_timeout: SignedDuration,
    /// Bytes of the largest body that it reads.
    pub body_cap: usize,
}

impl Client {
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), request_timeout: SignedDuration::from_secs(10), body_cap: 4 << 20 }
    }

    /// Every live session: the running ones, then the pending ones. Where only the second half fails, the listing is partial.
    pub fn list(&self, world: &mut World, now: Timestamp) -> Exchange<Listing> {
        let running = self.list_one(world, "RUNNING", now);
        let mut rows = match running.result {
            Ok(rows) => rows,
            Err(fault) => return Exchange { result: Err(fault), sent_at: now, clock: running.clock, requests: running.requests },
        };
        let pending = self.list_one(world, "PENDING", done_at(&running.requests, now));
        let listing = match pending.result {
            Err(why) => Listing::partial(rows, why),
            Ok(more) => {
                absorb(&mut rows, more);
                Listing::complete(rows)
            }
        };
        let requests = running.requests.into_iter().chain(pending.requests).collect();
        Exchange { result: Ok(listing), sent_at: now, clock: running.clock.or(pending.clock), requests }
    }

    /// One session, ended or not.
    pub fn read(&self, world: &mut World, id: &SessionId, now: Timestamp) -> Exchange<Session> {
        self.call(world, Operation::Read, Ask::Read(id.clone()), now, one_session)
    }

    /// Asks for a session's release.
    pub fn release(&self, world: &mut World, id: &SessionId, now: Timestamp) -> Exchange<Option<Session>> {
        self.call(world, Operation::Release, Ask::Release(id.clone()), now, |body| one_session(body).map(Some))
    }

    fn list_one(&self, world: &mut World, status: &'static str, now: Timestamp) -> Exchange<Rows> {
        self.call(world, Operation::List, Ask::List { status: Some(status), query: None }, now, all_rows)
    }

    fn call<T>(
        &self,
        world: &mut World,
        operation: Operation,
        ask: Ask,
        now: Timestamp,
        read: impl FnOnce(Value) -> Result<T, Fault>,
    ) -> Exchange<T> {
        let answer = world.answer(Some(&self.key), ask, now);
        self.arrived(operation, answer, now, false).then(|body| read(json(&body?)?))
    }

    /// What arrives of an answer to a request that was sent now. One that is too large may be cut, or is a fault.
    fn arrived(&self, operation: Operation, answer: Answer, now: Timestamp, may_be_cut: bool) -> Exchange<Body> {
        let arrived = self.arrival(&answer);
        let took = match &arrived {
            Err(fault) if fault.kind == FaultKind::TimedOut => self.request_timeout,
            _ => answer.delay,
        };
        let clock = arrived.is_ok().then(|| ClockReading { date: whole_seconds(answer.date), sent: now, received: later(now, took) });
        let status = match &arrived {
            Err(fault) => fault.kind.to_string(),
            Ok(()) => answer.status.to_string(),
        };
        let result = arrived.and_then(|()| self.open(answer, may_be_cut));
        Exchange { result, sent_at: now, clock, requests: vec![RequestTrace { operation, status, took }] }
    }

    /// Whether anything of the answer arrives in time.
    fn arrival(&self, answer: &Answer) -> Result<(), Fault> {
        match answer.delivery {
            Delivery::Cut => Err(Fault::new(FaultKind::Disconnected, "the connection was reset")),
            Delivery::Whole if answer.delay < self.request_timeout => Ok(()),
            Delivery::Whole | Delivery::Never => Err(Fault::new(FaultKind::TimedOut, "no answer in time")),
        }
    }

    /// The body of an answer that says yes.
    fn open(&self, answer: Answer, may_be_cut: bool) -> Result<Body, Fault> {
        if !(200..300).contains(&answer.status) {
            return Err(refusal(&answer));
        }
        let mut body = answer.body.into_bytes();
        if body.len() <= self.body_cap {
            return Ok(Body::whole(body));
        }
        if !may_be_cut {
            return Err(Fault { status: Some(answer.status), ..Fault::new(FaultKind::TooLarge, "the answer is larger than what is read") });
        }
        body.truncate(self.body_cap);
        Ok(Body::cut(body))
    }
}

fn json(body: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(body).map_err(|_| unreadable("the answer is not JSON"))
}

fn done_at(requests: &[RequestTrace], now: Timestamp) -> Timestamp {
    requests.iter().fold(now, |at, request| later(at, request.took))
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_millisecond().div_euclid(1_000)).unwrap_or(at)
}

fn refusal(answer: &Answer) -> Fault {
    let body = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
    let message = ["message", "detail"].into_iter().find_map(|key| body.get(key)?.as_str().map(str::to_owned));
    let retry_after = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after")).and_then(|(_, value)| value.parse().ok());
    Fault {
        kind: fault_kind(answer.status),
        status: Some(answer.status),
        detail: message.unwrap_or_else(|| "refused".to_owned()),
        retry_after: retry_after.map(SignedDuration::from_secs),
    }
}

fn unreadable(why: &str) -> Fault {
    Fault::new(FaultKind::Unreadable, why)
}

fn one_session(body: Value) -> Result<Session, Fault> {
    session(&body).map_err(|row| unreadable(&row.why))
}

fn all_rows(body: Value) -> Result<Rows, Fault> {
    let Value::Array(values) = body else { return Err(unreadable("the listing is not a list")) };
    let mut rows = Rows::default();
    for read in values.iter().map(session) {
        match read {
            Ok(session) => absorb(&mut rows, Rows { sessions: vec![session], rejected: Vec::new() }),
            Err(rejected) => rows.rejected.push(rejected),
        }
    }
    Ok(rows)
}

/// Adds rows, each id once: the first reading stays.
fn absorb(rows: &mut Rows, more: Rows) {
    let there: BTreeSet<SessionId> = rows.sessions.iter().map(|session| session.id.clone()).collect();
    rows.sessions.extend(more.sessions.into_iter().filter(|session| !there.contains(&session.id)));
    rows.rejected.extend(more.rejected);
}

fn session(row: &Value) -> Result<Session, RejectedRow> {
    let id = row.get("id").and_then(Value::as_str).map(SessionId::from);
    let rejected = |why: String| RejectedRow { id: id.clone(), why };
    let row = row.as_object().ok_or_else(|| rejected("the row is not an object".to_owned()))?;
    let at = |key| field(row, key, |value| value.as_str()?.parse().ok()).map_err(rejected);
    let word = |key| field(row, key, |value| Some(value.as_str()?.into())).map_err(rejected);
    let missing = |key: &str| rejected(format!("{key} is missing"));
    Ok(Session {
        id: id.clone().ok_or_else(|| missing("id"))?,
        kind: Kind::Session,
        status: field(row, "status", |value| value.as_str().map(status)).map_err(rejected)?.ok_or_else(|| missing("status"))?,
        created_at: at("createdAt")?.ok_or_else(|| missing("createdAt"))?,
        started_at: at("startedAt")?,
        expires_at: at("expiresAt")?,
        ended_at: at("endedAt")?,
        region: word("region")?,
        keep_alive: field(row, "keepAlive", Value::as_bool).map_err(rejected)?,
        keep_alive_unlearnt: false,
        project: word("projectId")?,
        proxy_bytes: field(row, "proxyBytes", Value::as_u64).map_err(rejected)?,
        sign: Sign::Nothing,
        metadata: Metadata::from_json(row.get("userMetadata").cloned()),
        parts: Parts::default(),
    })
}

fn field<'a, T>(row: &'a Map<String, Value>, key: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Result<Option<T>, String> {
    match row.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| format!("{key} has a form that cannot be read")),
    }
}

fn status(word: &str) -> Status {
    let phase = match word {
        "PENDING" => Phase::Pending,
        "RUNNING" => Phase::Running,
        "COMPLETED" => Phase::Completed,
        "TIMED_OUT" => Phase::TimedOut,
        "ERROR" => Phase::Errored,
        _ => Phase::Unknown,
    };
    Status::new(word, phase)
}

#[cfg(test)]
mod tests;
