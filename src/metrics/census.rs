//! The gauges of one account, each replaced whole by the next census.

use std::collections::{BTreeMap, BTreeSet};

use super::family::{self, Family, Labels, value};
use super::{Metrics, unix, whole};
use crate::domain::event::Census;
use crate::domain::hold::Hold;
use crate::domain::name::{AccountName, PolicyName};
use crate::domain::text::{HIDDEN, looks_secret};
use crate::domain::time::{SignedDuration, Timestamp, seconds};
use crate::domain::verdict::VerdictWord;
use crate::domain::view::{BudgetView, Change};

/// Groups of one budget that are shown. A group is a value that an owner wrote, so that there may be any number of them.
const MOST_GROUPS: usize = 50;
/// Longest part of a group's value that is shown, in characters.
const LONGEST_GROUP: usize = 100;

impl Metrics {
    /// How an account stands now; what is not in the census is zero.
    pub fn census(&self, account: &AccountName, census: &Census) {
        self.live(account, &census.sessions, &census.holds);
        self.shadows(account, &census.shadows);
        self.budgets(account, &census.budgets);
        self.since(account, census);
        self.forget_unarmed(account, census);
        self.releases_stuck.with_label_values(&[account.as_str()]).set(whole(census.stuck));
        self.guardrail_tripped.with_label_values(&[account.as_str()]).set(census.tripped.into());
    }

    /// Since when what ought to happen has not.
    fn since(&self, account: &AccountName, census: &Census) {
        let account = account.as_str();
        let known = |at: Option<Timestamp>| at.map_or(0.0, unix);
        self.poll_last_complete.with_label_values(&[account]).set(known(census.last_complete_at));
        self.release_stuck_oldest.with_label_values(&[account]).set(known(census.stuck_since));
        for (policy, at) in &census.governed {
            self.policy_last_governed.with_label_values(&[account, policy.as_str()]).set(known(*at));
        }
        for ((policy, limit), at) in &census.fell_due {
            self.limit_last_due.with_label_values(&[account, policy.as_str(), limit.as_str()]).set(known(*at));
        }
    }

    /// What is not configured any more is shown no more.
    fn forget_unarmed(&self, account: &AccountName, census: &Census) {
        let policies: BTreeSet<&str> = census.governed.keys().map(PolicyName::as_str).collect();
        let limits: BTreeSet<(&str, &str)> = census.fell_due.keys().map(|(policy, limit)| (policy.as_str(), limit.as_str())).collect();
        self.policy_last_governed.prune(&|labels| !is_of(labels, account) || policies.contains(value(labels, "policy")));
        self.limit_last_due.prune(&|labels| !is_of(labels, account) || limits.contains(&(value(labels, "policy"), value(labels, "limit"))));
    }

    /// What sessions there are and what holds them back.
    fn live(&self, account: &AccountName, sessions: &BTreeMap<(Option<PolicyName>, VerdictWord), usize>, holds: &BTreeMap<Hold, usize>) {
        family::zero(&self.sessions, &|labels| is_of(labels, account));
        for ((policy, verdict), count) in sessions {
            let policy = policy.as_ref().map_or("", PolicyName::as_str);
            self.sessions.with_label_values(&[account.as_str(), policy, verdict.as_str()]).set(whole(*count));
        }
        for hold in Hold::ALL {
            let count = holds.get(hold).copied().unwrap_or_default();
            self.holds.with_label_values(&[account.as_str(), hold.as_str()]).set(whole(count));
        }
    }

    /// What shadow policies would change now; what they would not is zero.
    pub(super) fn shadows(&self, account: &AccountName, changes: &BTreeMap<(PolicyName, Change), usize>) {
        family::zero(&self.shadow_changes, &|labels| is_of(labels, account));
        for ((policy, change), count) in changes {
            self.shadow_changes.with_label_values(&[account.as_str(), policy.as_str(), change.as_str()]).set(whole(*count));
        }
    }

    /// What is left of each budget, for the groups that have the least; the others, and those that are gone, are shown no more.
    pub(super) fn budgets(&self, account: &AccountName, budgets: &[BudgetView]) {
        let shown = scarcest(budgets);
        for ((policy, group), left) in &shown {
            self.budget_left.with_label_values(&[account.as_str(), policy, group]).set(seconds(*left));
        }
        self.budget_left.prune(&|labels| {
            let of = |name: &str| value(labels, name).to_owned();
            !is_of(labels, account) || shown.contains_key(&(of("policy"), of("group")))
        });
    }
}

fn is_of(labels: &Labels, account: &AccountName) -> bool {
    value(labels, "account") == account.as_str()
}

/// By policy and group as shown. Of groups that look the same once they are cut or hidden, the one with the least left counts.
fn scarcest(budgets: &[BudgetView]) -> BTreeMap<(String, String), SignedDuration> {
    let mut left: BTreeMap<&PolicyName, BTreeMap<String, SignedDuration>> = BTreeMap::new();
    for budget in budgets {
        let groups = left.entry(&budget.policy).or_default();
        let least = groups.entry(group_label(budget.group.as_deref())).or_insert(budget.left);
        *least = budget.left.min(*least);
    }
    let scarce = |(policy, groups): (&PolicyName, BTreeMap<String, SignedDuration>)| {
        let by_left: BTreeSet<(SignedDuration, String)> = groups.into_iter().map(|(group, left)| (left, group)).collect();
        let policy = policy.as_str().to_owned();
        by_left.into_iter().take(MOST_GROUPS).map(move |(left, group)| ((policy.clone(), group), left)).collect::<Vec<_>>()
    };
    left.into_iter().flat_map(scarce).collect()
}

fn group_label(group: Option<&str>) -> String {
    let group = group.unwrap_or_default();
    if looks_secret(group) { HIDDEN.to_owned() } else { group.chars().take(LONGEST_GROUP).collect() }
}
