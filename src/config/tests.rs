use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::keys::{Key, ROOT, Shape};
use super::*;
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::Order;
use crate::policy::idle::{Idle, WithoutEvidence};
use crate::policy::max_running::MaxRunning;
use crate::policy::per::Per;
use crate::policy::selector::Selector;
use crate::policy::{Limits, Rule};

const KEY: &str = "bb_live_secret0123456789";
const OTHER_KEY: &str = "bu_live_secret0123456789";
const VERSIONS: &str = include_str!("../../tests/fixtures/config/good/browser_use_by_api_version.toml");

fn source(folder: &std::path::Path, text: &str) -> Source {
    std::fs::write(folder.join("reaper.toml"), text).expect("a file is written");
    let env = vec![("BROWSERBASE_API_KEY".to_owned(), KEY.to_owned())];
    Source { file: Some("reaper.toml".into()), env, cwd: folder.to_path_buf(), ..Source::default() }
}

fn loaded(text: &str) -> Result<Loaded, Faults> {
    let folder = tempfile::tempdir().expect("a folder");
    load(&source(folder.path(), text))
}

#[test]
fn the_example_means_what_it_says() {
    let config = loaded(EXAMPLE).expect("a valid example").config;
    assert_eq!(config.mode, Mode::Observe);
    assert_eq!(config.accounts[0].credential, Credential::Env("BROWSERBASE_API_KEY".into()));
    assert_eq!(config.accounts[0].base_url, "https://api.browserbase.com");
    assert_eq!(config.accounts[0].poll_interval, SignedDuration::from_secs(30));
    let names: Vec<&str> = config.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["production", "ci", "research", "after-hours", "everything-else"]);
    assert_eq!(config.guardrails.confirm_within, SignedDuration::from_mins(2));
    assert_eq!(config.drain_timeout, SignedDuration::from_secs(10));
}

#[test]
fn an_account_inherits_what_it_does_not_say() {
    let account = "[[accounts]]\nname = \"a\"\nprovider = \"browserbase\"\napi_key_env = \"BROWSERBASE_API_KEY\"\nrequest_timeout = \"1s\"\n";
    let config = loaded(&format!("poll_interval = \"7s\"\nrequest_timeout = \"9s\"\n{account}")).expect("valid").config;
    let account = &config.accounts[0];
    assert_eq!(account.poll_interval, SignedDuration::from_secs(7));
    assert_eq!(account.request_timeout, SignedDuration::from_secs(1));
    assert_eq!((account.requests_per_second, account.price_per_hour, account.currency.as_str()), (20.0, 0.12, "USD"));
}

#[test]
fn an_account_has_what_is_usual_at_its_provider() {
    let account =
        |name: &str, provider: &str| format!("[[accounts]]\nname = \"{name}\"\nprovider = \"{provider}\"\napi_key_env = \"BROWSERBASE_API_KEY\"\n");
    let accounts = loaded(&(account("a", "browserbase") + &account("b", "browser-use"))).expect("valid").config.accounts;
    let usual: Vec<_> = accounts.iter().map(|account| (account.api_version, account.price_per_hour, account.refunded_by)).collect();
    assert_eq!(usual, [(None, 0.12, SignedDuration::ZERO), (Some(ApiVersion::V2), 0.02, SignedDuration::from_mins(1))]);
    assert_eq!(accounts[1].base_url, "https://api.browser-use.com/api/v2");
}

#[test]
fn relative_paths_are_taken_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let nested = folder.path().join("etc");
    std::fs::create_dir(&nested).expect("a folder");
    let mut source = source(&nested, EXAMPLE);
    source.cwd = folder.path().to_path_buf();
    source.file = Some("etc/reaper.toml".into());
    let config = load(&source).expect("valid").config;
    assert_eq!(config.store.path, StorePath::File(nested.join("session-reaper.db")));
}

#[test]
fn a_credential_is_read_raw() {
    let env = [("A".to_owned(), "12345678".to_owned()), ("B".to_owned(), "[abc]".to_owned())];
    for (name, value) in &env {
        let secret = Credential::Env(name.clone()).read(&env).expect("a credential");
        assert_eq!(secret.expose_secret(), value);
    }
}

#[test]
fn a_credential_file_may_end_in_one_line_break() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    for (text, key) in [
        ("abc", Some("abc")),
        ("abc\n", Some("abc")),
        ("abc\r\n", Some("abc")),
        ("abc\n\n", None),
        ("a c", None),
        ("", None),
        ("\n", None),
        ("ä", None),
    ] {
        std::fs::write(&path, text).expect("a file is written");
        let read = Credential::File(path.clone()).read(&[]);
        assert_eq!(read.as_ref().ok().map(|secret| secret.expose_secret()), key, "{text:?}");
    }
}

#[test]
fn the_nearest_word_forgives_spelling_and_case_but_not_everything() {
    let keys = ["poll_interval", "price_per_hour", "provider"];
    assert_eq!(fault::nearest("pollIntreval", keys).as_deref(), Some("poll_interval"));
    assert_eq!(fault::nearest("price", keys).as_deref(), Some("price_per_hour"));
    assert_eq!(fault::nearest("colour", keys), None);
}

const LIMITS: &str = include_str!("../../tests/fixtures/config/good/limits.toml");

/// The policies of a configuration with one account.
fn policies(text: &str) -> Vec<Policy> {
    let account = "[[accounts]]\nname = \"a\"\nprovider = \"browserbase\"\napi_key_env = \"BROWSERBASE_API_KEY\"\n";
    loaded(&format!("{account}{text}")).expect("valid").config.policies
}

fn limits(policy: &Policy) -> Limits {
    match &policy.rule {
        Rule::Limits(limits) => limits.clone(),
        Rule::Protect => panic!("{} protects", policy.name),
    }
}

fn zone(name: &str) -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get(name).expect("a zone")
}

#[test]
fn every_limit_means_what_it_says() {
    let policies = loaded(LIMITS).expect("valid").config.policies;
    let sleepy = Limits {
        idle: Some(Idle { limit: SignedDuration::from_mins(10), without_evidence: WithoutEvidence::Release }),
        max_running: Some(MaxRunning { count: 3, per: None, release: Order::Oldest }),
        ..Limits::default()
    };
    assert_eq!(limits(&policies[0]), sleepy);
    assert_eq!(limits(&policies[1]).max_running, Some(MaxRunning { count: 1, per: Some(Per::Kind), release: Order::Idlest }));
    let daily = Budget { allowed: SignedDuration::from_mins(30), per: None, every: Every::Day, time_zone: zone("UTC"), release: Order::Oldest };
    assert_eq!(limits(&policies[2]), Limits { budget: Some(daily), ..Limits::default() });
    let monthly = Budget {
        allowed: SignedDuration::from_hours(1_000_000),
        per: Some(Per::Metadata("owner.team".to_owned())),
        every: Every::Month,
        time_zone: zone("America/New_York"),
        release: Order::Idlest,
    };
    assert_eq!(limits(&policies[4]), Limits { budget: Some(monthly), ..Limits::default() });
    assert_eq!(policies.iter().map(|policy| policy.shadow).collect::<Vec<_>>(), [false, true, false, true, false]);
    assert_eq!(policies[3].rule, Rule::Protect);
}

#[test]
fn idle_without_evidence_keeps_where_nothing_else_is_said_and_every_attribute_counts_apart() {
    let idle = |more: &str| limits(&policies(&format!("[[policies]]\nname = \"p\"\nmatch = \"all\"\nidle = \"5m\"\n{more}"))[0]);
    assert_eq!(idle("").idle.map(|idle| idle.without_evidence), Some(WithoutEvidence::Keep));
    assert_eq!(idle("idle_without_evidence = \"keep\"").idle.map(|idle| idle.without_evidence), Some(WithoutEvidence::Keep));
    for (word, per) in [
        ("provider", Per::Provider),
        ("kind", Per::Kind),
        ("region", Per::Region),
        ("keep_alive", Per::KeepAlive),
        ("metadata.a b", Per::Metadata("a b".to_owned())),
    ] {
        let found = idle(&format!("max_running = {{ count = 1, per = {word:?} }}\n")).max_running.and_then(|limit| limit.per);
        assert_eq!(found, Some(per), "{word}");
    }
}

#[test]
fn a_window_means_what_it_says_at_any_depth() {
    let shown: Vec<String> = loaded(LIMITS).expect("valid").config.policies.iter().map(|policy| format!("{:?}", policy.selector)).collect();
    assert!(shown[0].contains("days: [false, false, false, false, false, true, true]"), "{}", shown[0]);
    let window =
        |keys: &str| match &policies(&format!("[[policies]]\nname = \"p\"\nmatch = {{ window = {{ {keys} }} }}\nmax_age = \"1h\"\n"))[0].selector {
            Selector::Match(keys) => keys.window.as_ref().expect("a window").to_string(),
            Selector::All => panic!("a match"),
        };
    for (keys, shown) in [
        ("", "Mon-Sun 00:00 to 24:00 UTC"),
        ("days = \"Sat,Sun\"", "Sat,Sun 00:00 to 24:00 UTC"),
        ("from = \"20:00\", to = \"06:30\", time_zone = \"europe/london\"", "Mon-Sun 20:00 to 06:30 Europe/London"),
        ("from = \"20:00\", to = \"00:00\"", "Mon-Sun 20:00 to 24:00 UTC"),
        ("from = \"00:00\", to = \"24:00\"", "Mon-Sun 00:00 to 24:00 UTC"),
    ] {
        assert_eq!(window(keys), shown, "{keys}");
    }
}

/// A tree as TOML writes it in one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(keys) => {
            format!("{{ {} }}", keys.iter().map(|(key, value)| format!("{key:?} = {}", inline(value))).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        scalar => scalar.to_string(),
    }
}

#[test]
fn what_is_shown_as_in_force_means_the_same_when_it_is_written_out() {
    for text in [EXAMPLE, LIMITS] {
        let first = loaded(text).expect("valid");
        let more = ["policies", "accounts"].map(|key| format!("{key} = {}\n", inline(&first.effective[key])));
        assert_eq!(loaded(&more.concat()).expect("valid").config.policies, first.config.policies);
    }
    let shown = loaded(LIMITS).expect("valid").effective;
    let window = &shown["policies"][0]["match"]["not"]["window"];
    assert_eq!([&window["from"], &window["to"], &window["time_zone"]], ["00:00", "24:00", "UTC"]);
    assert_eq!(shown["policies"][2]["match"]["any"][1]["window"]["days"], "Mon-Sun");
    assert_eq!([&shown["policies"][2]["budget"]["release"], &shown["policies"][2]["budget"]["time_zone"]], ["oldest", "UTC"]);
    assert_eq!(shown["policies"][2].get("idle_without_evidence"), None, "it has no idle");
}

/// What is worth a warning in these lines of a policy and, before it, of the whole.
fn warnings(top: &str, policy: &str) -> Vec<String> {
    let account = "accounts = [{ name = \"a\", provider = \"browserbase\", api_key_env = \"BROWSERBASE_API_KEY\" }]";
    loaded(&format!("{account}\n{top}\n[[policies]]\nname = \"p\"\n{policy}\n")).expect("valid").warnings
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_warned_of() {
    let all = |keys: &str| format!("match = \"all\"\n{keys}");
    let idle = ["policies[0].idle: 59s is below guardrails.min_age = 1m, which holds these sessions until then"];
    assert_eq!(warnings("", &all("idle = \"59s\"")), idle);
    assert_eq!(warnings("", &all("idle = \"60s\"")), [""; 0]);
    for (every, enough, too_short) in [("day", "1d", "23h"), ("week", "7d", "6d"), ("month", "31d", "30d")] {
        let budget = all(&format!("budget = {{ browser_hours = 1, every = {every:?} }}"));
        let kept = |retention: &str| warnings(&format!("store.retention = {retention:?}"), &budget);
        let told =
            format!("policies[0].budget.every: a {every} is longer than store.retention = {too_short}: what was spent before that is not counted");
        assert_eq!((kept(enough), kept("0s"), kept(too_short)), (vec![], vec![], vec![told]));
    }
    let shadow = ["every policy with limits is a shadow: nothing is ever released"];
    assert_eq!(warnings("", &all("max_age = \"1h\"\nshadow = true")), shadow);
    assert_eq!(warnings("", &all("protect = true\nshadow = true")), [""; 0]);
    let open = ["policies[0].match.not.window: a window that never closes: it fits at all times"];
    assert_eq!(warnings("", "match = { not = { window = { from = \"00:00\", to = \"24:00\" } } }\nmax_age = \"1h\""), open);
}

#[test]
fn a_policy_behind_a_shadow_or_another_window_can_govern() {
    let policy = |name: &str, keys: &str| format!("[[policies]]\nname = {name:?}\nmax_age = \"1h\"\n{keys}\n");
    let all = "match = \"all\"\n";
    let shadows = policy("a", &format!("{all}shadow = true")) + &policy("b", &format!("{all}shadow = true")) + &policy("c", all);
    assert_eq!(policies(&shadows).len(), 3);
    let window = |from: &str| format!("match = {{ window = {{ from = {from:?}, to = \"06:00\" }} }}");
    assert_eq!(policies(&(policy("a", &window("20:00")) + &policy("b", &window("21:00")))).len(), 2);
}

/// What in `value` does not fit `schema`, by the few words of JSON Schema that ours is written in.
fn misfits(schema: &Value, value: &Value, root: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return misfits(root.pointer(reference.trim_start_matches('#')).expect("a definition"), value, root);
    }
    let mut found = Vec::new();
    for option in schema["allOf"].as_array().into_iter().flatten() {
        found.extend(misfits(option, value, root));
    }
    if let Some(options) = schema["anyOf"].as_array()
        && options.iter().all(|option| !misfits(option, value, root).is_empty())
    {
        found.push(format!("{value} is none of the options"));
    }
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
        found.push(format!("{value} is none of {words:?}"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        found.push(format!("{value} is not {}", schema["const"]));
    }
    let types: Vec<&str> =
        schema["type"].as_array().map_or_else(|| schema["type"].as_str().into_iter().collect(), |all| all.iter().filter_map(Value::as_str).collect());
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() && types.contains(&"integer") => "integer",
        _ => "number",
    };
    if !types.is_empty() && !types.contains(&kind) {
        found.push(format!("{value} is not of type {types:?}"));
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        match (schema["properties"].get(key), schema.get("additionalProperties")) {
            (Some(known), _) => found.extend(misfits(known, inner, root)),
            (None, Some(Value::Bool(false))) => found.push(format!("{key} is unknown")),
            (None, Some(other)) => found.extend(misfits(other, inner, root)),
            (None, None) => {}
        }
    }
    for item in value.as_array().into_iter().flatten().filter(|_| schema.get("items").is_some()) {
        found.extend(misfits(&schema["items"], item, root));
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    found.extend(required.filter(|key| kind == "object" && value.get(key).is_none()).map(|key| format!("{key} is missing")));
    found
}

#[test]
fn the_schema_takes_the_defaults_and_the_example_and_refuses_what_is_unknown() {
    for draft in [Draft::Current, Draft::Seven] {
        let schema = schema(draft);
        for text in [
            DEFAULTS,
            EXAMPLE,
            include_str!("../../tests/fixtures/config/good/full.toml"),
            include_str!("../../tests/fixtures/config/good/contract.toml"),
            LIMITS,
            VERSIONS,
        ] {
            let value: Value = toml::from_str(text).expect("TOML");
            assert_eq!(misfits(&schema, &value, &schema), Vec::<String>::new());
        }
        for text in [
            "polls = 1",
            "mode = \"on\"",
            "[[accounts]]\nname = \"a\"",
            &VERSIONS.replace("v3", "v5"),
            "[[policies]]\nname = \"a\"\nmatch = { any = [{ idle = 1 }] }",
            &LIMITS.replace("\"idlest\"", "\"idle\""),
            &LIMITS.replace("time_zone", "zone"),
            &LIMITS.replace("count = 3", "count = 0.5"),
        ] {
            let value: Value = toml::from_str(text).expect("TOML");
            assert_ne!(misfits(&schema, &value, &schema), Vec::<String>::new(), "{text}");
        }
    }
}

#[test]
fn the_schema_shows_the_defaults() {
    let schema = schema(Draft::Current);
    assert_eq!(schema["properties"]["poll_interval"]["default"], "30s");
    assert_eq!(schema["properties"]["guardrails"]["properties"]["max_release_fraction"]["default"], 0.5);
}

/// Every key of the table, with those of the tables below it.
fn all_keys(keys: &[Key], out: &mut Vec<&'static str>) {
    for key in keys {
        out.push(key.name);
        if let Shape::Table(inner) | Shape::Tables(inner) = key.shape {
            all_keys(inner, out);
        }
    }
}

#[test]
fn every_key_is_explained_in_the_defaults() {
    let Shape::Table(top) = ROOT else { panic!("the root is a table") };
    let mut keys = Vec::new();
    all_keys(top, &mut keys);
    all_keys(keys::MATCH, &mut keys);
    for key in keys {
        assert!(DEFAULTS.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == key), "{key}");
    }
}

#[test]
fn every_default_is_a_key_with_a_value_of_its_shape() {
    let defaults: Value = toml::from_str(DEFAULTS).expect("TOML");
    let Shape::Table(top) = ROOT else { panic!("the root is a table") };
    for key in top.iter().filter(|key| !matches!(key.shape, Shape::Tables(_))) {
        assert!(defaults.get(key.name).is_some(), "{} has no default", key.name);
    }
}

/// Words that are keys somewhere, and some that are none.
fn word() -> impl Strategy<Value = String> {
    let Shape::Table(top) = ROOT else { panic!("the root is a table") };
    let mut keys = vec!["exists", "glob", "regex", "env", "a.b", "", "api_key", KEY, OTHER_KEY];
    all_keys(top, &mut keys);
    all_keys(keys::MATCH, &mut keys);
    prop::sample::select(keys).prop_map(str::to_owned)
}

fn leaf() -> impl Strategy<Value = String> {
    let texts = [
        "all",
        "browserbase",
        "BROWSERBASE_API_KEY",
        "growth",
        "session",
        "observe",
        "20m",
        "0s",
        "127.0.0.1:0",
        "http://a",
        "(",
        "[",
        KEY,
        OTHER_KEY,
        "browser-use",
        "v3",
        "https://a/api/v2",
        "https://u:hunter2@a/",
        "Mon-Fri",
        "20:00",
        "24:00",
        "Europe/London",
        "metadata.team",
        "day",
        "idlest",
    ];
    prop_oneof![
        prop::sample::select(texts.to_vec()).prop_map(|text| format!("{text:?}")),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        prop::sample::select(vec!["nan", "-inf", "0.5", "1e308", "2026-11-20T12:00:00Z", "12:00:00", "99999999999999999999", "0xff"])
            .prop_map(str::to_owned),
        "[ -~]{0,12}".prop_map(|text| format!("{text:?}")),
    ]
}

fn tree() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::btree_map(word(), inner, 0..4).prop_map(|keys| {
                let pairs: Vec<String> = keys.into_iter().map(|(key, value)| format!("{key:?} = {value}")).collect();
                format!("{{ {} }}", pairs.join(", "))
            }),
        ]
    })
}

/// Nothing that is shown of a result holds a secret.
fn assert_harmless(result: &Result<Loaded, Faults>, text: &str) {
    let shown = match result {
        Ok(loaded) => format!("{:?} {:?} {}", loaded.warnings, loaded.provenance, loaded.effective),
        Err(faults) => format!("{faults} {:?}", faults.0),
    };
    assert!(!shown.contains("bb_live_secret") && !shown.contains("bu_live_secret") && !shown.contains("hunter2"), "{shown}\nfrom\n{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_tree_of_keys_and_values_panics_or_shows_a_secret(keys in prop::collection::btree_map(word(), tree(), 0..8)) {
        let text: String = keys.iter().map(|(key, value)| format!("{key:?} = {value}\n")).collect();
        assert_harmless(&loaded(&text), &text);
    }

    #[test]
    fn no_policy_panics_or_shows_a_secret(policy in prop::collection::btree_map(word(), tree(), 0..6), matched in tree()) {
        let table: String = policy.iter().filter(|(key, _)| *key != "match").map(|(key, value)| format!("{key:?} = {value}\n")).collect();
        let text = format!("{EXAMPLE}\n[[policies]]\nmatch = {{ metadata = {{ a = {matched} }} }}\n{table}");
        assert_harmless(&loaded(&text), &text);
    }

    #[test]
    fn no_text_panics(text in "[ -~\n\t]{0,200}|\\PC{0,60}") {
        _ = loaded(&text);
    }

    #[test]
    fn no_flag_or_variable_panics(key in "[a-z_.]{0,20}", value in "\\PC{0,40}", known in word()) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut source = source(folder.path(), EXAMPLE);
        source.set = vec![format!("{key}={value}"), format!("{known}={value}")];
        source.env.push((format!("SESSION_REAPER__{}", key.to_uppercase()), value));
        _ = load(&source);
    }
}
