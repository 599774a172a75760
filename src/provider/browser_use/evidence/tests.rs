use std::sync::Arc;

use serde_json::{Value, json};

use super::super::over;
use super::super::tests::{NOW, Script, now};
use super::*;
use crate::domain::activity::Testimony;
use crate::domain::session::Parts;
use crate::domain::time::Timestamp;

const TASKS: &str = "GET tasks?sessionId=a&pageSize=100&pageNumber=1";
const MESSAGES: &str = "GET sessions/a/messages?limit=100";
const RUNS: &str = "GET runs?sessionId=a&limit=100";

type Answer = Result<String, Fault>;

async fn asked_of(version: ApiVersion, target: Target, answers: Vec<Answer>) -> (Exchange<Evidence>, Vec<String>) {
    let script = Arc::new(Script::in_order(answers));
    let exchange = over(script.clone(), version).lister.evidence(&target).await;
    assert!(!format!("{exchange:?}").contains("s3cret"), "{exchange:?}");
    assert_eq!(exchange.requests.len(), script.asked().len());
    assert!(exchange.requests.iter().all(|request| request.operation == Operation::Evidence));
    (exchange, script.asked())
}

fn agent() -> Target {
    Target { id: "a".into(), kind: Kind::Agent, parts: Parts::default() }
}

async fn asked(version: ApiVersion, answers: Vec<Answer>) -> (Evidence, Vec<String>) {
    let (exchange, asked) = asked_of(version, agent(), answers).await;
    (exchange.result.expect("an answer"), asked)
}

/// What was said to the only question, or to the last one.
async fn said(version: ApiVersion, answers: Vec<Answer>) -> Said {
    let (evidence, _) = asked(version, answers).await;
    evidence.testimonies.last().expect("a testimony").said.clone()
}

fn answer(value: &Value) -> Answer {
    Ok(value.to_string())
}

fn but(mut row: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().expect("an object") {
        row[name] = value.clone();
    }
    row
}

fn at(minute: i64) -> Timestamp {
    format!("2026-11-20T11:{minute:02}:00Z").parse().expect("an instant")
}

/// Without an offset, as v2 writes them.
fn naive(minute: i64) -> String {
    format!("2026-11-20T11:{minute:02}:00.000000")
}

fn task(id: &str, minute: i64) -> Value {
    json!({
        "id": id, "sessionId": "a", "llm": "x", "task": "s3cret", "status": "finished", "output": "s3cret", "metadata": { "env": "s3cret" },
        "createdAt": naive(minute), "startedAt": naive(minute + 1), "finishedAt": naive(minute + 2)
    })
}

fn tasks(rows: &[Value], total: usize) -> Answer {
    answer(&json!({ "items": rows, "totalItems": total, "pageNumber": 1, "pageSize": 100 }))
}

fn many(from: i64, to: i64) -> Vec<Value> {
    (from..to).map(|number| task(&format!("t-{number}"), number % 50)).collect()
}

fn message(id: &str, minute: i64) -> Value {
    json!({ "id": id, "sessionId": "a", "role": "ai", "data": "s3cret", "summary": "s3cret", "screenshotUrl": "s3cret", "createdAt": at(minute) })
}

fn session(status: &str) -> Answer {
    answer(&json!({ "id": "a", "status": status, "createdAt": at(0), "updatedAt": at(59), "title": "s3cret", "liveUrl": "s3cret" }))
}

fn messages(rows: &[Value], has_more: bool) -> Answer {
    answer(&json!({ "messages": rows, "hasMore": has_more }))
}

fn run(id: &str, status: &str, minute: i64) -> Value {
    json!({
        "id": id, "sessionId": "a", "task": "s3cret", "title": "s3cret", "status": status, "result": "s3cret", "createdAt": at(minute),
        "updatedAt": at(minute + 1)
    })
}

fn runs(rows: &[Value], next: Option<&str>) -> Answer {
    answer(&json!({ "runs": rows, "hasMore": next.is_some(), "nextCursor": next }))
}

fn fault(status: u16, kind: FaultKind) -> Fault {
    Fault { status: Some(status), ..Fault::new(kind, "no") }
}

fn is_at_least(said: &Said, minute: i64) -> bool {
    matches!(said, Said::AtLeast { at: found, .. } if *found == at(minute))
}

#[tokio::test]
async fn a_browser_by_itself_is_not_asked_about() {
    let browser = Target { id: "b".into(), kind: Kind::Browser, parts: Parts::default() };
    for (version, question) in [(ApiVersion::V2, Question::Tasks), (ApiVersion::V3, Question::Messages), (ApiVersion::V4, Question::Runs)] {
        let (exchange, asked) = asked_of(version, browser.clone(), Vec::new()).await;
        assert_eq!((asked, exchange.sent_at), (Vec::new(), now()));
        let nothing = Said::Nothing { why: "a browser by itself shows no activity".to_owned() };
        assert_eq!(exchange.result.expect("an answer").testimonies, [Testimony { asked: question, said: nothing }]);
    }
}

#[tokio::test]
async fn an_agent_session_of_which_the_browser_alone_lives_is_asked_about_all_the_same() {
    let parts = Parts { own: false, browser: Some("b".into()), run: None };
    for (version, answers, expected) in [
        (ApiVersion::V2, vec![tasks(&[task("t", 5)], 1)], vec![TASKS]),
        (ApiVersion::V3, vec![session("stopped"), messages(&[message("m", 7)], false)], vec!["GET sessions/a", MESSAGES]),
        (ApiVersion::V4, vec![runs(&[run("r", "completed", 6)], None)], vec![RUNS]),
    ] {
        let (exchange, asked) = asked_of(version, Target { parts: parts.clone(), ..agent() }, answers).await;
        let evidence = exchange.result.expect("an answer");
        assert_eq!(
            (asked, evidence.testimonies.last().map(|last| &last.said)),
            (expected.iter().map(|&line| line.to_owned()).collect(), Some(&Said::Last { at: at(7) }))
        );
    }
}

#[tokio::test]
async fn the_last_activity_is_the_newest_instant_of_all_tasks() {
    for rows in [[task("t-1", 5), task("t-2", 30)], [task("t-2", 30), task("t-1", 5)]] {
        let (evidence, asked) = asked(ApiVersion::V2, vec![tasks(&rows, 2)]).await;
        assert_eq!(asked, [TASKS]);
        assert_eq!(evidence, Evidence { testimonies: vec![Testimony { asked: Question::Tasks, said: Said::Last { at: at(32) } }], fault: None });
    }
    let never_ran = but(task("t", 5), json!({ "status": "stopped", "startedAt": null, "finishedAt": null }));
    assert_eq!(said(ApiVersion::V2, vec![tasks(&[never_ran], 1)]).await, Said::Last { at: at(5) });
}

#[tokio::test]
async fn a_task_that_waits_or_runs_or_whose_word_is_not_known_is_work() {
    for word in ["created", "started", "paused", ""] {
        let busy = but(task("t-1", 5), json!({ "status": word, "startedAt": null, "finishedAt": null }));
        assert_eq!(said(ApiVersion::V2, vec![tasks(&[task("t-2", 30), busy], 2)]).await, Said::Busy, "{word}");
    }
}

#[tokio::test]
async fn an_agent_session_without_tasks_or_messages_or_runs_tells_nothing() {
    let nothing = |why: &str| Said::Nothing { why: why.to_owned() };
    assert_eq!(said(ApiVersion::V2, vec![tasks(&[], 0)]).await, nothing("it has no tasks"));
    assert_eq!(said(ApiVersion::V3, vec![session("idle"), messages(&[], false)]).await, nothing("it has no messages"));
    assert_eq!(said(ApiVersion::V4, vec![runs(&[], None)]).await, nothing("it has no runs"));
}

#[tokio::test]
async fn what_belongs_to_another_session_says_nothing() {
    let other = |row: Value| but(row, json!({ "sessionId": "b" }));
    let busy = but(other(task("t-2", 40)), json!({ "status": "started" }));
    assert_eq!(said(ApiVersion::V2, vec![tasks(&[busy, task("t-1", 5), other(task("t-3", 41))], 3)]).await, Said::Last { at: at(7) });
    assert_eq!(said(ApiVersion::V4, vec![runs(&[other(run("r-2", "running", 40)), run("r-1", "failed", 5)], None)]).await, Said::Last { at: at(6) });
    let heard = said(ApiVersion::V3, vec![session("idle"), messages(&[message("m-1", 5), other(message("m-2", 40))], false)]).await;
    assert_eq!(heard, Said::Last { at: at(5) });
}

#[tokio::test]
async fn what_cannot_be_read_of_one_leaves_the_others_as_a_lower_bound() {
    let odd = [
        json!({ "createdAt": "s3cret" }),
        json!({ "createdAt": null }),
        json!({ "finishedAt": 7 }),
        json!({ "finishedAt": null }),
        json!({ "status": null }),
        json!({ "sessionId": 7 }),
        json!({ "id": "" }),
    ];
    for odd in odd {
        let beside = said(ApiVersion::V2, vec![tasks(&[task("t-1", 5), but(task("t-2", 30), odd.clone())], 2)]).await;
        assert!(is_at_least(&beside, 7), "{odd}: {beside:?}");
        let alone = said(ApiVersion::V2, vec![tasks(&[but(task("t-2", 30), odd.clone())], 1)]).await;
        assert!(matches!(alone, Said::Failed { .. }), "{odd}: {alone:?}");
    }
    let beside =
        said(ApiVersion::V3, vec![session("idle"), messages(&[message("m-1", 5), but(message("m-2", 6), json!({ "createdAt": 7 }))], false)]).await;
    assert!(is_at_least(&beside, 5), "{beside:?}");
    let beside =
        said(ApiVersion::V4, vec![runs(&[run("r-1", "completed", 5), but(run("r-2", "failed", 6), json!({ "updatedAt": null }))], None)]).await;
    assert!(is_at_least(&beside, 6), "{beside:?}");
}

#[tokio::test]
async fn two_pages_are_turned_and_what_lies_behind_them_leaves_a_lower_bound() {
    let second = TASKS.replace("pageNumber=1", "pageNumber=2");
    let (evidence, asked_for) = asked(ApiVersion::V2, vec![tasks(&many(0, 100), 150), tasks(&many(100, 150), 150)]).await;
    assert_eq!((asked_for, &evidence.testimonies[0].said), (vec![TASKS.to_owned(), second], &Said::Last { at: at(51) }));
    let (evidence, asked_for) = asked(ApiVersion::V2, vec![tasks(&many(0, 100), 250), tasks(&many(100, 200), 250)]).await;
    assert!(asked_for.len() == 2 && is_at_least(&evidence.testimonies[0].said, 51) && evidence.fault.is_none(), "{evidence:?}");
    let (evidence, asked_for) = asked(ApiVersion::V2, vec![tasks(&many(0, 100), 150), tasks(&many(99, 149), 150)]).await;
    assert!(asked_for.len() == 2 && is_at_least(&evidence.testimonies[0].said, 51), "rows have shifted: {evidence:?}");

    let page = |next| runs(&[run(next, "completed", 5)], Some(next));
    let (evidence, asked_for) = asked(ApiVersion::V4, vec![page("c-1"), runs(&[run("r", "completed", 9)], None)]).await;
    assert_eq!((asked_for, &evidence.testimonies[0].said), (vec![RUNS.to_owned(), format!("{RUNS}&cursor=c-1")], &Said::Last { at: at(10) }));
    let (evidence, asked_for) = asked(ApiVersion::V4, vec![page("c-1"), page("c-2")]).await;
    assert!(asked_for.len() == 2 && is_at_least(&evidence.testimonies[0].said, 6) && evidence.fault.is_none(), "{evidence:?}");
}

#[tokio::test]
async fn a_second_page_that_fails_leaves_a_lower_bound_and_its_fault() {
    for (status, kind) in [(500, FaultKind::Unavailable), (429, FaultKind::Throttled), (401, FaultKind::Unauthorized), (403, FaultKind::Forbidden)] {
        let (evidence, asked) = asked(ApiVersion::V2, vec![tasks(&many(0, 100), 150), Err(fault(status, kind))]).await;
        assert_eq!((asked.len(), evidence.fault.as_ref()), (2, Some(&fault(status, kind))));
        assert!(is_at_least(&evidence.testimonies[0].said, 51), "{evidence:?}");
    }
}

#[tokio::test]
async fn an_agent_session_that_says_it_is_at_work_is_asked_no_more() {
    for word in ["running", "created", "paused"] {
        let (evidence, asked) = asked(ApiVersion::V3, vec![session(word)]).await;
        assert_eq!((asked, evidence.testimonies), (vec!["GET sessions/a".to_owned()], vec![Testimony { asked: Question::Status, said: Said::Busy }]));
    }
    for word in ["idle", "stopped", "timed_out", "error"] {
        let (evidence, asked) = asked(ApiVersion::V3, vec![session(word), messages(&[message("m-1", 9), message("m-2", 5)], false)]).await;
        assert_eq!(asked, ["GET sessions/a", MESSAGES]);
        let status = Said::Nothing { why: format!("it is {word}, and does not say since when") };
        let expected = [Testimony { asked: Question::Status, said: status }, Testimony { asked: Question::Messages, said: Said::Last { at: at(9) } }];
        assert_eq!(evidence.testimonies, expected);
    }
}

#[tokio::test]
async fn which_messages_a_page_holds_is_not_known_where_there_are_more() {
    let heard = said(ApiVersion::V3, vec![session("idle"), messages(&[message("m", 5)], true)]).await;
    let why = "the list of messages does not add up: it goes on beyond page 1".to_owned();
    assert_eq!(heard, Said::AtLeast { at: at(5), why });
    for odd in [json!({ "messages": [message("m", 5)] }), json!({ "messages": [message("m", 5)], "hasMore": "no" })] {
        let heard = said(ApiVersion::V3, vec![session("idle"), answer(&odd)]).await;
        assert!(is_at_least(&heard, 5), "{odd}: {heard:?}");
    }
}

#[tokio::test]
async fn a_run_that_waits_or_runs_or_whose_word_is_not_known_is_work() {
    for word in ["queued", "dispatching", "running", "paused", "idle"] {
        assert_eq!(said(ApiVersion::V4, vec![runs(&[run("r-1", "completed", 30), run("r-2", word, 5)], None)]).await, Said::Busy, "{word}");
    }
    for word in ["completed", "failed", "cancelled"] {
        assert_eq!(said(ApiVersion::V4, vec![runs(&[run("r", word, 5)], None)]).await, Said::Last { at: at(6) }, "{word}");
    }
}

#[tokio::test]
async fn a_refusal_or_a_wish_for_silence_is_the_answer_and_nothing_more_is_asked() {
    let later = Fault { retry_after: Some(crate::domain::time::SignedDuration::from_secs(9)), ..fault(503, FaultKind::Unavailable) };
    for refused in [fault(401, FaultKind::Unauthorized), fault(403, FaultKind::Forbidden), fault(429, FaultKind::Throttled), later] {
        for version in [ApiVersion::V2, ApiVersion::V3, ApiVersion::V4] {
            let (exchange, asked) = asked_of(version, agent(), vec![Err(refused.clone())]).await;
            assert_eq!((exchange.result, asked.len()), (Err(refused.clone()), 1), "{version}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_testimony_with_its_fault() {
    for (status, kind) in [(404, FaultKind::NotFound), (500, FaultKind::Unavailable)] {
        let failed = Said::Failed { why: format!("{status}: no") };
        for (version, question) in [(ApiVersion::V2, Question::Tasks), (ApiVersion::V4, Question::Runs)] {
            let (evidence, asked) = asked(version, vec![Err(fault(status, kind))]).await;
            assert_eq!(
                evidence,
                Evidence { testimonies: vec![Testimony { asked: question, said: failed.clone() }], fault: Some(fault(status, kind)) }
            );
            assert_eq!(asked.len(), 1);
        }
        let (evidence, asked) = asked(ApiVersion::V3, vec![Err(fault(status, kind)), messages(&[message("m", 5)], false)]).await;
        let expected = [Testimony { asked: Question::Status, said: failed }, Testimony { asked: Question::Messages, said: Said::Last { at: at(5) } }];
        assert_eq!((evidence.testimonies, evidence.fault, asked.len()), (expected.to_vec(), Some(fault(status, kind)), 2));
    }
}

#[tokio::test]
async fn the_weightiest_fault_is_kept() {
    let (broken, refused) = (fault(500, FaultKind::Unavailable), fault(429, FaultKind::Throttled));
    let (evidence, _) = asked(ApiVersion::V3, vec![Err(broken.clone()), Err(refused.clone())]).await;
    assert_eq!((evidence.testimonies.len(), evidence.fault), (2, Some(refused)));
    let (evidence, _) = asked(ApiVersion::V3, vec![Err(broken.clone()), Err(fault(404, FaultKind::NotFound))]).await;
    assert_eq!(evidence.fault, Some(broken));
}

#[tokio::test]
async fn what_is_no_page_is_a_testimony_that_repeats_nothing() {
    for odd in ["", "<html>s3cret</html>", "[]", r#"{"message":"s3cret"}"#, "7", r#"{"items":"s3cret"}"#] {
        for version in [ApiVersion::V2, ApiVersion::V4] {
            let heard = said(version, vec![Ok(odd.to_owned())]).await;
            assert!(matches!(heard, Said::Failed { .. }), "{odd}: {heard:?}");
        }
    }
    let stranger = answer(&json!({ "id": "x", "status": "running", "createdAt": NOW, "updatedAt": NOW }));
    let (evidence, _) = asked(ApiVersion::V3, vec![stranger, messages(&[], false)]).await;
    assert!(matches!(&evidence.testimonies[0].said, Said::Failed { why } if why.contains("another session")), "{evidence:?}");
}
