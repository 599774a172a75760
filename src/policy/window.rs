//! A window is open if and only if the clock on the wall of its time zone shows a time from `from` up to `to`, and the day on which that stretch began is
//! one of its days. What the clock shows twice, or never, when it is changed is taken as it is shown.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::policy::JUST_BEFORE;

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

/// How far is looked for a change, in days: nearly always it is near. Where a change of the clock swallows a weekly stretch whole, it is two weeks off;
/// beyond that nothing comes that has not come by then.
const NEAR_AND_FAR: [i64; 2] = [2, 15];

impl Window {
    pub fn is_open(&self, at: Timestamp) -> bool {
        let shown = self.time_zone.to_datetime(at);
        let (time, today) = (shown.time(), shown.weekday());
        match self.to {
            None => time >= self.from && self.opens_on(today),
            Some(to) if self.from < to => time >= self.from && time < to && self.opens_on(today),
            Some(to) => (time >= self.from && self.opens_on(today)) || (time < to && self.opens_on(today.previous())),
        }
    }

    fn opens_on(&self, day: Weekday) -> bool {
        self.days[usize::from(day.to_monday_zero_offset().unsigned_abs())]
    }

    /// The next instant after this one at which it opens or closes; nothing where it never does.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        NEAR_AND_FAR.into_iter().find_map(|days| self.change_within(after, days))
    }

    /// The last instant up to this one at which it opened or closed; nothing where it never did.
    pub fn last_change(&self, until: Timestamp) -> Option<Timestamp> {
        let ago = |days| later(until, SignedDuration::from_hours(-24 * days));
        NEAR_AND_FAR.into_iter().find_map(|days| self.changes(later(ago(days), JUST_BEFORE), until, days).next_back())
    }

    fn change_within(&self, after: Timestamp, days: i64) -> Option<Timestamp> {
        self.changes(after, later(after, SignedDuration::from_hours(24 * days)), days).next()
    }

    /// Where it opens or closes within `(after, until]`, which is this many days long.
    fn changes(&self, after: Timestamp, until: Timestamp, days: i64) -> impl DoubleEndedIterator<Item = Timestamp> {
        let mut turns: Vec<Timestamp> = self.turns(after, days).filter(|turn| *turn > after && *turn <= until).collect();
        turns.extend(self.time_zone.following(after).map(|transition| transition.timestamp()).take_while(|at| *at <= until));
        turns.sort_unstable();
        turns.into_iter().filter(|turn| self.is_open(*turn) != self.is_open(later(*turn, JUST_BEFORE)))
    }

    /// Wherever the clock may show one of the times at which anything changes, changes of the clock apart. A day more on both sides: a clock set back may
    /// show a day again that was over.
    fn turns(&self, after: Timestamp, days: i64) -> impl Iterator<Item = Timestamp> {
        let today = self.time_zone.to_datetime(after).date();
        let times = [self.from, self.to.unwrap_or(Time::midnight())];
        let dates = (-1..=days + 1).filter_map(move |days| today.checked_add(SignedDuration::from_hours(24 * days)).ok());
        dates.flat_map(move |date: Date| times.into_iter().flat_map(move |time| self.readings(date.to_datetime(time))))
    }

    /// The instants at which the clock shows this: two where it is set back over it. Where it is set forward over it, nothing that counts.
    fn readings(&self, shown: DateTime) -> impl Iterator<Item = Timestamp> {
        let offsets = match self.time_zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => [Some(offset), None],
            AmbiguousOffset::Fold { before, after } => [Some(before), Some(after)],
            AmbiguousOffset::Gap { .. } => [None, None],
        };
        offsets.into_iter().flatten().filter_map(move |offset| offset.to_timestamp(shown).ok())
    }

    /// The day and time that its clock shows, for sentences: `Sat 13:05`.
    pub fn shown_at(&self, at: Timestamp) -> String {
        self.time_zone.to_datetime(at).strftime("%a %H:%M").to_string()
    }

    /// It never closes.
    pub fn is_always(&self) -> bool {
        self.days == [true; 7] && self.to.map_or(self.from == Time::midnight(), |to| to == self.from)
    }
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// `Mon-Fri`, `Sat,Sun`, `Fri-Mon`: stretches of three days and more are joined, over the end of the week too.
fn days_shown(days: &[bool; 7]) -> String {
    let starts = (0..7).filter(|day| days[*day] && !days[(day + 6) % 7]);
    let stretch = |start: usize| match (1..7).take_while(|further| days[(start + further) % 7]).count() {
        0 => DAYS[start].to_owned(),
        1 => format!("{},{}", DAYS[start], DAYS[(start + 1) % 7]),
        more => format!("{}-{}", DAYS[start], DAYS[(start + more) % 7]),
    };
    let stretches: Vec<String> = starts.map(stretch).collect();
    if stretches.is_empty() { "Mon-Sun".to_owned() } else { stretches.join(",") }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let to = self.to.map_or_else(|| "24:00".to_owned(), |to| to.strftime("%H:%M").to_string());
        let zone = self.time_zone.iana_name().unwrap_or("UTC");
        write!(f, "{} {} to {to} {zone}", days_shown(&self.days), self.from.strftime("%H:%M"))
    }
}

#[cfg(test)]
mod tests;
