//! Metadata matchers: checked with every fault told, and read.

use figment::value::{Num, Value};
use serde_json::Number;

use super::fault::{KeyPath, nearest};
use super::keys::MATCHER;
use super::layers::DATETIME;
use super::shape::Report;
use crate::policy::selector::Matcher;

const EXPECTED: &str =
    "a text, a number, true or false, a list of those, or one of { exists = true }, { glob = \"…\" }, { regex = \"…\" }, { not = … }";

/// A regex beyond this, compiled, is refused: it would cost memory and time at every listing.
const REGEX_BYTES: usize = 256 * 1024;

/// The longest glob, in bytes: it becomes a regex that is larger still.
const LONGEST_GLOB: usize = 1_000;

pub(super) fn check(report: &mut Report<'_>, path: &KeyPath, value: &Value) {
    match value {
        Value::Array(_, items) if items.is_empty() => report.unexpected(path, value, "a list with at least one value"),
        Value::Array(_, items) => items.iter().enumerate().for_each(|(at, item)| check(report, &path.index(at), item)),
        Value::Dict(_, dict) if dict.contains_key(DATETIME) => report.unexpected(path, value, "a text: put it in quotes"),
        Value::Dict(_, dict) => match (dict.iter().next(), dict.len()) {
            (Some((word, inner)), 1) => check_word(report, &path.key(word), word, inner),
            _ => report.unexpected(path, value, format!("exactly one of {}", MATCHER.join(", "))),
        },
        scalar if json(scalar).is_some() => {}
        other => report.unexpected(path, other, EXPECTED),
    }
}

fn check_word(report: &mut Report<'_>, path: &KeyPath, word: &str, value: &Value) {
    match (word, value.as_str()) {
        ("exists", _) if value.to_bool().is_none() => report.unexpected(path, value, "true or false, without quotes"),
        ("exists", _) => {}
        ("not", _) => check(report, path, value),
        ("glob", Some(pattern)) if pattern.len() > LONGEST_GLOB => report.unexpected(path, value, format!("a glob of at most {LONGEST_GLOB} bytes")),
        ("glob", Some(pattern)) => {
            if let Err(error) = glob(pattern) {
                report.unexpected(path, value, format!("a glob such as \"feature/*\" ({})", error.kind()));
            }
        }
        ("regex", Some(pattern)) => {
            if let Err(error) = regex(pattern) {
                report.unexpected(path, value, format!("a regular expression ({})", reason(&error)));
            }
        }
        ("glob" | "regex", None) => report.unexpected(path, value, "a text"),
        _ => report.say(path, value, "an unknown matcher", format!("one of {}", MATCHER.join(", ")), nearest(word, MATCHER)),
    }
}

/// The last line of a regex error says what is wrong; those before it draw the pattern.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "too large once compiled".to_owned(),
        other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    }
}

fn glob(pattern: &str) -> Result<globset::GlobMatcher, globset::Error> {
    globset::Glob::new(pattern).map(|glob| glob.compile_matcher())
}

fn regex(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build()
}

/// The matcher, where it is one.
pub(super) fn read(value: &Value) -> Option<Matcher> {
    match value {
        Value::Array(_, items) => items.iter().map(read).collect::<Option<_>>().map(Matcher::AnyOf),
        Value::Dict(_, dict) => {
            let (word, inner) = dict.iter().next()?;
            match word.as_str() {
                "exists" => inner.to_bool().map(Matcher::Exists),
                "glob" => glob(inner.as_str()?).ok().map(Matcher::Glob),
                "regex" => regex(inner.as_str()?).ok().map(Matcher::Regex),
                "not" => read(inner).map(|inner| Matcher::Not(Box::new(inner))),
                _ => None,
            }
        }
        scalar => json(scalar).map(Matcher::Equals),
    }
}

fn json(value: &Value) -> Option<serde_json::Value> {
    match value {
        Value::String(_, text) => Some(text.as_str().into()),
        Value::Bool(_, flag) => Some((*flag).into()),
        Value::Num(_, Num::F64(number)) => Number::from_f64(*number).map(Into::into),
        Value::Num(_, number) => i64::try_from(number.to_i128()?).ok().map(Into::into),
        _ => None,
    }
}
