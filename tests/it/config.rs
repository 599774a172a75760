//! Configurations, good and bad, through the real binary.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Planted in the environment and in the fixtures; must be seen nowhere.
const SECRETS: [&str; 5] = ["bb_live_secret", "bu_live_secret", "live-secret", "hunter2", "spaced secret"];

struct Run {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {} {}", self.stdout, self.stderr))
    }

    fn assert_harmless(&self, about: &str) {
        for text in [&self.stdout, &self.stderr] {
            assert!(!text.contains("panicked"), "{about}: {text}");
            assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{about}: {text}");
        }
    }
}

/// Runs the program in `folder` with nothing in its environment but the planted credentials and `env`.
fn reaper(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_session-reaper"));
    command.args(args).current_dir(folder).env_clear();
    command
        .env("BROWSERBASE_API_KEY", "bb_live_secret0123456789")
        .env("BROWSER_USE_API_KEY", "bu_live_secret0123456789")
        .env("OTHER_API_KEY", "opaque-live-secret")
        .env("THIRD_API_KEY", "third-live-secret")
        .env("EMPTY_API_KEY", "")
        .env("SPACED_API_KEY", "spaced secret");
    Run::from(command.envs(env.iter().copied()).output().expect("the program runs"))
}

fn fixtures(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config").join(kind)
}

fn files(kind: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(fixtures(kind)).expect("fixtures").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// What follows `# WORD: ` in a fixture's comments.
fn notes(text: &str, word: &str) -> Vec<String> {
    let mark = format!("# {word}: ");
    let mut notes: Vec<String> =
        text.lines().filter_map(|line| line.trim_end().strip_prefix(mark.trim_end())).map(|note| note.trim().to_owned()).collect();
    notes.sort();
    notes
}

fn written(folder: &Path, text: &str) -> String {
    let file = folder.join("reaper.toml");
    std::fs::write(&file, text).expect("a file is written");
    file.display().to_string()
}

const GOOD: &str = r#"
[[accounts]]
name = "growth"
provider = "browserbase"
api_key_env = "BROWSERBASE_API_KEY"

[[policies]]
name = "all"
match = "all"
max_age = "4h"
"#;

#[test]
fn every_bad_configuration_is_refused_with_exactly_its_faults() {
    let files = files("bad");
    assert!(files.len() >= 40, "{}", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a fixture");
        let (path, about) = (file.display().to_string(), file.file_name().expect("a name").display().to_string());
        let run = reaper(&fixtures("bad"), &["check", "--config", &path, "--format", "json"], &[]);
        run.assert_harmless(&about);
        assert_eq!(run.status, Some(2), "{about}: {}", run.stdout);
        let mut keys: Vec<String> =
            run.json()["faults"].as_array().expect("faults").iter().map(|fault| fault["key"].as_str().expect("a key").to_owned()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys, notes(&text, "fault"), "{about}: {}", run.stdout);
    }
}

#[test]
fn every_bad_configuration_is_explained_in_plain_words() {
    for file in files("bad") {
        let text = std::fs::read_to_string(&file).expect("a fixture");
        let (path, about) = (file.display().to_string(), file.file_name().expect("a name").display().to_string());
        let run = reaper(&fixtures("bad"), &["check", "--config", &path], &[]);
        run.assert_harmless(&about);
        assert_eq!(run.status, Some(2), "{about}");
        assert_eq!(run.stdout, "", "{about}");
        for words in notes(&text, "fault").iter().chain(&notes(&text, "says")) {
            assert!(run.stderr.contains(words.as_str()), "{about}: {words:?} is not in {}", run.stderr);
        }
        assert!(run.stderr.contains(&path), "{about}: no place in {}", run.stderr);
    }
}

#[test]
fn every_good_configuration_passes() {
    for file in files("good") {
        let run = reaper(&fixtures("good"), &["check", "--config", &file.display().to_string()], &[]);
        run.assert_harmless(&file.display().to_string());
        assert_eq!(run.status, Some(0), "{}: {}", file.display(), run.stderr);
        assert!(run.stdout.ends_with("configuration is valid\n"), "{}", run.stdout);
    }
}

#[test]
fn the_examples_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["config/example.toml", "config/team.toml"] {
        let run = reaper(root, &["check", "--config", file], &[]);
        assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{file}");
    }
}

#[test]
fn a_fault_names_line_and_column() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), &format!("# first\nmode = \"observe\"\n  poll_intervall = \"5s\"\n{GOOD}"));
    let run = reaper(folder.path(), &["check", "--config", "reaper.toml"], &[]);
    assert!(run.stderr.contains("reaper.toml:3:3: poll_intervall: found an unknown key"), "{}", run.stderr);
}

#[test]
fn faults_come_in_the_order_of_the_file() {
    let file = fixtures("bad").join("many_faults.toml");
    let run = reaper(&fixtures("bad"), &["check", "--config", "many_faults.toml"], &[]);
    let line = |fault: &str| fault.trim().split(':').nth(1).and_then(|line| line.parse::<usize>().ok());
    let lines: Vec<usize> = run.stderr.lines().filter(|fault| fault.starts_with("  ")).filter_map(line).collect();
    assert_eq!(lines.len(), notes(&std::fs::read_to_string(file).expect("a fixture"), "fault").len());
    assert!(lines.is_sorted(), "{}", run.stderr);
}

#[test]
fn later_layers_win_and_every_value_names_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), &format!("poll_interval = \"1m\"\nrequest_timeout = \"5s\"\ndrain_timeout = \"5s\"\n{GOOD}"));
    let env = [
        ("SESSION_REAPER__REQUEST_TIMEOUT", "6s"),
        ("SESSION_REAPER__DRAIN_TIMEOUT", "6s"),
        ("SESSION_REAPER__SERVER__HOSTS", "[\"reaper.example\"]"),
    ];
    let run = reaper(folder.path(), &["check", "--config", "reaper.toml", "--format", "json", "--set", "drain_timeout=7s"], &env);
    let json = run.json();
    let (effective, origins) = (&json["effective"], &json["origins"]);
    assert_eq!((&effective["mode"], &origins["mode"]), (&"observe".into(), &"default".into()));
    assert_eq!((&effective["poll_interval"], &origins["poll_interval"]), (&"1m".into(), &"reaper.toml:1:1".into()));
    assert_eq!((&effective["request_timeout"], &origins["request_timeout"]), (&"6s".into(), &"SESSION_REAPER__REQUEST_TIMEOUT".into()));
    assert_eq!((&effective["drain_timeout"], &origins["drain_timeout"]), (&"7s".into(), &"--set drain_timeout".into()));
    assert_eq!(effective["server"]["hosts"], serde_json::json!(["reaper.example"]));
    assert_eq!(origins["accounts[0].poll_interval"], "poll_interval");
    assert_eq!(json["valid"], true);
}

#[test]
fn the_version_of_the_api_and_the_whole_address_are_shown_with_where_they_came_from() {
    let account = |more: &str| GOOD.replace("browserbase", "browser-use").replace("BROWSERBASE_API_KEY\"", &format!("BROWSER_USE_API_KEY\"\n{more}"));
    let (written, usual) = ("reaper.toml:6:1", "default of browser-use");
    for (more, version, version_from, address, address_from) in [
        ("", "v2", usual, "https://api.browser-use.com/api/v2", usual),
        ("api_version = \"v3\"", "v3", written, "https://api.browser-use.com/api/v3", usual),
        ("base_url = \"https://a.example/api/v4/\"", "v4", "accounts[0].base_url", "https://a.example/api/v4", written),
        ("base_url = \"https://a.example\"", "v2", usual, "https://a.example/api/v2", written),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        self::written(folder.path(), &account(more));
        let json = reaper(folder.path(), &["check", "--config", "reaper.toml", "--format", "json"], &[]).json();
        let shown = |key: &str| (json["effective"]["accounts"][0][key].clone(), json["origins"][format!("accounts[0].{key}")].clone());
        assert_eq!(shown("api_version"), (version.into(), version_from.into()), "{more}");
        assert_eq!(shown("base_url"), (address.into(), address_from.into()), "{more}");
        assert_eq!(shown("price_per_hour"), (0.02.into(), usual.into()), "{more}");
    }
}

#[test]
fn a_provider_of_one_version_shows_none() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), GOOD);
    let run = reaper(folder.path(), &["check", "--config", "reaper.toml"], &[]);
    assert!(run.stdout.contains("accounts[0].base_url = \"https://api.browserbase.com\"") && !run.stdout.contains("api_version"), "{}", run.stdout);
}

#[test]
fn a_fault_in_the_environment_or_a_flag_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), GOOD);
    let env = [("SESSION_REAPER__GUARDRAILS__MIN_AGES", "1m"), ("SESSION_REAPER__POLL_INTERVAL", "30")];
    let args = ["check", "--config", "reaper.toml", "--set", "mode=on", "--set", "accounts=bb_live_secret1"];
    let run = reaper(folder.path(), &args, &env);
    run.assert_harmless("flags");
    assert_eq!(run.status, Some(2));
    let expected = [
        "SESSION_REAPER__GUARDRAILS__MIN_AGES: guardrails.min_ages: found an unknown key",
        "SESSION_REAPER__POLL_INTERVAL: poll_interval: found \"30\", a number without a unit",
        "--set mode: mode: found \"on\"",
        "--set accounts: accounts: found [not shown]; expected a list of tables",
    ];
    for words in expected {
        assert!(run.stderr.contains(words), "{words:?} is not in {}", run.stderr);
    }
}

#[test]
fn a_flag_without_a_value_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), GOOD);
    let run = reaper(folder.path(), &["check", "--config", "reaper.toml", "--set", "mode"], &[]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("--set: found \"mode\" without a value; expected KEY=VALUE"), "{}", run.stderr);
}

#[test]
fn text_from_the_environment_is_never_guessed_to_be_a_number() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), GOOD);
    let run = reaper(folder.path(), &["check", "--config", "reaper.toml", "--format", "json"], &[("SESSION_REAPER__STORE__PATH", "12345")]);
    assert_eq!(run.json()["effective"]["store"]["path"], "12345");
}

#[test]
fn a_whole_list_may_come_from_the_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), GOOD);
    let accounts = r#"[{ name = "a", provider = "browserbase", api_key_env = "BROWSERBASE_API_KEY" }, { name = "B", api_key = "bb_live_secret1" }]"#;
    let run = reaper(folder.path(), &["check", "--config", "reaper.toml"], &[("SESSION_REAPER__ACCOUNTS", accounts)]);
    run.assert_harmless("accounts from the environment");
    for key in ["accounts[1].name: found \"B\"", "accounts[1].provider: found nothing", "accounts[1].api_key: found a credential"] {
        assert!(run.stderr.contains(&format!("SESSION_REAPER__ACCOUNTS: {key}")), "{key:?} is not in {}", run.stderr);
    }
}

#[test]
fn the_file_is_found_where_the_contract_says() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("session-reaper.toml"), GOOD).expect("a file is written");
    let other = written(folder.path(), &format!("mode = \"enforce\"\n{GOOD}"));
    let here = reaper(folder.path(), &["check", "--format", "json"], &[]);
    assert_eq!(here.json()["origins"]["accounts[0].name"], "session-reaper.toml:3:1");
    let by_variable = reaper(folder.path(), &["check", "--format", "json"], &[("SESSION_REAPER_CONFIG", &other)]);
    assert_eq!(by_variable.json()["effective"]["mode"], "enforce");
}

#[test]
fn without_a_file_the_fault_says_how_to_make_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = reaper(folder.path(), &["check"], &[]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("config/example.toml") && run.stderr.contains("session-reaper demo"), "{}", run.stderr);
    let named = reaper(folder.path(), &["check", "--config", "missing.toml"], &[]);
    assert_eq!(named.status, Some(2));
    assert!(named.stderr.contains("missing.toml: found"), "{}", named.stderr);
}

#[test]
fn credentials_can_be_left_out_of_the_check() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), &GOOD.replace("BROWSERBASE_API_KEY", "NOT_SET_API_KEY"));
    assert_eq!(reaper(folder.path(), &["check", "--config", "reaper.toml"], &[]).status, Some(2));
    assert_eq!(reaper(folder.path(), &["check", "--config", "reaper.toml", "--skip-credentials"], &[]).status, Some(0));
}

#[test]
fn a_credential_file_is_taken_from_the_folder_of_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), &GOOD.replace("api_key_env = \"BROWSERBASE_API_KEY\"", "api_key_file = \"key\""));
    std::fs::write(folder.path().join("key"), "bb_live_secret0123456789\n").expect("a file is written");
    let run = reaper(Path::new("/"), &["check", "--config", &file], &[]);
    run.assert_harmless("a key in a file");
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
}

/// A zone's data of the oldest format: no change of the clock, one offset, zero, called UTC.
fn utc_data() -> Vec<u8> {
    let counts = [0, 0, 0, 0, 1, 4_u32].map(u32::to_be_bytes).concat();
    [b"TZif".as_slice(), &[0; 16], &counts, &[0; 6], b"UTC\0"].concat()
}

#[test]
fn a_zone_that_the_systems_data_lacks_is_found_in_what_is_built_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let zones = folder.path().join("zones");
    std::fs::create_dir(&zones).expect("a folder");
    std::fs::write(zones.join("Mars"), utc_data()).expect("a file is written");
    let check = |zone: &str| {
        written(folder.path(), &GOOD.replace("\"all\"\nmax", &format!("{{ window = {{ time_zone = {zone:?} }} }}\nmax")));
        reaper(folder.path(), &["check", "--config", "reaper.toml"], &[("TZDIR", &zones.display().to_string())]).status
    };
    assert_eq!(["Mars", "Europe/London", "Venus"].map(check), [Some(0), Some(0), Some(2)]);
}

#[test]
fn a_max_age_below_min_age_is_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), &GOOD.replace("4h", "30s"));
    let run = reaper(folder.path(), &["check", "--config", "reaper.toml"], &[]);
    assert_eq!(run.status, Some(0));
    assert!(run.stdout.contains("warning: policies[0].max_age: 30s is below guardrails.min_age = 1m"), "{}", run.stdout);
}

#[test]
fn the_schema_is_printed_in_both_dialects() {
    for (draft, address) in [("2020-12", "https://json-schema.org/draft/2020-12/schema"), ("7", "http://json-schema.org/draft-07/schema#")] {
        let run = reaper(Path::new("/"), &["schema", "--draft", draft], &[]);
        assert_eq!(run.json()["$schema"], address);
    }
}
