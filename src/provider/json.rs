//! What every provider's JSON is read with: row by row, each field on its own, so that what cannot be read spoils no more than itself. No sentence here repeats
//! a value.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::fault::Fault;
use crate::domain::name::SessionId;
use crate::domain::session::Metadata;
use crate::domain::time::Timestamp;
use crate::provider::http::unreadable;

/// An id longer than this is none, in characters.
const LONGEST_ID: usize = 256;
/// A status, a region or a project is a word; a row in which one is longer than this, in characters, is not read.
const LONGEST_WORD: usize = 256;
/// A session's tags beyond this are not known. Providers allow some hundred bytes.
const LONGEST_METADATA: usize = 64 << 10;

/// Reads a list row by row as it stands in memory. Fails only where the whole is not a list.
pub(super) fn rows<'a>(list: &'a [u8], each: impl FnMut(&'a RawValue)) -> Result<(), Fault> {
    let mut input = serde_json::Deserializer::from_slice(list);
    EachRow(each).deserialize(&mut input).and_then(|()| input.end()).map_err(|error| unreadable(list, &error))
}

struct EachRow<F>(F);

impl<'de, F: FnMut(&'de RawValue)> DeserializeSeed<'de> for EachRow<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for EachRow<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of sessions")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element()? {
            (self.0)(row);
        }
        Ok(())
    }
}

/// To be asked before fields are told apart: a list would be taken for an object, field by field in our order.
pub(super) fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// Non-empty, printable, and such that it can stand in an address.
pub(super) fn id(raw: Option<&RawValue>, name: &str) -> Result<SessionId, String> {
    let text: String = required(raw, name)?;
    let fits = text.chars().count() <= LONGEST_ID && !text.chars().any(char::is_control) && !matches!(text.trim(), "" | "." | "..");
    if fits { Ok(text.into()) } else { Err(format!("`{name}` is empty, too long or not printable")) }
}

/// `null` and absent are no tags.
pub(super) fn metadata(raw: Option<&RawValue>) -> Metadata {
    if raw.is_some_and(|raw| raw.get().len() > LONGEST_METADATA) {
        return Metadata::Unlearnt { why: "it is longer than the 64 KiB that are read" };
    }
    match raw.map(|raw| serde_json::from_str::<Value>(raw.get())).transpose() {
        Ok(value) => Metadata::from_json(value),
        Err(_) => Metadata::Unreadable { found: "JSON that cannot be held" },
    }
}

/// RFC 3339; without an offset it is UTC.
pub(super) fn instant(raw: Option<&RawValue>, name: &str) -> Result<Option<Timestamp>, String> {
    let Some(text) = optional::<String>(raw, name)? else { return Ok(None) };
    let text = text.trim();
    match text.parse().or_else(|_| format!("{text}Z").parse()) {
        Ok(at) => Ok(Some(at)),
        Err(_) => Err(format!("`{name}` is not an instant")),
    }
}

/// A word of the provider's; nothing where there is none.
pub(super) fn word(raw: Option<&RawValue>, name: &str) -> Result<Option<String>, String> {
    match optional::<String>(raw, name)? {
        Some(word) if word.chars().count() > LONGEST_WORD => Err(format!("`{name}` is too long")),
        word => Ok(word),
    }
}

pub(super) fn required<T: DeserializeOwned>(raw: Option<&RawValue>, name: &str) -> Result<T, String> {
    optional(raw, name)?.ok_or_else(|| missing(name))
}

pub(super) fn missing(name: &str) -> String {
    format!("`{name}` is missing")
}

pub(super) fn optional<T: DeserializeOwned>(raw: Option<&RawValue>, name: &str) -> Result<Option<T>, String> {
    raw.map_or(Ok(None), |raw| serde_json::from_str(raw.get()).map_err(|_| format!("`{name}` cannot be read")))
}
