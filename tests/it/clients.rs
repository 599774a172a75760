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
