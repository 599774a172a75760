//! What a client of Browserbase's API finds of a session's activity.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::{Fault, NewSession, TYPED_SECRET, Target};

use super::{Provider, body};

impl Provider {
    async fn logs(&self, id: &SessionId) -> Value {
        body(self.get(&format!("/v1/sessions/{id}/logs")).await).await
    }

    async fn debug(&self, id: &SessionId) -> Value {
        body(self.get(&format!("/v1/sessions/{id}/debug")).await).await
    }

    async fn row(&self, id: &SessionId) -> Value {
        body(self.get(&format!("/v1/sessions/{id}")).await).await
    }

    async fn acts(&self, id: &SessionId, act: Value) -> Response {
        self.request(Method::POST, &format!("/v1/sessions/{id}/simulate")).json(&act).send().await.expect("an answer")
    }
}

/// Ten minutes old, and worked for the first of them.
fn worked() -> NewSession {
    NewSession {
        age: SignedDuration::from_mins(10),
        worked_for: SignedDuration::from_mins(1),
        bytes_per_second: 100,
        timeout: SignedDuration::from_hours(2),
        ..NewSession::default()
    }
}

#[tokio::test]
async fn a_log_has_the_documented_form_and_ends_with_the_work() {
    let provider = Provider::start().await;
    let id = provider.add(worked());
    let logs = provider.logs(&id).await;
    let entries = logs.as_array().expect("a list");
    assert_eq!(entries.len(), 13);
    for entry in entries {
        assert_eq!((entry["pageId"].is_u64(), &entry["sessionId"]), (true, &json!(id)));
        assert!(entry["method"].as_str().is_some_and(|method| method.contains('.')));
        assert!(["request", "response"].iter().all(|part| entry[part]["timestamp"] == entry["timestamp"] && entry[part]["rawBody"].is_string()));
        assert!(entry["request"]["rawBody"].as_str().is_some_and(|body| body.contains(TYPED_SECRET)));
    }
    let since: jiff::Timestamp = provider.row(&id).await["createdAt"].as_str().and_then(|at| at.parse().ok()).expect("an instant");
    let times: Vec<i64> = entries.iter().filter_map(|entry| entry["timestamp"].as_i64()).collect();
    assert_eq!((times[0], times[12]), (since.as_millisecond(), since.as_millisecond() + 60_000));
    assert!(times.is_sorted());
}

#[tokio::test]
async fn pages_have_the_documented_fields_and_a_new_one_only_when_it_is_opened() {
    let provider = Provider::start().await;
    let id = provider.add(worked());
    let before = provider.debug(&id).await;
    assert_eq!(before["pages"].as_array().map(Vec::len), Some(1));
    for field in ["id", "url", "title", "faviconUrl", "debuggerUrl", "debuggerFullscreenUrl"] {
        assert!(before["pages"][0][field].is_string(), "{field}");
    }
    assert_eq!(provider.acts(&id, json!({ "act": "command" })).await.status(), 200);
    assert_eq!(provider.acts(&id, json!({ "act": "bytes" })).await.status(), 200);
    assert_eq!(provider.debug(&id).await, before);
    assert_eq!(provider.acts(&id, json!({ "act": "page" })).await.status(), 200);
    let after = provider.debug(&id).await;
    assert_eq!((after["pages"].as_array().map(Vec::len), &after["pages"][0]), (Some(2), &before["pages"][0]));
    assert_ne!(after["pages"][0]["id"], after["pages"][1]["id"]);
}

#[tokio::test]
async fn asking_a_thousand_times_changes_nothing() {
    let provider = Provider::start().await;
    let id = provider.add(worked());
    let (logs, debug, row) = (provider.logs(&id).await, provider.debug(&id).await, provider.row(&id).await);
    for _ in 0..500 {
        provider.logs(&id).await;
        provider.debug(&id).await;
    }
    assert_eq!(provider.logs(&id).await, logs);
    assert_eq!(provider.debug(&id).await, debug);
    assert_eq!(provider.row(&id).await, row);
}

#[tokio::test]
async fn a_client_can_make_each_kind_of_activity_happen() {
    let provider = Provider::start().await;
    let id = provider.add(worked());
    let (logs, row) = (provider.logs(&id).await, provider.row(&id).await);
    provider.acts(&id, json!({ "act": "command" })).await;
    assert_eq!(provider.logs(&id).await.as_array().map(Vec::len), logs.as_array().map(|logs| logs.len() + 1));
    assert_eq!(provider.row(&id).await["proxyBytes"], row["proxyBytes"]);
    provider.acts(&id, json!({ "act": "bytes", "bytes": 77 })).await;
    assert_eq!(provider.row(&id).await["proxyBytes"].as_u64(), row["proxyBytes"].as_u64().map(|bytes| bytes + 77));
}

#[tokio::test]
async fn what_cannot_be_done_in_a_session_is_refused() {
    let provider = Provider::start().await;
    let id = provider.add(worked());
    for act in [json!({}), json!({ "act": "sleep" }), json!({ "act": "bytes", "bytes": -1 }), json!([])] {
        assert_eq!(provider.acts(&id, act.clone()).await.status(), 400, "{act}");
    }
    assert_eq!(provider.acts(&"nobody's".into(), json!({ "act": "page" })).await.status(), 404);
    let ended = provider.add(NewSession { timeout: SignedDuration::from_mins(5), ..worked() });
    assert_eq!(provider.acts(&ended, json!({ "act": "page" })).await.status(), 400);
    assert_eq!(provider.debug(&ended).await["pages"], json!([]));
    assert_eq!(provider.get(&format!("/v1/sessions/{id}/simulate")).await.expect("an answer").status(), 405);
}

#[tokio::test]
async fn a_session_that_is_created_without_a_log_has_none() {
    let provider = Provider::start().await;
    let create = |settings: Value| provider.request(Method::POST, "/v1/sessions").json(&json!({ "browserSettings": settings })).send();
    for (settings, entries) in [(json!({ "logSession": false }), 0), (json!({ "logSession": true }), 1), (json!({}), 1)] {
        let created = body(create(settings.clone()).await).await;
        let id = SessionId::from(created["id"].as_str().expect("an id"));
        provider.acts(&id, json!({ "act": "command" })).await;
        assert_eq!(provider.logs(&id).await.as_array().map(Vec::len), Some(entries), "{settings}");
    }
}

#[tokio::test]
async fn faults_strike_evidence_or_one_kind_of_it() {
    let provider = Provider::start().await;
    let id = provider.add(worked());
    let status = async |what: &str| provider.get(&format!("/v1/sessions/{id}/{what}")).await.expect("an answer").status().as_u16();
    provider.inject(Operation::Evidence, Fault::status(500, "arranged"));
    assert_eq!((status("logs").await, status("logs").await), (500, 200));
    provider.inject(Target::from(Operation::Evidence).status("debug"), Fault::throttled(7));
    assert_eq!((status("logs").await, status("debug").await, status("debug").await), (200, 429, 200));
    provider.inject(Target::from(Operation::Evidence).session("another".into()), Fault::status(500, "arranged"));
    assert_eq!((status("logs").await, provider.running().await.expect("an answer").status().as_u16()), (200, 200));
}
