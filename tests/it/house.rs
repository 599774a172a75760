//! The house's floors: which module may import which, and what the pure ones never touch.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

struct Floor {
    module: &'static str,
    /// What it may import beside itself; `*` is everything but what follows with a minus.
    may: &'static [&'static str],
    /// What it imports beyond that, each with its reason. One that is not used any more fails too.
    exceptions: &'static [(&'static str, &'static str)],
}

const fn floor(module: &'static str, may: &'static [&'static str], exceptions: &'static [(&'static str, &'static str)]) -> Floor {
    Floor { module, may, exceptions }
}

const FLOORS: &[Floor] = &[
    floor("domain", &[], &[]),
    floor("policy", &["domain"], &[]),
    floor("evidence", &["domain"], &[]),
    floor("guardrails", &["domain"], &[]),
    floor("settle", &["domain"], &[]),
    floor("engine", &["domain", "policy", "evidence", "guardrails", "settle"], &[]),
    floor("clock", &["domain"], &[]),
    floor("signals", &["domain"], &[]),
    floor("supervisor", &["domain"], &[]),
    floor(
        "provider",
        &["domain"],
        &[
            ("clock", "a request knows when it was sent and answered, by the clock that the answer's `Date` is compared with"),
            ("config", "a client is made from its account's settings"),
        ],
    ),
    floor("ledger", &["domain"], &[("config", "where the store is, or that it is in memory")]),
    floor("metrics", &["domain"], &[("config", "every configured account's series begin at zero")]),
    floor("page", &["domain"], &[]),
    floor(
        "notify",
        &["domain", "metrics", "ledger", "clock"],
        &[
            ("config", "who is told, of what, and in which words"),
            ("provider", "a receiver is asked with the same care as a provider: one recipe for clients"),
        ],
    ),
    floor("telemetry", &["domain", "metrics", "notify"], &[]),
    floor(
        "executor",
        &["domain", "engine", "provider", "ledger"],
        &[("telemetry", "the line about a request is written while the request is on its way, so that a slow log delays no release")],
    ),
    floor("server", &["domain", "page", "metrics", "ledger"], &[("config", "where to listen, and to whom to answer")]),
    floor("config", &["domain", "policy", "guardrails"], &[]),
    floor("simulator", &["domain", "provider", "clock"], &[]),
    floor("daemon", &["*", "-simulator", "-cli"], &[]),
    floor("cli", &["*"], &[]),
    floor("main", &["*"], &[]),
    floor("lib", &["*"], &[]),
];

const PURE: &[&str] = &["domain", "policy", "evidence", "guardrails", "settle", "engine", "page"];

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

/// One source file.
struct Source {
    /// The module of the top floor that it belongs to.
    module: String,
    path: PathBuf,
    code: String,
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    rust_files(&src).into_iter().filter(|path| !path.ends_with("tests.rs")).map(|path| source(&src, path)).collect()
}

/// Every file of Rust in a folder and below.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

fn source(src: &Path, path: PathBuf) -> Source {
    let inside = path.strip_prefix(src).expect("a path below src").with_extension("");
    let module = inside.iter().next().expect("a name").to_string_lossy().into_owned();
    let code = stripped(&fs::read_to_string(&path).expect("a readable file"));
    // As many steps up as the file is deep lead to the top, by another name.
    let code = code.replace(&"super::".repeat(inside.iter().count()), "crate::");
    Source { module, path, code }
}

/// The code without comments, whose links may point anywhere, and without unit tests, which may borrow from other floors.
fn stripped(code: &str) -> String {
    let code = match code.split_once("#[cfg(test)]\nmod tests {") {
        Some((before, tests)) => format!("{before}{}", tests.split_once("\n}\n").map_or("", |(_, after)| after)),
        None => code.to_owned(),
    };
    code.lines().map(without_comment).collect::<Vec<_>>().join("\n")
}

fn without_comment(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// The modules behind each `crate::`, also those of `crate::{a, b::c}`; `*` for all of them.
fn imports(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '*')).collect::<String>();
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

fn floor_of(module: &str) -> &'static Floor {
    FLOORS.iter().find(|floor| floor.module == module).unwrap_or_else(|| panic!("src/{module} has no floor: add it to FLOORS"))
}

fn allowed(module: &str, import: &str) -> bool {
    let Floor { may, exceptions, .. } = floor_of(module);
    let known = import == "*" || FLOORS.iter().any(|floor| floor.module == import);
    let refused = may.contains(&format!("-{import}").as_str());
    let listed = may.contains(&import) || (may.contains(&"*") && !refused) || exceptions.iter().any(|(name, _)| *name == import);
    !known || module == import || listed
}

#[test]
fn every_module_imports_only_what_is_below_it() {
    let against = |source: &Source| {
        let wrong: Vec<String> = imports(&source.code).into_iter().filter(|import| !allowed(&source.module, import)).collect();
        (!wrong.is_empty()).then(|| format!("{}: {}", source.path.display(), wrong.join(", ")))
    };
    let wrong: Vec<String> = sources().iter().filter_map(against).collect();
    assert!(wrong.is_empty(), "imports against the floors:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_names_what_stands_and_nothing_else() {
    let sources = sources();
    for Floor { module, exceptions, .. } in FLOORS {
        let own: Vec<&Source> = sources.iter().filter(|source| source.module == *module).collect();
        assert!(!own.is_empty(), "FLOORS has {module}, and src has not");
        let used: BTreeSet<String> = own.iter().flat_map(|source| imports(&source.code)).collect();
        for (import, reason) in *exceptions {
            assert!(used.contains(*import), "{module} no longer imports {import} ({reason}): the exception can go");
        }
    }
}

#[test]
fn the_pure_floors_touch_nothing_outside_themselves() {
    let wrong: Vec<String> = sources().iter().filter(|source| PURE.contains(&source.module.as_str())).flat_map(impurities).collect();
    assert!(wrong.is_empty(), "not pure:\n{}", wrong.join("\n"));
}

fn impurities(source: &Source) -> Vec<String> {
    let path = source.path.display();
    let mut found: Vec<String> = touched(&source.code).map(|word| format!("{path}: {word}")).collect();
    if source.code.contains("use std::{") {
        found.push(format!("{path}: a grouped `use std::{{…}}` hides what it takes"));
    }
    found
}

fn touched(code: &str) -> impl Iterator<Item = &'static str> {
    let words: String = code.chars().map(|c| if c.is_alphanumeric() || c == '_' || c == ':' { c } else { ' ' }).collect();
    IMPURE.iter().copied().filter(move |word| words.split(' ').any(|path| format!("::{path}::").contains(&format!("::{word}::"))))
}

#[test]
fn the_scan_sees_every_way_to_import() {
    let code = "use crate::domain::{time, name};\nuse crate::{policy, ledger::Books};\nlet x = crate::clock::Clock::start(); pub(crate) fn f() {}";
    assert_eq!(imports(code), ["clock", "domain", "ledger", "policy"].map(str::to_owned).into());
    assert_eq!(imports("use crate::*;"), ["*".to_owned()].into());
    let code = "/// See [`crate::cli`].\nlet at = \"http://a\"; crate::clock::read();\n#[cfg(test)]\nmod tests {\n    use crate::daemon;\n}\nuse crate::ledger;\n";
    assert_eq!(imports(&stripped(code)), ["clock", "ledger"].map(str::to_owned).into());
}

#[test]
fn the_scan_sees_what_is_not_pure() {
    let code = "let now = jiff::Timestamp::now(); tokio::spawn(work); use std::fs; let instantly = token();";
    assert_eq!(touched(code).collect::<Vec<_>>(), ["tokio", "std::fs", "Timestamp::now"]);
}

#[test]
fn the_floors_hold_apart_what_they_should() {
    assert!(!allowed("engine", "ledger") && !allowed("server", "engine") && !allowed("daemon", "cli") && !allowed("policy", "*"));
    assert!(allowed("engine", "policy") && allowed("cli", "simulator") && allowed("daemon", "engine") && allowed("provider", "clock"));
}
