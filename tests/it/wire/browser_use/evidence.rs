//! What Browser Use is asked of a session's activity, in each version of its API.

use session_reaper::domain::activity::{Evidence, Question, Said, Testimony};

use super::*;

const SESSION: &str =
    r#"{"id":"a","status":"idle","createdAt":"2026-11-20T12:00:00Z","updatedAt":"2026-11-20T12:00:00Z","liveUrl":"s3cret","output":"s3cret"}"#;
const TASKS: &str = r#"{"totalItems":1,"items":[{"id":"t","sessionId":"a","task":"s3cret","output":"s3cret","status":"finished",
    "createdAt":"2026-11-20T12:01:00","startedAt":"2026-11-20T12:02:00","finishedAt":"2026-11-20T12:09:00.25"}]}"#;
const MESSAGES: &str = r#"{"hasMore":false,"messages":[{"id":"m","sessionId":"a","role":"ai","data":"s3cret","summary":"s3cret","screenshotUrl":"s3cret",
    "createdAt":"2026-11-20T12:09:00.25Z"}]}"#;
const RUNS: &str = r#"{"hasMore":false,"nextCursor":null,"runs":[{"id":"r","sessionId":"a","task":"s3cret","title":"s3cret","result":"s3cret",
    "status":"completed","createdAt":"2026-11-20T12:01:00Z","updatedAt":"2026-11-20T12:09:00.25Z"}]}"#;

/// What is asked for, in order, with the answer of an agent session that is at rest.
fn script(version: ApiVersion) -> Vec<(&'static str, &'static str)> {
    match version {
        ApiVersion::V2 => vec![("GET /api/v2/tasks?sessionId=a&pageSize=100&pageNumber=1", TASKS)],
        ApiVersion::V3 => vec![("GET /api/v3/sessions/a", SESSION), ("GET /api/v3/sessions/a/messages?limit=100", MESSAGES)],
        ApiVersion::V4 => vec![("GET /api/v4/runs?sessionId=a&limit=100", RUNS)],
    }
}

const fn question(version: ApiVersion) -> Question {
    match version {
        ApiVersion::V2 => Question::Tasks,
        ApiVersion::V3 => Question::Messages,
        ApiVersion::V4 => Question::Runs,
    }
}

async fn evidence(version: ApiVersion, target: &Target, replies: HashMap<String, Reply>) -> (Exchange<Evidence>, Vec<String>) {
    evidence_within(SignedDuration::from_secs(20), version, target, replies).await
}

async fn evidence_within(
    request_timeout: SignedDuration,
    version: ApiVersion,
    target: &Target,
    replies: HashMap<String, Reply>,
) -> (Exchange<Evidence>, Vec<String>) {
    let server = Server::answering(replies).await;
    let base_url = format!("{}/api/{version}", server.url);
    let settings = AccountSettings { provider: Provider::BrowserUse, base_url, api_version: Some(version), request_timeout, ..offline() };
    let lister = provider::lister(&settings, KEY.into(), Clock::start()).expect("a lister");
    let exchange = lister.evidence(target).await;
    holds_no_secret(&format!("{exchange:?}"));
    assert!(exchange.requests.iter().all(|request| request.operation == Operation::Evidence));
    assert_eq!(exchange.requests.len(), server.asked().len());
    (exchange, asked(&server))
}

fn agent() -> Target {
    Target { id: "a".into(), kind: Kind::Agent, parts: Parts::default() }
}

/// The script with its first answer replaced.
fn but_first(version: ApiVersion, reply: Reply) -> HashMap<String, Reply> {
    let lines = script(version).into_iter().enumerate();
    lines.map(|(place, (line, body))| (line.to_owned(), if place == 0 { reply.clone() } else { Reply::json(body) })).collect()
}

#[tokio::test]
async fn an_agent_session_is_asked_in_its_versions_own_words() {
    for version in ALL {
        let replies = script(version).into_iter().map(|(line, body)| (line.to_owned(), Reply::json(body))).collect();
        let (exchange, asked) = evidence(version, &agent(), replies).await;
        assert_eq!(asked, script(version).into_iter().map(|(line, _)| line).collect::<Vec<_>>());
        let evidence = exchange.result.expect("an answer");
        let at = "2026-11-20T12:09:00.25Z".parse().expect("an instant");
        assert_eq!(evidence.testimonies.last(), Some(&Testimony { asked: question(version), said: Said::Last { at } }), "{version}");
        assert_eq!((evidence.testimonies.len(), evidence.fault), (asked.len(), None));
    }
}

#[tokio::test]
async fn a_browser_by_itself_costs_no_request_and_is_dated_by_our_clock() {
    let browser = Target { id: "b".into(), kind: Kind::Browser, parts: Parts::default() };
    for version in ALL {
        let before = Clock::start().now();
        let (exchange, asked) = evidence(version, &browser, HashMap::new()).await;
        assert!(asked.is_empty() && exchange.sent_at >= before && exchange.clock.is_none());
        let nothing = Said::Nothing { why: "a browser by itself shows no activity".to_owned() };
        assert_eq!(exchange.result.expect("an answer").testimonies, [Testimony { asked: question(version), said: nothing }]);
    }
}

#[tokio::test]
async fn where_the_key_is_refused_or_has_to_be_silent_nothing_more_is_asked() {
    for version in ALL {
        for (reply, status, wait) in [
            (fault(401), 401, None),
            (fault(403), 403, None),
            (Reply::status(429, "retry-after: 300\r\n", r#"{"error":"rate_limited"}"#), 429, Some(300)),
        ] {
            let (exchange, asked) = evidence(version, &agent(), but_first(version, reply)).await;
            let fault = exchange.result.expect_err("a fault");
            assert_eq!((fault.status, fault.retry_after, asked.len()), (Some(status), wait.map(SignedDuration::from_secs), 1));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_testimony() {
    for version in ALL {
        let cases = [
            (Reply::status(404, "", r#"{"detail":"Session not found"}"#), FaultKind::NotFound),
            (Reply::status(500, "", ""), FaultKind::Unavailable),
            (Reply::json("<html>s3cret</html>"), FaultKind::Unreadable),
            (Reply::Reset, FaultKind::Disconnected),
        ];
        for (reply, kind) in cases {
            let (exchange, asked) = evidence(version, &agent(), but_first(version, reply)).await;
            let evidence = exchange.result.expect("an answer");
            let fault = evidence.fault.expect("a fault");
            assert_eq!((fault.kind, &evidence.testimonies[0].said), (kind, &Said::Failed { why: fault.to_string() }));
            assert_eq!((asked.len(), evidence.testimonies.len()), (script(version).len(), script(version).len()));
        }
    }
}

#[tokio::test]
async fn a_provider_that_hangs_costs_the_request_timeout_for_each_question() {
    for version in ALL {
        let replies = script(version).into_iter().map(|(line, _)| (line.to_owned(), Reply::Hang(Vec::new()))).collect();
        let (exchange, asked) = evidence_within(SignedDuration::from_millis(200), version, &agent(), replies).await;
        assert_eq!(asked.len(), script(version).len());
        let evidence = exchange.result.expect("an answer");
        assert!(evidence.testimonies.iter().all(|testimony| matches!(testimony.said, Said::Failed { .. })), "{evidence:?}");
        assert_eq!(evidence.fault.map(|fault| fault.kind), Some(FaultKind::TimedOut));
    }
}
