//! A session is over its `max_age` if and only if its age, in the provider's time, has reached the length in force: the session's own tag where the
//! policy names one and it can be read, never beyond the ceiling; else the policy's own.

use serde_json::Value;

use crate::domain::session::{Session, shape};
use crate::domain::time::{SignedDuration, parse_duration};
use crate::domain::verdict::Source;

/// The limit as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxAge {
    pub limit: SignedDuration,
    /// The metadata key under which a session may say otherwise.
    pub tag: Option<String>,
    /// Never beyond this, whatever the tag says.
    pub ceiling: Option<SignedDuration>,
}

/// The limit as it holds for one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub allowed: SignedDuration,
    pub from: Source,
    /// Tag, what it held, and why that is no duration.
    pub unreadable: Option<(String, String, String)>,
}

impl MaxAge {
    pub fn read(&self, session: &Session) -> Reading {
        let own = Reading { allowed: self.limit, from: Source::Policy, unreadable: None };
        let Some(tag) = &self.tag else { return own };
        let Some(value) = session.metadata.get(tag) else { return own };
        match tag_duration(value) {
            Err(why) => Reading { unreadable: Some((tag.clone(), excerpt(value), why)), ..own },
            Ok(asked) => match self.ceiling {
                Some(ceiling) if asked > ceiling => Reading { allowed: ceiling, from: Source::Ceiling(tag.clone()), unreadable: None },
                _ => Reading { allowed: asked, from: Source::Tag(tag.clone()), unreadable: None },
            },
        }
    }
}

fn tag_duration(value: &Value) -> Result<SignedDuration, String> {
    let text = value.as_str().ok_or_else(|| format!("{} instead of a text such as \"5h\"", shape(value)))?;
    match parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("zero is no limit".to_owned()),
        Ok(duration) => Ok(duration),
        Err(fault) => Err(fault.to_string()),
    }
}

/// Longest part of a tag's value that is repeated in a message.
const EXCERPT_CHARS: usize = 40;

fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
