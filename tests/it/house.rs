//! The house's floors: which module may import which, and what the pure ones never touch.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every module with what it may import beside itself; `*` is everything but what follows.
const FLOORS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("policy", &["domain"]),
    ("guardrails", &["domain", "policy"]),
    ("settle", &["domain"]),
    ("engine", &["domain", "policy", "guardrails", "settle"]),
    ("clock", &["domain", "config"]),
    ("signals", &["domain", "clock", "config"]),
    ("provider", &["domain", "clock", "config"]),
    ("ledger", &["domain", "clock", "config"]),
    ("metrics", &["domain", "clock", "config"]),
    ("telemetry", &["domain", "metrics"]),
    ("executor", &["domain", "engine", "provider", "ledger", "telemetry", "clock"]),
    ("server", &["domain", "metrics", "config"]),
    ("config", &["domain", "policy", "guardrails"]),
    ("simulator", &["domain", "provider", "clock"]),
    ("daemon", &["*", "-simulator", "-cli"]),
    ("cli", &["*"]),
    ("main", &["*"]),
    ("lib", &["*"]),
];

const PURE: &[&str] = &["domain", "policy", "guardrails", "settle", "engine"];

/// What reads or changes something outside the program, in any spelling that compiles.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "std::fs",
    "std::env",
    "std::net",
    "std::thread",
    "tracing",
    "prometheus",
    "rusqlite",
    "fastrand",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
];

/// Each source file with the module of the top floor that it belongs to.
fn sources() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![src.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&src).expect("a path below src").with_extension("");
                let module = inside.iter().next().expect("a name").to_string_lossy().into_owned();
                let code = fs::read_to_string(&path).expect("a readable file");
                found.push((module, path, stripped(&code)));
            }
        }
    }
    found
}

/// The code without comments, whose links may point anywhere, and without unit tests, which may borrow from other floors.
fn stripped(code: &str) -> String {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(|line| line.split_once("//").map_or(line, |(before, _)| before)).collect::<Vec<_>>().join("\n")
}

/// The modules behind each `crate::`, also those of `crate::{a, b::c}`.
fn imports(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let behind = |text: &str| match text.strip_prefix('{') {
        None => vec![word(text)],
        Some(group) => top_level(group).iter().map(|part| word(part)).collect(),
    };
    code.split("crate::").skip(1).flat_map(behind).filter(|name| !name.is_empty()).collect()
}

/// The parts of a brace group, up to the brace that closes it.
fn top_level(group: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0_usize, vec![String::new()]);
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            _ if depth == 0 => parts.last_mut().expect("never empty").push(c),
            _ => {}
        }
    }
    parts
}

fn allowed(module: &str, import: &str) -> bool {
    let known = FLOORS.iter().any(|(name, _)| *name == import);
    let (_, may) = FLOORS.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("src/{module} has no floor: add it to FLOORS"));
    let refused = may.contains(&format!("-{import}").as_str());
    !known || module == import || may.contains(&import) || (may.contains(&"*") && !refused)
}

#[test]
fn every_module_imports_only_what_is_below_it() {
    let mut wrong = Vec::new();
    for (module, path, code) in sources().into_iter().filter(|(_, path, _)| !path.ends_with("tests.rs")) {
        wrong.extend(
            imports(&code).into_iter().filter(|import| !allowed(&module, import)).map(|import| format!("{}: crate::{import}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "imports against the floors:\n{}", wrong.join("\n"));
}

#[test]
fn the_pure_floors_touch_nothing_outside_themselves() {
    let mut wrong = Vec::new();
    for (_, path, code) in sources().into_iter().filter(|(module, ..)| PURE.contains(&module.as_str())) {
        let words: String = code.chars().map(|c| if c.is_alphanumeric() || c == '_' || c == ':' { c } else { ' ' }).collect();
        let touches = |word: &str| words.split(' ').any(|path| format!("::{path}::").contains(&format!("::{word}::")));
        wrong.extend(IMPURE.iter().filter(|word| touches(word)).map(|word| format!("{}: {word}", path.display())));
        let grouped = code.contains("use std::{");
        wrong.extend(grouped.then(|| format!("{}: a grouped `use std::{{…}}` hides what it takes", path.display())));
    }
    assert!(wrong.is_empty(), "not pure:\n{}", wrong.join("\n"));
}

#[test]
fn the_scan_sees_every_way_to_import() {
    let code = "use crate::domain::{time, name};\nuse crate::{policy, ledger::Books};\nlet x = crate::clock::Clock::start(); pub(crate) fn f() {}";
    assert_eq!(imports(code), ["clock", "domain", "ledger", "policy"].map(str::to_owned).into());
    assert!(!allowed("engine", "ledger") && !allowed("server", "engine") && !allowed("daemon", "cli"));
    assert!(allowed("engine", "policy") && allowed("cli", "simulator") && allowed("daemon", "engine"));
}
