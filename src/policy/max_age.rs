//! A session is over its `max_age` if and only if its age, in the provider's time, has reached the length in force: the session's own tag where the
//! policy names one and it can be read, never beyond the ceiling; else the policy's own.

use serde_json::Value;

use crate::domain::session::{Metadata, Session, shape};
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
        if let Metadata::Unreadable { found } = session.metadata {
            return Reading { unreadable: Some((tag.clone(), found.to_owned(), "the metadata is not an object".to_owned())), ..own };
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::fixtures::{mins, session};

    fn ttl(limit: i64, ceiling: Option<i64>) -> MaxAge {
        MaxAge { limit: mins(limit), tag: Some("ttl".to_owned()), ceiling: ceiling.map(mins) }
    }

    fn read(limit: &MaxAge, metadata: Value) -> Reading {
        limit.read(&session("a", metadata))
    }

    fn from_tag() -> Source {
        Source::Tag("ttl".to_owned())
    }

    #[test]
    fn a_readable_tag_says_otherwise_be_it_longer_or_shorter() {
        for (text, minutes) in [("5h", 300), ("5m", 5), ("1h 30m", 90)] {
            let reading = read(&ttl(120, None), json!({ "ttl": text }));
            assert_eq!((reading.allowed, reading.from, reading.unreadable), (mins(minutes), from_tag(), None), "{text}");
        }
    }

    #[test]
    fn a_tag_at_the_ceiling_is_followed_and_one_beyond_it_is_cut() {
        let at = read(&ttl(120, Some(360)), json!({ "ttl": "6h" }));
        assert_eq!((at.allowed, at.from), (mins(360), from_tag()));
        let beyond = read(&ttl(120, Some(360)), json!({ "ttl": "6h 1s" }));
        assert_eq!((beyond.allowed, beyond.from), (mins(360), Source::Ceiling("ttl".to_owned())));
    }

    #[test]
    fn without_the_tag_or_without_a_tag_to_look_for_the_policys_own_limit_holds() {
        let own = Reading { allowed: mins(120), from: Source::Policy, unreadable: None };
        assert_eq!(read(&ttl(120, None), json!({ "other": "5h" })), own);
        assert_eq!(read(&MaxAge { tag: None, ..ttl(120, None) }, json!({ "ttl": "5h" })), own);
    }

    #[test]
    fn a_tag_that_is_no_duration_leaves_the_policys_limit_and_says_why() {
        let cases = [
            (json!(5), "5", "a number instead of a text such as \"5h\""),
            (json!(null), "null", "null instead of a text such as \"5h\""),
            (json!("soon"), "\"soon\"", "not a duration"),
            (json!("5"), "\"5\"", "a number without a unit"),
            (json!("0s"), "\"0s\"", "zero is no limit"),
            (json!("-5h"), "\"-5h\"", "a duration must not be negative"),
            (json!("99999w"), "\"99999w\"", "longer than ten years"),
        ];
        for (value, found, why) in cases {
            let reading = read(&ttl(120, Some(360)), json!({ "ttl": value }));
            assert_eq!((reading.allowed, &reading.from), (mins(120), &Source::Policy), "{found}");
            assert_eq!(reading.unreadable, Some(("ttl".to_owned(), found.to_owned(), why.to_owned())));
        }
    }

    #[test]
    fn a_tag_may_be_a_dotted_path() {
        let limit = MaxAge { tag: Some("reaper.ttl".to_owned()), ..ttl(120, None) };
        assert_eq!(read(&limit, json!({ "reaper": { "ttl": "5h" } })).allowed, mins(300));
    }

    #[test]
    fn a_long_tag_is_cut_in_what_is_said_of_it() {
        let reading = read(&ttl(120, None), json!({ "ttl": "é".repeat(200) }));
        let (_, found, _) = reading.unreadable.expect("no duration");
        assert_eq!(found.chars().count(), EXCERPT_CHARS + 1);
    }

    #[test]
    fn tags_that_cannot_be_read_at_all_are_not_the_same_as_none() {
        let reading = read(&ttl(120, None), json!(["ttl=5h"]));
        assert_eq!(reading.allowed, mins(120));
        assert_eq!(reading.unreadable, Some(("ttl".to_owned(), "a list".to_owned(), "the metadata is not an object".to_owned())));
    }
}
