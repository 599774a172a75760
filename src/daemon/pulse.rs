//! Whether a loop still turns. Each shows it, however little there is to do; whoever looks says for how long one has not.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::clock::Clock;
use crate::domain::time::SignedDuration;

/// A loop wakes at least this often, so that its pulse shows that it lives.
pub const LONGEST_SLEEP: SignedDuration = SignedDuration::from_secs(5);

/// A loop that has not turned for this long has stalled. An outage of a provider, a full disk and an idle night stall nothing: those who wait for them go
/// on turning.
pub const STALLED_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// When a loop last turned, and whether its account has been introduced; read by the health endpoints.
#[derive(Debug, Default)]
pub struct Pulse {
    beat_millis: AtomicI64,
    introduced: AtomicBool,
}

impl Pulse {
    /// A loop that is about to start counts as alive.
    pub fn new(clock: &Clock) -> Self {
        let pulse = Self::default();
        pulse.beat(clock);
        pulse
    }

    pub fn beat(&self, clock: &Clock) {
        self.beat_millis.store(clock.since_start().as_millis() as i64, Ordering::Relaxed);
    }

    pub fn introduce(&self, introduced: bool) {
        self.introduced.store(introduced, Ordering::Relaxed);
    }

    pub fn introduced(&self) -> bool {
        self.introduced.load(Ordering::Relaxed)
    }

    /// For how long the loop has not turned, where that is too long.
    pub fn stalled_for(&self, clock: &Clock) -> Option<SignedDuration> {
        let age = clock.since_start() - SignedDuration::from_millis(self.beat_millis.load(Ordering::Relaxed));
        (age > STALLED_AFTER).then_some(age)
    }

    /// The pulse of a loop that turned last so long ago.
    #[cfg(test)]
    pub fn still_for(clock: &Clock, age: SignedDuration) -> Self {
        let pulse = Self::default();
        pulse.beat_millis.store((clock.since_start() - age).as_millis() as i64, Ordering::Relaxed);
        pulse
    }
}
