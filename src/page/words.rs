//! How values are written for people: lengths, instants, money, tags.

use serde_json::{Map, Value};

use crate::domain::session::scalar_text;
use crate::domain::text::{HIDDEN, looks_secret};
use crate::domain::time::{SignedDuration, Timestamp, human, rfc3339};

/// `2h 30m`; to the second, since nobody reads milliseconds of an age.
pub fn length(seconds: f64) -> String {
    human(SignedDuration::from_secs(seconds as i64))
}

/// As [`length`], where the tenth of a second matters below a minute, and the millisecond below a second.
pub fn short(seconds: f64) -> String {
    match seconds {
        seconds if (1.0..60.0).contains(&seconds.abs()) => format!("{seconds:.1}s"),
        seconds => human(SignedDuration::from_millis((seconds * 1_000.0).round() as i64)),
    }
}

/// `12.30 USD`, and in full where that would be nothing.
pub fn money(amount: f64, currency: &str) -> String {
    let digits = if amount != 0.0 && amount.abs() < 0.01 { 4 } else { 2 };
    format!("{amount:.digits$} {currency}")
}

/// An instant as an element that says it in UTC, and that the page's script turns into local time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// RFC 3339 with milliseconds.
    pub machine: String,
    /// `12:04:10 UTC`, with the day where that is another one than now.
    pub shown: String,
    /// In full.
    pub utc: String,
}

impl When {
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let form = if day(at) == day(now) { "%H:%M:%S UTC" } else { "%-d %b %H:%M UTC" };
        Self { machine: rfc3339(at), shown: at.strftime(form).to_string(), utc: at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string() }
    }

    pub fn maybe(at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        at.map(|at| Self::new(at, now))
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// One tag as a row shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// What of a session's tags a row shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    pub shown: Vec<Tag>,
    pub more: usize,
    /// They are not known, which is not the same as none.
    pub unknown: bool,
}

const TAGS_SHOWN: usize = 4;
const LONGEST_KEY: usize = 32;
const LONGEST_VALUE: usize = 40;

impl Tags {
    pub fn of(metadata: &Value) -> Self {
        let Value::Object(tags) = metadata else { return Self { unknown: true, ..Self::default() } };
        let mut shown = Vec::new();
        let mut count = 0;
        each(tags, &mut |key, value| {
            count += 1;
            if shown.len() < TAGS_SHOWN {
                shown.push(Tag { key: cut(key, LONGEST_KEY), value: cut(value, LONGEST_VALUE) });
            }
        });
        Self { more: count - shown.len(), shown, unknown: false }
    }
}

/// Every tag with its value as text, nested ones by their dotted path; what may be a secret is not shown.
pub fn each(tags: &Map<String, Value>, tell: &mut dyn FnMut(&str, &str)) {
    for (key, value) in tags {
        walk(key, value, tell);
    }
}

fn walk(path: &str, value: &Value, tell: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::Object(inner) if !inner.is_empty() => inner.iter().for_each(|(key, value)| walk(&format!("{path}.{key}"), value, tell)),
        value => {
            let text = scalar_text(value).unwrap_or_else(|| value.to_string().into());
            tell(path, if looks_secret(&text) { HIDDEN } else { &text });
        }
    }
}

/// The beginning of a text, with a sign that there is more.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The longest metadata that one session's page shows.
const LONGEST_METADATA: usize = 64 << 10;

/// The tags whole, indented; what may be a secret is not shown, and what nobody could see is.
pub fn whole(metadata: &Value) -> String {
    let text = serde_json::to_string_pretty(&without_secrets(metadata)).unwrap_or_default();
    cut(&visible(&text), LONGEST_METADATA)
}

/// JSON with its invisible characters, and with those that turn the text after them around, written as escapes. All of them stand in its strings.
fn visible(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {
                shown.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            seen => shown.push(seen),
        }
    }
    shown
}

fn without_secrets(value: &Value) -> Value {
    match value {
        Value::String(text) if looks_secret(text) => HIDDEN.into(),
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        Value::Object(tags) => tags.iter().map(|(key, value)| (key.clone(), without_secrets(value))).collect::<Map<_, _>>().into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::fixtures::at;

    #[test]
    fn instants_of_today_are_times_and_others_have_their_day() {
        let now = at(0);
        assert_eq!(When::new(at(1_500), now).shown, "12:00:01 UTC");
        assert_eq!(When::new(at(1_500), now).machine, "2026-11-20T12:00:01.500Z");
        assert_eq!(When::new(at(12 * 3_600_000), now).shown, "21 Nov 00:00 UTC");
        assert_eq!(When::new(at(0), now).utc, "2026-11-20 12:00:00 UTC");
    }

    #[test]
    fn lengths_and_money_have_the_digits_that_matter() {
        assert_eq!(
            (length(9_000.7).as_str(), short(0.012).as_str(), short(1.26).as_str(), short(90.0).as_str()),
            ("2h 30m", "12ms", "1.3s", "1m 30s")
        );
        assert_eq!((money(12.3, "USD").as_str(), money(0.0042, "EUR").as_str(), money(0.0, "USD").as_str()), ("12.30 USD", "0.0042 EUR", "0.00 USD"));
    }

    #[test]
    fn a_row_shows_four_tags_cut_to_length_and_counts_the_rest() {
        let long = "é".repeat(10_000);
        let tags = Tags::of(&json!({ "a": { "b": 1, "c": [true] }, "d": long, "e": null, "f": "x", "g": "y" }));
        let shown: Vec<String> = tags.shown.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
        assert_eq!(shown, ["a.b=1".to_owned(), "a.c=[true]".to_owned(), format!("d={}…", "é".repeat(40)), "e=null".to_owned()]);
        assert_eq!((tags.more, tags.unknown), (2, false));
        assert!(Tags::of(&Value::Null).unknown && !Tags::of(&json!({})).unknown);
    }

    #[test]
    fn what_turns_a_text_around_or_cannot_be_seen_is_written_as_an_escape_of_the_same_json() {
        let metadata = json!({ "\u{202e}gnp.exe": "a\u{200b}\u{2067}b", "family": "👩\u{200d}👧 שלום" });
        let shown = whole(&metadata);
        assert!(shown.contains("\"\\u202egnp.exe\": \"a\\u200b\\u2067b\"") && shown.contains("👩\u{200d}👧 שלום"), "{shown}");
        assert_eq!(serde_json::from_str::<Value>(&shown).ok(), Some(metadata));
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown_wherever_it_stands() {
        let metadata = json!({ "a": { "url": "wss://me:pw@host/x" }, "b": ["bb_live_123"], "c": "fine" });
        let row = format!("{:?}", Tags::of(&metadata));
        let page = whole(&metadata);
        for shown in [row, page] {
            assert!(!shown.contains("pw@") && !shown.contains("bb_live") && shown.contains("fine") && shown.contains(HIDDEN), "{shown}");
        }
    }
}
