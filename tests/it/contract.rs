//! The daemon and the simulator are held to the providers' own OpenAPI documents, by Prism between them.

use crate::support::foreign_script;

#[test]
fn neither_the_daemon_nor_the_simulator_says_what_a_providers_document_rejects() {
    let environment = concat!(env!("CARGO_TARGET_TMPDIR"), "/prism");
    if let Some(said) = foreign_script("tests/contract/run.sh", &[env!("CARGO_BIN_EXE_session-reaper"), environment]) {
        for face in ["browserbase", "browser-use-v2", "browser-use-v3", "browser-use-v4"] {
            assert!(said.contains(&format!("{face}: ")), "{face} is missing:\n{said}");
        }
    }
}
