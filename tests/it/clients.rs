//! The providers' own Python clients work against the simulator.

use crate::support::{Simulate, foreign_script};

/// Lives sessions through with this client; what it said when every call was answered as promised.
fn live_through(client: &str, base_url: &str) -> Option<String> {
    let environment = format!("{}/{client}-client", env!("CARGO_TARGET_TMPDIR"));
    foreign_script("tests/clients/run.sh", &[client, &environment, base_url])
}

#[test]
fn browserbases_own_client_lives_a_session_through_on_the_simulator() {
    let simulate = Simulate::start();
    if let Some(said) = live_through("browserbase", &simulate.base_url) {
        assert!(said.contains("browserbase 1.22.0: every call answered as promised"), "{said}");
    }
}

#[test]
fn browser_uses_own_client_lives_sessions_through_on_the_simulator_in_each_version() {
    let simulate = Simulate::start();
    if let Some(said) = live_through("browser_use", &simulate.base_url) {
        for version in ["v2", "v3", "v4"] {
            assert!(said.contains(&format!("browser-use-sdk 3.12.1 {version}: every call answered as promised")), "{said}");
        }
    }
}
