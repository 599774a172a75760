use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::fault::FaultKind;

/// 2026-11-20T12:00:00Z.
const NOON: i64 = 1_795_176_000_000;

fn heard(body: &str) -> Said {
    said(&Body::whole(body.into())).expect("a log")
}

fn of(log: &Value) -> Said {
    heard(&log.to_string())
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(NOON + millis).expect("an instant")
}

/// An entry as Browserbase writes it, with these instants.
fn entry(own: Value, request: Value, response: Value) -> Value {
    json!({
        "method": "Page.navigate", "pageId": 1, "sessionId": "s-1", "timestamp": own,
        "request": { "timestamp": request, "params": { "url": "s3cret" }, "rawBody": "s3cret" },
        "response": { "timestamp": response, "result": { "frameId": "s3cret" }, "rawBody": "s3cret" }
    })
}

fn why(said: &Said) -> &str {
    match said {
        Said::AtLeast { why, .. } | Said::Nothing { why } | Said::Failed { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_activity_is_the_newest_instant_wherever_it_stands() {
    let (early, late) = (json!(NOON), json!(NOON + 7));
    for newest in [
        entry(late.clone(), early.clone(), early.clone()),
        entry(early.clone(), late.clone(), early.clone()),
        entry(early.clone(), early.clone(), late.clone()),
        json!({ "method": "x", "pageId": 1, "sessionId": "s-1", "response": { "timestamp": late } }),
    ] {
        for log in [json!([newest, entry(early.clone(), Value::Null, Value::Null)]), json!([entry(early.clone(), Value::Null, Value::Null), newest])]
        {
            assert_eq!(of(&log), Said::Last { at: at(7) }, "{log}");
        }
    }
}

#[test]
fn a_log_that_tells_no_time_tells_nothing() {
    assert_eq!(why(&heard(" [] ")), "its log is empty");
    let undated = json!([{ "method": "x", "pageId": 1, "sessionId": "s-1", "request": {}, "response": null }]);
    assert_eq!(why(&of(&undated)), "nothing in its log has a timestamp");
    assert!(matches!((heard("[]"), of(&undated)), (Said::Nothing { .. }, Said::Nothing { .. })));
}

#[test]
fn what_cannot_be_read_of_one_entry_leaves_the_others_as_a_lower_bound() {
    let odd = [
        json!({ "timestamp": NOON as f64 + 0.5 }),
        json!({ "timestamp": "2026-11-20T13:00:00Z" }),
        json!({ "timestamp": NOON / 1_000 }),
        json!({ "timestamp": NOON * 1_000 }),
        json!({ "timestamp": -NOON }),
        json!({ "timestamp": u64::MAX }),
        json!({ "request": { "timestamp": "s3cret" } }),
        json!({ "response": ["s3cret"] }),
        json!("s3cret"),
        json!(null),
        json!([NOON]),
    ];
    for odd in odd {
        let beside = of(&json!([odd, entry(json!(NOON), Value::Null, Value::Null)]));
        assert!(matches!(&beside, Said::AtLeast { at: found, .. } if *found == at(0)), "{odd}: {beside:?}");
        let alone = of(&json!([odd]));
        assert!(matches!(alone, Said::Failed { .. }), "{odd}: {alone:?}");
        assert!(!why(&beside).contains("s3cret") && !why(&alone).contains("s3cret"), "{beside:?}");
    }
    let twice = heard(&format!(r#"[{{"timestamp":{NOON},"timestamp":{NOON}}}]"#));
    assert!(matches!(twice, Said::Failed { .. }), "{twice:?}");
}

#[test]
fn milliseconds_are_those_of_this_century() {
    let plausible = |millis: i64| matches!(of(&json!([{ "timestamp": millis }])), Said::Last { .. });
    assert!(plausible(946_684_800_000) && plausible(4_102_444_800_000));
    assert!(!plausible(946_684_799_999) && !plausible(4_102_444_800_001));
}

#[test]
fn of_a_log_that_is_cut_the_whole_entries_are_a_lower_bound() {
    let log = json!([entry(json!(NOON), Value::Null, Value::Null), entry(json!(NOON + 7), Value::Null, Value::Null)]).to_string();
    let first = json!([entry(json!(NOON), Value::Null, Value::Null)]).to_string().len() - 1;
    for (length, newest) in [(log.len() - 1, Some(7)), (log.len() - 2, Some(0)), (first, Some(0)), (first - 1, None), (1, None), (0, None)] {
        let found = said(&Body::cut(log.as_bytes()[..length].to_vec())).expect("an answer");
        let newest_found = if let Said::AtLeast { at, .. } = &found { Some(*at) } else { None };
        assert_eq!(newest_found, newest.map(at), "{length}: {found:?}");
        assert!(why(&found).contains("only the first"), "{found:?}");
    }
}

#[test]
fn a_log_that_ends_too_early_proves_what_it_holds() {
    let found = heard(&format!(r#"[{{"timestamp":{NOON}}},{{"timest"#));
    assert!(matches!(&found, Said::AtLeast { at: found, .. } if *found == at(0)), "{found:?}");
}

#[test]
fn what_is_no_log_is_a_fault_that_repeats_nothing() {
    for body in ["", "<html>s3cret</html>", r#"{"message":"s3cret"}"#, r#""s3cret""#, "null", r#"[{"s3cret"#] {
        let fault = said(&Body::whole(body.into())).expect_err(body);
        assert!(fault.kind == FaultKind::Unreadable && !fault.detail.contains("s3cret"), "{body}: {fault}");
    }
}

fn any_log() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (NOON - 1_000..NOON + 1_000).prop_map(Value::from),
        ".{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("timestamp|request|response|[a-z]", inner, 0..4)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_log_makes_the_reader_panic(log in any_log(), entries in prop::collection::vec(any_log(), 0..8), cut in 0..200_usize) {
        let _ = said(&Body::whole(log.to_string().into()));
        let whole = Value::from(entries).to_string().into_bytes();
        prop_assert!(said(&Body::whole(whole.clone())).is_ok());
        let _ = said(&Body::cut(whole[..cut.min(whole.len())].to_vec()));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = said(&Body::whole(bytes.clone()));
        let _ = said(&Body::cut(bytes));
    }
}
