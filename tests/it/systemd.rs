//! The unit and the Debian package: installed on a clean Debian system that a real systemd boots, judged by its tools, and tried in everything it promises.

#![expect(clippy::print_stdout, reason = "what the trial saw is for whoever reads the test's output")]

use std::path::Path;

use crate::support::foreign_script;

/// What the trial must have come to, in this order.
const STEPS: &[&str] = &[
    "installed, in observe mode, and not started",
    "the unit is sound, and its exposure at most 1.5",
    "a missing key is said",
    "READY was heard",
    "ready, and its status says how it goes",
    "confined",
    "operators are heard",
    "reloaded",
    "a changed file is taken over by itself",
    "killed by the watchdog and started anew",
    "stopped",
];

/// The package of the program under test.
fn package() -> Option<String> {
    let profile =
        if Path::new(env!("CARGO_BIN_EXE_session-reaper")).parent().is_some_and(|folder| folder.ends_with("release")) { "release" } else { "dev" };
    let built = foreign_script("tests/systemd/package.sh", &[concat!(env!("CARGO_TARGET_TMPDIR"), "/cargo-deb"), profile])?;
    built.lines().last().map(str::to_owned)
}

#[test]
fn the_package_installs_on_a_clean_debian_and_its_service_lives_through_everything() {
    let Some(root) = foreign_script("tests/systemd/root.sh", &[concat!(env!("CARGO_TARGET_TMPDIR"), "/debian")]) else { return };
    let Some(package) = package() else { return };
    let trial = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/systemd/trial.sh");
    let Some(said) = foreign_script("tests/systemd/boot.sh", &[root.trim(), &package, trial]) else { return };
    println!("{said}");
    let steps: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("ok: ")).collect();
    assert_eq!(steps, STEPS);
}
