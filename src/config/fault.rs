//! What is wrong with a configuration: where, which key, what was found, what was expected, what was probably meant.

use std::fmt;

use figment::value::{Num, Value};

pub(super) use crate::domain::text::{HIDDEN, looks_secret};

/// One fault, without any secret in it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ConfigFault {
    /// `file:line:column`, the name of an environment variable, or a flag.
    pub place: String,
    /// The key's path: `accounts[0].poll_interval`; empty where it is about the whole.
    pub key: String,
    pub found: String,
    pub expected: String,
    /// The word or key that was probably meant.
    pub meant: Option<String>,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "found {}; expected {}", self.found, self.expected)?;
        match &self.meant {
            Some(meant) => write!(f, "; did you mean {meant:?}?"),
            None => Ok(()),
        }
    }
}

/// Every fault of one configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<ConfigFault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(f, "{only}"),
            many => {
                write!(f, "the configuration has {} faults", many.len())?;
                many.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
        }
    }
}

impl std::error::Error for Faults {}

/// The path of a key in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Index(usize),
}

impl KeyPath {
    pub(super) fn key(&self, key: &str) -> Self {
        let mut longer = self.clone();
        longer.0.push(Step::Key(key.to_owned()));
        longer
    }

    pub(super) fn index(&self, index: usize) -> Self {
        let mut longer = self.clone();
        longer.0.push(Step::Index(index));
        longer
    }

    /// The last key's name; empty at the root and for an element of a list.
    pub(super) fn last(&self) -> &str {
        match self.0.last() {
            Some(Step::Key(key)) => key,
            _ => "",
        }
    }

    pub(super) fn parent(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// Any key on the way says that what is under it is a secret.
    fn names_secret(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Key(key) if names_secret(key)))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    f.write_str(if at > 0 { "." } else { "" })?;
                    f.write_str(&written_key(key))?;
                }
            }
        }
        Ok(())
    }
}

fn written_key(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    match key {
        key if looks_secret(key) => HIDDEN.to_owned(),
        key if bare => key.to_owned(),
        key => format!("{:?}", shortened(key)),
    }
}

/// Keys whose values are the places of secrets, not secrets.
const PLACES_OF_SECRETS: [&str; 6] = ["api_key_env", "api_key_file", "token_file", "max_age_tag", "secret_env", "secret_file"];

fn names_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    // A webhook's address often is all that it takes to write there.
    key == "url" || !PLACES_OF_SECRETS.contains(&key.as_str()) && ["key", "token", "secret", "password"].iter().any(|word| key.contains(word))
}

/// Longest part of a value that a message repeats, in characters.
const SHOWN_CHARS: usize = 60;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text as a message shows it: quoted, short, and never a secret.
pub(super) fn quoted(text: &str) -> String {
    if looks_secret(text) { HIDDEN.to_owned() } else { format!("{:?}", shortened(text)) }
}

/// A value as a message shows it.
pub(super) fn shown(path: &KeyPath, value: &Value) -> String {
    match value {
        Value::Dict(_, keys) if keys.contains_key(super::layers::DATETIME) => "a date or time without quotes".to_owned(),
        Value::Dict(_, keys) if keys.is_empty() => "an empty table".to_owned(),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(_, items) if items.is_empty() => "an empty list".to_owned(),
        Value::Array(..) => "a list".to_owned(),
        _ if path.names_secret() => HIDDEN.to_owned(),
        scalar => scalar_shown(scalar),
    }
}

fn scalar_shown(value: &Value) -> String {
    match value {
        Value::String(_, text) => quoted(text),
        Value::Char(_, one) => quoted(&one.to_string()),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, Num::F64(number)) => number.to_string(),
        Value::Num(_, number) => number.to_i128().map_or_else(|| "a number".to_owned(), |number| number.to_string()),
        _ => "nothing".to_owned(),
    }
}

/// The candidate that was probably meant by `word`: spelling, case, and `-` against `_` are forgiven.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    let wanted = plain(word);
    let length = wanted.chars().count();
    let allowed = (length / 3).clamp(1, 3);
    let distance = |candidate: &str| match plain(candidate) {
        longer if length >= 4 && longer.starts_with(&wanted) => 1,
        other => strsim::damerau_levenshtein(&wanted, &other),
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}
