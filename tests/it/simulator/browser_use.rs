//! Browser Use over HTTP, in each version's wire form.

mod evidence;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::{Extent, Fault, NewAgent, NewSession, NewTask, Target};

use super::Provider;

const KEY: &str = "bu_demo_http";

impl Provider {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = self.http.request(method, format!("{}/api/{path}", self.server.base_url())).header("X-Browser-Use-API-Key", KEY);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.expect("a text")).unwrap_or(Value::Null))
    }

    async fn seen(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn patched(&self, path: &str, body: Value) -> Value {
        let (status, body) = self.ask(Method::PATCH, path, Some(body)).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn posted(&self, path: &str, body: Value, status: u16) -> Value {
        let (answered, body) = self.ask(Method::POST, path, Some(body)).await;
        assert_eq!(answered, status, "{path}: {body}");
        body
    }

    fn browser(&self, new: NewSession) -> SessionId {
        self.world.with(|world| world.create(KEY, at_once(new), self.clock.now())).expect("the key is one of this world's")
    }

    /// A pair of an agent session and its browser, which end as soon as they are asked to.
    fn pair(&self, new: NewAgent) -> (SessionId, SessionId, SessionId) {
        let new = NewAgent { browser: new.browser.map(at_once), release_latency: Some(SignedDuration::ZERO), ..new };
        self.world.with(|world| {
            let id = world.create_agent(KEY, new, self.clock.now()).expect("the key is one of this world's");
            let browser = world.lives().find(|life| life.agent.as_ref() == Some(&id)).expect("a browser").id.clone();
            let task = world.agent(&id).and_then(|agent| agent.latest()).expect("a task").id.clone();
            (id, browser, task)
        })
    }
}

fn at_once(new: NewSession) -> NewSession {
    NewSession { release_latency: Some(SignedDuration::ZERO), ..new }
}

fn linked() -> NewAgent {
    let browser = NewSession { age: SignedDuration::from_mins(10), ..NewSession::default() };
    NewAgent { browser: Some(browser), tasks: vec![NewTask::default()], ..NewAgent::default() }
}

/// The texts under one name in the rows of an envelope.
fn column<'a>(envelope: &'a Value, rows: &str, name: &str) -> Vec<&'a str> {
    envelope[rows].as_array().expect("rows").iter().filter_map(|row| row[name].as_str()).collect()
}

#[tokio::test]
async fn browsers_are_created_listed_read_and_stopped_alike_in_every_version() {
    let provider = Provider::start().await;
    for version in ["v2", "v3", "v4"] {
        let created = provider.posted(&format!("{version}/browsers"), json!({ "timeout": 30, "metadata": { "team": version } }), 201).await;
        let id = created["id"].as_str().expect("an id").to_owned();
        assert_eq!((&created["status"], &created["agentSessionId"], &created["browserCost"]), (&json!("active"), &Value::Null, &json!("0.010000")));

        let listed = provider.seen(&format!("{version}/browsers?filterBy=active&metadata=team={version}")).await;
        assert_eq!((column(&listed, "items", "id"), &listed["totalItems"]), (vec![id.as_str()], &json!(1)));
        assert!(listed["items"][0]["cdpUrl"].as_str().is_some_and(|url| url.starts_with("wss://cdp.simulator.invalid/")));

        let own = provider.browser(NewSession { age: SignedDuration::from_secs(630), ..NewSession::default() });
        let stopped = provider.patched(&format!("{version}/browsers/{own}"), json!({ "action": "stop" })).await;
        let stopped = if stopped["status"] == "active" { provider.seen(&format!("{version}/browsers/{own}")).await } else { stopped };
        assert_eq!((&stopped["status"], &stopped["cdpUrl"], &stopped["liveUrl"]), (&json!("stopped"), &Value::Null, &Value::Null));
        assert_eq!(stopped["browserCost"], "0.003667", "eleven minutes begun, at two cents an hour");
        assert_eq!(provider.patched(&format!("{version}/browsers/{own}"), json!({ "action": "stop" })).await, stopped, "once is enough");
        assert_eq!(provider.seen(&format!("{version}/browsers/{own}")).await, stopped);
    }
}

#[tokio::test]
async fn pages_of_browsers_hold_each_of_them_once() {
    let provider = Provider::start().await;
    let mut made: Vec<String> = (0..7).map(|_| provider.browser(NewSession::default()).to_string()).collect();
    let mut seen = Vec::new();
    for page in 1..=4 {
        let listed = provider.seen(&format!("v2/browsers?pageSize=3&pageNumber={page}")).await;
        assert_eq!((&listed["totalItems"], &listed["pageNumber"], &listed["pageSize"]), (&json!(7), &json!(page), &json!(3)));
        seen.extend(column(&listed, "items", "id").into_iter().map(str::to_owned));
    }
    made.sort();
    seen.sort();
    assert_eq!(seen, made);
}

#[tokio::test]
async fn in_v2_a_stopped_session_takes_its_tasks_and_its_browser_along() {
    let provider = Provider::start().await;
    let (agent, browser, task) = provider.pair(linked());
    let listed = provider.seen("v2/sessions?filterBy=active").await;
    assert_eq!(column(&listed, "items", "id"), [agent.as_str()]);
    assert_eq!(provider.seen(&format!("v2/browsers/{browser}")).await["agentSessionId"], agent.as_str());

    let stopped = provider.patched(&format!("v2/sessions/{agent}"), json!({ "action": "stop" })).await;
    assert_eq!((&stopped["status"], &stopped["tasks"][0]["status"]), (&json!("stopped"), &json!("stopped")));
    assert_eq!(provider.seen(&format!("v2/browsers/{browser}")).await["status"], "stopped");
    assert_eq!(provider.seen(&format!("v2/tasks/{task}/status")).await["status"], "stopped");
    assert_eq!(column(&provider.seen("v2/sessions?filterBy=active").await, "items", "id"), [""; 0]);
    assert_eq!(provider.patched(&format!("v2/sessions/{agent}"), json!({ "action": "stop" })).await, stopped, "once is enough");
}

#[tokio::test]
async fn in_v2_a_task_opens_a_session_with_a_browser_and_can_be_found_again() {
    let provider = Provider::start().await;
    let created = provider.posted("v2/tasks", json!({ "task": "Look", "metadata": { "team": "ml" } }), 202).await;
    let (task, agent) = (created["id"].as_str().expect("an id"), created["sessionId"].as_str().expect("an id"));
    let found = provider.seen(&format!("v2/tasks?sessionId={agent}&after=2020-01-01T00:00:00")).await;
    assert_eq!((&found["items"][0]["id"], &found["items"][0]["metadata"]), (&json!(task), &json!({ "team": "ml" })));
    assert_eq!(provider.seen("v2/tasks?before=2020-01-01T00:00:00Z").await["totalItems"], 0);
    assert_eq!(column(&provider.seen("v2/browsers").await, "items", "agentSessionId"), [agent]);
    provider.patched(&format!("v2/tasks/{task}"), json!({ "action": "stop" })).await;
    assert_eq!(provider.seen(&format!("v2/sessions/{agent}")).await["status"], "stopped", "a session of one task ends with it");
    assert_eq!(provider.posted("v2/sessions", json!({}), 201).await["keepAlive"], true);
}

#[tokio::test]
async fn in_v3_a_stop_is_of_the_task_or_of_the_session() {
    let provider = Provider::start().await;
    let (agent, browser, _) = provider.pair(linked());
    let listed = provider.seen("v3/sessions?page=1&page_size=5").await;
    assert_eq!((column(&listed, "sessions", "status"), &listed["total"], &listed["pageSize"]), (vec!["running"], &json!(1), &json!(5)));

    let stop = format!("v3/sessions/{agent}/stop");
    assert_eq!(provider.posted(&stop, json!({ "strategy": "task" }), 200).await["status"], "idle");
    assert_eq!(provider.seen(&format!("v3/browsers/{browser}")).await["status"], "active");
    let (status, stopped) = provider.ask(Method::POST, &stop, None).await;
    assert_eq!((status, &stopped["status"]), (200, &json!("stopped")), "without a body it is the session's");
    assert_eq!(provider.seen(&format!("v3/browsers/{browser}")).await["status"], "stopped");
    assert_eq!(provider.posted("v3/sessions", json!({ "keepAlive": true }), 200).await["status"], "idle");
}

#[tokio::test]
async fn in_v4_a_cancelled_run_leaves_its_browser_for_a_while() {
    let provider = Provider::start().await;
    let (agent, browser, run) = provider.pair(linked());
    let talk = provider.seen(&format!("v4/sessions/{agent}")).await;
    assert_eq!((&talk["latestRunId"], &talk["status"]), (&json!(run), &json!("running")));

    let (status, cancelled) = provider.ask(Method::POST, &format!("v4/runs/{run}/cancel"), None).await;
    assert_eq!((status, &cancelled["status"]), (200, &json!("cancelled")));
    assert_eq!(provider.ask(Method::POST, &format!("v4/runs/{run}/cancel"), None).await, (200, cancelled));
    assert_eq!(provider.seen(&format!("v4/runs/{run}/status")).await, json!({ "status": "cancelled" }));
    let kept = provider.seen(&format!("v4/browsers?agentSessionId={agent}&filterBy=active")).await;
    assert_eq!(column(&kept, "items", "id"), [browser.as_str()]);
    assert_eq!(provider.patched(&format!("v4/browsers/{browser}"), json!({ "action": "stop" })).await["status"], "stopped");
}

#[tokio::test]
async fn in_v4_a_session_can_be_renamed_and_nothing_there_stops_it() {
    let provider = Provider::start().await;
    let (agent, browser, _) = provider.pair(linked());
    let path = format!("v4/sessions/{agent}");
    assert_eq!(provider.patched(&path, json!({ "title": "Prices" })).await["title"], "Prices");
    assert_eq!(provider.patched(&path, json!({ "title": "Stop", "action": "stop" })).await["title"], "Stop");
    assert_eq!(provider.seen(&path).await["status"], "running");
    assert_eq!(provider.seen(&format!("v4/browsers/{browser}")).await["status"], "active");
    let asked: Vec<Asked> = provider.world.with(|world| world.journal().iter().map(|request| request.asked).collect());
    assert_eq!(asked[..2], [Asked::Rename, Asked::Rename]);
}

#[tokio::test]
async fn in_v4_listings_go_on_where_they_ended() {
    let provider = Provider::start().await;
    for _ in 0..5 {
        provider.posted("v4/runs", json!({ "task": "Look" }), 200).await;
    }
    for (path, rows, name) in [("v4/sessions", "sessions", "sessionId"), ("v4/runs", "runs", "id")] {
        let whole = provider.seen(path).await;
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let part = provider.seen(&format!("{path}?limit=2{cursor}")).await;
            seen.extend(column(&part, rows, name).into_iter().map(str::to_owned));
            assert_eq!(part["hasMore"], part["nextCursor"].is_string());
            let Some(next) = part["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!((seen.len(), seen), (5, column(&whole, rows, name).into_iter().map(str::to_owned).collect()));
    }
}

#[tokio::test]
async fn a_stopped_browser_leaves_its_agent_session_alone() {
    let provider = Provider::start().await;
    for version in ["v2", "v3"] {
        let (agent, browser, _) = provider.pair(linked());
        provider.patched(&format!("{version}/browsers/{browser}"), json!({ "action": "stop" })).await;
        assert!(["active", "running"].contains(&provider.seen(&format!("{version}/sessions/{agent}")).await["status"].as_str().expect("a word")));
    }
}

#[tokio::test]
async fn a_browser_may_go_on_after_its_agent_session() {
    let provider = Provider::start().await;
    let (agent, browser, _) =
        provider.pair(NewAgent { age: SignedDuration::from_mins(10), left_browser_after: Some(SignedDuration::from_mins(2)), ..linked() });
    assert_eq!(provider.seen(&format!("v2/sessions/{agent}")).await["status"], "stopped");
    assert_eq!(provider.seen(&format!("v2/browsers/{browser}")).await["status"], "active");
}

#[tokio::test]
async fn a_deletion_is_told_apart_from_a_stop() {
    let provider = Provider::start().await;
    for version in ["v2", "v3", "v4"] {
        let (agent, _, _) = provider.pair(linked());
        let path = format!("{version}/sessions/{agent}");
        assert_eq!(provider.ask(Method::DELETE, &path, None).await, (204, Value::Null));
        let last = provider.world.with(|world| world.journal().last().cloned()).expect("a request");
        assert_eq!((last.asked, last.line.as_str(), last.session), (Asked::Destroy, format!("DELETE /api/{path}").as_str(), Some(agent)));
    }
}

#[tokio::test]
async fn a_key_opens_its_own_provider_only() {
    let provider = Provider::start().await;
    let url = format!("{}/api/v2/browsers", provider.server.base_url());
    for key in ["bb_demo", "bu_live_x", ""] {
        let refused = provider.http.get(&url).header("X-Browser-Use-API-Key", key).send().await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{key}");
        assert!(refused.json::<Value>().await.expect("JSON")["detail"].is_string());
    }
    let foreign = provider.http.get(format!("{}/v1/sessions", provider.server.base_url())).header("X-BB-API-Key", KEY).send().await;
    assert_eq!(foreign.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    assert!(provider.world.with(|world| world.journal().iter().all(|request| request.key.is_none())));
}

#[tokio::test]
async fn requests_that_are_not_in_order_are_refused_as_fastapi_does() {
    let provider = Provider::start().await;
    let nobody = "00000000-0000-4000-a000-000000000000";
    let too_many: Value = (0..11).map(|count| (format!("key{count}"), json!("value"))).collect();
    let cases = [
        (Method::GET, "v2/browsers?pageSize=101".to_owned(), None, 422),
        (Method::GET, "v2/browsers?pageNumber=0".to_owned(), None, 422),
        (Method::GET, "v2/sessions?filterBy=running".to_owned(), None, 422),
        (Method::GET, "v3/sessions?page_size=x".to_owned(), None, 422),
        (Method::GET, "v4/sessions?limit=101".to_owned(), None, 422),
        (Method::PATCH, format!("v2/sessions/{nobody}"), Some(json!({ "action": "halt" })), 422),
        (Method::PATCH, format!("v2/sessions/{nobody}"), Some(json!({})), 422),
        (Method::PATCH, format!("v2/sessions/{nobody}"), Some(json!({ "action": "stop" })), 404),
        (Method::POST, format!("v3/sessions/{nobody}/stop"), None, 404),
        (Method::POST, format!("v4/runs/{nobody}/cancel"), None, 404),
        (Method::PATCH, format!("v4/browsers/{nobody}"), Some(json!({ "action": "stop" })), 404),
        (Method::POST, "v2/browsers".to_owned(), Some(json!({ "metadata": too_many })), 422),
        (Method::POST, "v2/browsers".to_owned(), Some(json!({ "metadata": { "attempt": 1 } })), 422),
        (Method::POST, "v2/browsers".to_owned(), Some(json!({ "timeout": 241 })), 403),
        (Method::POST, "v4/runs".to_owned(), Some(json!({})), 422),
        (Method::GET, "v4/tasks".to_owned(), None, 404),
        (Method::GET, "v1/sessions".to_owned(), None, 404),
        (Method::PUT, "v2/sessions".to_owned(), None, 404),
    ];
    for (method, path, sent, status) in cases {
        let (answered, body) = provider.ask(method.clone(), &path, sent).await;
        assert_eq!(answered, status, "{method} {path}: {body}");
        assert!(
            if status == 422 { body["detail"][0]["loc"].is_array() } else { body["detail"].is_string() || path.starts_with("v1") },
            "{path}: {body}"
        );
    }
}

#[tokio::test]
async fn faults_strike_the_inventory_that_is_meant_in_its_own_form() {
    let provider = Provider::start().await;
    provider.browser(NewSession::default());
    let browsers = || Target::from(Operation::List).status("browsers");
    provider.world.with(|world| world.inject(browsers(), Fault::detail(403, "API key is missing required scope: browsers:read"), Extent::Times(1)));
    assert_eq!(provider.seen("v2/sessions").await["totalItems"], 0);
    let (status, body) = provider.ask(Method::GET, "v2/browsers", None).await;
    assert_eq!((status, body), (403, json!({ "detail": "API key is missing required scope: browsers:read" })));

    provider.inject(browsers(), Fault::EmptyList);
    let empty = provider.seen("v2/browsers").await;
    assert_eq!((&empty["items"], &empty["totalItems"], &empty["pageNumber"]), (&json!([]), &json!(0), &json!(1)));
    provider.inject(browsers(), Fault::WrongTotal(2));
    assert_eq!(provider.seen("v2/browsers").await["totalItems"], 3);
    provider.inject(browsers(), Fault::DuplicateRows);
    assert_eq!(provider.seen("v2/browsers").await["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn the_account_counts_its_active_browsers() {
    let provider = Provider::start().await;
    provider.browser(NewSession::default());
    for version in ["v2", "v3"] {
        assert_eq!(provider.seen(&format!("{version}/billing/account")).await["activeSessionCount"], 1);
    }
}
