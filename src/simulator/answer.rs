//! What the provider says to one request, as a value: both faces deliver the same one.

use serde_json::Value;

use super::activity::Act;
use super::fault::{BadRow, Fault, Shot, Struck};
use super::life::{Life, NewSession};
use super::query::Query;
use super::route::Misrouted;
use super::world::{Request, World};
use super::{evidence, wire};
use crate::domain::event::Operation;
use crate::domain::name::{SessionId, words};
use crate::domain::time::{SignedDuration, Timestamp, later};

/// What a request wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    List {
        status: Option<&'static str>,
        query: Option<Query>,
    },
    Create(NewSession),
    Read(SessionId),
    Release(SessionId),
    Logs(SessionId),
    Debug(SessionId),
    /// A call of the simulator's own: somebody does something in the session.
    Act(SessionId, Act),
    Projects,
    Project(String),
    Usage(String),
    /// It could not be read; the sentence says why.
    Garbled(String),
}

words! {
    /// The kind of a request, for the journal.
    Asked {
        List = "list",
        Create = "create",
        Read = "read",
        Release = "release",
        Logs = "logs",
        Debug = "debug",
        /// The messages, runs or events of one session.
        Evidence = "evidence",
        Act = "act",
        Projects = "projects",
        /// A change of name, which is no stop.
        Rename = "rename",
        /// What would take history along.
        Destroy = "destroy",
        Garbled = "garbled",
    }
}

/// An answer and how it travels.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// What the `Date` header says, to the second.
    pub date: Timestamp,
    /// How long the answer is held back.
    pub delay: SignedDuration,
    pub delivery: Delivery,
}

/// What becomes of an answer on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Whole,
    /// Nothing is ever sent.
    Never,
    /// The connection is reset before anything is sent.
    Cut,
}

impl World {
    /// Answers one request that arrives now, by the asker's clock, and does what it asks.
    pub fn answer(&mut self, key: Option<&str>, ask: Ask, now: Timestamp) -> Answer {
        self.advance(now);
        let at = self.time(now);
        let (asked, session) = (ask.asked(), ask.session().cloned());
        let line = format!("{asked} browserbase");
        let key = key.filter(|key| key.starts_with(super::BROWSERBASE_KEY) && self.project(key).is_some()).ok_or(if key.is_some() {
            "Invalid API key"
        } else {
            "Missing x-bb-api-key header"
        });
        let answer = match key {
            Err(message) => Answer::json(401, wire::unauthorized(message), at),
            Ok(key) => self.answer_known(key, ask, now, at),
        };
        let outcome = match answer.delivery {
            Delivery::Whole => answer.status.to_string(),
            Delivery::Never => "hung".to_owned(),
            Delivery::Cut => "cut".to_owned(),
        };
        self.record(Request { at, asked, key: key.ok().map(Into::into), session, outcome, line });
        answer
    }

    fn answer_known(&mut self, key: &str, ask: Ask, now: Timestamp, at: Timestamp) -> Answer {
        let struck = ask.shot(key).map_or_else(Struck::default, |shot| self.faults_mut().strike(&shot, at));
        let answer = match &struck.fault {
            Some((fault, _)) if fault.forestalls() => Answer::json(200, Value::Null, at),
            Some((Fault::NeverEnding, _)) => self.fulfil_reading(key, ask, at),
            _ => self.fulfil(key, ask, now, at),
        };
        answer.spoilt(struck)
    }

    /// A release that is accepted and forgotten: it only shows the session.
    fn fulfil_reading(&mut self, key: &str, ask: Ask, at: Timestamp) -> Answer {
        match ask {
            Ask::Release(id) => self.about(key, &id, at, |life| wire::row(life, at)),
            _ => Answer::json(200, Value::Null, at),
        }
    }

    fn fulfil(&mut self, key: &str, ask: Ask, now: Timestamp, at: Timestamp) -> Answer {
        match ask {
            Ask::List { status, query } => self.list(key, status, query.as_ref(), at),
            Ask::Create(new) => match self.create(key, new, now) {
                None => Answer::error(500, "The session could not be created", at),
                Some(id) => Answer { status: 201, ..self.about(key, &id, at, |life| wire::body(life, at)) },
            },
            Ask::Read(id) => self.about(key, &id, at, |life| wire::body(life, at)),
            Ask::Release(id) => self.about(key, &id, at, |life| {
                life.request_release(at);
                wire::row(life, at)
            }),
            Ask::Logs(id) => self.about(key, &id, at, |life| evidence::logs(life, at)),
            Ask::Debug(id) => self.about(key, &id, at, |life| evidence::debug(life, at)),
            Ask::Act(id, act) => match self.life_mut(key, &id).is_some() && !self.act(&id, act, now) {
                true => Answer::error(400, "The session is not running", at),
                false => self.about(key, &id, at, |life| wire::row(life, at)),
            },
            Ask::Projects => Answer::json(200, self.project(key).map(wire::project).into_iter().collect(), at),
            Ask::Project(id) => self.about_project(key, &id, at, |world| world.project(key).map(wire::project)),
            Ask::Usage(id) => self.about_project(key, &id, at, |world| Some(wire::usage(world.lives().filter(|life| &*life.key == key), at))),
            Ask::Garbled(why) => Answer::error(400, &why, at),
        }
    }

    /// The newest first; the provider promises no order.
    fn list(&self, key: &str, status: Option<&str>, query: Option<&Query>, at: Timestamp) -> Answer {
        let shown = |life: &&Life| {
            &*life.key == key
                && life.created_at <= at
                && status.is_none_or(|status| life.status(at) == status)
                && query.is_none_or(|query| query.fits(life.metadata.as_ref()))
        };
        let mut lives: Vec<&Life> = self.lives().filter(shown).collect();
        lives.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Answer::json(200, lives.into_iter().map(|life| wire::row(life, at)).collect(), at)
    }

    fn about(&mut self, key: &str, id: &SessionId, at: Timestamp, tell: impl FnOnce(&mut Life) -> Value) -> Answer {
        match self.life_mut(key, id) {
            Some(life) => Answer::json(200, tell(life), at),
            None => Answer::error(404, "Session not found", at),
        }
    }

    fn about_project(&mut self, key: &str, id: &str, at: Timestamp, tell: impl FnOnce(&mut Self) -> Option<Value>) -> Answer {
        let known = self.project(key).is_some_and(|project| &*project.id == id);
        match known.then(|| tell(self)).flatten() {
            Some(body) => Answer::json(200, body, at),
            None => Answer::error(404, "Project not found", at),
        }
    }
}

impl Ask {
    fn asked(&self) -> Asked {
        match self {
            Self::List { .. } => Asked::List,
            Self::Create(_) => Asked::Create,
            Self::Read(_) => Asked::Read,
            Self::Release(_) => Asked::Release,
            Self::Logs(_) => Asked::Logs,
            Self::Debug(_) => Asked::Debug,
            Self::Act(..) => Asked::Act,
            Self::Projects | Self::Project(_) | Self::Usage(_) => Asked::Projects,
            Self::Garbled(_) => Asked::Garbled,
        }
    }

    fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Read(id) | Self::Release(id) | Self::Logs(id) | Self::Debug(id) | Self::Act(id, _) => Some(id),
            _ => None,
        }
    }

    /// Faults are about the calls that a reaper makes.
    fn shot<'a>(&'a self, key: &'a str) -> Option<Shot<'a>> {
        let (operation, status) = match self {
            Self::List { status, .. } => (Operation::List, *status),
            Self::Read(_) => (Operation::Read, None),
            Self::Release(_) => (Operation::Release, None),
            Self::Logs(_) => (Operation::Evidence, Some("logs")),
            Self::Debug(_) => (Operation::Evidence, Some("debug")),
            _ => return None,
        };
        Some(Shot { operation, key, status, session: self.session() })
    }
}

impl Fault {
    /// Whether what was asked is left undone.
    pub(super) fn forestalls(&self) -> bool {
        matches!(self, Self::Status { .. } | Self::Hang | Self::Reset | Self::Html | Self::Redirect { .. })
    }
}

impl Answer {
    pub(super) fn json(status: u16, body: Value, date: Timestamp) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.to_string(), date, delay: SignedDuration::ZERO, delivery: Delivery::Whole }
    }

    pub(super) fn error(status: u16, message: &str, date: Timestamp) -> Self {
        Self::json(status, wire::error(status, message), date)
    }

    pub(super) fn misrouted(misrouted: Misrouted, date: Timestamp) -> Self {
        match misrouted {
            Misrouted::Route => Self::error(404, "Route not found", date),
            Misrouted::Method => Self::error(405, "Method not allowed", date),
        }
    }

    pub(super) fn spoilt(mut self, struck: Struck) -> Self {
        self.date = later(self.date, struck.date_off);
        self.delay = struck.delay;
        match struck.fault {
            Some((fault, session)) => self.spoilt_by(fault, session.as_ref()),
            None => self,
        }
    }

    fn spoilt_by(self, fault: Fault, session: Option<&SessionId>) -> Self {
        match fault {
            Fault::Status { code, headers, body } => {
                let json = ("content-type", "application/json".to_owned());
                Self { status: code, headers: std::iter::once(json).chain(headers).collect(), body, ..self }
            }
            Fault::Hang => Self { delivery: Delivery::Never, ..self },
            Fault::Reset | Fault::AppliedUnanswered => Self { delivery: Delivery::Cut, ..self },
            Fault::TruncatedJson => self.truncated(),
            Fault::Html => Self {
                headers: vec![("content-type", "text/html".to_owned())],
                body: "<!doctype html><title>One moment</title><p>Checking your browser…".to_owned(),
                ..self
            },
            Fault::EmptyList => self.with_rows(Vec::clear).with_total(|_| 0),
            Fault::WrongTotal(by) => self.with_total(|total| total + by),
            Fault::Redirect { location } => Self { status: 302, headers: vec![("location", location)], body: String::new(), ..self },
            Fault::DuplicateRows => self.with_rows(|rows| rows.extend(rows.clone())),
            Fault::BadRow(how) => self.with_rows(|rows| spoil_row(rows, session, how)),
            Fault::ExtraRow(row) => self.with_rows(|rows| rows.push(row)),
            Fault::HugeBody(bytes) => self.padded(bytes),
            Fault::NeverEnding | Fault::DateOff(_) | Fault::Slow(_) => self,
        }
    }

    fn truncated(mut self) -> Self {
        let half = (0..=self.body.len() / 2).rev().find(|at| self.body.is_char_boundary(*at)).unwrap_or(0);
        self.body.truncate(half);
        self
    }

    /// Blanks after a JSON value leave it as it is, only larger.
    fn padded(mut self, bytes: usize) -> Self {
        self.body.push_str(&" ".repeat(bytes.saturating_sub(self.body.len())));
        self
    }

    fn with_rows(self, change: impl FnOnce(&mut Vec<Value>)) -> Self {
        let Ok(mut body) = serde_json::from_str::<Value>(&self.body) else { return self };
        let rows = match ENVELOPES.into_iter().find(|key| body.get(*key).is_some_and(Value::is_array)) {
            Some(key) => body.get_mut(key),
            None => Some(&mut body),
        };
        let Some(rows) = rows.and_then(Value::as_array_mut) else { return self };
        change(rows);
        Self { body: body.to_string(), ..self }
    }

    /// Changes what an envelope says of how many rows there are.
    fn with_total(self, change: impl Fn(i64) -> i64) -> Self {
        let Ok(mut body) = serde_json::from_str::<Value>(&self.body) else { return self };
        for key in TOTALS {
            if let Some(total) = body.get_mut(key) {
                *total = change(total.as_i64().unwrap_or_default()).into();
            }
        }
        Self { body: body.to_string(), ..self }
    }
}

/// Where Browser Use's envelopes keep their rows, and how many there are.
const ENVELOPES: [&str; 5] = ["items", "sessions", "runs", "messages", "events"];
const TOTALS: [&str; 2] = ["totalItems", "total"];

fn spoil_row(rows: &mut [Value], session: Option<&SessionId>, how: BadRow) {
    let wanted = |row: &&mut Value| session.is_none_or(|id| row["id"] == id.as_str() || row["sessionId"] == id.as_str());
    let Some(row) = rows.iter_mut().find(wanted).and_then(Value::as_object_mut) else { return };
    match how {
        BadRow::NoId => {
            row.remove("id");
            row.remove("sessionId");
        }
        BadRow::WrongTypes => {
            for (key, value) in [("createdAt", Value::from(7)), ("startedAt", 7.into()), ("proxyBytes", "many".into())] {
                row.entry(key).and_modify(|found| *found = value);
            }
        }
        BadRow::UnknownStatus => {
            row.insert("status".to_owned(), "HIBERNATING".into());
        }
    }
}
