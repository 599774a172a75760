//! Inputs for the oracles that are nearly right, field by field: bytes alone seldom are.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::oracles;

/// Every name that a reader of the wire knows, and some that it must not read.
const NAMES: [&str; 24] = [
    "id",
    "status",
    "createdAt",
    "startedAt",
    "expiresAt",
    "endedAt",
    "updatedAt",
    "finishedAt",
    "timeoutAt",
    "timestamp",
    "projectId",
    "region",
    "keepAlive",
    "proxyBytes",
    "proxyUsedMb",
    "userMetadata",
    "metadata",
    "sessionId",
    "agentSessionId",
    "latestRunId",
    "request",
    "url",
    "connectUrl",
    "output",
];

const IDS: [&str; 8] = ["s-1", "s-2", "a-1", "a-2", "b-1", "b-2", "r-1", "t-1"];

const STATUSES: [&str; 12] =
    ["PENDING", "RUNNING", "COMPLETED", "TIMED_OUT", "active", "stopped", "idle", "queued", "running", "finished", "failed", "hibernating"];

fn instant() -> impl Strategy<Value = Value> {
    (0..59_u8, 0..2_u8).prop_map(|(minute, offset)| format!("2026-11-20T12:{minute:02}:00{}", ["", "Z"][usize::from(offset)]).into())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (1_795_170_000_000_i64..1_795_180_000_000).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(IDS.to_vec()).prop_map(Value::from),
        instant(),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(NAMES.to_vec()), inner, 0..5).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

/// A row with everything that any version of any provider writes, of which up to three fields are something else.
fn row() -> impl Strategy<Value = Value> {
    let word = |words: &'static [&'static str]| prop::sample::select(words.to_vec());
    let spoilt = prop::collection::vec((word(&NAMES), any_json()), 0..4);
    (word(&IDS), word(&IDS), word(&STATUSES), instant(), instant(), spoilt).prop_map(|(id, other, status, start, end, spoilt)| {
        let mut row = json!({
            "id": id, "sessionId": other, "agentSessionId": other, "latestRunId": "r-1", "status": status, "createdAt": start, "startedAt": start,
            "updatedAt": end, "finishedAt": end, "timeoutAt": end, "expiresAt": end, "projectId": "p-main", "region": "us-west-2", "keepAlive": true,
            "proxyBytes": 7, "proxyUsedMb": "1.5", "userMetadata": { "env": "ci" }, "metadata": { "env": "ci" }, "timestamp": 1_795_176_000_123_i64,
        });
        spoilt.into_iter().for_each(|(name, value)| row[name] = value);
        row
    })
}

fn refusal() -> impl Strategy<Value = String> {
    (prop::sample::select(vec![301_u16, 400, 401, 403, 404, 429, 500, 503]), prop::option::of(0..90_u16))
        .prop_map(|(status, wait)| format!("!{status}{}", wait.map_or_else(String::new, |wait| format!(" {wait}"))))
}

fn list() -> impl Strategy<Value = Value> {
    prop::collection::vec(prop_oneof![6 => row(), 1 => any_json()], 0..5).prop_map(Value::from)
}

fn browserbase_answer() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => list().prop_map(|list| list.to_string()),
        2 => row().prop_map(|row| row.to_string()),
        1 => list().prop_map(|pages| json!({ "pages": pages }).to_string()),
        1 => (list(), 0..200_usize).prop_map(|(list, at)| format!("~{}", list.to_string().chars().take(at).collect::<String>())),
        1 => refusal(),
    ]
}

fn page() -> impl Strategy<Value = Value> {
    let total = prop_oneof![4 => (0..9_u64).prop_map(Value::from), 1 => any_json()];
    let more = prop_oneof![3 => Just(Value::Null), 2 => Just(json!(true)), 2 => Just(json!(false)), 1 => any_json()];
    let cursor = prop_oneof![2 => Just(Value::Null), 3 => "c-[0-3]".prop_map(Value::from), 1 => any_json()];
    let name = prop::sample::select(vec!["items", "items", "sessions", "messages", "runs"]);
    (name, list(), total, more, cursor).prop_map(|(name, rows, total, more, cursor)| {
        let count = if total == json!(8) { json!(rows.as_array().map(Vec::len)) } else { total };
        json!({ name: rows, "totalItems": count, "total": count, "hasMore": more, "nextCursor": cursor })
    })
}

fn browser_use_answer() -> impl Strategy<Value = String> {
    prop_oneof![8 => page().prop_map(|page| page.to_string()), 2 => row().prop_map(|row| row.to_string()), 1 => refusal(), 1 => Just("<html>".to_owned())]
}

fn script(how: &str, answers: &[String]) -> Vec<u8> {
    std::iter::once(how).chain(answers.iter().map(String::as_str)).collect::<Vec<_>>().join("\n").into_bytes()
}

/// As people write them, and as nobody does.
fn length() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..90_u32, prop::sample::select(vec!["ms", "s", "m", "h", "d", "w"])).prop_map(|(count, unit)| format!("{count}{unit}")),
        (1..59_u32, 0..60_u32, 0..1_000_u32).prop_map(|(minutes, seconds, millis)| format!("{minutes}m {seconds}s {millis}ms")),
        (1..3_600_u32, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| format!("PT{seconds}.{nanos:09}S")),
    ]
}

fn line(key: &'static str, value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::option::of(value).prop_map(move |value| value.map_or_else(String::new, |value| format!("{key} = {value}\n")))
}

fn quoted(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    value.prop_map(|text| Value::from(text).to_string().replace('\u{7f}', "\\u007f"))
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![(1..900_u32).prop_map(|number| number.to_string()), (0.001..999.0_f64).prop_map(|number| number.to_string())]
}

/// A whole configuration in which each value has the shape that its key asks for, and most have a size that it takes.
fn valid_shapes() -> impl Strategy<Value = String> {
    let text = || quoted("[a-z0-9 ./\\PC]{1,12}");
    let top = (line("poll_interval", quoted(length())), line("request_timeout", quoted(length())), line("requests_per_second", number()));
    let rails = (line("min_age", quoted(length())), line("max_release_fraction", (0.01..1.0_f64).prop_map(|part| part.to_string())));
    let account = (
        line("poll_interval", quoted(length())),
        line("request_timeout", quoted(length())),
        line("price_per_hour", number()),
        line("project_id", text()),
    );
    let tagged = (text(), text()).prop_map(|(key, value)| format!("{{ metadata = {{ {key} = {value} }} }}"));
    let regions = text().prop_map(|region| format!("{{ any = [{{ regions = [{region}] }}, {{ keep_alive = true }}] }}"));
    let policy = (
        prop_oneof![tagged, regions],
        line("max_age_tag", text()),
        line("idle", quoted(length())),
        line("budget", number().prop_map(|hours| format!("{{ browser_hours = {hours}, every = \"week\" }}"))),
    );
    (top, rails, account, policy, quoted(length())).prop_map(|(top, rails, account, policy, age)| {
        let accounts = format!(
            "[[accounts]]\nname = \"a\"\nprovider = \"browserbase\"\napi_key_env = \"A\"\n{}{}{}{}",
            account.0, account.1, account.2, account.3
        );
        let policies = format!("[[policies]]\nname = \"p\"\nmatch = {}\nmax_age = {age}\n{}{}{}", policy.0, policy.1, policy.2, policy.3);
        format!("{}{}{}[guardrails]\n{}{}{accounts}{policies}", top.0, top.1, top.2, rails.0, rails.1)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn browserbases_rows_with_anything_at_any_field_hold(answers in prop::collection::vec(browserbase_answer(), 1..4), limited in any::<bool>()) {
        oracles::browserbase_wire(&script(if limited { "project" } else { "" }, &answers));
    }

    #[test]
    fn browser_uses_pages_with_anything_at_any_field_hold(answers in prop::collection::vec(browser_use_answer(), 1..6), version in "v[234]") {
        oracles::browser_use_wire(&script(&version, &answers));
    }

    #[test]
    fn a_configuration_of_valid_shapes_means_what_is_shown_of_it(text in valid_shapes()) {
        prop_assert!(oracles::configuration(text.as_bytes()).is_some());
    }

    #[test]
    fn any_policies_hold_on_any_tags(bytes in prop::collection::vec(prop_oneof![3 => 0..8_u8, 1 => any::<u8>()], 40..160), tags in any_json()) {
        oracles::policy(&[bytes, tags.to_string().into_bytes()].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_with_bytes_flipped_or_rows_of_anything_is_refused_untouched_or_works(kind in "[12]", bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        oracles::ledger_opening(&[kind.into_bytes(), bytes].concat());
    }
}
