//! A provider by script, and what is made of its answers.

use std::collections::VecDeque;
use std::pin::Pin;

use serde_json::{Value, json};

use super::*;
use crate::domain::exchange::RequestTrace;
use crate::domain::listing::ClockReading;
use crate::domain::session::{Phase, Status};
use crate::domain::time::{SignedDuration, Timestamp};
use crate::provider::Exchange;
use crate::provider::http::{Body, Call};

pub(super) const NOW: &str = "2026-11-20T12:00:00Z";

pub(super) fn now() -> Timestamp {
    NOW.parse().expect("an instant")
}

/// Answers each call with what stands first for it, and remembers what it was asked.
#[derive(Default)]
pub(super) struct Script {
    in_order: Mutex<VecDeque<Result<String, Fault>>>,
    asked: Mutex<Vec<String>>,
    /// What each answer shows of the provider's clock.
    pub(super) clock: Option<ClockReading>,
}

impl Script {
    pub(super) fn in_order(answers: Vec<Result<String, Fault>>) -> Self {
        Self { in_order: Mutex::new(answers.into()), ..Self::default() }
    }

    /// Each call as `METHOD path?query body`.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a lock").clone()
    }
}

impl Transport for Script {
    fn send(&self, call: Call) -> Pin<Box<dyn Future<Output = Exchange<Body>> + Send + '_>> {
        let query: Vec<String> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let body = call.body.map(|body| format!(" {body}")).unwrap_or_default();
        self.asked.lock().expect("a lock").push(format!("{} {}{query}{body}", call.method, call.segments.join("/")));
        let unknown = || Err(Fault { status: Some(404), ..Fault::new(FaultKind::NotFound, "not in the script") });
        let answer = self.in_order.lock().expect("a lock").pop_front().unwrap_or_else(unknown);
        let trace = RequestTrace { operation: call.operation, status: "200".to_owned(), took: SignedDuration::ZERO };
        let exchange =
            Exchange { result: answer.map(|text| Body::whole(text.into_bytes())), sent_at: now(), clock: self.clock, requests: vec![trace] };
        Box::pin(async move { exchange })
    }

    fn now(&self) -> Timestamp {
        now()
    }
}

const END: &str = "2026-11-20T11:50:00Z";
const HARD_END: &str = "2026-11-20T13:00:00Z";

fn at(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn answer(value: &Value) -> Result<String, Fault> {
    Ok(value.to_string())
}

fn missing() -> Result<String, Fault> {
    Err(Fault { status: Some(404), ..Fault::new(FaultKind::NotFound, "Session not found") })
}

fn down() -> Result<String, Fault> {
    Err(Fault { status: Some(500), ..Fault::new(FaultKind::Unavailable, "oops") })
}

fn browser(status: &str) -> Value {
    let end = if status == "stopped" { json!(END) } else { Value::Null };
    json!({
        "id": "b", "status": status, "startedAt": "2026-11-20T11:10:00Z", "timeoutAt": HARD_END, "finishedAt": end, "agentSessionId": "a",
        "metadata": { "env": "ci" }
    })
}

fn v2(status: &str) -> Value {
    let end = if status == "stopped" { json!("2026-11-20T11:49:00") } else { Value::Null };
    json!({ "id": "a", "status": status, "startedAt": "2026-11-20T11:00:00Z", "finishedAt": end, "tasks": [] })
}

fn v3(status: &str) -> Value {
    json!({ "id": "a", "status": status, "createdAt": "2026-11-20T11:00:00Z", "updatedAt": "2026-11-20T11:49:00Z" })
}

fn run(status: &str) -> Value {
    json!({ "id": "r", "sessionId": "a", "status": status, "createdAt": "2026-11-20T11:00:00Z", "updatedAt": "2026-11-20T11:49:00Z", "result": "s3cret" })
}

fn agent(own: bool, browser: Option<&str>, run: Option<&str>) -> Target {
    Target { id: "a".into(), kind: Kind::Agent, parts: Parts { own, browser: browser.map(SessionId::from), run: run.map(SessionId::from) } }
}

fn alone() -> Target {
    Target { id: "b".into(), kind: Kind::Browser, parts: Parts::default() }
}

async fn read(version: ApiVersion, target: &Target, answers: Vec<Result<String, Fault>>) -> (Result<Session, Fault>, Vec<String>) {
    let script = Arc::new(Script::in_order(answers));
    let exchange = over(script.clone(), version).lister.read(target).await;
    assert_eq!(exchange.requests.len(), script.asked().len());
    (exchange.result, script.asked())
}

async fn released(version: ApiVersion, target: &Target, answers: Vec<Result<String, Fault>>) -> (Result<Option<Session>, Fault>, Vec<String>) {
    let script = Arc::new(Script::in_order(answers));
    let exchange = over(script.clone(), version).releaser.release(target).await;
    assert_eq!(exchange.requests.len(), script.asked().len());
    (exchange.result, script.asked())
}

/// The status that a reading gives, and the end with it.
async fn end_of(version: ApiVersion, target: &Target, answers: Vec<Result<String, Fault>>) -> (String, Phase, Option<Timestamp>) {
    let session = read(version, target, answers).await.0.expect("a session");
    assert_eq!((&session.id, session.kind, &session.parts), (&target.id, target.kind, &target.parts));
    (session.status.word.as_ref().to_owned(), session.status.phase, session.ended_at)
}

#[tokio::test]
async fn a_pair_is_read_part_by_part_and_over_only_when_both_are() {
    let pair = agent(true, Some("b"), None);
    let both = |one: Value, other: Value| vec![answer(&one), answer(&other)];
    let (session, asked) = read(ApiVersion::V2, &pair, both(browser("active"), v2("active"))).await;
    assert_eq!(asked, ["GET browsers/b", "GET sessions/a"]);
    assert_eq!(session.expect("a session").started_at, at("2026-11-20T11:00:00Z"));
    let cases = [
        (browser("active"), v2("active"), Phase::Running, None),
        (browser("stopped"), v2("active"), Phase::Running, None),
        (browser("active"), v2("stopped"), Phase::Running, None),
        (browser("stopped"), v2("stopped"), Phase::Completed, at(END)),
    ];
    for (one, other, phase, end) in cases {
        let (_, found, ended_at) = end_of(ApiVersion::V2, &pair, both(one, other)).await;
        assert_eq!((found, ended_at), (phase, end));
    }
}

#[tokio::test]
async fn a_pair_ends_as_its_agent_session_did_where_that_says_more() {
    let pair = agent(true, Some("b"), None);
    for (word, phase) in [("stopped", Phase::Completed), ("timed_out", Phase::TimedOut), ("error", Phase::Errored)] {
        let found = end_of(ApiVersion::V3, &pair, vec![answer(&browser("stopped")), answer(&v3(word))]).await;
        assert_eq!(found, (word.to_owned(), phase, at(END)), "the end is the browser's");
    }
    let mut late = browser("stopped");
    late["finishedAt"] = json!(HARD_END);
    let found = end_of(ApiVersion::V3, &pair, vec![answer(&late), answer(&v3("stopped"))]).await;
    assert_eq!((found.1, found.2), (Phase::TimedOut, at(HARD_END)));
}

#[tokio::test]
async fn a_part_that_the_provider_forgot_is_over_where_the_other_is_known() {
    let pair = agent(true, Some("b"), None);
    let found = end_of(ApiVersion::V2, &pair, vec![missing(), answer(&v2("stopped"))]).await;
    assert_eq!(found, ("stopped".to_owned(), Phase::Completed, at("2026-11-20T11:49:00Z")));
    let found = end_of(ApiVersion::V3, &pair, vec![missing(), answer(&v3("stopped"))]).await;
    assert_eq!(found.2, at("2026-11-20T11:49:00Z"));
    assert_eq!(end_of(ApiVersion::V2, &pair, vec![missing(), answer(&v2("active"))]).await.1, Phase::Running);
    assert_eq!(end_of(ApiVersion::V2, &pair, vec![answer(&browser("stopped")), missing()]).await.2, at(END));
    assert_eq!(end_of(ApiVersion::V2, &pair, vec![answer(&browser("active")), missing()]).await.1, Phase::Running);
    assert_eq!(read(ApiVersion::V2, &pair, vec![missing(), missing()]).await.0.expect_err("a fault").kind, FaultKind::NotFound);
}

#[tokio::test]
async fn a_part_that_cannot_be_read_leaves_the_whole_unread() {
    let pair = agent(true, Some("b"), None);
    for answers in [vec![down(), answer(&v2("stopped"))], vec![answer(&browser("stopped")), down()], vec![missing(), down()]] {
        assert_eq!(read(ApiVersion::V2, &pair, answers).await.0.expect_err("a fault").kind, FaultKind::Unavailable);
    }
}

#[tokio::test]
async fn only_what_is_meant_is_read() {
    for (version, target, answered, asked) in [
        (ApiVersion::V2, alone(), browser("active"), "GET browsers/b"),
        (ApiVersion::V4, alone(), browser("active"), "GET browsers/b"),
        (ApiVersion::V2, agent(false, Some("b"), None), browser("active"), "GET browsers/b"),
        (ApiVersion::V4, agent(false, Some("b"), None), browser("active"), "GET browsers/b"),
        (ApiVersion::V3, agent(true, None, None), v3("idle"), "GET sessions/a"),
        (ApiVersion::V4, agent(false, None, Some("r")), run("running"), "GET runs/r"),
    ] {
        let (session, calls) = read(version, &target, vec![answer(&answered)]).await;
        assert_eq!((session.expect("a session").status.phase, calls), (Phase::Running, vec![asked.to_owned()]));
    }
}

#[tokio::test]
async fn a_run_beside_its_browser_is_asked_for_its_status_alone() {
    let target = agent(false, Some("b"), Some("r"));
    let status = |word: &str| answer(&json!({ "status": word }));
    let (session, asked) = read(ApiVersion::V4, &target, vec![answer(&browser("stopped")), status("running")]).await;
    assert_eq!(asked, ["GET browsers/b", "GET runs/r/status"]);
    assert_eq!(session.expect("a session").status, Status::new("running", Phase::Running));
    for (word, phase) in [("queued", Phase::Running), ("completed", Phase::Completed), ("failed", Phase::Errored), ("paused", Phase::Unknown)] {
        let found = end_of(ApiVersion::V4, &target, vec![answer(&browser("stopped")), status(word)]).await;
        assert_eq!((found.1, found.2), (phase, at(END).filter(|_| phase.is_ended())), "{word}");
    }
    let found = end_of(ApiVersion::V4, &target, vec![answer(&browser("stopped")), missing()]).await;
    assert_eq!((found.1, found.2), (Phase::Completed, at(END)));
    for odd in ["{}", "[\"running\"]", "7"] {
        let fault = read(ApiVersion::V4, &target, vec![answer(&browser("active")), Ok(odd.to_owned())]).await.0.expect_err("a fault");
        assert_eq!(fault.kind, FaultKind::Unreadable);
    }
}

#[tokio::test]
async fn a_run_without_its_browser_tells_the_end_itself() {
    for (target, answers) in [
        (agent(false, None, Some("r")), vec![answer(&run("completed"))]),
        (agent(false, Some("b"), Some("r")), vec![missing(), answer(&run("completed"))]),
    ] {
        let found = end_of(ApiVersion::V4, &target, answers).await;
        assert_eq!(found, ("completed".to_owned(), Phase::Completed, at("2026-11-20T11:49:00Z")));
    }
}

#[tokio::test]
async fn a_reading_of_something_else_is_a_loud_fault() {
    let mut stranger = run("running");
    stranger["id"] = json!("r2");
    for (version, target, answered) in [
        (ApiVersion::V2, Target { id: "x".into(), ..alone() }, browser("active")),
        (ApiVersion::V2, Target { id: "x".into(), ..agent(true, None, None) }, v2("active")),
        (ApiVersion::V3, agent(true, Some("x"), None), browser("active")),
        (ApiVersion::V4, agent(false, None, Some("r")), stranger),
    ] {
        let fault = read(version, &target, vec![answer(&answered)]).await.0.expect_err("a fault");
        assert!(fault.detail.contains("another session"), "{fault}");
    }
    let fault = read(ApiVersion::V2, &alone(), vec![Ok(r#"{"id":"b"}"#.to_owned())]).await.0.expect_err("a fault");
    assert!(fault.detail.contains("`status` is missing"), "{fault}");
}

#[tokio::test]
async fn each_kind_of_session_is_ended_by_its_own_call() {
    use ApiVersion::{V2, V3, V4};
    let (stop_b, cancel) = (r#"PATCH browsers/b {"action":"stop"}"#, "POST runs/r/cancel");
    let cases = [
        (V2, alone(), vec![stop_b]),
        (V3, alone(), vec![stop_b]),
        (V4, alone(), vec![stop_b]),
        (V2, agent(true, None, None), vec![r#"PATCH sessions/a {"action":"stop"}"#]),
        (V2, agent(true, Some("b"), None), vec![r#"PATCH sessions/a {"action":"stop"}"#]),
        (V3, agent(true, None, None), vec![r#"POST sessions/a/stop {"strategy":"session"}"#]),
        (V3, agent(true, Some("b"), None), vec![r#"POST sessions/a/stop {"strategy":"session"}"#]),
        (V2, agent(false, Some("b"), None), vec![stop_b]),
        (V3, agent(false, Some("b"), None), vec![stop_b]),
        (V4, agent(false, Some("b"), None), vec![stop_b]),
        (V4, agent(false, Some("b"), Some("r")), vec![cancel, stop_b]),
        (V4, agent(false, None, Some("r")), vec![cancel]),
        (V4, agent(true, Some("b"), Some("r")), vec![cancel, stop_b]),
        (V4, agent(true, None, Some("r")), vec![cancel]),
        (V4, agent(true, None, None), vec!["GET sessions/a"]),
    ];
    for (version, target, expected) in cases {
        let answers = vec![Ok("{}".to_owned()), Ok("{}".to_owned())];
        let (_, asked) = released(version, &target, answers).await;
        assert_eq!(asked, expected, "{version} {target:?}");
    }
}

#[tokio::test]
async fn an_answer_that_speaks_of_all_that_is_meant_is_given_back() {
    for (version, target, answered, end) in [
        (ApiVersion::V2, alone(), browser("stopped"), at(END)),
        (ApiVersion::V2, agent(false, Some("b"), None), browser("stopped"), at(END)),
        (ApiVersion::V4, agent(false, Some("b"), None), browser("stopped"), at(END)),
        (ApiVersion::V2, agent(true, None, None), v2("stopped"), at("2026-11-20T11:49:00Z")),
        (ApiVersion::V3, agent(true, None, None), v3("stopped"), at("2026-11-20T11:49:00Z")),
        (ApiVersion::V4, agent(false, None, Some("r")), run("cancelled"), at("2026-11-20T11:49:00Z")),
    ] {
        let session = released(version, &target, vec![answer(&answered)]).await.0.expect("accepted").expect("a session");
        assert_eq!((session.target(), session.status.phase, session.ended_at), (target, Phase::Completed, end));
        assert!(!format!("{session:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn an_answer_that_speaks_of_one_part_of_two_proves_nothing() {
    for (version, target, answers) in [
        (ApiVersion::V2, agent(true, Some("b"), None), vec![answer(&v2("stopped"))]),
        (ApiVersion::V3, agent(true, Some("b"), None), vec![answer(&v3("stopped"))]),
        (ApiVersion::V4, agent(false, Some("b"), Some("r")), vec![answer(&run("cancelled")), answer(&browser("stopped"))]),
    ] {
        assert_eq!(released(version, &target, answers).await.0, Ok(None), "{version}");
    }
}

#[tokio::test]
async fn an_acceptance_is_one_whatever_its_body() {
    let cut = Err(Fault { status: Some(200), ..Fault::new(FaultKind::Disconnected, "cut") });
    for body in [Ok(String::new()), Ok("<html>".to_owned()), Ok(r#"{"id":"b"}"#.to_owned()), Ok("[]".to_owned()), cut] {
        assert_eq!(released(ApiVersion::V2, &alone(), vec![body]).await.0, Ok(None));
    }
    assert_eq!(released(ApiVersion::V2, &alone(), vec![down()]).await.0.expect_err("a fault").kind, FaultKind::Unavailable);
    let stranger = Target { id: "x".into(), ..alone() };
    let fault = released(ApiVersion::V2, &stranger, vec![answer(&browser("stopped"))]).await.0.expect_err("a fault");
    assert!(fault.detail.contains("another session"), "{fault}");
}

#[tokio::test]
async fn a_run_that_cannot_be_cancelled_keeps_no_browser_alive() {
    let target = agent(false, Some("b"), Some("r"));
    for cancelled in [down(), missing()] {
        let (result, asked) = released(ApiVersion::V4, &target, vec![cancelled, answer(&browser("stopped"))]).await;
        assert_eq!((result, asked.len()), (Ok(None), 2));
    }
    let (result, _) = released(ApiVersion::V4, &target, vec![answer(&run("cancelled")), down()]).await;
    assert_eq!(result.expect_err("a fault").kind, FaultKind::Unavailable);
}

#[tokio::test]
async fn where_the_provider_wants_silence_the_browser_is_not_asked_for_either() {
    let target = agent(false, Some("b"), Some("r"));
    let slow_down = Err(Fault::new(FaultKind::Throttled, "slow down"));
    let (result, asked) = released(ApiVersion::V4, &target, vec![slow_down, answer(&browser("stopped"))]).await;
    assert_eq!((result.expect_err("a fault").kind, asked.len()), (FaultKind::Throttled, 1));
}

#[tokio::test]
async fn a_conversation_with_nothing_to_end_is_over_or_is_refused() {
    let conversation = |status| {
        let at = "2026-11-20T11:49:00Z";
        answer(&json!({ "sessionId": "a", "latestRunId": "r", "status": status, "createdAt": at, "updatedAt": at }))
    };
    let target = agent(true, None, None);
    let session = released(ApiVersion::V4, &target, vec![conversation("completed")]).await.0.expect("accepted");
    assert_eq!(session.and_then(|session| session.ended_at), at("2026-11-20T11:49:00Z"));
    assert_eq!(released(ApiVersion::V4, &target, vec![conversation("running")]).await.0.expect_err("a fault").kind, FaultKind::Rejected);
}

/// Each of these browsers belongs to an agent session of its own, none of which is listed.
fn left_behind(count: usize) -> Value {
    let one = |at: usize| json!({ "id": format!("b{at:03}"), "agentSessionId": format!("a{at:03}"), "status": "active", "startedAt": NOW });
    json!({ "items": (0..count).map(one).collect::<Vec<_>>(), "totalItems": count })
}

#[tokio::test]
async fn the_tasks_of_many_that_are_not_known_are_asked_for_over_several_listings() {
    let nothing = || answer(&json!({ "items": [], "totalItems": 0 }));
    // Browsers, agent sessions, the tasks of each stranger, and those of all.
    let listing = |strangers: usize| [answer(&left_behind(130)), nothing()].into_iter().chain((0..=strangers).map(|_| nothing()));
    let script = Arc::new(Script::in_order(listing(MOST_STRANGERS).chain(listing(30)).collect()));
    let account = over(script.clone(), ApiVersion::V2);
    for (requests, unlearnt) in [(103, 30), (33, 0)] {
        let exchange = account.lister.list().await;
        let Ok(Listing::Complete(complete)) = exchange.result else { panic!("{:?}", exchange.result) };
        assert_eq!((complete.rows().sessions.len(), exchange.requests.len()), (130, requests));
        assert_eq!(complete.rows().sessions.iter().filter(|session| matches!(session.metadata, Metadata::Unlearnt { .. })).count(), unlearnt);
    }
    assert_eq!(script.asked().len(), 136);
}
