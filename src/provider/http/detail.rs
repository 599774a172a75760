//! What a provider said, in its own words, before they are redacted.

use serde_json::Value;
use serde_json::error::Category;

use crate::domain::fault::{Fault, FaultKind};

/// Where providers put their sentence, in the order in which it is looked for.
const KEYS: [&str; 4] = ["message", "error", "detail", "msg"];
/// How deep the sentence is looked for: `{"detail": [{"msg": …}]}` is three.
const DEPTH: usize = 4;

/// The sentence in an error's body: `message`, `error` or `detail`, else the text itself. Not yet redacted, nor cut.
pub(super) fn said(body: &[u8]) -> Option<String> {
    if is_html(body) {
        return Some("an HTML page".to_owned());
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => sentence(&value, DEPTH).map(str::to_owned),
        Err(_) => Some(String::from_utf8_lossy(body).trim().to_owned()).filter(|text| !text.is_empty()),
    }
}

/// A 429 for having too many sessions at a time, and not for asking too often.
pub(super) fn speaks_of_concurrency(body: &[u8]) -> bool {
    let too_often = serde_json::from_slice::<Value>(body).is_ok_and(|body| body["error"] == "rate_limited");
    !too_often && said(body).is_some_and(|sentence| sentence.to_lowercase().contains("concurrent"))
}

fn sentence(value: &Value, depth: usize) -> Option<&str> {
    match value {
        _ if depth == 0 => None,
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()),
        Value::Array(items) => items.iter().find_map(|item| sentence(item, depth - 1)),
        Value::Object(fields) => KEYS.iter().filter_map(|&key| fields.get(key)).find_map(|field| sentence(field, depth - 1)),
        _ => None,
    }
}

/// What stands for the sentence where the provider gave none.
pub(super) const fn silent(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Unauthorized => "the provider refuses this API key",
        FaultKind::Forbidden => "this API key lacks the right",
        FaultKind::PaymentRequired => "the provider wants to be paid first",
        FaultKind::NotFound => "there is nothing under this address",
        FaultKind::Throttled => "too many requests",
        FaultKind::AtCapacity => "too many concurrent sessions",
        FaultKind::Rejected => "the provider will not do this",
        FaultKind::Unavailable => "the provider failed",
        FaultKind::Redirected => "a redirect, not followed: check `base_url`",
        FaultKind::TimedOut => "no answer in time",
        FaultKind::Disconnected => "no connection",
        FaultKind::Unreadable => "an answer that no provider should give",
        FaultKind::TooLarge => "an answer that is too large",
    }
}

/// The fault of a 2xx whose body is not what was promised. Names what came instead, and nothing of its content.
pub(in crate::provider) fn unreadable(body: &[u8], error: &serde_json::Error) -> Fault {
    let found = match error.classify() {
        _ if body.trim_ascii().is_empty() => "an empty answer where JSON was expected",
        _ if is_html(body) => "an HTML page where JSON was expected",
        Category::Eof => "JSON that ends too early",
        Category::Syntax | Category::Io => "an answer that is not JSON",
        Category::Data => "JSON of another shape than the provider documents",
    };
    Fault::new(FaultKind::Unreadable, found)
}

fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_is_found_wherever_a_provider_puts_it() {
        let cases: [(&str, Option<&str>); 12] = [
            (r#"{"error":"Unauthorized","message":"Missing header"}"#, Some("Missing header")),
            (r#"{"message":"","error":"Unauthorized"}"#, Some("Unauthorized")),
            (r#"{"detail":"Session not found"}"#, Some("Session not found")),
            (r#"{"detail":{"code":"limit","message":"spent"}}"#, Some("spent")),
            (r#"{"detail":[{"loc":["body"],"msg":"field required","type":"missing"}]}"#, Some("field required")),
            (r#"{"error":{"message":"no"}}"#, Some("no")),
            (r#"{"code":7}"#, None),
            (r#""plain""#, Some("plain")),
            ("  upstream connect error \n", Some("upstream connect error")),
            ("<!doctype html><title>502</title>", Some("an HTML page")),
            ("", None),
            (r#"{"message":{"message":{"message":{"message":"deep"}}}}"#, None),
        ];
        for (body, expected) in cases {
            assert_eq!(said(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }

    const AT_CAPACITY: &str = r#"{"detail":"Too many concurrent active sessions. Please wait for one to finish, kill one, or upgrade your plan."}"#;

    #[test]
    fn the_sentences_of_browser_use_are_found() {
        let spent = r#"{"detail":{"code":"api_key_monthly_spend_limit_reached","message":"This key has spent its limit.","cap":5,"spent":5.2}}"#;
        let invalid = r#"{"detail":[{"loc":["query","pageSize"],"msg":"Input should be less than or equal to 100","type":"less_than_equal"}]}"#;
        let cases = [
            (spent, "This key has spent its limit."),
            (r#"{"detail":"API key is missing required scope: sessions:read"}"#, "API key is missing required scope: sessions:read"),
            (invalid, "Input should be less than or equal to 100"),
            (r#"{"error":"rate_limited","limit_rps":25,"retry_after_seconds":5}"#, "rate_limited"),
            (AT_CAPACITY, "Too many concurrent active sessions. Please wait for one to finish, kill one, or upgrade your plan."),
        ];
        for (body, expected) in cases {
            assert_eq!(said(body.as_bytes()).as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn too_many_sessions_at_a_time_is_not_too_many_requests() {
        assert!(speaks_of_concurrency(AT_CAPACITY.as_bytes()) && speaks_of_concurrency(br#"{"detail":{"message":"Concurrent limit"}}"#));
        for body in ["", "slow down", r#"{"error":"rate_limited","message":"too many concurrent requests"}"#] {
            assert!(!speaks_of_concurrency(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn what_came_instead_of_json_is_named_and_not_quoted() {
        let cases = [("", "empty"), ("<html>s3cret", "HTML"), (r#"["s3cret"#, "too early"), ("s3cret", "not JSON"), (r#"{"s3cret":1}"#, "shape")];
        for (body, word) in cases {
            let error = serde_json::from_str::<Vec<u8>>(body).expect_err("no list");
            let fault = unreadable(body.as_bytes(), &error);
            assert!(fault.detail.contains(word) && !fault.detail.contains("s3cret"), "{body}: {fault}");
        }
    }
}
