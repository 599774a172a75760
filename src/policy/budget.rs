//! A session is past its `budget` if and only if the runtime of its policy's sessions in its group, within the period now running, has reached the hours
//! allowed.

use std::collections::BTreeMap;

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
    /// When it will have been spent if all that run go on; nothing where none runs, or not before the period's end.
    pub runs_out_at: Option<Timestamp>,
}

impl Budget {
    pub fn period(&self, at: Timestamp) -> Period {
        Period { from: at, until: at }
    }

    /// Each group's standing at `now`: what the sessions that are over have spent of the period now running, and those that run since.
    pub fn standings(&self, _ended: &BTreeMap<Group, SignedDuration>, _running: &[Member], _now: Timestamp) -> BTreeMap<Group, Standing> {
        BTreeMap::new()
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
            rank: self.release.rank(subject.session, subject.activity),
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
