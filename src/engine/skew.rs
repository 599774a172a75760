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
    /// One reading that the provider's clock is further ahead: believed when a second one says so too.
    suspected: Option<Interval>,
}

#[derive(Clone, Copy, Debug)]
struct Interval {
    low: SignedDuration,
    high: SignedDuration,
    at: Timestamp,
}

impl Skew {
    /// Narrows the interval by one reading. One that contradicts it (a clock was set) replaces it: at once where it makes everything later, else when the
    /// next reading agrees, for a single wrong `Date` must not make anything early. The same goes for a first reading, against our own clock. Gives whether
    /// another reading is wanted soon.
    pub fn observe(&mut self, reading: ClockReading) -> bool {
        let fresh = Interval {
            low: between(reading.received, reading.date),
            high: between(reading.sent, later(reading.date, SignedDuration::from_secs(1))),
            at: reading.received,
        };
        let suspected = self.suspected.take();
        let confirmed = suspected.and_then(|suspected| suspected.widened(fresh.at).narrowed(fresh));
        let known = self.known.map(|known| known.widened(fresh.at));
        let believed = match known {
            Some(known) => known.narrowed(fresh).or((fresh.high - known.low).is_negative().then_some(fresh)),
            None => (fresh.low < TOLERATED).then_some(fresh),
        };
        self.known = believed.or(confirmed).or(self.known);
        let doubted = believed.or(confirmed).is_none();
        self.suspected = doubted.then_some(fresh);
        doubted && suspected.is_none()
    }

    /// What is added to our time to get the provider's: nothing while the clocks may agree, else the lower end, so that nothing is ever early.
    pub fn applied(&self) -> SignedDuration {
        self.notable().map_or(SignedDuration::ZERO, |known| known.low)
    }

    /// The least that the difference can be: none while the clocks may agree to the millisecond, for then they most likely do. An end that the provider
    /// dates from there on may be the answer to a request sent now, where a provider ends sessions before it answers.
    pub fn least(&self) -> SignedDuration {
        let apart = |known: &Interval| known.low.is_positive() || known.high.is_negative();
        self.known.filter(apart).map_or(SignedDuration::ZERO, |known| known.low)
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
    fn a_small_difference_that_is_proven_counts_for_whose_doing_an_end_was() {
        let mut clock = Skew::default();
        for now in [100, 350, 600, 850] {
            clock.observe(reading(now, -700));
        }
        assert_eq!(clock.applied(), SignedDuration::ZERO);
        assert!(clock.least() <= SignedDuration::from_millis(-700) && clock.least() >= SignedDuration::from_millis(-1_000), "{}", clock.least());
        let mut clock = Skew::default();
        for now in [100, 350, 600, 850] {
            clock.observe(reading(now, 0));
        }
        assert_eq!(clock.least(), SignedDuration::ZERO);
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
                assert!(applied <= skew, "{applied} for {skew}");
                // A first reading that would make things earlier waits for a second.
                assert!(skew - applied <= 1_100 || (now == 0 && skew > 0), "{applied} for {skew}");
            }
            assert!(skew - clock.applied().as_millis() as i64 <= 200, "narrowed by many readings");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_is_believed_at_once() {
        let mut clock = Skew::default();
        clock.observe(reading(0, 3_600_000));
        assert!(!clock.observe(reading(5_000, 0)));
        assert_eq!(clock.applied(), SignedDuration::ZERO);
    }

    #[test]
    fn a_clock_that_was_set_forward_is_believed_when_a_second_reading_says_so() {
        let mut clock = Skew::default();
        clock.observe(reading(0, 0));
        assert!(clock.observe(reading(5_000, 3_600_000)), "another reading is wanted");
        assert_eq!(clock.applied(), SignedDuration::ZERO);
        assert!(!clock.observe(reading(6_000, 3_600_000)));
        assert!(clock.applied() >= SignedDuration::from_secs(3_598));
    }

    #[test]
    fn a_single_wrong_date_makes_nothing_early() {
        let mut clock = Skew::default();
        for (now, skew) in [(0, 0), (5_000, 3_600_000), (6_000, 0), (35_000, 3_600_000), (65_000, 7_200_000), (66_000, 0)] {
            clock.observe(reading(now, skew));
            assert_eq!(clock.applied(), SignedDuration::ZERO, "at {now}");
        }
    }

    #[test]
    fn a_first_reading_that_is_ahead_is_believed_when_a_second_one_says_so() {
        let mut clock = Skew::default();
        assert!(clock.observe(reading(0, 3_600_000)), "another reading is wanted");
        assert_eq!(clock.applied(), SignedDuration::ZERO);
        clock.observe(reading(1_000, 3_600_000));
        assert!(clock.applied() >= SignedDuration::from_secs(3_598));
    }

    #[test]
    fn a_first_reading_that_is_behind_is_believed_at_once() {
        let mut clock = Skew::default();
        assert!(!clock.observe(reading(0, -3_600_000)));
        assert!(clock.applied() <= SignedDuration::from_secs(-3_600));
    }

    #[test]
    fn dates_that_never_agree_ask_for_another_reading_once() {
        let mut clock = Skew::default();
        clock.observe(reading(0, 0));
        let wanted = [1, 2, 3].map(|hours| clock.observe(reading(hours * 5_000, hours * 3_600_000)));
        assert_eq!(wanted, [true, false, false]);
    }

    #[test]
    fn a_slow_answer_is_no_difference() {
        let mut clock = Skew::default();
        clock.observe(ClockReading { date: at(0), sent: at(0), received: at(19_000) });
        assert_eq!(clock.applied(), SignedDuration::ZERO);
    }

    /// A reading without any time on the way, of a provider whose clock is this many milliseconds ahead.
    fn exact(now: i64, skew: i64) -> ClockReading {
        ClockReading { date: at(now + skew), sent: at(now), received: at(now) }
    }

    /// A clock of which two readings say that it is this many milliseconds ahead.
    fn agreed(skew: i64) -> Skew {
        let mut clock = Skew::default();
        clock.observe(exact(0, skew));
        clock.observe(exact(0, skew));
        clock
    }

    #[test]
    fn a_first_reading_two_seconds_ahead_is_doubted() {
        assert_eq!([1_999, 2_000].map(|skew| Skew::default().observe(exact(0, skew))), [false, true]);
    }

    #[test]
    fn a_clock_that_was_ahead_and_is_less_so_is_believed_at_once() {
        let mut clock = agreed(10_000);
        assert!(!clock.observe(exact(0, 5_000)));
        assert_eq!(clock.applied(), SignedDuration::from_secs(5));
    }

    #[test]
    fn what_is_shown_lies_in_the_middle_of_what_is_possible() {
        assert_eq!(agreed(10_000).shown(), SignedDuration::from_millis(10_500));
        assert_eq!(agreed(-10_000).shown(), SignedDuration::from_millis(-9_500));
        assert_eq!([agreed(2_000).shown().as_millis(), agreed(-3_000).shown().as_millis()], [2_500, -2_500], "from two seconds on");
        assert_eq!([agreed(1_999).shown(), agreed(-2_999).shown()], [SignedDuration::ZERO; 2]);
    }

    #[test]
    fn clocks_that_may_agree_differ_by_nothing_at_least() {
        assert_eq!([-1_001, -1_000, 0, 1].map(|skew| agreed(skew).least().as_millis()), [-1_001, 0, 0, 1]);
    }

    #[test]
    fn good_clocks_drift_apart_by_a_tenth_of_a_millisecond_a_second() {
        let later_on = 20_000_000;
        let mut clock = agreed(10_000);
        assert!(!clock.observe(exact(later_on, 13_000)), "two seconds in twenty thousand are a drift");
        assert_eq!(clock.applied(), SignedDuration::from_secs(13));
        assert!(agreed(10_000).observe(exact(later_on, 13_001)), "more is a contradiction");
        let mut clock = agreed(10_000);
        clock.observe(exact(later_on, 7_500));
        assert_eq!(clock.applied(), SignedDuration::from_secs(8), "narrowed, not believed anew");
    }
}
