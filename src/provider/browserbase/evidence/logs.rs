//! A session's log, of which only the instants are read. Its order is not documented, so that the newest of all is looked for.

use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::activity::Said;
use crate::domain::fault::Fault;
use crate::domain::time::Timestamp;
use crate::provider::http::Body;
use crate::provider::json::{self, optional};
use crate::provider::testimony::dated;

/// From 2000 to 2100, in milliseconds: what lies outside is seconds, or microseconds, or nothing that was ever said to a browser.
const PLAUSIBLE: RangeInclusive<i64> = 946_684_800_000..=4_102_444_800_000;

/// What the log says. Fails where it is no list, and nothing of it could be read.
pub(super) fn said(body: &Body) -> Result<Said, Fault> {
    let mut log = Log::default();
    let read = json::rows(body, |raw| log.add(raw));
    let lack = match read {
        _ if body.is_cut => Some(format!("of its log only the first {} KiB are read", body.len() >> 10)),
        Err(fault) if log.newest.is_none() => return Err(fault),
        Err(fault) => Some(fault.to_string()),
        Ok(()) => log.lack,
    };
    Ok(dated(log.newest, lack, if log.is_empty { "its log is empty" } else { "nothing in its log has a timestamp" }))
}

/// The log as far as it was read.
struct Log {
    is_empty: bool,
    newest: Option<Timestamp>,
    /// Why an entry may be newer than it shows.
    lack: Option<String>,
}

impl Default for Log {
    fn default() -> Self {
        Self { is_empty: true, newest: None, lack: None }
    }
}

impl Log {
    fn add(&mut self, raw: &RawValue) {
        self.is_empty = false;
        for at in instants(raw) {
            match at {
                Ok(at) => self.newest = self.newest.max(at),
                Err(why) => drop(self.lack.get_or_insert_with(|| format!("an entry of its log cannot be read: {why}"))),
            }
        }
    }
}

/// All that is read of an entry, or of what it holds as its request and its response: the rest is what pages hold.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Half<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
}

/// The instants of an entry, each of which may be missing.
fn instants(raw: &RawValue) -> Vec<Result<Option<Timestamp>, String>> {
    let entry: Entry<'_> = match object(raw, "an entry") {
        Ok(entry) => entry,
        Err(why) => return vec![Err(why)],
    };
    let half = |raw: Option<&RawValue>, name| match raw {
        None => Ok(None),
        Some(raw) => object::<Half<'_>>(raw, name).and_then(|half| instant(half.timestamp)),
    };
    vec![instant(entry.timestamp), half(entry.request, "`request`"), half(entry.response, "`response`")]
}

fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue, name: &str) -> Result<T, String> {
    if !json::is_object(raw) {
        return Err(format!("{name} is not an object"));
    }
    serde_json::from_str(raw.get()).map_err(|_| format!("{name} has a field twice"))
}

/// Whole milliseconds since 1970.
fn instant(raw: Option<&RawValue>) -> Result<Option<Timestamp>, String> {
    let Some(millis) = optional::<i64>(raw, "timestamp")? else { return Ok(None) };
    let at = Some(millis).filter(|millis| PLAUSIBLE.contains(millis)).and_then(|millis| Timestamp::from_millisecond(millis).ok());
    at.map(Some).ok_or_else(|| "`timestamp` is not in milliseconds".to_owned())
}

#[cfg(test)]
mod tests;
