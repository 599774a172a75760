//! Tells the program which commit it was built from. Nothing here can fail a build: sources without a repository are told by whoever packs them, in
//! `SESSION_REAPER_COMMIT`, or stay `unknown`.

use std::path::Path;
use std::process::Command;

const VARIABLE: &str = "SESSION_REAPER_COMMIT";

fn main() {
    let given = std::env::var(VARIABLE).ok().filter(|commit| !commit.trim().is_empty());
    let commit = own_commit().or(given).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env={VARIABLE}={}", commit.trim());
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    // A checkout rewrites the first, a commit adds to the second. A path that is not there would have every build start over.
    for path in ["HEAD", "logs/HEAD"].iter().filter_map(|name| git(&["rev-parse", "--git-path", name])).filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// The commit of the repository whose top this is; one further up knows nothing about these sources.
fn own_commit() -> Option<String> {
    let below_the_top = git(&["rev-parse", "--show-prefix"])?;
    if below_the_top.is_empty() { git(&["rev-parse", "--short", "HEAD"]) } else { None }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
