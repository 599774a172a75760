//! The page in a real Chromium, as its readers see it.

use crate::support::foreign_script;

#[test]
fn a_browser_sees_the_page_refresh_follow_its_addresses_and_read_well_whoever_looks_and_however() {
    let environment = concat!(env!("CARGO_TARGET_TMPDIR"), "/browser");
    let pictures = concat!(env!("CARGO_TARGET_TMPDIR"), "/page");
    if let Some(said) = foreign_script("tests/page/run.sh", &[env!("CARGO_BIN_EXE_session-reaper"), environment, pictures]) {
        assert!(said.trim_end().ends_with("page: everything holds"), "{said}");
    }
}
