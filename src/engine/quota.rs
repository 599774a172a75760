//! How many requests for evidence may leave: no more than so many in any minute, however they are spread.

use std::collections::VecDeque;

use crate::domain::activity::MOST_QUESTIONS;
use crate::domain::time::{SignedDuration, Timestamp, later};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// What left within the last minute. Times are ours.
#[derive(Clone, Debug)]
pub struct Quota {
    per_minute: u32,
    left: VecDeque<Timestamp>,
}

impl Quota {
    pub const fn new(per_minute: u32) -> Self {
        Self { per_minute, left: VecDeque::new() }
    }

    pub fn reconfigure(&mut self, per_minute: u32) {
        self.per_minute = per_minute;
    }

    /// When one more asking may leave; `now` or earlier means at once. Where not even one fits into a minute, it has a minute for itself.
    pub fn next_at(&self, now: Timestamp) -> Timestamp {
        let most = (self.per_minute as usize).saturating_sub(MOST_QUESTIONS);
        let last_too_many = self.left.len().saturating_sub(most).checked_sub(1);
        last_too_many.and_then(|index| self.left.get(index)).map_or(now, |at| later(*at, MINUTE))
    }

    /// An asking leaves, and may take as many requests as one can.
    pub fn leave(&mut self, now: Timestamp) {
        while self.left.front().is_some_and(|at| later(*at, MINUTE) <= now) {
            self.left.pop_front();
        }
        self.left.extend([now; MOST_QUESTIONS]);
    }

    /// An asking that left then took only this many.
    pub fn took(&mut self, left_at: Timestamp, requests: usize) {
        for _ in requests..MOST_QUESTIONS {
            if let Some(index) = self.left.iter().position(|at| *at == left_at) {
                self.left.remove(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::at;

    /// Leaves as soon as it may, so many times; each asking takes this many requests.
    fn leaving(per_minute: u32, askings: usize, requests: usize) -> Vec<i64> {
        let mut quota = Quota::new(per_minute);
        let mut now = at(0);
        (0..askings)
            .map(|_| {
                now = quota.next_at(now).max(now);
                quota.leave(now);
                quota.took(now, requests);
                now.duration_since(at(0)).as_millis() as i64
            })
            .collect()
    }

    #[test]
    fn no_minute_sees_more_than_its_share() {
        assert_eq!(leaving(6, 7, 2), [0, 0, 0, 60_000, 60_000, 60_000, 120_000]);
        assert_eq!(
            leaving(6, 7, 1),
            [0, 0, 0, 0, 0, 60_000, 60_000],
            "what was not used is there for others, and each needs room for all that it may take"
        );
    }

    #[test]
    fn a_smaller_share_counts_what_has_left_within_the_minute() {
        let mut quota = Quota::new(6);
        for seconds in [0, 10, 20] {
            quota.leave(at(seconds * 1_000));
        }
        assert_eq!(quota.next_at(at(60_000)), at(60_000), "four of six, and two to come");
        quota.reconfigure(4);
        assert_eq!(quota.next_at(at(60_000)), at(70_000));
    }

    #[test]
    fn what_costs_nothing_is_never_held_up() {
        assert_eq!(leaving(2, 5, 0), [0; 5]);
    }

    #[test]
    fn where_one_asking_does_not_fit_it_has_a_minute_for_itself() {
        assert_eq!(leaving(1, 3, 2), [0, 60_000, 120_000]);
    }
}
