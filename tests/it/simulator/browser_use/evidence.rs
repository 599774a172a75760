//! What a client of Browser Use finds of an agent's activity.

use reqwest::Method;
use serde_json::{Value, json};
use session_reaper::domain::event::Operation;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::{Fault, NewAgent, NewTask, TYPED_SECRET, Target};

use super::{column, linked};
use crate::simulator::Provider;

/// Ten minutes old, with one task that took 70 s.
fn worked() -> NewAgent {
    let task = NewTask { takes: Some(SignedDuration::from_secs(70)), ..NewTask::default() };
    NewAgent { age: SignedDuration::from_mins(10), tasks: vec![task], ..linked() }
}

fn instant(value: &Value) -> jiff::Timestamp {
    value.as_str().and_then(|at| at.parse().ok()).unwrap_or_else(|| panic!("{value} is no instant"))
}

#[tokio::test]
async fn in_v3_messages_tell_of_a_task_in_order_and_in_pages() {
    let provider = Provider::start().await;
    let (id, _, _) = provider.pair(worked());
    let path = format!("v3/sessions/{id}/messages");
    let since = instant(&provider.seen(&format!("v3/sessions/{id}")).await["createdAt"]);
    let all = provider.seen(&path).await;
    let after_start = |message: &Value| instant(&message["createdAt"]).duration_since(since).as_secs();
    let told: Vec<(&str, &str, i64)> = column(&all, "messages", "role")
        .into_iter()
        .zip(column(&all, "messages", "type"))
        .zip(all["messages"].as_array().expect("messages"))
        .map(|((role, kind), message)| (role, kind, after_start(message)))
        .collect();
    assert_eq!(told, [("human", "user_message", 0), ("ai", "browser_action", 30), ("ai", "browser_action", 60), ("ai", "completion", 70)]);
    assert_eq!((&all["hasMore"], all.to_string().contains(TYPED_SECRET)), (&json!(false), true));

    let ids = column(&all, "messages", "id");
    for (query, wanted, more) in [
        ("limit=3".to_owned(), &ids[..3], true),
        (format!("after={}", ids[2]), &ids[3..], false),
        (format!("after={}&limit=1", ids[0]), &ids[1..2], true),
        (format!("before={}&limit=1", ids[3]), &ids[2..3], true),
        (format!("before={}", ids[1]), &ids[..1], false),
    ] {
        let page = provider.seen(&format!("{path}?{query}")).await;
        assert_eq!((column(&page, "messages", "id"), &page["hasMore"]), (wanted.to_vec(), &json!(more)), "{query}");
    }
    assert_eq!(provider.ask(Method::GET, &format!("{path}?limit=101"), None).await.0, 422);
}

#[tokio::test]
async fn in_v4_a_run_says_when_it_was_over_and_its_events_when_they_were() {
    let provider = Provider::start().await;
    let (id, _, run) = provider.pair(worked());
    provider.pair(linked());
    let runs = provider.seen(&format!("v4/runs?sessionId={id}")).await;
    assert_eq!(column(&runs, "runs", "id"), [run.as_str()]);
    let row = &runs["runs"][0];
    let since = instant(&row["createdAt"]);
    assert_eq!((&row["status"], instant(&row["updatedAt"]).duration_since(since).as_secs()), (&json!("completed"), 70));

    let path = format!("v4/runs/{run}/events");
    let events = provider.seen(&path).await;
    let told: Vec<(i64, i64)> = events["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| (event["id"].as_i64().expect("a number"), instant(&event["ts"]).duration_since(since).as_secs()))
        .collect();
    assert_eq!(told, [(1, 0), (2, 30), (3, 60), (4, 70)]);
    assert_eq!((&events["hasMore"], &events["nextAfter"]), (&json!(false), &Value::Null));
    let page = provider.seen(&format!("{path}?after=1&limit=2")).await;
    assert_eq!((column(&page, "events", "type"), &page["hasMore"], &page["nextAfter"]), (vec!["step", "step"], &json!(true), &json!(3)));
}

#[tokio::test]
async fn a_browser_can_be_used_and_evidence_can_fail() {
    let provider = Provider::start().await;
    let (id, browser, _) = provider.pair(linked());
    let used = provider.posted(&format!("v3/browsers/{browser}/simulate"), json!({ "act": "bytes", "bytes": 2_500_000 }), 200).await;
    assert_eq!(used["proxyUsedMb"], "2.500000");
    assert_eq!(provider.ask(Method::POST, &format!("v3/browsers/{browser}/simulate"), Some(json!({ "act": "sleep" }))).await.0, 422);
    provider.inject(Target::from(Operation::Evidence).session(id.clone()), Fault::detail(500, "arranged"));
    assert_eq!(provider.ask(Method::GET, &format!("v3/sessions/{id}/messages"), None).await.0, 500);
    provider.inject(Target::from(Operation::Evidence).session(id.clone()), Fault::detail(500, "arranged"));
    assert_eq!(provider.ask(Method::GET, &format!("v4/runs?sessionId={id}"), None).await.0, 500);
    provider.seen("v4/runs").await;
}
