//! A window is open if and only if the clock on the wall of its time zone shows a time from `from` up to `to`, and the day on which that stretch began is
//! one of its days. What the clock shows twice, or never, when it is changed is taken as it is shown.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use crate::domain::time::Timestamp;

/// Times of the week.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Monday first; at least one. The day is the one on which the window opened.
    pub days: [bool; 7],
    pub from: Time,
    /// Nothing: until midnight. At or before `from`: on the next day.
    pub to: Option<Time>,
    pub time_zone: TimeZone,
}

impl Window {
    pub fn is_open(&self, _at: Timestamp) -> bool {
        let _ = Weekday::Monday;
        true
    }

    /// The next instant after this one at which it opens or closes; nothing where it never does.
    pub fn next_change(&self, _after: Timestamp) -> Option<Timestamp> {
        None
    }
}
