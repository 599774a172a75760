//! The world's time in real time: our clock, run faster.

use crate::clock::Clock;
use crate::domain::time::{SignedDuration, Timestamp, later};

/// World time = the start + speed × what has passed since. At speed 1 it is our own clock, so that a daemon beside it sees no skew.
#[derive(Clone, Copy, Debug)]
pub struct WorldClock {
    clock: Clock,
    speed: f64,
}

impl WorldClock {
    /// `speed` is world seconds per real second, positive.
    pub fn new(clock: Clock, speed: f64) -> Self {
        Self { clock, speed }
    }

    pub fn now(&self) -> Timestamp {
        let now = self.clock.now();
        if self.speed == 1.0 { now } else { later(now, stretched(self.clock.since_start(), self.speed - 1.0)) }
    }
}

fn stretched(passed: SignedDuration, factor: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(passed.as_secs_f64() * factor).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::between;

    #[test]
    fn at_speed_one_it_is_our_own_clock() {
        let clock = Clock::start();
        let (before, world, after) = (clock.now(), WorldClock::new(clock, 1.0).now(), clock.now());
        assert!(before <= world && world <= after);
    }

    #[test]
    fn a_fast_world_gains_on_us_in_proportion() {
        let clock = Clock::start();
        let world = WorldClock::new(clock, 1_000.0);
        let passed = clock.since_start();
        let gained = between(clock.now(), world.now());
        assert!(gained >= stretched(passed, 998.0), "gained {gained} in {passed}");
    }
}
