//! The only place where a clock is read.

use std::time::Instant;

use crate::domain::time::{SignedDuration, Timestamp, between, later};

/// Our clock: the wall clock as it stood when the process started, carried on by the monotonic one. A step of the wall clock (NTP, an operator) is
/// therefore no step of ours; where the two differ from the provider's, its `Date` header says so and rules.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Timestamp,
    started: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one reading of the wall clock that everything else is carried on from")]
    pub fn start() -> Self {
        Self { wall: Timestamp::now(), started: Instant::now() }
    }

    pub fn now(&self) -> Timestamp {
        later(self.wall, self.since_start())
    }

    /// How long this clock has run.
    pub fn since_start(&self) -> SignedDuration {
        SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX)
    }

    /// The instant of ours that another process of this machine called `wall`, by the wall clock as it stands now.
    #[expect(clippy::disallowed_methods, reason = "other processes know the wall clock only")]
    pub fn from_wall(&self, wall: Timestamp) -> Timestamp {
        later(self.now(), between(Timestamp::now(), wall))
    }

    /// The wall clock as it stands now, for others who compare it with theirs.
    #[expect(clippy::disallowed_methods, reason = "others know the wall clock only")]
    pub fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The monotonic instant at which this clock will show `at`.
    pub fn instant(&self, at: Timestamp) -> Instant {
        let ahead = between(self.wall, at).max(SignedDuration::ZERO);
        self.started + std::time::Duration::try_from(ahead).unwrap_or(std::time::Duration::MAX / 4)
    }
}
