//! What must not be released now, and why.

use crate::domain::time::SignedDuration;

/// `[guardrails]` as meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Guardrails {
    pub max_releases_per_poll: u32,
    /// In (0, 1].
    pub max_release_fraction: f64,
    /// Zero: off.
    pub min_age: SignedDuration,
    /// Zero: off.
    pub skip_expiring_within: SignedDuration,
    pub confirm_within: SignedDuration,
}
