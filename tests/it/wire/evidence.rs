//! What Browserbase is asked of a session's activity, over real HTTP.

use serde_json::{Value, json};
use session_reaper::domain::activity::{Evidence, Question, Said};
use session_reaper::domain::time::Timestamp;

use super::*;

const LOGS: &str = "GET /v1/sessions/s-1/logs";
const DEBUG: &str = "GET /v1/sessions/s-1/debug";
/// Of a log no more is read.
const LOG_CAP: usize = 16 << 20;
/// 2026-11-20T12:00:00Z.
const NOON: i64 = 1_795_176_000_000;

fn log(count: i64) -> String {
    Value::from((0..count).map(|number| entry(NOON + number, "s3cret")).collect::<Vec<_>>()).to_string()
}

fn entry(millis: i64, body: &str) -> Value {
    json!({
        "method": "Page.navigate", "pageId": 1, "sessionId": "s-1", "timestamp": millis,
        "request": { "timestamp": millis - 9, "params": { "url": "https://x.example/s3cret" }, "rawBody": body },
        "response": { "result": { "frameId": "s3cret" }, "rawBody": "s3cret" }
    })
}

fn pages(title: &str) -> Reply {
    let page = json!({
        "id": "p-1", "url": "https://x.example/s3cret", "title": title, "faviconUrl": "s3cret", "debuggerUrl": "https://live.example/s3cret",
        "debuggerFullscreenUrl": "https://live.example/s3cret"
    });
    Reply::json(&json!({ "debuggerUrl": "s3cret", "debuggerFullscreenUrl": "s3cret", "wsUrl": "wss://s3cret", "pages": [page] }).to_string())
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(NOON + millis).expect("an instant")
}

async fn asked_with(timeout: SignedDuration, logs: Reply, debug: Reply) -> (Exchange<Evidence>, Vec<String>) {
    let server = Server::start([(LOGS, logs), (DEBUG, debug)]).await;
    let settings = AccountSettings { request_timeout: timeout, ..settings(&server) };
    let asking = lister(&settings).evidence(&target("s-1"));
    let exchange = tokio::time::timeout(Duration::from_secs(60), asking).await.expect("an end");
    holds_no_secret(&format!("{exchange:?}"));
    assert!(exchange.requests.iter().all(|request| request.operation == Operation::Evidence));
    let asked = server.asked().iter().map(|request| request.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned()).collect();
    (exchange, asked)
}

async fn asked(logs: Reply, debug: Reply) -> (Exchange<Evidence>, Vec<String>) {
    asked_with(SignedDuration::from_secs(20), logs, debug).await
}

/// What was said of the log and of the pages, and the fault beside them, where both were asked for.
async fn said(logs: Reply, debug: Reply) -> (Said, Said, Option<Fault>) {
    let (exchange, asked) = asked(logs, debug).await;
    assert_eq!(asked, [LOGS, DEBUG]);
    both(exchange)
}

fn both(exchange: Exchange<Evidence>) -> (Said, Said, Option<Fault>) {
    let evidence = exchange.result.expect("an answer");
    let questions: Vec<Question> = evidence.testimonies.iter().map(|testimony| testimony.asked).collect();
    assert_eq!(questions, [Question::Logs, Question::Pages]);
    let mut said = evidence.testimonies.into_iter().map(|testimony| testimony.said);
    (said.next().expect("one"), said.next().expect("another"), evidence.fault)
}

fn print(said: &Said) -> u64 {
    match said {
        Said::Print { print } => *print,
        other => panic!("{other:?}"),
    }
}

fn failed(said: &Said) -> &str {
    match said {
        Said::Failed { why } => why,
        other => panic!("{other:?}"),
    }
}

fn at_least(said: &Said) -> Timestamp {
    match said {
        Said::AtLeast { at, why } => {
            assert!(why.contains("only the first 16384 KiB"), "{why}");
            *at
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_is_asked_for_its_log_and_then_for_its_pages() {
    let (exchange, asked) = asked(Reply::json(&log(3)), pages("a")).await;
    assert_eq!((statuses(&exchange), asked), (vec!["200", "200"], vec![LOGS.to_owned(), DEBUG.to_owned()]));
    let (first, second, fault) = both(exchange);
    assert_eq!((first, fault), (Said::Last { at: at(2) }, None));
    let again = said(Reply::json("[]"), pages("a")).await;
    assert_eq!((again.0, print(&again.1)), (Said::Nothing { why: "its log is empty".to_owned() }, print(&second)));
    assert_ne!(print(&said(Reply::json("[]"), pages("b")).await.1), print(&second));
}

#[tokio::test]
async fn a_log_beyond_the_cap_is_a_lower_bound_of_what_was_read_of_it() {
    let filler = "x".repeat(1 << 20);
    let entries: Vec<String> = (0..20).map(|number| entry(NOON + number, &filler).to_string()).collect();
    let body = format!("[{}]", entries.join(","));
    let whole: i64 =
        (0..20).rev().find(|number| entries[..=*number as usize].iter().map(|entry| entry.len() + 1).sum::<usize>() <= LOG_CAP).expect("one");
    for reply in [Reply::json(&body), Reply::with(200, "content-encoding: gzip\r\n", &gzip(body.as_bytes()))] {
        let (logs, _, fault) = said(reply, pages("a")).await;
        assert_eq!((at_least(&logs), fault), (at(whole), None));
    }
    let endless = [b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".as_slice(), &body.as_bytes()[..=LOG_CAP]].concat();
    assert_eq!(at_least(&said(Reply::Hang(endless), pages("a")).await.0), at(whole), "what lies behind the cap is not waited for");
}

#[tokio::test]
async fn a_log_as_long_as_the_cap_is_whole() {
    let short = log(1);
    let padded = |length: usize| format!("{}{short}", " ".repeat(length - short.len()));
    assert_eq!(said(Reply::json(&padded(LOG_CAP)), pages("a")).await.0, Said::Last { at: at(0) });
    assert_eq!(at_least(&said(Reply::json(&padded(LOG_CAP + 1)), pages("a")).await.0), at(0), "the end of the list is cut");
    let (logs, ..) = said(Reply::json(&padded(LOG_CAP + 2)), pages("a")).await;
    assert!(failed(&logs).contains("only the first"), "its only entry is cut");
}

#[tokio::test]
async fn pages_beyond_the_cap_are_not_read_in_part() {
    let (_, second, fault) = said(Reply::json("[]"), Reply::json(&format!("{}{{}}", " ".repeat(LOG_CAP)))).await;
    assert!(failed(&second).contains("beyond") && fault.is_some_and(|fault| fault.kind == FaultKind::TooLarge));
}

#[tokio::test]
async fn what_fails_is_a_testimony_and_the_other_is_asked_for_all_the_same() {
    let cases = [
        (Reply::status(500, "", r#"{"message":"oops own-k3y-of-this-account"}"#), FaultKind::Unavailable),
        (Reply::status(404, "", r#"{"message":"no such session"}"#), FaultKind::NotFound),
        (Reply::status(402, "", ""), FaultKind::PaymentRequired),
        (Reply::status(307, "location: /v1/sessions/s3cret\r\n", ""), FaultKind::Redirected),
        (Reply::json("<html>s3cret</html>"), FaultKind::Unreadable),
        (Reply::json(r#"{"message":"s3cret"}"#), FaultKind::Unreadable),
        (Reply::json(&log(3)).cut(10), FaultKind::Disconnected),
        (Reply::Reset, FaultKind::Disconnected),
    ];
    for (reply, kind) in cases {
        let (logs, second, fault) = said(reply.clone(), pages("a")).await;
        let fault = fault.expect("a fault");
        assert_eq!((failed(&logs), fault.kind), (fault.to_string().as_str(), kind));
        print(&second);
        let (logs, second, fault) = said(Reply::json(&log(3)), reply).await;
        let fault = fault.expect("a fault");
        assert_eq!((logs, failed(&second), fault.kind), (Said::Last { at: at(2) }, fault.to_string().as_str(), kind));
    }
}

#[tokio::test]
async fn a_provider_that_hangs_costs_the_request_timeout_for_each_question() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[".to_vec();
    for hang in [Reply::Hang(Vec::new()), Reply::Hang(head)] {
        let (exchange, asked) = asked_with(SignedDuration::from_millis(200), hang, pages("a")).await;
        assert_eq!(asked, [LOGS, DEBUG]);
        let (logs, second, fault) = both(exchange);
        assert!(failed(&logs).contains("no whole answer within 200ms") && fault.is_some_and(|fault| fault.kind == FaultKind::TimedOut));
        print(&second);
    }
}

#[tokio::test]
async fn where_the_key_is_refused_or_has_to_be_silent_nothing_more_is_asked() {
    let throttled = Reply::status(429, "retry-after: 7\r\n", r#"{"message":"slow down"}"#);
    let cases = [
        (Reply::status(401, "", ""), FaultKind::Unauthorized, None),
        (Reply::status(403, "", ""), FaultKind::Forbidden, None),
        (throttled.clone(), FaultKind::Throttled, Some(7)),
        (Reply::status(503, "retry-after: 9\r\n", ""), FaultKind::Unavailable, Some(9)),
    ];
    for (reply, kind, wait) in cases {
        let (exchange, asked) = asked(reply, pages("a")).await;
        let fault = exchange.result.expect_err("a fault");
        assert_eq!((asked, fault.kind, fault.retry_after), (vec![LOGS.to_owned()], kind, wait.map(SignedDuration::from_secs)));
    }
    let (logs, second, fault) = said(Reply::status(500, "", ""), throttled).await;
    assert_eq!((failed(&logs), failed(&second)), ("500: the provider failed", "429: slow down"));
    assert_eq!(fault.and_then(|fault| fault.retry_after), Some(SignedDuration::from_secs(7)), "the one that asks for silence");
}
