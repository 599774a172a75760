use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::keys::{Key, ROOT, Shape};
use super::*;

mod limits;
mod notifications;

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
fn what_an_account_inherits_is_shown_as_it_is_written() {
    let account = "[[accounts]]\nname = \"a\"\nprovider = \"browserbase\"\napi_key_env = \"BROWSERBASE_API_KEY\"\n";
    let shown = loaded(&format!("poll_interval = \"1m 30s 5ms\"\nrequests_per_second = 2\n{account}")).expect("valid").effective;
    assert_eq!(shown["accounts"][0]["poll_interval"], "1m 30s 5ms");
    assert_eq!(shown["accounts"][0]["requests_per_second"], 2);
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

/// With every limit, and every default of theirs.
const LIMITS: &str = include_str!("../../tests/fixtures/config/good/limits.toml");

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
            include_str!("../../tests/fixtures/config/good/notifications.toml"),
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

#[test]
fn what_has_no_end_in_a_configuration_is_refused_in_words() {
    let account = "[[accounts]]\nname = \"a\"\nprovider = \"browserbase\"\napi_key_env = \"BROWSERBASE_API_KEY\"\n";
    let policy =
        |name: &str, value: &str| format!("[[policies]]\nname = \"{name}\"\nmatch = {{ metadata = {{ env = {value} }} }}\nmax_age = \"1h\"\n");
    let policies = |count: usize| (0..count).map(|n| policy(&format!("p{n}"), &format!("\"{n}\""))).collect::<String>();
    let glob = |length: usize| policy("p", &format!("{{ glob = \"{}\" }}", "x".repeat(length)));
    let cases = [
        (policies(100), policies(101), "policies", "101 of them"),
        (policy(&"n".repeat(64), "\"ci\""), policy(&"n".repeat(65), "\"ci\""), "policies[0].name", "nnn"),
        (glob(1_000), glob(1_001), "policies[0].match.metadata.env.glob", "xxx"),
    ];
    for (fits, too_much, key, found) in cases {
        assert!(loaded(&format!("{account}{fits}")).is_ok(), "{key}");
        let faults = loaded(&format!("{account}{too_much}")).expect_err(key).0;
        assert!(faults.iter().any(|fault| fault.key == key && fault.found.contains(found)), "{faults:?}");
    }
    let padded = |length: usize| format!("{account}#{}", "x".repeat(length - account.len() - 1));
    assert!(loaded(&padded(4 << 20)).is_ok());
    assert!(loaded(&padded((4 << 20) + 1)).expect_err("too long").0[0].found.contains("more than 4 MiB"));
}
