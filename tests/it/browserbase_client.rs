//! Browserbase's own Python client works against the simulator.

use std::process::Command;

use crate::support::Simulate;

#[test]
fn the_official_python_client_lives_a_session_through_on_the_simulator() {
    let simulate = Simulate::start();
    let root = env!("CARGO_MANIFEST_DIR");
    let environment = format!("{}/browserbase-client", env!("CARGO_TARGET_TMPDIR"));
    let run = Command::new("sh")
        .arg(format!("{root}/tests/clients/browserbase.sh"))
        .args([&environment, &simulate.base_url])
        .output()
        .expect("a shell is there");
    assert!(run.status.success(), "{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(String::from_utf8_lossy(&run.stdout).contains("browserbase 1.22.0: every call answered as promised"));
}
