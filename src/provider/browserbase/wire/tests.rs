use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::fault::FaultKind;
use crate::domain::session::Metadata;

fn whole() -> Value {
    json!({
        "id": "s-1", "status": "RUNNING", "createdAt": "2026-11-20T12:00:00.000Z", "updatedAt": "2026-11-20T12:05:00.000Z", "startedAt": "2026-11-20T12:00:03.250Z",
        "expiresAt": "2026-11-20T13:00:03.250Z", "projectId": "p-1", "proxyBytes": 1024, "keepAlive": true, "region": "us-west-2",
        "userMetadata": { "env": "ci", "run": 7 }, "avgCpuUsage": 3, "connectUrl": "wss://connect.example?signingKey=s3cret", "signingKey": "s3cret"
    })
}

/// The whole session with some of its fields replaced.
fn but(fields: Value) -> Value {
    let mut session = whole();
    for (name, value) in fields.as_object().expect("an object") {
        session[name] = value.clone();
    }
    session
}

fn without(names: &[&str]) -> Value {
    let mut session = whole();
    session.as_object_mut().expect("an object").retain(|name, _| !names.contains(&name.as_str()));
    session
}

fn judged(value: &Value, project: &Project) -> Row {
    let mut found = Vec::new();
    rows(json!([value]).to_string().as_bytes(), project, |row| found.push(row)).expect("a list");
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn kept(value: &Value) -> Session {
    match judged(value, &None) {
        Row::Live(session) => *session,
        other => panic!("{other:?}"),
    }
}

fn rejected(value: &Value) -> RejectedRow {
    match judged(value, &None) {
        Row::Rejected(row) => row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_is_read_as_the_provider_wrote_it() {
    let session = kept(&whole());
    assert_eq!(session.id.as_str(), "s-1");
    assert_eq!(session.status, Status::new("RUNNING", Phase::Running));
    assert_eq!(session.since().to_string(), "2026-11-20T12:00:03.25Z");
    assert_eq!(session.expires_at.map(|at| at.to_string()), Some("2026-11-20T13:00:03.25Z".to_owned()));
    assert_eq!((session.keep_alive, session.proxy_bytes, session.ended_at), (Some(true), Some(1024), None));
    assert_eq!(session.metadata.get("run"), Some(&json!(7)));
    assert!(!format!("{session:?}").contains("s3cret"));
}

#[test]
fn what_may_be_missing_may_also_be_null() {
    let optional = ["startedAt", "expiresAt", "endedAt", "projectId", "proxyBytes", "keepAlive", "region", "userMetadata", "updatedAt"];
    let absent = kept(&without(&optional));
    let null = kept(&but(optional.iter().map(|&name| (name.to_owned(), Value::Null)).collect::<serde_json::Map<_, _>>().into()));
    assert_eq!(absent, null);
    assert_eq!((absent.started_at, absent.expires_at, absent.keep_alive, absent.proxy_bytes), (None, None, None, None));
    assert_eq!(absent.metadata, Metadata::default());
}

#[test]
fn a_row_that_misses_what_is_needed_is_rejected_by_name_and_without_its_values() {
    let cases = [
        (without(&["id"]), None, "`id`"),
        (but(json!({ "id": 5 })), None, "`id`"),
        (but(json!({ "id": "" })), None, "`id`"),
        (but(json!({ "id": ".." })), None, "`id`"),
        (but(json!({ "id": "a\u{1b}b" })), None, "`id`"),
        (but(json!({ "id": "x".repeat(257) })), None, "`id`"),
        (without(&["status"]), Some("s-1"), "`status`"),
        (without(&["createdAt", "startedAt"]), Some("s-1"), "`createdAt`"),
        (but(json!({ "createdAt": "s3cret" })), Some("s-1"), "`createdAt`"),
        (but(json!({ "startedAt": 1763640000 })), Some("s-1"), "`startedAt`"),
        (but(json!({ "expiresAt": "+s3cret" })), Some("s-1"), "`expiresAt`"),
        (but(json!({ "endedAt": {} })), Some("s-1"), "`endedAt`"),
        (but(json!({ "keepAlive": "s3cret" })), Some("s-1"), "`keepAlive`"),
        (but(json!({ "region": ["s3cret"] })), Some("s-1"), "`region`"),
        (json!("s3cret"), None, "object"),
        (json!(null), None, "object"),
        (json!(["s-1", "RUNNING", "2026-11-20T12:00:00Z"]), None, "object"),
    ];
    for (value, id, why) in cases {
        let row = rejected(&value);
        assert_eq!(row.id.as_ref().map(SessionId::as_str), id, "{value}");
        assert!(row.why.contains(why) && !row.why.contains("s3cret"), "{value}: {}", row.why);
    }
}

#[test]
fn a_row_that_says_something_twice_is_rejected_under_its_id() {
    let mut found = Vec::new();
    rows(br#"[{"id":"s-1","status":"RUNNING","status":"COMPLETED"},{"id":"a","id":"b"}]"#, &None, |row| found.push(row)).expect("a list");
    assert_eq!(found.iter().map(|row| row.id().map(SessionId::as_str)).collect::<Vec<_>>(), [Some("s-1"), None]);
}

#[test]
fn figures_that_make_no_sense_are_no_evidence() {
    for figure in [json!(-1), json!(1.5), json!("12"), json!(1e300)] {
        assert_eq!(kept(&but(json!({ "proxyBytes": figure }))).proxy_bytes, None, "{figure}");
    }
}

#[test]
fn instants_are_read_in_the_forms_that_providers_write() {
    for text in ["2026-11-20T12:00:03.25Z", "2026-11-20T14:00:03.250000+02:00", "2026-11-20 12:00:03.25", "2026-11-20T12:00:03.25"] {
        assert_eq!(kept(&but(json!({ "startedAt": text }))).since().to_string(), "2026-11-20T12:00:03.25Z", "{text}");
    }
}

#[test]
fn a_session_without_a_creation_time_counts_from_its_start() {
    let session = kept(&without(&["createdAt"]));
    assert_eq!(Some(session.created_at), session.started_at);
}

#[test]
fn tags_that_are_no_object_are_unreadable_and_not_absent() {
    assert_eq!(kept(&but(json!({ "userMetadata": "env=ci" }))).metadata, Metadata::Unreadable { found: "a text" });
    let deep =
        format!(r#"[{{"id":"s","status":"RUNNING","createdAt":"2026-11-20T12:00:00Z","userMetadata":{}{}}}]"#, "[".repeat(300), "]".repeat(300));
    let mut found = Vec::new();
    rows(deep.as_bytes(), &None, |row| found.push(row)).expect("a list");
    assert!(matches!(&found[..], [Row::Live(session)] if matches!(session.metadata, Metadata::Unreadable { .. })), "{found:?}");
}

#[test]
fn an_ended_row_is_left_out_and_an_unknown_status_is_kept_as_unknown() {
    for word in ["COMPLETED", "TIMED_OUT", "ERROR"] {
        assert!(matches!(judged(&but(json!({ "status": word })), &None), Row::LeftOut(_)), "{word}");
    }
    for word in ["REQUEST_RELEASE", "running", "PAUSED", ""] {
        assert_eq!(kept(&but(json!({ "status": word }))).status, Status::new(word, Phase::Unknown));
    }
}

#[test]
fn an_account_limited_to_a_project_takes_no_other_and_no_unnamed_one() {
    let mine = |name: &str| Some(Arc::from(name));
    assert!(matches!(judged(&whole(), &mine("p-1")), Row::Live(_)));
    assert!(matches!(judged(&whole(), &mine("p-2")), Row::LeftOut(_)));
    assert!(matches!(judged(&without(&["projectId"]), &mine("p-1")), Row::Rejected(_)));
}

#[test]
fn what_is_not_a_list_is_no_listing() {
    for body in ["", " ", "{}", r#"{"items":[]}"#, "null", "[", r#"[{"id":"a"}"#, "[] []", "<html>", "[1,]", "[\u{0}]"] {
        let fault = rows(body.as_bytes(), &None, |_| {}).expect_err(body);
        assert_eq!(fault.kind, FaultKind::Unreadable, "{body}");
    }
    rows(b" [] ", &None, |_| panic!("a row in an empty list")).expect("an empty list");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "20[0-9]{2}-1[0-2]-2[0-8]T12:00:00Z".prop_map(Value::from),
    ];
    let name =
        prop_oneof!["id", "status", "createdAt", "startedAt", "expiresAt", "projectId", "proxyBytes", "keepAlive", "userMetadata", "[a-z]{1,3}"];
    leaf.prop_recursive(3, 24, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name.clone(), inner, 0..9).prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn every_row_of_any_list_is_a_session_left_out_or_rejected(list in prop::collection::vec(any_json(), 0..12), limited in any::<bool>()) {
        let mut count = 0;
        let project = limited.then(|| Arc::from("p"));
        prop_assert!(rows(Value::from(list.clone()).to_string().as_bytes(), &project, |_| count += 1).is_ok());
        prop_assert_eq!(count, list.len());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..400usize) {
        let _ = rows(&bytes, &None, |_| {});
        let whole = json!([whole(), whole()]).to_string();
        let _ = rows(&whole.as_bytes()[..cut.min(whole.len())], &None, |_| {});
        let _ = session(&bytes);
    }
}

#[test]
fn a_word_beyond_all_measure_spoils_its_row_and_such_tags_are_not_known() {
    let long = "x".repeat(257);
    for name in ["status", "region", "projectId"] {
        let row = rejected(&but(json!({ name: long })));
        assert_eq!((row.id, row.why), (Some("s-1".into()), format!("`{name}` is too long")));
        assert!(!matches!(judged(&but(json!({ name: "x".repeat(256) })), &None), Row::Rejected(_)));
    }
    let tags = |length: usize| kept(&but(json!({ "userMetadata": { "k": "x".repeat(length) } }))).metadata;
    let around = r#"{"k":""}"#.len();
    assert!(matches!(tags((64 << 10) - around), Metadata::Tags(_)));
    assert!(matches!(tags((64 << 10) - around + 1), Metadata::Unlearnt { .. }));
}
