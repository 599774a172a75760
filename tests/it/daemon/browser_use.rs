//! Accounts of Browser Use in each version of its API: browsers alone, and agent sessions with the browsers that they drive.

mod books;

use session_reaper::domain::name::{ApiVersion, SessionId};

use super::stage::Stage;

const VERSIONS: [ApiVersion; 3] = [ApiVersion::V2, ApiVersion::V3, ApiVersion::V4];

/// US dollars for a browser's hour, of which whole minutes are given back.
const PRICE_PER_HOUR: f64 = 0.02;

/// What releasing this session gave back in truth.
fn given_back(stage: &Stage, id: &SessionId) -> f64 {
    stage.truth(id).saved().as_mins() as f64 / 60.0 * PRICE_PER_HOUR
}
