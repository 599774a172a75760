//! What stands behind the `?` of an address: each fault names the parameter, what was found and what was expected.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::answers::Refusal;
use crate::domain::time::{Timestamp, later, parse_duration};

const DEFAULT_LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 1_000;
pub(super) const DEFAULT_BY: &str = "policy";

/// The parameters of a request; of one that is given twice, the last.
#[derive(Debug)]
pub(super) struct Params(Option<BTreeMap<String, String>>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(Query::try_from_uri(&parts.uri).ok().map(|Query(params)| params)))
    }
}

impl Params {
    /// All of them, for a page that reads its own.
    pub(super) fn all(&self) -> Result<&BTreeMap<String, String>, Refusal> {
        self.0.as_ref().ok_or_else(|| bad("the query could not be read: expected name=value&…".to_owned()))
    }

    /// Refuses what the path does not know: a misspelt parameter would silently change nothing.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        let params = self.all()?;
        match params.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) if known.is_empty() => Err(bad(format!("{name:?}: this path takes no parameters"))),
            Some(name) => Err(bad(format!("{name:?}: no such parameter, expected {}", known.join(" or ")))),
        }
    }

    pub(super) fn limit(&self) -> Result<usize, Refusal> {
        let Some(text) = self.get("limit") else { return Ok(DEFAULT_LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
        limit.ok_or_else(|| bad(format!("limit: found {text:?}, expected a whole number from 1 to {LARGEST_LIMIT}")))
    }

    pub(super) fn since(&self, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.get("since") else { return Ok(None) };
        let ago = parse_duration(text).ok().map(|ago| later(now, -ago));
        let since = ago.or_else(|| text.parse().ok()).filter(|since| *since <= now);
        since.map(Some).ok_or_else(|| {
            bad(format!(
                "since: found {text:?}, expected a duration such as 7d, or an instant in the past such as 2026-01-31T12:00:00Z (a + is written %2B)"
            ))
        })
    }

    pub(super) fn by(&self) -> Result<Option<&str>, Refusal> {
        let Some(text) = self.get("by") else { return Ok(None) };
        let plain = ["account", "policy", "limit", "kind", "day"].contains(&text);
        let tag = text.strip_prefix("metadata.").is_some_and(|key| !key.is_empty());
        let fault = || bad(format!("by: found {text:?}, expected account, policy, limit, kind, day or metadata.KEY"));
        if plain || tag { Ok(Some(text)) } else { Err(fault()) }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.as_ref()?.get(name).map(String::as_str)
    }
}

fn bad(why: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, why)
}
