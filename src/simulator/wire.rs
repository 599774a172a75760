//! Browserbase's wire form: what its rows, bodies and errors look like, and what it takes in a create request.

use serde_json::{Map, Value, json};

use super::activity::{Act, ActWord};
use super::life::{Life, NewSession};
use super::world::Project;
use crate::domain::time::{SignedDuration, Timestamp, rfc3339};

pub(super) const STATUSES: [&str; 5] = ["PENDING", "RUNNING", "ERROR", "TIMED_OUT", "COMPLETED"];
const REGIONS: [&str; 4] = ["us-west-2", "us-east-1", "eu-central-1", "ap-southeast-1"];

/// Seconds of the project's `defaultTimeout`.
const DEFAULT_TIMEOUT: i64 = 3_600;
/// Characters of `userMetadata` as JSON.
const METADATA_CHARS: usize = 512;

/// A session as a listing and a release show it: without any credential.
pub(super) fn row(life: &Life, now: Timestamp) -> Value {
    let mut row = json!({
        "id": life.id,
        "createdAt": rfc3339(life.created_at),
        "updatedAt": rfc3339(life.updated_at(now)),
        "startedAt": rfc3339(life.started_at.min(now)),
        "expiresAt": rfc3339(life.expires_at),
        "projectId": &*life.project_id,
        "status": life.status(now),
        "proxyBytes": life.proxy_bytes(now),
        "keepAlive": life.keep_alive,
        "region": &*life.region,
    });
    if let Some(end) = life.ended(now) {
        row["endedAt"] = rfc3339(end.at).into();
    }
    if let Some(metadata) = &life.metadata {
        row["userMetadata"] = metadata.clone();
    }
    row
}

/// A session as GET and create show it: with the credentials to drive its browser, while there is one.
pub(super) fn body(life: &Life, now: Timestamp) -> Value {
    let mut body = row(life, now);
    if life.ended(now).is_none() {
        body["connectUrl"] = format!("wss://connect.simulator.invalid/?signingKey={}", life.secret).into();
        body["seleniumRemoteUrl"] = format!("https://selenium.simulator.invalid/{}/webdriver", life.secret).into();
        body["signingKey"] = (*life.secret).into();
    }
    body
}

pub(super) fn project(project: &Project) -> Value {
    json!({
        "id": &*project.id,
        "name": "simulated",
        "ownerId": "simulator",
        "createdAt": rfc3339(project.created_at),
        "updatedAt": rfc3339(project.created_at),
        "defaultTimeout": DEFAULT_TIMEOUT,
        "concurrency": 250,
    })
}

/// Whole browser minutes as billed, each session's first minute at least, and proxy bytes.
pub(super) fn usage<'a>(lives: impl Iterator<Item = &'a Life>, now: Timestamp) -> Value {
    let (minutes, bytes) = lives.filter(|life| life.started_at <= now).fold((0, 0), |(minutes, bytes), life| {
        let until = life.ended(now).map_or(now, |end| end.at);
        let ran = until.duration_since(life.started_at).as_secs().max(0);
        (minutes + (ran as u64).div_ceil(60).max(1), bytes + life.proxy_bytes(now))
    });
    json!({ "browserMinutes": minutes, "proxyBytes": bytes })
}

/// An error's body.
pub(super) fn error(code: u16, message: &str) -> Value {
    let word = match code {
        400 => "Bad Request",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    json!({ "statusCode": code, "error": word, "message": message })
}

pub(super) fn unauthorized(message: &str) -> Value {
    json!({ "error": "Unauthorized", "message": message })
}

/// Reads a create request; what is not about the session's life (proxies, most browser settings) is accepted and ignored.
pub(super) fn new_session(body: &[u8]) -> Result<NewSession, String> {
    let body: Value = if body.is_empty() { json!({}) } else { serde_json::from_slice(body).map_err(|_| "the body is not JSON")? };
    let body = body.as_object().ok_or("the body must be an object")?;
    let timeout = field(body, "timeout", Value::as_i64, "an integer")?.unwrap_or(DEFAULT_TIMEOUT);
    if !(60..=21_600).contains(&timeout) {
        return Err("timeout must be between 60 and 21600 seconds".to_owned());
    }
    let region = field(body, "region", Value::as_str, "a string")?.unwrap_or(REGIONS[0]);
    if !REGIONS.contains(&region) {
        return Err(format!("region must be one of {}", REGIONS.join(", ")));
    }
    Ok(NewSession {
        project_id: field(body, "projectId", Value::as_str, "a string")?.map(Into::into),
        metadata: metadata(body)?,
        keep_alive: field(body, "keepAlive", Value::as_bool, "a boolean")?.unwrap_or(false),
        region: region.into(),
        timeout: SignedDuration::from_secs(timeout),
        logs: logs(body)?,
        ..NewSession::default()
    })
}

fn logs(body: &Map<String, Value>) -> Result<bool, String> {
    let settings = field(body, "browserSettings", Value::as_object, "an object")?;
    let wanted = settings.map(|settings| field(settings, "logSession", Value::as_bool, "a boolean")).transpose()?;
    Ok(wanted.flatten().unwrap_or(true))
}

fn metadata(body: &Map<String, Value>) -> Result<Option<Value>, String> {
    let metadata = field(body, "userMetadata", |value| value.is_object().then_some(value), "an object")?;
    match metadata {
        Some(value) if value.to_string().chars().count() > METADATA_CHARS => {
            Err(format!("userMetadata must be at most {METADATA_CHARS} characters as JSON"))
        }
        other => Ok(other.cloned()),
    }
}

fn field<'a, T>(body: &'a Map<String, Value>, key: &str, read: impl FnOnce(&'a Value) -> Option<T>, wanted: &str) -> Result<Option<T>, String> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| format!("{key} must be {wanted}")),
    }
}

/// Reads what a client of the simulator wants done in a session.
pub(super) fn act(body: &[u8]) -> Result<Act, String> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON")?;
    let body = body.as_object().ok_or("the body must be an object")?;
    let word = field(body, "act", |value| ActWord::from_word(value.as_str()?), "command, page or bytes")?.ok_or("act is missing")?;
    Ok(word.act(field(body, "bytes", Value::as_u64, "a whole number")?.unwrap_or(1_000)))
}

/// Whether a body asks for a release, the only update there is.
pub(super) fn is_release_request(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body.get("status").and_then(Value::as_str) == Some("REQUEST_RELEASE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_request_is_held_to_the_limits_of_the_specification() {
        let long = json!({ "userMetadata": { "note": "x".repeat(512) } }).to_string();
        let cases = [
            r#"{"timeout": 59}"#,
            r#"{"timeout": 21601}"#,
            r#"{"timeout": "60"}"#,
            r#"{"region": "mars-1"}"#,
            r#"{"keepAlive": 1}"#,
            r#"{"browserSettings": true}"#,
            r#"{"browserSettings": {"logSession": "no"}}"#,
            "[]",
            "{",
            &long,
        ];
        for case in cases {
            assert!(new_session(case.as_bytes()).is_err(), "{case}");
        }
        let new = new_session(br#"{"timeout": 60, "keepAlive": true, "proxies": true, "userMetadata": {"n": 1}}"#).expect("a session");
        assert_eq!((new.timeout, new.keep_alive, new.metadata), (SignedDuration::from_secs(60), true, Some(json!({ "n": 1 }))));
    }
}
