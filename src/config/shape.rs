//! The first pass: every key is known, every value has its key's shape and lies within its bounds. Goes on after a fault, so that all are told at once.

use figment::value::{Num, Value};

use super::fault::{ConfigFault, KeyPath, nearest, quoted, shown};
use super::keys::{self, Empty, Key, Shape, Span, Words};
use super::layers::{DATETIME, Origins};
use super::{limits, matcher, week};
use crate::domain::time::{DurationFault, SignedDuration, parse_duration};

/// Collects faults, each with its place.
pub(super) struct Report<'a> {
    origins: &'a Origins,
    /// With the line and column that they are sorted by.
    faults: Vec<((usize, usize), ConfigFault)>,
}

impl<'a> Report<'a> {
    pub(super) const fn new(origins: &'a Origins) -> Self {
        Self { origins, faults: Vec::new() }
    }

    /// A fault of this very key has been told already.
    pub(super) fn tells(&self, path: &KeyPath) -> bool {
        let key = path.to_string();
        self.faults.iter().any(|(_, fault)| fault.key == key)
    }

    /// The faults in the order of the file; those of other layers come first.
    pub(super) fn into_faults(mut self) -> Vec<ConfigFault> {
        self.faults.sort_by_key(|(position, _)| *position);
        self.faults.into_iter().map(|(_, fault)| fault).collect()
    }

    /// A value that is not what was expected, shown as far as it may be.
    pub(super) fn unexpected(&mut self, path: &KeyPath, value: &Value, expected: impl Into<String>) {
        self.say(path, value, shown(path, value), expected, None);
    }

    pub(super) fn say(&mut self, path: &KeyPath, value: &Value, found: impl Into<String>, expected: impl Into<String>, meant: Option<String>) {
        let place = self.origins.place(path, value.tag());
        let position = self.origins.position(path).unwrap_or_default();
        self.faults.push((position, ConfigFault { place, key: path.to_string(), found: found.into(), expected: expected.into(), meant }));
    }
}

/// Accounts, and policies, that a configuration may have: each pair of them has series of its own in `/metrics`.
pub(super) const MOST_TABLES: usize = 100;
/// The longest name, in characters: it is in every series and in every line about what it names.
pub(super) const LONGEST_NAME: usize = 64;

/// Checks one value against its shape.
pub(super) fn check(report: &mut Report<'_>, path: &KeyPath, value: &Value, shape: &Shape) {
    match shape {
        Shape::Table(keys) => table(report, path, value, keys),
        Shape::Tables(keys) => {
            if let Some(items) = value.as_array().filter(|items| items.len() > MOST_TABLES) {
                report.say(path, value, format!("{} of them", items.len()), format!("at most {MOST_TABLES}"), None);
            }
            list(report, path, value, "a list of tables", |report, path, item| table(report, path, item, keys));
        }
        Shape::Match => a_match(report, path, value),
        Shape::Matches => filled_list(report, path, value, "a list of match tables", a_match),
        Shape::Selector => selector(report, path, value),
        Shape::Metadata => metadata(report, path, value),
        Shape::Texts(Empty::Allowed) => list(report, path, value, "a list of texts", text),
        Shape::Texts(Empty::Refused) => filled_list(report, path, value, "a list of texts", text),
        Shape::ListOf(words) => filled_list(report, path, value, "a list of words", |report, path, item| word(report, path, item, words)),
        _ => scalar(report, path, value, shape),
    }
}

fn scalar(report: &mut Report<'_>, path: &KeyPath, value: &Value, shape: &Shape) {
    match shape {
        Shape::Duration(span) => duration(report, path, value, span),
        Shape::Word(words) => word(report, path, value, words),
        Shape::Variable => variable(report, path, value),
        Shape::Name => pattern(report, path, value, is_name, "a name of at most 64 lower-case letters, digits and hyphens"),
        Shape::Currency => pattern(report, path, value, is_currency, "three capital letters, such as \"USD\""),
        Shape::Address => pattern(report, path, value, is_address, "an IP address and port, such as \"127.0.0.1:9753\""),
        Shape::Flag if value.to_bool().is_none() => report.unexpected(path, value, "true or false, without quotes"),
        Shape::Rate => number(report, path, value, |rate| rate > 0.0 && rate <= 1000.0, "a number greater than 0, at most 1000"),
        Shape::Fraction => number(report, path, value, |part| part > 0.0 && part <= 1.0, "a fraction greater than 0, at most 1"),
        Shape::Price => number(report, path, value, |price| price >= 0.0, "a price of 0 or more"),
        Shape::Hours => number(report, path, value, |hours| hours > 0.0 && hours <= 1e6, "a number of hours greater than 0, at most a million"),
        Shape::Per => limits::check_per(report, path, value),
        Shape::Days => week::check_days(report, path, value),
        Shape::Clock => week::check_clock(report, path, value, false),
        Shape::ClockOrEnd => week::check_clock(report, path, value, true),
        Shape::Zone => week::check_zone(report, path, value),
        Shape::Count if count(value).is_none() => report.unexpected(path, value, "a whole number from 1"),
        Shape::Text | Shape::Path | Shape::Url => text(report, path, value),
        _ => {}
    }
}

fn table(report: &mut Report<'_>, path: &KeyPath, value: &Value, keys: &'static [Key]) {
    let Value::Dict(_, dict) = value else { return report.unexpected(path, value, "a table") };
    for (name, inner) in dict {
        match keys::find(keys, name) {
            Some(key) => check(report, &path.key(name), inner, &key.shape),
            None => unknown_key(report, &path.key(name), inner, keys),
        }
    }
    for key in keys.iter().filter(|key| key.required && !dict.contains_key(key.name)) {
        report.say(&path.key(key.name), value, "nothing", format!("this key: {}", key.about), None);
    }
}

/// Keys under which people write a credential into the file.
const INLINE_CREDENTIALS: [&str; 5] = ["apikey", "token", "apitoken", "key", "secret"];

fn unknown_key(report: &mut Report<'_>, path: &KeyPath, value: &Value, keys: &[Key]) {
    let plain = path.last().to_lowercase().replace(['_', '-'], "");
    let place = ["api_key", "secret"].into_iter().find(|place| keys::find(keys, &format!("{place}_env")).is_some());
    if let Some(place) = place.filter(|_| INLINE_CREDENTIALS.contains(&plain.as_str())) {
        let expected = format!("{place}_env or {place}_file: credentials are never in the configuration");
        return report.say(path, value, "a credential", expected, None);
    }
    let meant = nearest(path.last(), keys.iter().map(|key| key.name));
    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    report.say(path, value, "an unknown key", format!("one of {}", names.join(", ")), meant);
}

fn list(report: &mut Report<'_>, path: &KeyPath, value: &Value, expected: &str, mut item: impl FnMut(&mut Report<'_>, &KeyPath, &Value)) {
    match value {
        Value::Array(_, items) => items.iter().enumerate().for_each(|(at, inner)| item(report, &path.index(at), inner)),
        _ => report.unexpected(path, value, expected),
    }
}

fn filled_list(report: &mut Report<'_>, path: &KeyPath, value: &Value, expected: &str, item: impl FnMut(&mut Report<'_>, &KeyPath, &Value)) {
    match value {
        Value::Array(_, items) if items.is_empty() => report.unexpected(path, value, format!("{expected}, at least one")),
        _ => list(report, path, value, expected, item),
    }
}

fn selector(report: &mut Report<'_>, path: &KeyPath, value: &Value) {
    match value {
        Value::String(_, all) if all == "all" => {}
        Value::Dict(..) => a_match(report, path, value),
        _ => report.unexpected(path, value, "\"all\", or a table of match keys"),
    }
}

fn a_match(report: &mut Report<'_>, path: &KeyPath, value: &Value) {
    match value {
        Value::Dict(_, dict) if dict.is_empty() => {
            report.unexpected(path, value, "at least one match key; a policy for every session says match = \"all\"")
        }
        _ => table(report, path, value, keys::MATCH),
    }
}

fn metadata(report: &mut Report<'_>, path: &KeyPath, value: &Value) {
    match value {
        Value::Dict(_, dict) if !dict.is_empty() && !dict.contains_key(DATETIME) => {
            dict.iter().for_each(|(key, inner)| matcher::check(report, &path.key(key), inner));
        }
        _ => report.unexpected(path, value, "a table of metadata keys, such as { env = \"ci\" }"),
    }
}

fn word(report: &mut Report<'_>, path: &KeyPath, value: &Value, words: &Words) {
    let expected = || format!("one of {}", words.known.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", "));
    match value.as_str() {
        Some(word) if words.known.contains(&word) => {}
        Some(word) if words.not_yet.contains(&word) => {
            let found = format!("{word:?}, which is part of the format, but this version cannot do it yet");
            report.say(path, value, found, expected(), None);
        }
        Some(word) => {
            let meant = nearest(word, words.known.iter().chain(words.not_yet).copied());
            report.say(path, value, quoted(word), expected(), meant);
        }
        None => report.unexpected(path, value, expected()),
    }
}

fn text(report: &mut Report<'_>, path: &KeyPath, value: &Value) {
    pattern(report, path, value, |text| !text.trim().is_empty() && !text.contains('\0'), "a text that is not empty");
}

fn pattern(report: &mut Report<'_>, path: &KeyPath, value: &Value, fits: impl Fn(&str) -> bool, expected: &str) {
    if !value.as_str().is_some_and(fits) {
        report.unexpected(path, value, expected);
    }
}

fn variable(report: &mut Report<'_>, path: &KeyPath, value: &Value) {
    let expected = "the name of the environment variable that holds the key, not the key itself";
    match value.as_str() {
        Some(name) if is_variable(name) => {}
        // What is no name may be the key itself.
        Some(_) => report.say(path, value, super::fault::HIDDEN, expected, None),
        None => report.unexpected(path, value, expected),
    }
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.chars().all(|c| c.is_ascii_uppercase())
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::SocketAddr>().is_ok()
}

fn is_variable(text: &str) -> bool {
    !super::fault::looks_secret(text)
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn number(report: &mut Report<'_>, path: &KeyPath, value: &Value, fits: impl Fn(f64) -> bool, expected: &str) {
    if !as_number(value).is_some_and(|number| number.is_finite() && fits(number)) {
        report.unexpected(path, value, expected);
    }
}

/// A TOML number as a float.
pub(super) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Num(_, Num::F64(number)) => Some(*number),
        Value::Num(_, number) => number.to_i128().map(|number| number as f64),
        _ => None,
    }
}

/// A whole number from 1.
pub(super) fn count(value: &Value) -> Option<u32> {
    match value {
        Value::Num(_, Num::F64(_)) => None,
        Value::Num(_, number) => u32::try_from(number.to_i128()?).ok().filter(|count| *count > 0),
        _ => None,
    }
}

fn duration(report: &mut Report<'_>, path: &KeyPath, value: &Value, span: &Span) {
    let expected = expected_duration(span);
    let parsed = match value {
        Value::Num(..) => Err(DurationFault::NoUnit),
        _ => match value.as_str() {
            Some(text) => parse_duration(text),
            None => return report.unexpected(path, value, expected),
        },
    };
    match parsed {
        Err(DurationFault::NotADuration) => report.unexpected(path, value, expected),
        Err(why) => report.say(path, value, format!("{}, {why}", shown(path, value)), expected, None),
        Ok(length) if !allows(span, length) => report.unexpected(path, value, expected),
        Ok(_) => {}
    }
}

fn allows(span: &Span, length: SignedDuration) -> bool {
    let bound = |text: &str| parse_duration(text).unwrap_or(SignedDuration::ZERO);
    match span {
        Span::OrOff => true,
        Span::Positive => !length.is_zero(),
        Span::From(least) => length >= bound(least),
        Span::Within(least, most) => length >= bound(least) && length <= bound(most),
    }
}

fn expected_duration(span: &Span) -> String {
    match span {
        Span::OrOff => "a duration such as \"90s\", or \"0s\" for off".to_owned(),
        Span::Positive => "a duration greater than zero, such as \"90s\"".to_owned(),
        Span::From(least) => format!("a duration such as \"90s\", at least {least}"),
        Span::Within(least, most) => format!("a duration such as \"90s\", from {least} to {most}"),
    }
}
