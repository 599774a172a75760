//! What deploys to Kubernetes is held to Kubernetes' schemas, to a policy linter and to this program.

use crate::support::foreign_script;

/// Every way to deploy that is in the repository, and the linter's word on all of them.
const RENDERINGS: [&str; 7] =
    ["overlays/observe", "overlays/enforce", "components/servicemonitor", "helm", "helm/enforce-values", "helm/raw-values", "policy"];

#[test]
fn every_rendering_is_valid_explained_and_accepted_by_the_program() {
    let environment = concat!(env!("CARGO_TARGET_TMPDIR"), "/kubernetes");
    if let Some(said) = foreign_script("tests/kubernetes/run.sh", &[env!("CARGO_BIN_EXE_session-reaper"), environment]) {
        for rendering in RENDERINGS {
            assert!(said.contains(&format!("{rendering}: ")), "{rendering} is missing:\n{said}");
        }
    }
}
