//! The container image, built around this program and run beside the simulator.

use crate::support::foreign_script;

#[test]
fn the_image_runs_read_only_by_nobody_and_observes() {
    let environment = concat!(env!("CARGO_TARGET_TMPDIR"), "/image");
    if let Some(said) = foreign_script("tests/image/run.sh", &[env!("CARGO_BIN_EXE_session-reaper"), environment]) {
        for step in ["hadolint", "image", "running", "stopped"] {
            assert!(said.contains(&format!("{step}: ")), "{step} is missing:\n{said}");
        }
    }
}
