use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::fault::FaultKind;
use crate::domain::session::{Phase, Status};
use crate::provider::browser_use::items::Item;

fn active() -> Value {
    json!({
        "id": "b-1", "status": "active", "startedAt": "2026-11-20T12:00:03.250000", "timeoutAt": "2026-11-20T13:00:03.25Z", "finishedAt": null,
        "liveUrl": "https://live.example/s3cret", "cdpUrl": "wss://cdp.example/s3cret", "recordingUrl": null, "proxyUsedMb": "12.345678",
        "proxyCost": "0.1", "browserCost": "0.02", "agentSessionId": "a-1", "metadata": { "env": "ci" }
    })
}

fn but(mut row: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().expect("an object") {
        row[name] = value.clone();
    }
    row
}

fn judged<T>(value: &Value, read: impl FnOnce(&RawValue) -> Row<T>) -> Row<T> {
    single(value.to_string().as_bytes(), read).expect("JSON")
}

fn browser_of(value: &Value) -> Browser {
    match judged(value, browser) {
        Row::Read(browser) => browser,
        Row::Rejected(row) => panic!("{row:?}"),
    }
}

fn agent_of(value: &Value, version: ApiVersion) -> Agent {
    match judged(value, |raw| agent(raw, version)) {
        Row::Read(agent) => agent,
        Row::Rejected(row) => panic!("{row:?}"),
    }
}

fn rejected<T: std::fmt::Debug>(row: Row<T>) -> Rejected {
    match row {
        Row::Rejected(row) => row,
        Row::Read(item) => panic!("{item:?}"),
    }
}

#[test]
fn a_browser_is_read_as_the_provider_wrote_it_and_without_its_credentials() {
    let browser = browser_of(&active());
    assert_eq!((browser.id.as_str(), browser.agent.as_ref().map(SessionId::as_str)), ("b-1", Some("a-1")));
    assert_eq!(browser.status, Status::new("active", Phase::Running));
    assert_eq!(browser.started_at.to_string(), "2026-11-20T12:00:03.25Z", "an instant without an offset is UTC");
    assert_eq!((browser.proxy_bytes, browser.ended_at), (Some(12_345_678), None));
    assert_eq!(browser.metadata.get("env"), Some(&json!("ci")));
    assert!(!format!("{browser:?}").contains("s3cret"));
}

#[test]
fn a_browser_alone_has_no_agent_session_be_that_null_or_absent() {
    let mut absent = active();
    absent.as_object_mut().expect("an object").remove("agentSessionId");
    for row in [but(active(), json!({ "agentSessionId": null })), absent] {
        assert_eq!(browser_of(&row).agent, None);
    }
}

#[test]
fn a_browser_that_stopped_at_its_hard_end_ran_into_it() {
    let cases = [("2026-11-20T12:59:59Z", Phase::Completed), ("2026-11-20T13:00:03.25Z", Phase::TimedOut), ("2026-11-20T13:00:09Z", Phase::TimedOut)];
    for (end, phase) in cases {
        assert_eq!(browser_of(&but(active(), json!({ "status": "stopped", "finishedAt": end }))).status.phase, phase, "{end}");
    }
    assert_eq!(browser_of(&but(active(), json!({ "status": "stopped" }))).status.phase, Phase::Completed);
    assert_eq!(browser_of(&but(active(), json!({ "finishedAt": "2026-11-20T14:00:00Z" }))).status.phase, Phase::Running);
}

#[test]
fn a_rejected_browser_still_names_its_agent_session_where_that_can_be_read() {
    let agent = |id: &str| Owner::Agent(id.into());
    let cases = [
        (but(active(), json!({ "startedAt": "s3cret" })), Some("b-1"), agent("a-1"), "`startedAt`"),
        (but(active(), json!({ "startedAt": null })), Some("b-1"), agent("a-1"), "`startedAt` is missing"),
        (but(active(), json!({ "id": 5 })), None, agent("a-1"), "`id`"),
        (but(active(), json!({ "status": null })), Some("b-1"), agent("a-1"), "`status`"),
        (but(active(), json!({ "timeoutAt": {} })), Some("b-1"), agent("a-1"), "`timeoutAt`"),
        (but(active(), json!({ "agentSessionId": 7 })), Some("b-1"), Owner::Unknown, "`agentSessionId`"),
        (but(active(), json!({ "agentSessionId": null, "status": 7 })), Some("b-1"), Owner::None, "`status`"),
        (json!(["b-1"]), None, Owner::Unknown, "object"),
    ];
    for (value, id, owner, why) in cases {
        let row = rejected(judged(&value, browser));
        assert_eq!((row.id.as_ref().map(SessionId::as_str), &row.owner), (id, &owner), "{value}");
        assert!(row.why.contains(why) && !row.why.contains("s3cret"), "{value}: {}", row.why);
    }
    let twice = rejected(single(br#"{"id":"b","id":"b"}"#, browser).expect("JSON"));
    assert_eq!((twice.id, twice.owner), (None, Owner::Unknown));
}

#[test]
fn megabytes_are_whole_bytes_to_the_last_digit() {
    let cases =
        [("12.345678", 12_345_678), ("0", 0), ("1", 1_000_000), (".5", 500_000), ("3.", 3_000_000), ("+007.1", 7_100_000), ("0.1234569", 123_456)];
    for (text, expected) in cases {
        assert_eq!(bytes(text), Some(expected), "{text}");
    }
    assert_eq!(bytes("9007199254740993.000001"), None, "beyond what can be counted");
    assert_eq!(bytes("9007199254.740993"), Some(9_007_199_254_740_993), "a float would be off by one");
    for text in ["", ".", "+", "-1", "1e3", "1,5", "NaN", " 1", "1.5.2", "++1"] {
        assert_eq!(bytes(text), None, "{text:?}");
    }
    for value in [json!("many"), json!(12), json!(null), json!({})] {
        assert_eq!(browser_of(&but(active(), json!({ "proxyUsedMb": value }))).proxy_bytes, None);
    }
}

#[test]
fn an_agent_session_of_each_version_is_read_in_its_own_words() {
    let v2 =
        json!({ "id": "a-1", "status": "active", "startedAt": "2026-11-20T12:00:00Z", "keepAlive": true, "proxyUsedMb": "1.5", "liveUrl": "s3cret" });
    let v2 = agent_of(&v2, ApiVersion::V2);
    assert_eq!((v2.started_at, v2.keep_alive, v2.proxy_bytes), (Some(v2.created_at), Some(true), Some(1_500_000)));
    assert_eq!((v2.status.phase, v2.ended_at()), (Phase::Running, None));
    let v3 = json!({ "id": "a-1", "status": "idle", "createdAt": "2026-11-20T12:00:00Z", "updatedAt": "2026-11-20T12:09:00Z", "output": "s3cret" });
    let v3 = agent_of(&v3, ApiVersion::V3);
    assert_eq!((v3.started_at, v3.status.phase, v3.ended_at()), (None, Phase::Running, None));
    let v4 = json!({
        "sessionId": "a-1", "latestRunId": "r-1", "status": "queued", "task": "s3cret", "title": "s3cret",
        "createdAt": "2026-11-20T12:00:00Z", "updatedAt": "2026-11-20T12:09:00Z"
    });
    let v4 = agent_of(&v4, ApiVersion::V4);
    assert_eq!((v4.id.as_str(), v4.run.as_ref().map(SessionId::as_str), v4.status.phase), ("a-1", Some("r-1"), Phase::Pending));
    assert!(!format!("{v2:?}{v3:?}{v4:?}").contains("s3cret"));
}

#[test]
fn an_agent_session_that_is_over_ended_when_the_version_says_so() {
    let at = |text: &str| text.parse().ok();
    let v2 = json!({ "id": "a", "status": "stopped", "startedAt": "2026-11-20T12:00:00Z", "finishedAt": "2026-11-20T12:05:00Z" });
    assert_eq!(agent_of(&v2, ApiVersion::V2).ended_at(), at("2026-11-20T12:05:00Z"));
    let v3 = json!({ "id": "a", "status": "stopped", "createdAt": "2026-11-20T12:00:00Z", "updatedAt": "2026-11-20T12:09:00Z" });
    assert_eq!(agent_of(&v3, ApiVersion::V3).ended_at(), at("2026-11-20T12:09:00Z"));
}

#[test]
fn every_status_word_has_its_meaning_and_an_unknown_one_has_none() {
    let table = [
        (ApiVersion::V2, "active", Phase::Running),
        (ApiVersion::V2, "stopped", Phase::Completed),
        (ApiVersion::V2, "idle", Phase::Unknown),
        (ApiVersion::V3, "created", Phase::Pending),
        (ApiVersion::V3, "idle", Phase::Running),
        (ApiVersion::V3, "running", Phase::Running),
        (ApiVersion::V3, "stopped", Phase::Completed),
        (ApiVersion::V3, "timed_out", Phase::TimedOut),
        (ApiVersion::V3, "error", Phase::Errored),
        (ApiVersion::V3, "active", Phase::Unknown),
        (ApiVersion::V4, "queued", Phase::Pending),
        (ApiVersion::V4, "dispatching", Phase::Pending),
        (ApiVersion::V4, "running", Phase::Running),
        (ApiVersion::V4, "completed", Phase::Completed),
        (ApiVersion::V4, "cancelled", Phase::Completed),
        (ApiVersion::V4, "failed", Phase::Errored),
        (ApiVersion::V4, "Running", Phase::Unknown),
    ];
    for (version, word, phase) in table {
        let at = "2026-11-20T12:00:00Z";
        let row = json!({ "id": "a", "sessionId": "a", "latestRunId": "r", "status": word, "startedAt": at, "createdAt": at });
        assert_eq!(agent_of(&row, version).status, Status::new(word, phase), "{version} {word}");
    }
    assert_eq!(browser_of(&but(active(), json!({ "status": "paused" }))).status.phase, Phase::Unknown);
}

#[test]
fn a_row_of_another_version_is_rejected() {
    let v4 = json!({ "sessionId": "a", "latestRunId": "r", "status": "running", "createdAt": "2026-11-20T12:00:00Z" });
    for version in [ApiVersion::V2, ApiVersion::V3] {
        assert_eq!(rejected(judged(&v4, |raw| agent(raw, version))).id, None);
    }
    let v3 = json!({ "id": "a", "status": "running", "createdAt": "2026-11-20T12:00:00Z" });
    assert_eq!(rejected(judged(&v3, |raw| agent(raw, ApiVersion::V4))).id, None);
    assert!(rejected(judged(&v3, |raw| agent(raw, ApiVersion::V2))).why.contains("`startedAt`"));
}

#[test]
fn of_a_task_only_what_its_owner_wrote_is_read() {
    let whole = json!({
        "id": "t-1", "sessionId": "a-1", "llm": "x", "task": "s3cret", "output": "s3cret", "status": "finished",
        "createdAt": "2026-11-20T12:00:00.123456", "metadata": { "env": "ci", "n": 7 }
    });
    let Row::Read(read) = judged(&whole, task) else { panic!("a task") };
    assert_eq!((read.agent.as_str(), read.metadata.get("n")), ("a-1", Some(&json!(7))));
    assert!(!format!("{read:?}").contains("s3cret"));
    assert_eq!(rejected(judged(&but(whole.clone(), json!({ "createdAt": 5 })), task)).owner, Owner::Agent("a-1".into()));
    assert_eq!(rejected(judged(&but(whole, json!({ "sessionId": null })), task)).owner, Owner::Unknown);
}

fn margin(body: &str) -> Result<Margin, Fault> {
    page(body.as_bytes(), |_| {})
}

#[test]
fn a_page_says_how_many_there_are_or_whether_there_are_more() {
    let counted = |total| Ok(Margin { total, has_more: Some(false), cursor: None });
    assert_eq!(margin(r#"{"items":[],"totalItems":7}"#), counted(Some(7)));
    assert_eq!(margin(r#"{"sessions":[],"total":7}"#), counted(Some(7)));
    for total in ["null", "\"7\"", "-1", "7.5", "{}"] {
        assert_eq!(margin(&format!(r#"{{"items":[],"totalItems":{total}}}"#)), counted(None), "{total}");
    }
    let more = |has_more, cursor: Option<&str>| Ok(Margin { total: None, has_more, cursor: cursor.map(str::to_owned) });
    assert_eq!(margin(r#"{"sessions":[],"hasMore":true,"nextCursor":"c"}"#), more(Some(true), Some("c")));
    assert_eq!(margin(r#"{"sessions":[],"nextCursor":"c"}"#), more(Some(true), Some("c")));
    assert_eq!(margin(r#"{"sessions":[],"hasMore":false,"nextCursor":null}"#), more(Some(false), None));
    assert_eq!(margin(r#"{"sessions":[],"hasMore":"yes","nextCursor":"c"}"#), more(None, Some("c")));
    assert_eq!(margin(r#"{"sessions":[],"nextCursor":7}"#), more(None, None));
}

#[test]
fn what_is_not_a_page_is_unreadable_and_not_quoted() {
    let cases = [
        "",
        "[]",
        r#"[[],[],0,0,false,null]"#,
        "null",
        "<html>s3cret",
        r#"{"detail":"s3cret"}"#,
        r#"{"items":{}}"#,
        r#"{"items":null}"#,
        r#"{"items":[],"items":[]}"#,
        r#"{"items":["#,
    ];
    for body in cases {
        let fault = margin(body).expect_err(body);
        assert!(fault.kind == FaultKind::Unreadable && !fault.detail.contains("s3cret"), "{body}: {fault}");
    }
}

#[test]
fn what_an_agent_sessions_row_says_of_its_being_at_work_is_read() {
    let at = "2026-11-20T12:00:00Z";
    let v2 = |word: &str| agent_of(&json!({ "id": "a", "status": word, "startedAt": at }), ApiVersion::V2).sign;
    let v3 = |word: &str| agent_of(&json!({ "id": "a", "status": word, "createdAt": at, "updatedAt": at }), ApiVersion::V3).sign;
    let v4 = |word: &str| {
        let row = json!({ "sessionId": "a", "latestRunId": "r", "status": word, "createdAt": at, "updatedAt": at });
        agent_of(&row, ApiVersion::V4).sign
    };
    for word in ["running", "created", "paused"] {
        assert_eq!(v3(word), Sign::Busy, "{word}");
    }
    for word in ["queued", "dispatching", "running", "paused"] {
        assert_eq!(v4(word), Sign::Busy, "{word}");
    }
    assert_eq!(["idle", "stopped", "timed_out", "error"].map(v3), [Sign::Nothing; 4]);
    assert_eq!(["completed", "failed", "cancelled"].map(v4), [Sign::Nothing; 3]);
    assert_eq!(["active", "stopped"].map(v2), [Sign::Nothing; 2], "it is active whether a task runs or not");
}

fn any_row() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "20[0-9]{2}-1[0-2]-2[0-8]T12:00:00".prop_map(Value::from),
        "[0-9.+-]{0,12}".prop_map(Value::from),
        Just(json!({ "env": "ci" })),
    ];
    let name = prop_oneof![
        "id",
        "sessionId",
        "agentSessionId",
        "latestRunId",
        "status",
        "createdAt",
        "startedAt",
        "updatedAt",
        "finishedAt",
        "timeoutAt",
        "keepAlive",
        "proxyUsedMb",
        "metadata"
    ];
    prop::collection::hash_map(name, leaf, 0..12).prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into())
}

proptest! {
    #[test]
    fn every_row_is_read_or_rejected(rows in prop::collection::vec(any_row(), 0..8)) {
        let mut count = 0;
        let body = json!({ "items": rows, "totalItems": 1 }).to_string();
        let margin = page(body.as_bytes(), |raw| {
            count += 1;
            let _ = (browser(raw), agent(raw, ApiVersion::V2), agent(raw, ApiVersion::V3), agent(raw, ApiVersion::V4), task(raw), run(raw, &"a".into()));
            let _ = [ApiVersion::V2, ApiVersion::V3, ApiVersion::V4].map(|version| deed(raw, version, &"a".into()));
        });
        prop_assert!(margin.is_ok());
        prop_assert_eq!(count, rows.len());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,40}") {
        let _ = page(&bytes, |_| {});
        let _ = single(&bytes, browser);
        let _ = super::bytes(&text);
    }

    #[test]
    fn a_figure_is_never_rounded_up(whole in 0..1_000_000_u64, fraction in "[0-9]{0,9}") {
        let expected: u64 = format!("{whole}{:0<6}", &fraction[..fraction.len().min(6)]).parse().expect("digits");
        prop_assert_eq!(super::bytes(&format!("{whole}.{fraction}")), Some(expected));
    }
}
