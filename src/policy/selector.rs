//! A policy fits a session if and only if every key of its match fits. Metadata that could not be read makes a match on metadata undecided.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::name::{AccountName, Kind, Provider};
use crate::domain::session::{Metadata, Session, scalar_text};
use crate::domain::time::Timestamp;
use crate::policy::Occasion;
use crate::policy::window::Window;

/// Which sessions a policy is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Selector {
    /// `match = "all"`: said out loud, never implied.
    All,
    Match(Match),
}

/// The keys of one match; all that are there must fit, and at least one is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    pub accounts: Option<Vec<AccountName>>,
    pub providers: Option<Vec<Provider>>,
    pub kinds: Option<Vec<Kind>>,
    pub regions: Option<Vec<Arc<str>>>,
    pub keep_alive: Option<bool>,
    pub window: Option<Window>,
    pub metadata: BTreeMap<String, Matcher>,
    pub not: Option<Box<Match>>,
    /// Empty where there is no such key; else at least one must fit.
    pub any: Vec<Match>,
}

/// What a metadata value must be.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// Equal as JSON; a number or boolean also equals its text form.
    Equals(Value),
    AnyOf(Vec<Matcher>),
    Exists(bool),
    Glob(globset::GlobMatcher),
    Regex(regex::Regex),
    Not(Box<Matcher>),
}

/// Whether a match fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    Yes,
    No,
    /// The session's metadata could not be read, and the answer hangs on it.
    Undecided {
        why: String,
    },
}

/// One key of a match, compared: for `explain`.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub key: String,
    pub expected: String,
    pub found: Value,
    pub fit: Fit,
    /// Why there was nothing to find, where that is not the session's doing.
    pub note: Option<&'static str>,
}

impl Selector {
    pub fn fit(&self, session: &Session, occasion: Occasion<'_>) -> Fit {
        match self {
            Self::All => Fit::Yes,
            Self::Match(keys) => keys.fit(session, occasion),
        }
    }

    /// When one of its windows opens or closes next.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::All => None,
            Self::Match(keys) => keys.next_change(after),
        }
    }

    /// When one of its windows opened or closed last.
    pub fn last_change(&self, until: Timestamp) -> Option<Timestamp> {
        match self {
            Self::All => None,
            Self::Match(keys) => keys.last_change(until),
        }
    }

    /// Every key with what it wanted and what it found, in the order of the contract.
    pub fn compare(&self, session: &Session, occasion: Occasion<'_>) -> Vec<Compared> {
        match self {
            Self::All => vec![Compared { key: "match".into(), expected: "all".into(), found: Value::Null, fit: Fit::Yes, note: None }],
            Self::Match(keys) => keys.compare(session, occasion),
        }
    }
}

impl Match {
    fn last_change(&self, until: Timestamp) -> Option<Timestamp> {
        let inner = self.not.as_deref().into_iter().chain(&self.any).filter_map(|inner| inner.last_change(until));
        self.window.iter().filter_map(|window| window.last_change(until)).chain(inner).max()
    }

    fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let inner = self.not.as_deref().into_iter().chain(&self.any).filter_map(|inner| inner.next_change(after));
        self.window.iter().filter_map(|window| window.next_change(after)).chain(inner).min()
    }

    fn fit(&self, session: &Session, occasion: Occasion<'_>) -> Fit {
        let plain = [
            self.accounts.as_ref().is_none_or(|wanted| wanted.contains(occasion.account)),
            self.providers.as_ref().is_none_or(|wanted| wanted.contains(&occasion.provider)),
            self.kinds.as_ref().is_none_or(|wanted| wanted.contains(&session.kind)),
            self.regions.as_ref().is_none_or(|wanted| session.region.as_ref().is_some_and(|region| wanted.contains(region))),
            self.keep_alive.is_none_or(|wanted| session.keep_alive == Some(wanted) || session.keep_alive_unlearnt),
            self.window.as_ref().is_none_or(|window| window.is_open(occasion.at)),
        ];
        if plain.contains(&false) {
            return Fit::No;
        }
        let unlearnt = (self.keep_alive.is_some() && session.keep_alive_unlearnt)
            .then(|| Fit::Undecided { why: "whether it is kept alive could not be asked for".to_owned() });
        let metadata = self.metadata.iter().map(|(key, matcher)| matcher.fit(key, &session.metadata));
        let not = self.not.iter().map(|inner| inner.fit(session, occasion).negate());
        let any = (!self.any.is_empty()).then(|| Fit::either(self.any.iter().map(|inner| inner.fit(session, occasion))));
        Fit::all(unlearnt.into_iter().chain(metadata).chain(not).chain(any))
    }

    /// The keys that compare one attribute, each with what it wants and a match of its own.
    fn attributes(&self) -> Vec<(&'static str, String, Self)> {
        let none = Self::default();
        let keys = [
            ("accounts", self.accounts.as_deref().map(one_of), Self { accounts: self.accounts.clone(), ..none.clone() }),
            ("providers", self.providers.as_deref().map(one_of), Self { providers: self.providers.clone(), ..none.clone() }),
            ("kinds", self.kinds.as_deref().map(one_of), Self { kinds: self.kinds.clone(), ..none.clone() }),
            ("regions", self.regions.as_deref().map(one_of), Self { regions: self.regions.clone(), ..none.clone() }),
            ("keep_alive", self.keep_alive.map(|wanted| wanted.to_string()), Self { keep_alive: self.keep_alive, ..none }),
        ];
        keys.into_iter().filter_map(|(key, wanted, part)| Some((key, wanted?, part))).collect()
    }

    fn compare(&self, session: &Session, occasion: Occasion<'_>) -> Vec<Compared> {
        let attribute = |(key, expected, part): (&str, String, Self)| Compared {
            key: key.into(),
            expected,
            found: attribute(key, session, occasion),
            fit: part.fit(session, occasion),
            note: None,
        };
        let mut rows: Vec<Compared> = self.attributes().into_iter().map(attribute).collect();
        for (key, matcher) in &self.metadata {
            rows.push(Compared {
                key: format!("metadata.{key}"),
                expected: matcher.to_string(),
                found: session.metadata.get(key).cloned().unwrap_or(Value::Null),
                fit: matcher.fit(key, &session.metadata),
                note: note(&session.metadata),
            });
        }
        if let Some(window) = &self.window {
            let (expected, found) = (window.to_string(), window.shown_at(occasion.at).into());
            rows.push(Compared { key: "window".into(), expected, found, fit: Fit::from(window.is_open(occasion.at)), note: None });
        }
        if let Some(inner) = &self.not {
            rows.push(Compared {
                key: "not".into(),
                expected: format!("not ({inner})"),
                found: Value::Null,
                fit: inner.fit(session, occasion).negate(),
                note: None,
            });
            rows.extend(inner.compare(session, occasion).into_iter().map(|row| row.under("not")));
        }
        for (index, inner) in self.any.iter().enumerate() {
            let key = format!("any[{index}]");
            rows.push(Compared { key: key.clone(), expected: inner.to_string(), found: Value::Null, fit: inner.fit(session, occasion), note: None });
            rows.extend(inner.compare(session, occasion).into_iter().map(|row| row.under(&key)));
        }
        rows
    }
}

fn note(metadata: &Metadata) -> Option<&'static str> {
    match metadata {
        Metadata::NotKept => Some("the provider keeps no metadata for this kind of session"),
        Metadata::Unlearnt { why } => Some(why),
        Metadata::Tags(_) | Metadata::Unreadable { .. } => None,
    }
}

fn attribute(key: &str, session: &Session, occasion: Occasion<'_>) -> Value {
    match key {
        "accounts" => occasion.account.as_str().into(),
        "providers" => occasion.provider.as_str().into(),
        "kinds" => session.kind.as_str().into(),
        "regions" => session.region.as_deref().into(),
        _ => session.keep_alive.into(),
    }
}

impl Compared {
    fn under(mut self, parent: &str) -> Self {
        self.key = format!("{parent}.{}", self.key);
        self
    }
}

impl From<bool> for Fit {
    fn from(fits: bool) -> Self {
        if fits { Self::Yes } else { Self::No }
    }
}

impl Fit {
    fn negate(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            undecided @ Self::Undecided { .. } => undecided,
        }
    }

    /// No if any is no; else undecided if any is.
    fn all(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::Yes, |so_far, part| match (so_far, part) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (undecided @ Self::Undecided { .. }, _) | (_, undecided @ Self::Undecided { .. }) => undecided,
            (Self::Yes, Self::Yes) => Self::Yes,
        })
    }

    /// Yes if any is yes; else undecided if any is.
    fn either(parts: impl Iterator<Item = Self>) -> Self {
        Self::all(parts.map(Self::negate)).negate()
    }
}

impl Matcher {
    /// A metadata key that is absent equals nothing; `not` turns that round, so that `{ not = "production" }` fits the untagged.
    fn fit(&self, key: &str, metadata: &Metadata) -> Fit {
        match metadata {
            Metadata::Unreadable { found } => {
                Fit::Undecided { why: format!("its metadata is {found} instead of an object, so that {key:?} could not be compared") }
            }
            Metadata::Unlearnt { why } => Fit::Undecided { why: format!("its metadata is not known ({why}), so that {key:?} could not be compared") },
            Metadata::Tags(_) if self.fits(metadata.get(key)) => Fit::Yes,
            Metadata::Tags(_) | Metadata::NotKept => Fit::No,
        }
    }

    fn fits(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Exists(wanted) => value.is_some() == *wanted,
            Self::Not(inner) => !inner.fits(value),
            Self::AnyOf(options) => options.iter().any(|option| option.fits(value)),
            Self::Equals(wanted) => value.is_some_and(|found| equal(wanted, found)),
            Self::Glob(pattern) => value.and_then(scalar_text).is_some_and(|text| pattern.is_match(text.as_ref())),
            Self::Regex(pattern) => value.and_then(scalar_text).is_some_and(|text| pattern.is_match(&text)),
        }
    }
}

fn equal(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        // `5` equals `5.0`; two whole numbers are held against each other exactly, for as floats two large ones would run together.
        (Value::Number(wanted), Value::Number(found)) if wanted.is_f64() != found.is_f64() => wanted.as_f64() == found.as_f64(),
        (Value::String(text), scalar @ (Value::Number(_) | Value::Bool(_))) | (scalar @ (Value::Number(_) | Value::Bool(_)), Value::String(text)) => {
            scalar_text(scalar).is_some_and(|scalar| scalar == text.as_str())
        }
        _ => wanted == found,
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Equals(a), Self::Equals(b)) => a == b,
            (Self::AnyOf(a), Self::AnyOf(b)) => a == b,
            (Self::Exists(a), Self::Exists(b)) => a == b,
            (Self::Glob(a), Self::Glob(b)) => a.glob() == b.glob(),
            (Self::Regex(a), Self::Regex(b)) => a.as_str() == b.as_str(),
            (Self::Not(a), Self::Not(b)) => a == b,
            _ => false,
        }
    }
}

fn one_of<T: std::fmt::Display>(wanted: &[T]) -> String {
    wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Equals(value) => write!(f, "{value}"),
            Self::AnyOf(options) => f.write_str(&one_of(options)),
            Self::Exists(true) => f.write_str("any value"),
            Self::Exists(false) => f.write_str("no value"),
            Self::Glob(pattern) => write!(f, "glob {:?}", pattern.glob().glob()),
            Self::Regex(pattern) => write!(f, "regex {:?}", pattern.as_str()),
            Self::Not(inner) => write!(f, "not {inner}"),
        }
    }
}

impl std::fmt::Display for Match {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts: Vec<String> = self.attributes().into_iter().map(|(key, wanted, _)| format!("{key}: {wanted}")).collect();
        parts.extend(self.metadata.iter().map(|(key, matcher)| format!("metadata.{key}: {matcher}")));
        parts.extend(self.window.as_ref().map(|window| format!("window: {window}")));
        parts.extend(self.not.as_ref().map(|inner| format!("not ({inner})")));
        if !self.any.is_empty() {
            parts.push(format!("any of ({})", self.any.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")));
        }
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests;
