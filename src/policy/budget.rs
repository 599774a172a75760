//! A session is past its `budget` if and only if the runtime of its policy's sessions in its group, within the period now running, has reached the hours
//! allowed.

use std::collections::BTreeMap;

use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::name::PolicyName;
use crate::domain::time::{SignedDuration, Timestamp};
use crate::domain::verdict::{Deadline, Limit, Source};
use crate::policy::Subject;
use crate::policy::crowd::{Member, Order};
use crate::policy::per::{Group, Per, among, group};

/// The limit as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    pub allowed: SignedDuration,
    pub per: Option<Per>,
    pub every: Every,
    pub time_zone: TimeZone,
    pub release: Order,
}

/// How long a period is. A week begins on Monday, and each at midnight of the budget's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    Day,
    Week,
    Month,
}

impl Every {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// `[from, until)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Period {
    /// How much of `[start, end)` lies in it.
    pub fn overlap(&self, start: Timestamp, end: Timestamp) -> SignedDuration {
        let (start, end) = (start.max(self.from), end.min(self.until));
        end.duration_since(start).max(SignedDuration::ZERO)
    }
}

/// One group's budget as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub spent: SignedDuration,
    /// When it will have been spent if all that run go on; nothing where that is not before the period's end. Where it is spent already: the first
    /// instant at which it can have been, which is as if those that are over had spent theirs before; where they alone have spent it all, now. It may
    /// come earlier or later at the next count, when one more is over: whoever asks keeps the first answer.
    pub runs_out_at: Option<Timestamp>,
}

impl Every {
    /// The first day of the period that this day lies in.
    fn first(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => day.saturating_sub(Span::new().days(day.weekday().to_monday_zero_offset())),
            Self::Month => day.first_of_month(),
        }
    }

    /// The first day of the period after the one that begins on this day.
    fn next(self, first: Date) -> Date {
        first.saturating_add(match self {
            Self::Day => Span::new().days(1),
            Self::Week => Span::new().weeks(1),
            Self::Month => Span::new().months(1),
        })
    }
}

impl Budget {
    /// The period that is running at this instant. Where the clock is set back over midnight, the new day has begun when its first midnight is shown.
    pub fn period(&self, at: Timestamp) -> Period {
        let first = self.every.first(self.time_zone.to_datetime(at).date());
        let second = self.every.next(first);
        match self.start_of(second) {
            Some(next) if next <= at => self.between(second, self.every.next(second)),
            _ => self.between(first, second),
        }
    }

    fn between(&self, first: Date, next: Date) -> Period {
        Period { from: self.start_of(first).unwrap_or(Timestamp::MIN), until: self.start_of(next).unwrap_or(Timestamp::MAX) }
    }

    /// The first instant at which the clock shows this day; nothing at the ends of time.
    fn start_of(&self, day: Date) -> Option<Timestamp> {
        let noon = day.at(12, 0, 0, 0).to_zoned(self.time_zone.clone()).ok()?;
        noon.start_of_day().ok().map(|start| start.timestamp())
    }

    /// Each group's standing at `now`: what the sessions that are over have spent of the period now running, and those that run since.
    pub fn standings(&self, ended: &BTreeMap<Group, SignedDuration>, running: &[Member], now: Timestamp) -> BTreeMap<Group, Standing> {
        let period = self.period(now);
        let mut groups: BTreeMap<&Group, Vec<Timestamp>> = ended.keys().map(|group| (group, Vec::new())).collect();
        for member in running {
            groups.entry(&member.group).or_default().push(member.since.max(period.from));
        }
        let ended = |group| ended.get(group).copied().unwrap_or_default();
        groups.into_iter().map(|(group, since)| (group.clone(), self.standing(ended(group), since, &period, now))).collect()
    }

    fn standing(&self, ended: SignedDuration, mut since: Vec<Timestamp>, period: &Period, now: Timestamp) -> Standing {
        since.sort_unstable();
        let spent = since.iter().fold(ended, |spent, since| spent.saturating_add(period.overlap(*since, now)));
        let runs_out_at = match self.allowed.checked_sub(ended) {
            // When the last of those that are over spent it is not known here, only that it was before now.
            Some(left) if !left.is_positive() => Some(now),
            left => left.and_then(|left| used_up_at(left, &since)).filter(|at| *at < period.until),
        };
        Standing { spent, runs_out_at }
    }

    /// Since when the budget is spent on which this session lives, where it is.
    pub(super) fn deadline(&self, subject: &Subject<'_>, policy: &PolicyName) -> Option<Deadline> {
        let since = self.spent_at(subject, policy)?;
        Some(Deadline {
            policy: policy.clone(),
            limit: Limit::Budget,
            allowed: self.allowed,
            from: Source::Spent { every: self.every.as_str(), among: among(self.per.as_ref(), subject) },
            since,
            at: since.max(subject.session.since()),
            rank: self.release.rank(subject.session.since(), subject.activity.last_active),
        })
    }

    /// When the next period gives it time again.
    pub(super) fn resets_at(&self, subject: &Subject<'_>, policy: &PolicyName) -> Option<Timestamp> {
        self.spent_at(subject, policy).map(|_| self.period(subject.occasion.at).until)
    }

    /// What was spent in an earlier period says nothing of this one.
    fn spent_at(&self, subject: &Subject<'_>, policy: &PolicyName) -> Option<Timestamp> {
        let group = group(self.per.as_ref(), subject.session, subject.occasion)?;
        let at = *subject.crowds.spent.get(&(policy.clone(), group))?;
        (at >= self.period(subject.occasion.at).from).then_some(at)
    }
}

/// When sessions that run since these instants, in order, have used up what is left together.
fn used_up_at(left: SignedDuration, since: &[Timestamp]) -> Option<Timestamp> {
    let mut left = left.as_nanos();
    for (at, from) in since.iter().enumerate() {
        let running = at as i128 + 1;
        let enough = (left + running - 1) / running;
        match since.get(at + 1).map(|next| next.duration_since(*from).as_nanos()) {
            Some(until_next) if until_next < enough => left -= running * until_next,
            _ => return from.checked_add(SignedDuration::try_from_nanos_i128(enough)?).ok(),
        }
    }
    None
}

#[cfg(test)]
mod tests;
