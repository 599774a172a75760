use super::*;
use crate::domain::event::Operation;

fn client(base_url: &str) -> Client {
    made(base_url, "bb_live_0123456789").expect("a client")
}

fn made(base_url: &str, key: &str) -> Result<Client, String> {
    let header_name = HeaderName::from_static("x-bb-api-key");
    Client::new(ClientSettings { base_url, header_name, key: key.into(), timeout: SignedDuration::from_secs(5), clock: Clock::start() })
}

fn address(id: &str) -> Result<String, Fault> {
    client("https://api.example/base/").address(&Call::get(Operation::Read, &["v1", "sessions", id])).map(String::from)
}

#[test]
fn an_id_stays_one_segment_of_the_path_whatever_it_holds() {
    let cases =
        [("abc-1", "abc-1"), ("../x", "..%2Fx"), ("a?b#c", "a%3Fb%23c"), ("a b", "a%20b"), ("a\\b", "a%5Cb"), ("ü", "%C3%BC"), ("a%2fb", "a%252fb")];
    for (id, segment) in cases {
        assert_eq!(address(id), Ok(format!("https://api.example/base/v1/sessions/{segment}")), "{id}");
    }
}

#[test]
fn an_id_that_would_leave_its_place_in_the_path_is_never_sent() {
    for id in ["", ".", "..", "\t..", "..\n", "a\rb"] {
        assert_eq!(address(id).map_err(|fault| fault.kind), Err(FaultKind::Rejected), "{id:?}");
    }
    for id in ["%2e%2e", "%2E", ".%2e"] {
        let depth = address(id).expect("an address").split('/').count();
        assert_eq!(depth, "https://api.example/base/v1/sessions/x".split('/').count(), "{id:?}");
    }
}

#[test]
fn a_client_shows_its_host_and_not_its_key() {
    let shown = format!("{:?}", client("https://api.example"));
    assert!(shown.contains("api.example") && !shown.contains("bb_live"), "{shown}");
}

#[test]
fn what_no_client_can_be_made_of_is_refused_without_being_repeated() {
    let cases = [
        ("not an address", "k3y"),
        ("ftp://h", "k3y"),
        ("https://user:pa55@h", "k3y"),
        ("https://h?apiKey=pa55", "k3y"),
        ("https://h", "k3y\u{7}"),
        ("https://h", " "),
    ];
    for (base_url, key) in cases {
        let fault = made(base_url, key).map(|_| ()).expect_err("a refusal");
        assert!(!fault.contains("pa55") && !fault.contains("k3y"), "{fault}");
    }
}

#[test]
fn the_key_is_marked_as_a_secret_for_whatever_prints_headers() {
    let headers = headers(HeaderName::from_static("x-bb-api-key"), "k3y").expect("headers");
    assert!(!format!("{headers:?}").contains("k3y"));
}

#[test]
fn only_loopback_goes_past_a_proxy() {
    for (base_url, expected) in
        [("http://127.0.0.1:1", true), ("http://[::1]:1", true), ("http://localhost", true), ("https://localhost.example", false)]
    {
        assert_eq!(is_loopback(&Url::parse(base_url).expect("an address")), expected, "{base_url}");
    }
}

#[test]
fn a_cached_answer_tells_no_time() {
    let mut headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static("Sat, 21 Nov 2026 02:18:53 GMT"))]);
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(clock_reading(&headers, now, now).map(|reading| reading.date.to_string()), Some("2026-11-21T02:18:53Z".to_owned()));
    headers.insert(AGE, HeaderValue::from_static("40"));
    assert_eq!(clock_reading(&headers, now, now), None);
}
