//! The runtime of sessions that are over, by budget and group: what the books had of them at the start, and what has ended since.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::name::{AccountName, PolicyName, Provider, SessionId};
use crate::domain::record::Lived;
use crate::domain::session::Session;
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::policy::budget::{Budget, Period};
use crate::policy::per::{Group, group};
use crate::policy::{Governed, Occasion, Policy, Rule, govern};

/// A session that a listing lacks may be listed again; after this long it is believed to be over.
const MAY_COME_BACK: SignedDuration = SignedDuration::from_hours(1);

/// Groups of which one account's budgets are counted; those beyond have spent nothing as far as is known, which is told.
pub(super) const MOST_GROUPS: usize = 10_000;

/// What sessions that are over have spent of the periods now running. Instants are in the provider's time.
#[derive(Clone, Debug)]
pub struct Runtime {
    account: AccountName,
    provider: Provider,
    policies: Arc<[Policy]>,
    ended: BTreeMap<PolicyName, Spent>,
    /// Not listed any more, or not yet in this life of the process: each of them may still turn out to live.
    loose: BTreeMap<SessionId, Lived>,
    /// A group was left out, because there are too many.
    overflowed: bool,
    told: bool,
}

/// What each group has spent of the period that begins at `from`.
#[derive(Clone, Debug)]
struct Spent {
    from: Timestamp,
    groups: BTreeMap<Group, SignedDuration>,
}

impl Runtime {
    pub fn new(account: AccountName, provider: Provider, policies: Arc<[Policy]>) -> Self {
        Self { account, provider, policies, ended: BTreeMap::new(), loose: BTreeMap::new(), overflowed: false, told: false }
    }

    /// How far back the books matter; nothing where no policy has a budget.
    pub fn since(&self, now: Timestamp) -> Option<Timestamp> {
        budgets(&self.policies).map(|(_, budget)| budget.period(now).from).min()
    }

    /// Takes in a session that is not listed.
    pub fn add(&mut self, lived: Lived, now: Timestamp) {
        let id = lived.session.id.clone();
        if let Some(earlier) = self.loose.insert(id, lived) {
            self.fold(&earlier, now);
        }
    }

    /// A session is listed: what was taken for its end was none. Another life under its id has really ended.
    pub fn lives(&mut self, session: &Session, now: Timestamp) {
        let Some(lived) = self.loose.remove(&session.id) else { return };
        if lived.session.since() != session.since() {
            self.fold(&lived, now);
        }
    }

    /// Believes the ends that are long ago; of sessions that were not seen to end, only where the last listing would have shown them.
    pub fn settle(&mut self, whole: bool, now: Timestamp) {
        let settled = |lived: &Lived| later(lived.until, MAY_COME_BACK) <= now && (whole || lived.over);
        let ids: Vec<SessionId> = self.loose.iter().filter(|(_, lived)| settled(lived)).map(|(id, _)| id.clone()).collect();
        for lived in ids.iter().filter_map(|id| self.loose.remove(id)).collect::<Vec<_>>() {
            self.fold(&lived, now);
        }
    }

    /// Whether a group was left out, and nobody has been told yet.
    pub(super) fn has_overflowed(&mut self) -> bool {
        self.overflowed && !std::mem::replace(&mut self.told, true)
    }

    #[cfg(test)]
    pub(super) fn remembers(&self) -> usize {
        self.loose.len() + self.ended.values().map(|spent| spent.groups.len()).sum::<usize>()
    }

    /// What each group has spent of a policy's period.
    pub fn ended(&self, policy: &Policy, budget: &Budget, period: Period) -> BTreeMap<Group, SignedDuration> {
        let spent = self.ended.get(&policy.name).filter(|spent| spent.from == period.from);
        let mut groups = spent.map(|spent| spent.groups.clone()).unwrap_or_default();
        for lived in self.loose.values() {
            if let Some(group) = self.group(policy, budget, lived) {
                *groups.entry(group).or_default() += period.overlap(lived.session.since(), lived.until);
            }
        }
        groups
    }

    fn fold(&mut self, lived: &Lived, now: Timestamp) {
        let policies = self.policies.clone();
        for (policy, budget) in budgets(&policies) {
            let period = budget.period(now);
            let spent = period.overlap(lived.session.since(), lived.until);
            let Some(group) = self.group(policy, budget, lived).filter(|_| spent > SignedDuration::ZERO) else { continue };
            let counted: usize = self.ended.values().map(|spent| spent.groups.len()).sum();
            let known = self.ended.entry(policy.name.clone()).or_insert_with(|| Spent { from: period.from, groups: BTreeMap::new() });
            if known.from != period.from {
                *known = Spent { from: period.from, groups: BTreeMap::new() };
            }
            if counted < MOST_GROUPS || known.groups.contains_key(&group) {
                *known.groups.entry(group).or_default() += spent;
            } else {
                self.overflowed = true;
            }
        }
    }

    /// Where a session counted, if the policy governs it, as of when it was last known to live.
    fn group(&self, policy: &Policy, budget: &Budget, lived: &Lived) -> Option<Group> {
        let occasion = Occasion { account: &self.account, provider: self.provider, at: lived.until };
        let beside = policy.shadow.then_some(&policy.name);
        match govern(&lived.session, occasion, &self.policies, beside) {
            Governed::By(by) if by.name == policy.name => group(budget.per.as_ref(), &lived.session, occasion),
            _ => None,
        }
    }
}

/// Every policy with a budget.
pub(super) fn budgets(policies: &[Policy]) -> impl Iterator<Item = (&Policy, &Budget)> {
    policies.iter().filter_map(|policy| match &policy.rule {
        Rule::Limits(limits) => limits.budget.as_ref().map(|budget| (policy, budget)),
        Rule::Protect => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::{at, mins, session};
    use crate::policy::crowd::Order;
    use crate::policy::per::Per;
    use crate::policy::selector::Selector;
    use crate::policy::{Limits, budget::Every};

    #[test]
    fn groups_beyond_the_bound_have_spent_nothing_and_those_within_go_on() {
        let per = Some(Per::Metadata("team".to_owned()));
        let budget = Budget { allowed: mins(60), per, every: Every::Day, time_zone: jiff::tz::TimeZone::UTC, release: Order::Oldest };
        let period = budget.period(at(0));
        let limits = Limits { budget: Some(budget), ..Limits::default() };
        let policy = Policy { name: "days".into(), selector: Selector::All, rule: Rule::Limits(limits), shadow: false };
        let mut runtime = Runtime::new("growth".into(), Provider::Browserbase, [policy].into());
        let of = |team: &str| Lived { session: session(team, serde_json::json!({ "team": team })), until: later(at(0), mins(1)), over: true };
        let group = |team: &str| Group(Some(team.into()));
        let groups = (1..MOST_GROUPS).map(|index| (group(&format!("team-{index}")), mins(1))).collect();
        runtime.ended.insert("days".into(), Spent { from: period.from, groups });
        for team in ["last", "last", "one-too-many", "team-1"] {
            runtime.fold(&of(team), at(0));
        }
        let spent = |team: &str| runtime.ended[&PolicyName::from("days")].groups.get(&group(team)).copied();
        assert_eq!(["last", "one-too-many", "team-1"].map(spent), [Some(mins(2)), None, Some(mins(2))]);
    }
}
