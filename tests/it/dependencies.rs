//! What the program is built of, as locked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Crates that are locked in more than one version, each with its reason. One that is there once again fails too.
const TWICE: &[(&str, &str)] = &[
    ("getrandom", "ring is a generation behind; the newer one serves tests only"),
    ("syn", "a macro's parser, of which nothing is left in the program"),
    ("windows-sys", "ring is a generation behind, on Windows"),
];

/// Crates that must not come in, through others neither.
const REFUSED: &[&str] = &["aws-lc-sys", "chrono", "native-tls", "openssl-sys", "protobuf", "serde_yaml"];

/// Features that only the tests' own dependencies turn on, in crates that the program is built of too, each with why the program does not lack it.
const ONLY_IN_TESTS: &[(&str, &str, &str)] = &[
    ("globset", "default", "the next one"),
    ("globset", "log", "it says how a glob is compiled, to nobody"),
    ("rustix", "fs", "temporary folders; the program asks for the width of a terminal"),
];

/// Every locked version, by name.
fn locked() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).expect("a readable file");
    let lock: toml::Table = text.parse().expect("TOML");
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in lock["package"].as_array().expect("packages") {
        let word = |key: &str| package[key].as_str().expect("a text").to_owned();
        versions.entry(word("name")).or_default().insert(word("version"));
    }
    versions
}

#[test]
fn no_crate_is_there_twice_but_for_the_known_ones() {
    let twice: BTreeSet<String> = locked().into_iter().filter(|(_, versions)| versions.len() > 1).map(|(name, _)| name).collect();
    let known: BTreeSet<String> = TWICE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(twice, known);
}

#[test]
fn no_refused_crate_is_locked() {
    let locked = locked();
    assert!(locked.contains_key("rustls"), "the scan sees what is there");
    let found: Vec<&&str> = REFUSED.iter().filter(|name| locked.contains_key(**name)).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// The features of every crate along these edges of the dependency graph.
fn features(edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{f}", "--edges", edges]);
    let output = cargo.output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (package, list) in String::from_utf8(output.stdout).expect("text").lines().filter_map(|line| line.split_once('|')) {
        let words = list.trim_end_matches(" (*)").split(',').filter(|word| !word.is_empty()).map(str::to_owned);
        features.entry(package.to_owned()).or_default().extend(words);
    }
    features
}

/// Cargo turns on what tests need for the whole build, so that the program could lack, once it is built alone, what every test has seen work.
#[test]
fn the_program_has_every_feature_that_it_is_tested_with() {
    let (alone, tested) = (features("normal"), features("normal,dev"));
    assert!(alone.len() > 100, "the scan sees what is there: {}", alone.len());
    let name = |package: &str| package.split(' ').next().unwrap_or_default().to_owned();
    let lacking: BTreeSet<(String, String)> = alone
        .iter()
        .flat_map(|(package, own)| tested[package].difference(own).map(|feature| (name(package), feature.clone())).collect::<Vec<_>>())
        .collect();
    let known: BTreeSet<(String, String)> = ONLY_IN_TESTS.iter().map(|(name, feature, _)| ((*name).to_owned(), (*feature).to_owned())).collect();
    assert_eq!(lacking, known);
}
