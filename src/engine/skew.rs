//! The provider's clock against ours, as an interval that every answer narrows.

use crate::domain::listing::ClockReading;
use crate::domain::time::{SignedDuration, Timestamp, between, later};

/// A difference below this shifts nothing: `Date` has whole seconds, and networks take their time.
const TOLERATED: SignedDuration = SignedDuration::from_secs(2);

/// How far two good clocks drift apart: 100 parts in a million.
const DRIFT_PER_SECOND: SignedDuration = SignedDuration::from_micros(100);

/// Provider's clock minus ours lies in `[low, high]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Skew {
    known: Option<Interval>,
}

#[derive(Clone, Copy, Debug)]
struct Interval {
    low: SignedDuration,
    high: SignedDuration,
    at: Timestamp,
}

impl Skew {
    /// Narrows the interval by one reading; a reading that contradicts it (a clock was set) replaces it.
    pub fn observe(&mut self, reading: ClockReading) {
        let fresh = Interval {
            low: between(reading.received, reading.date),
            high: between(reading.sent, later(reading.date, SignedDuration::from_secs(1))),
            at: reading.received,
        };
        self.known = Some(match self.known {
            Some(known) => known.widened(fresh.at).narrowed(fresh).unwrap_or(fresh),
            None => fresh,
        });
    }

    /// What is added to our time to get the provider's: nothing while the clocks may agree, else the lower end, so that nothing is ever early.
    pub fn applied(&self) -> SignedDuration {
        self.notable().map_or(SignedDuration::ZERO, |known| known.low)
    }

    /// The difference worth showing, at its most likely.
    pub fn shown(&self) -> SignedDuration {
        self.notable().map_or(SignedDuration::ZERO, |known| (known.low + known.high) / 2)
    }

    fn notable(&self) -> Option<Interval> {
        self.known.filter(|known| known.low >= TOLERATED || known.high <= -TOLERATED)
    }
}

impl Interval {
    fn widened(self, now: Timestamp) -> Self {
        let seconds = between(self.at, now).as_secs().clamp(0, 86_400) as i32;
        let drift = DRIFT_PER_SECOND * seconds;
        Self { low: self.low - drift, high: self.high + drift, at: now }
    }

    fn narrowed(self, other: Self) -> Option<Self> {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        (low <= high).then_some(Self { low, high, at: other.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).expect("an instant")
    }

    /// A reading from a provider whose clock is `skew` milliseconds ahead, with 20 ms each way.
    fn reading(now: i64, skew: i64) -> ClockReading {
        let date = (1_800_000_000_000 + now + skew).div_euclid(1_000) * 1_000;
        ClockReading { date: Timestamp::from_millisecond(date).expect("an instant"), sent: at(now - 20), received: at(now + 20) }
    }

    #[test]
    fn clocks_that_may_agree_shift_nothing() {
        for skew in [-1_500, -900, 0, 400, 1_500] {
            for now in [0, 130, 700, 999] {
                let mut clock = Skew::default();
                clock.observe(reading(now, skew));
                assert_eq!(clock.applied(), SignedDuration::ZERO, "{skew} at {now}");
            }
        }
    }

    #[test]
    fn a_larger_difference_is_applied_and_never_makes_anything_early() {
        for skew in [-3_600_000, -4_000, 3_001, 3_600_000] {
            let mut clock = Skew::default();
            for now in (0..30_000).step_by(1_130) {
                clock.observe(reading(now, skew));
                let applied = clock.applied().as_millis() as i64;
                assert!(applied <= skew && skew - applied <= 1_100, "{applied} for {skew}");
            }
            assert!(skew - clock.applied().as_millis() as i64 <= 200, "narrowed by many readings");
        }
    }

    #[test]
    fn a_clock_that_was_set_is_believed_at_once() {
        let mut clock = Skew::default();
        clock.observe(reading(0, 3_600_000));
        clock.observe(reading(5_000, 0));
        assert_eq!(clock.applied(), SignedDuration::ZERO);
    }

    #[test]
    fn a_slow_answer_is_no_difference() {
        let mut clock = Skew::default();
        clock.observe(ClockReading { date: at(0), sent: at(0), received: at(19_000) });
        assert_eq!(clock.applied(), SignedDuration::ZERO);
    }
}
