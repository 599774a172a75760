//! What a request to Browserbase's API wants, by its method and address, whichever way it travels.

use super::answer::Ask;
use super::query::Query;
use super::wire;

/// Nothing answers there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misrouted {
    Route,
    Method,
}

impl Ask {
    /// `path` without `v1`.
    pub(super) fn of(method: &str, path: &[&str], query: &[(String, String)], body: &[u8]) -> Result<Self, Misrouted> {
        Ok(match (method, path) {
            ("GET" | "HEAD", ["sessions"]) => list(query),
            ("POST", ["sessions"]) => wire::new_session(body).map_or_else(Self::Garbled, Self::Create),
            ("GET" | "HEAD", ["sessions", id]) => Self::Read((*id).into()),
            ("POST", ["sessions", id]) if wire::is_release_request(body) => Self::Release((*id).into()),
            ("POST", ["sessions", _]) => Self::Garbled("body/status must be REQUEST_RELEASE".to_owned()),
            ("GET" | "HEAD", ["sessions", id, "logs"]) => Self::Logs((*id).into()),
            ("GET" | "HEAD", ["sessions", id, "debug"]) => Self::Debug((*id).into()),
            ("POST", ["sessions", id, "simulate"]) => wire::act(body).map_or_else(Self::Garbled, |act| Self::Act((*id).into(), act)),
            ("GET" | "HEAD", ["projects"]) => Self::Projects,
            ("GET" | "HEAD", ["projects", id]) => Self::Project((*id).to_owned()),
            ("GET" | "HEAD", ["projects", id, "usage"]) => Self::Usage((*id).to_owned()),
            (
                _,
                ["sessions" | "projects"] | ["sessions" | "projects", _] | ["sessions", _, "logs" | "debug" | "simulate"] | ["projects", _, "usage"],
            ) => {
                return Err(Misrouted::Method);
            }
            _ => return Err(Misrouted::Route),
        })
    }
}

fn list(parameters: &[(String, String)]) -> Ask {
    let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let status = match parameter("status") {
        None => None,
        Some(word) => match wire::STATUSES.iter().find(|status| **status == word) {
            Some(status) => Some(*status),
            None => return Ask::Garbled(format!("querystring/status must be one of {}", wire::STATUSES.join(", "))),
        },
    };
    match parameter("q").map(|text| Query::parse(text).ok_or(text)) {
        None => Ask::List { status, query: None },
        Some(Ok(query)) => Ask::List { status, query: Some(query) },
        Some(Err(_)) => Ask::Garbled("querystring/q must look like user_metadata['key']:'value'".to_owned()),
    }
}
