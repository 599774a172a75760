//! What `deploy/` says of metrics is true: a Prometheus reads our metrics, takes our rules, and answers what the dashboard and the runbook ask it. What the
//! guide for teams shows is run.

use crate::support::{Simulate, foreign_script};

const PROGRAM: &str = env!("CARGO_BIN_EXE_session-reaper");

#[test]
fn a_prometheus_takes_the_rules_scrapes_the_daemon_and_answers_what_dashboard_and_runbook_ask() {
    let environment = concat!(env!("CARGO_TARGET_TMPDIR"), "/prometheus");
    if let Some(said) = foreign_script("tests/observed/run.sh", &[PROGRAM, environment]) {
        assert!(said.trim_end().ends_with("observed: everything holds"), "{said}");
    }
}

/// Runs the guide's samples for this client; the sessions that they make must be governed as the guide says.
fn guide(client: &str) {
    let simulate = Simulate::start();
    let environment = format!("{}/{client}-client", env!("CARGO_TARGET_TMPDIR"));
    if let Some(said) = foreign_script("tests/clients/run.sh", &[client, &environment, &simulate.base_url, "guide.py", PROGRAM]) {
        assert!(said.contains(&format!("guide, {client}: governed as promised")), "{said}");
    }
}

#[test]
fn the_guides_samples_for_browserbase_make_sessions_that_its_policies_govern() {
    guide("browserbase");
}

#[test]
fn the_guides_samples_for_browser_use_make_sessions_that_its_policies_govern() {
    guide("browser_use");
}

#[test]
fn the_guides_samples_in_typescript_make_sessions_that_its_policies_govern() {
    let simulate = Simulate::start();
    let environment = concat!(env!("CARGO_TARGET_TMPDIR"), "/typescript-clients");
    if let Some(said) = foreign_script("tests/clients/typescript.sh", &[environment, &simulate.base_url, PROGRAM]) {
        assert!(said.contains("guide, typescript: governed as promised"), "{said}");
    }
}
