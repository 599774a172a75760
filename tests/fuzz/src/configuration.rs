//! The configuration: any text, any flags and any environment.

use serde_json::Value;
use session_reaper::config::{self, Credentials, Faults, Loaded, Source};

/// Is shown by nothing, wherever it stands.
const KEY: &str = "bb_live_secret0123456789";

/// A text of TOML. Its comments that begin with `#set ` are flags, and those that begin with `#env ` are variables of the environment.
pub fn configuration(input: &[u8]) -> Option<Result<Loaded, Faults>> {
    let text = std::str::from_utf8(input).ok()?;
    let result = config::load(&source(text));
    match &result {
        Err(faults) => every_fault_says_where_and_what(faults),
        Ok(loaded) => what_is_shown_means_the_same(loaded),
    }
    shows_no_key(&result);
    Some(result)
}

fn source(text: &str) -> Source {
    let behind = |mark: &str| text.lines().filter_map(|line| line.strip_prefix(mark)).map(str::to_owned).collect::<Vec<_>>();
    let env = behind("#env ").into_iter().filter_map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    Source {
        text: Some(text.to_owned()),
        set: behind("#set "),
        env: env.collect(),
        cwd: "/etc/session-reaper".into(),
        credentials: Credentials::Skip,
        ..Source::default()
    }
}

fn every_fault_says_where_and_what(faults: &Faults) {
    assert!(!faults.0.is_empty());
    for fault in &faults.0 {
        assert!(!fault.place.is_empty() && !fault.found.is_empty() && !fault.expected.is_empty(), "{fault:?}");
        assert!(!fault.to_string().contains('\n'), "{fault:?}");
    }
}

/// Whoever writes down what `check` shows gets the same configuration.
fn what_is_shown_means_the_same(loaded: &Loaded) {
    let shown = loaded.effective.to_string();
    if shown.contains("[not shown]") {
        return;
    }
    let Value::Object(keys) = &loaded.effective else { panic!("no tree: {shown}") };
    let text: String = keys.iter().map(|(key, value)| format!("{} = {}\n", toml(&key.as_str().into()), toml(value))).collect();
    match config::load(&source(&text)) {
        Ok(again) => assert_eq!((&again.config, &again.effective), (&loaded.config, &loaded.effective), "{text}"),
        Err(faults) => panic!("{faults}\nof\n{text}"),
    }
}

/// A value of JSON as TOML has it on one line.
fn toml(value: &Value) -> String {
    match value {
        // All that JSON leaves as it stands and TOML does not.
        Value::String(_) => value.to_string().replace('\u{7f}', "\\u007f"),
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(keys) => {
            let keys: Vec<String> = keys.iter().map(|(key, inner)| format!("{} = {}", toml(&key.as_str().into()), toml(inner))).collect();
            format!("{{ {} }}", keys.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

fn shows_no_key(result: &Result<Loaded, Faults>) {
    let shown = match result {
        Ok(loaded) => format!("{:?} {:?} {}", loaded.warnings, loaded.provenance, loaded.effective),
        Err(faults) => format!("{faults} {faults:?}"),
    };
    // Within a longer word it is no key.
    let is_key = |(at, _): (usize, &str)| !shown[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    assert!(!shown.match_indices(KEY).any(is_key), "{shown}");
}
