//! One row of a provider's listing, in words that hold for every provider.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::activity::Sign;
use crate::domain::name::{Kind, SessionId};
use crate::domain::time::{SignedDuration, Timestamp, between};

/// A session as its provider described it at one moment. Holds no credential: what the providers send of those is dropped while it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub id: SessionId,
    pub kind: Kind,
    pub status: Status,
    pub created_at: Timestamp,
    /// When billing began; absent before that, and at providers that do not say.
    pub started_at: Option<Timestamp>,
    /// The provider's own hard end.
    pub expires_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub region: Option<Arc<str>>,
    pub keep_alive: Option<bool>,
    /// Whether it is kept alive could not be asked for, which is not the same as not being told.
    pub keep_alive_unlearnt: bool,
    /// The project that owns it, where the provider has projects.
    pub project: Option<Arc<str>>,
    /// Bytes through the provider's proxy so far: a rise is activity, no rise is nothing.
    pub proxy_bytes: Option<u64>,
    /// What else the row says of its activity.
    pub sign: Sign,
    pub metadata: Metadata,
    pub parts: Parts,
}

impl Session {
    /// Where age counts from: `startedAt`, or `createdAt` where there is none.
    pub fn since(&self) -> Timestamp {
        self.started_at.unwrap_or(self.created_at)
    }

    /// Age at `now` (the provider's time); a session from the future has age zero.
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        between(self.since(), now).max(SignedDuration::ZERO)
    }

    /// What its provider is asked about.
    pub fn target(&self) -> Target {
        Target { id: self.id.clone(), kind: self.kind, parts: self.parts.clone() }
    }
}

/// What a session consists of at its provider. Most are one thing under one id; where there is more to one (an agent with its browser), each part has
/// calls of its own that read and end it, and the session is over when every part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// What stands under the session's own id.
    pub own: bool,
    /// The browser that bills, where it has an id of its own.
    pub browser: Option<SessionId>,
    /// The agent's run, where only a run can be ended.
    pub run: Option<SessionId>,
}

impl Default for Parts {
    fn default() -> Self {
        Self { own: true, browser: None, run: None }
    }
}

impl Parts {
    /// Every part is one of the other's too.
    pub fn are_within(&self, other: &Self) -> bool {
        let within = |part: &Option<SessionId>, of: &Option<SessionId>| part.is_none() || part == of;
        (!self.own || other.own) && within(&self.browser, &other.browser) && within(&self.run, &other.run)
    }

    /// At least one part is the other's too.
    pub fn meet(&self, other: &Self) -> bool {
        let same = |part: &Option<SessionId>, of: &Option<SessionId>| part.is_some() && part == of;
        (self.own && other.own) || same(&self.browser, &other.browser) || same(&self.run, &other.run)
    }

    /// These, and of the other those that are missing here.
    pub fn and(&self, other: &Self) -> Self {
        let either = |part: &Option<SessionId>, other: &Option<SessionId>| part.clone().or_else(|| other.clone());
        Self { own: self.own || other.own, browser: either(&self.browser, &other.browser), run: either(&self.run, &other.run) }
    }

    /// What tells one life of a session from the next: nothing for what lives once under its id. A conversation comes back to life with each new run and
    /// browser.
    pub fn life(&self) -> Option<&SessionId> {
        if self.own { None } else { self.browser.as_ref().or(self.run.as_ref()) }
    }
}

/// A session, and which of its parts are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub id: SessionId,
    pub kind: Kind,
    pub parts: Parts,
}

/// The provider's own word for a status, and what it means for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub word: Arc<str>,
    pub phase: Phase,
}

impl Status {
    pub fn new(word: &str, phase: Phase) -> Self {
        Self { word: word.into(), phase }
    }
}

/// What a status means: whether a session runs, and if not, how it came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waits for a browser: does not bill, ends by itself.
    Pending,
    Running,
    /// Ended normally, by its owner or by a release.
    Completed,
    /// Ended at its own hard end.
    TimedOut,
    /// Ended by a fault of its own.
    Errored,
    /// A word that we do not know: never reapable, never believed to be an end.
    Unknown,
}

impl Phase {
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::TimedOut | Self::Errored)
    }
}

/// The tags that the session's owner attached to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Metadata {
    /// An object, empty where the session has none.
    Tags(Map<String, Value>),
    /// Something other than an object: the tags could not be read, which is not the same as having none.
    Unreadable { found: &'static str },
    /// They could not be asked for, which is not the same as having none either.
    Unlearnt { why: &'static str },
    /// The provider keeps none for this kind of session.
    NotKept,
}

impl Default for Metadata {
    fn default() -> Self {
        Self::Tags(Map::new())
    }
}

impl Metadata {
    /// `null` and absent mean no tags; any other value that is not an object is unreadable.
    pub fn from_json(value: Option<Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::default(),
            Some(Value::Object(tags)) => Self::Tags(tags),
            Some(other) => Self::Unreadable { found: shape(&other) },
        }
    }

    /// The value at a key, or at a dotted path: an exact key wins, and only where there is none is the text read as a path into nested objects.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Tags(tags) => lookup(tags, key),
            Self::Unreadable { .. } | Self::Unlearnt { .. } | Self::NotKept => None,
        }
    }

    /// The tags as JSON; `null` where they are not known.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Tags(tags) => Value::Object(tags.clone()),
            Self::NotKept => Value::Object(Map::new()),
            Self::Unreadable { .. } | Self::Unlearnt { .. } => Value::Null,
        }
    }
}

fn lookup<'a>(tags: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    if let Some(exact) = tags.get(key) {
        return Some(exact);
    }
    let (first, rest) = key.split_once('.')?;
    lookup(tags.get(first)?.as_object()?, rest)
}

/// The name of a JSON value's shape, for sentences.
pub fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A scalar as the text that equals it: `5`, `true`, the string itself; nothing for lists, objects and null.
pub fn scalar_text(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(flag) => Some(if *flag { "true" } else { "false" }.into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_exact_key_wins_over_a_path() {
        let metadata = Metadata::from_json(Some(json!({ "a.b": 1, "a": { "b": 2, "c": { "d": 3 } } })));
        assert_eq!(metadata.get("a.b"), Some(&json!(1)));
        assert_eq!(metadata.get("a.c.d"), Some(&json!(3)));
        assert_eq!(metadata.get("a.c.e"), None);
        assert_eq!(metadata.get("a.b.c"), None);
    }

    #[test]
    fn a_part_is_within_what_has_the_same_part() {
        let pair = Parts { own: true, browser: Some("b".into()), run: None };
        let alone = Parts::default();
        let orphan = Parts { own: false, browser: Some("b".into()), run: None };
        let reopened = Parts { own: false, browser: Some("c".into()), run: None };
        assert!(alone.are_within(&pair) && orphan.are_within(&pair) && pair.are_within(&pair));
        assert!(!pair.are_within(&alone) && !alone.are_within(&orphan) && !reopened.are_within(&pair));
        assert_eq!((pair.life(), orphan.life()), (None, Some(&"b".into())));
        assert_eq!(orphan.and(&alone), pair);
    }

    #[test]
    fn null_metadata_is_empty_and_other_shapes_are_unreadable() {
        assert_eq!(Metadata::from_json(Some(Value::Null)), Metadata::default());
        assert_eq!(Metadata::from_json(None), Metadata::default());
        assert_eq!(Metadata::from_json(Some(json!(["env"]))), Metadata::Unreadable { found: "a list" });
    }
}
