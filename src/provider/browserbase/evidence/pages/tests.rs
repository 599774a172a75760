use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn page_of(id: &str, url: &str, title: &str) -> Value {
    json!({
        "id": id, "url": url, "title": title, "faviconUrl": "https://icons.example", "debuggerUrl": "https://live.example/s3cret",
        "debuggerFullscreenUrl": "https://live.example/s3cret"
    })
}

fn answer(pages: &[Value]) -> Value {
    json!({ "debuggerUrl": "https://live.example/s3cret", "debuggerFullscreenUrl": "s3cret", "wsUrl": "wss://s3cret", "pages": pages })
}

fn print_of(answer: &Value) -> u64 {
    match said(&Body::whole(answer.to_string().into())) {
        Ok(Said::Print { print }) => print,
        other => panic!("{other:?}"),
    }
}

fn of(pages: &[Value]) -> u64 {
    print_of(&answer(pages))
}

#[test]
fn a_print_is_of_what_stands_open_in_whatever_order() {
    let (a, b) = (page_of("a", "https://x.example", "X"), page_of("b", "https://y.example", "Y"));
    assert_eq!(of(&[a.clone(), b.clone()]), of(&[b.clone(), a.clone()]));
    let other = [page_of("c", "https://x.example", "X"), page_of("a", "https://z.example", "X"), page_of("a", "https://x.example", "Z")];
    for changed in other {
        assert_ne!(of(&[changed.clone(), b.clone()]), of(&[a.clone(), b.clone()]), "{changed}");
    }
    assert_ne!(of(std::slice::from_ref(&a)), of(&[a.clone(), b]));
    assert_ne!(of(std::slice::from_ref(&a)), of(&[]), "that none is open is a print too");
}

#[test]
fn what_changes_with_each_asking_is_not_in_the_print() {
    let mut later = page_of("a", "https://x.example", "X");
    for field in ["faviconUrl", "debuggerUrl", "debuggerFullscreenUrl"] {
        later[field] = json!("another");
    }
    let mut whole = answer(&[later]);
    whole["wsUrl"] = json!("another");
    assert_eq!(print_of(&whole), of(&[page_of("a", "https://x.example", "X")]));
}

#[test]
fn no_text_runs_into_the_next() {
    let prints = [
        of(&[page_of("a", "bc", "d")]),
        of(&[page_of("ab", "c", "d")]),
        of(&[page_of("a", "b", "cd")]),
        of(&[page_of("abcd", "", "")]),
        of(&[json!({ "id": "abcd" })]),
        of(&[json!({ "id": "abcd", "url": "" })]),
        of(&[json!({ "id": "abcd" }), json!({})]),
    ];
    let distinct: std::collections::BTreeSet<u64> = prints.into_iter().collect();
    assert_eq!(distinct.len(), prints.len());
}

#[test]
fn a_print_is_the_same_in_every_version() {
    assert_eq!(of(&[]), 0xcbf2_9ce4_8422_2325);
    let mut print = Fnv::new();
    print.bytes(b"foobar");
    assert_eq!(print.0, 0x8594_4171_f739_67e8, "as the authors of FNV have it");
    assert_eq!(of(&[page_of("a", "https://x.example", "X")]), 17_624_573_418_327_048_558);
}

#[test]
fn pages_that_cannot_be_read_are_a_fault_that_repeats_nothing() {
    for body in [
        String::new(),
        "<html>s3cret</html>".to_owned(),
        json!({ "wsUrl": "s3cret" }).to_string(),
        json!({ "pages": null }).to_string(),
        json!({ "pages": { "id": "s3cret" } }).to_string(),
        json!([{ "id": "s3cret" }]).to_string(),
        answer(&[json!("s3cret")]).to_string(),
        answer(&[json!({ "id": ["s3cret"] })]).to_string(),
        answer(&[page_of("a", "b", "c"), json!({ "url": 7 })]).to_string(),
        r#"{"pages":[{"id":"s3cret","id":"s3cret"}]}"#.to_owned(),
    ] {
        let fault = said(&Body::whole(body.clone().into())).expect_err(&body);
        assert!(fault.kind == FaultKind::Unreadable && !fault.detail.contains("s3cret"), "{body}: {fault}");
    }
}

fn any_answer() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), ".{0,9}".prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("pages|id|url|title|[a-z]", inner, 0..5)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn any_pages_are_a_print_or_a_fault(answer in any_answer(), pages in any_answer()) {
        for answer in [answer, json!({ "pages": pages }), json!({ "pages": [pages] })] {
            let said = said(&Body::whole(answer.to_string().into()));
            let is_print_or_fault = matches!(said, Ok(Said::Print { .. }) | Err(_));
            prop_assert!(is_print_or_fault);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = said(&Body::whole(bytes));
    }

    #[test]
    fn the_order_of_pages_does_not_matter(pages in prop::collection::vec(("[ab]{0,2}", "[ab]{0,2}", "[ab]{0,2}"), 0..5).prop_shuffle()) {
        let rows: Vec<Value> = pages.iter().map(|(id, url, title)| page_of(id, url, title)).collect();
        let turned: Vec<Value> = rows.iter().rev().cloned().collect();
        prop_assert_eq!(of(&rows), of(&turned));
    }
}
