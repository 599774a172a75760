//! Accounts of Browser Use in each version of its API: browsers alone, and agent sessions with the browsers that they drive.

mod books;
mod operator;
mod restarts;
mod rights;
mod shifting;
mod silence;

use serde_json::Value;
use session_reaper::domain::name::ApiVersion;
use session_reaper::domain::time::Timestamp;
use session_reaper::simulator::Truth;

const VERSIONS: [ApiVersion; 3] = [ApiVersion::V2, ApiVersion::V3, ApiVersion::V4];

/// US dollars for a browser's hour, of which whole minutes are given back.
const PRICE_PER_HOUR: f64 = 0.02;

/// To these, seconds and dollars are written.
const MILLISECOND: f64 = 0.001;
const MILLIONTH: f64 = 0.000_001;

/// What releasing this session gave back in truth, in US dollars.
fn given_back(truth: &Truth) -> f64 {
    truth.saved().as_mins() as f64 / 60.0 * PRICE_PER_HOUR
}

fn is(found: &Value, truth: f64, within: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - truth).abs() < within)
}

/// What the books say of a release.
fn tells_the_truth(row: &Value, truth: &Truth) {
    assert!(is(&row["saved_runtime_seconds"], truth.saved().as_secs_f64(), MILLISECOND / 2.0), "{row} {truth:?}");
    assert!(is(&row["saved_cost"], given_back(truth), MILLIONTH), "{row} {truth:?}");
    let ended_at: Option<Timestamp> = row["ended_at"].as_str().and_then(|at| at.parse().ok());
    assert_eq!(ended_at, truth.end.map(|end| end.at), "{row}");
}
