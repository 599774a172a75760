//! Waits between tries: doubling, with a bound, and jittered so that many do not return together.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::domain::time::SignedDuration;

/// Doubles from `first` up to `longest`, then shortened by up to a quarter. The jitter comes from `seed` and the try, so that the same history gives
/// the same waits: no randomness in the floors that judge.
pub fn wait(first: SignedDuration, longest: SignedDuration, tries: u32, seed: &str) -> SignedDuration {
    let doubled = first.checked_mul(1 << tries.min(20)).unwrap_or(longest).min(longest);
    let mut hasher = DefaultHasher::new();
    (seed, tries).hash(&mut hasher);
    let jitter = (hasher.finish() % 1_000) as f64 / 4_000.0;
    doubled.mul_f64(1.0 - jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_are_shortened_by_a_quarter_at_most() {
        let (first, longest) = (SignedDuration::from_secs(1), SignedDuration::from_secs(60));
        for (tries, full) in [(0, 1.0), (1, 2.0), (5, 32.0), (6, 60.0), (40, 60.0)] {
            let got = wait(first, longest, tries, "s").as_secs_f64();
            assert!(got <= full && got >= full * 0.75, "{got} for {full}");
        }
    }

    #[test]
    fn sessions_do_not_return_together() {
        let first = SignedDuration::from_secs(1);
        let waits: std::collections::BTreeSet<_> = (0..50).map(|n| wait(first, first, 0, &n.to_string())).collect();
        assert!(waits.len() > 30);
    }
}
