//! The gauges of one account, each replaced whole by the next census.

use std::collections::{BTreeMap, BTreeSet};

use super::family::{self, Family, Labels};
use super::{Metrics, whole};
use crate::domain::hold::Hold;
use crate::domain::name::{AccountName, PolicyName};
use crate::domain::text::{HIDDEN, looks_secret};
use crate::domain::time::{SignedDuration, seconds};
use crate::domain::verdict::VerdictWord;
use crate::domain::view::{BudgetView, Change};

/// Groups of one budget that are shown. A group is a value that an owner wrote, so that there may be any number of them.
const MOST_GROUPS: usize = 50;
/// Longest part of a group's value that is shown, in characters.
const LONGEST_GROUP: usize = 100;

impl Metrics {
    /// What sessions there are and what holds them back; what is not in the census is zero.
    pub fn census(&self, account: &AccountName, sessions: &BTreeMap<(Option<PolicyName>, VerdictWord), usize>, holds: &BTreeMap<Hold, usize>) {
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
    pub fn shadows(&self, account: &AccountName, changes: &BTreeMap<(PolicyName, Change), usize>) {
        family::zero(&self.shadow_changes, &|labels| is_of(labels, account));
        for ((policy, change), count) in changes {
            self.shadow_changes.with_label_values(&[account.as_str(), policy.as_str(), change.as_str()]).set(whole(*count));
        }
    }

    /// What is left of each budget, for the groups that have the least; the others, and those that are gone, are shown no more.
    pub fn budgets(&self, account: &AccountName, budgets: &[BudgetView]) {
        let shown = scarcest(budgets);
        for ((policy, group), left) in &shown {
            self.budget_left.with_label_values(&[account.as_str(), policy, group]).set(seconds(*left));
        }
        self.budget_left.prune(&|labels| {
            let value = |name: &str| labels.get(name).cloned().unwrap_or_default();
            !is_of(labels, account) || shown.contains_key(&(value("policy"), value("group")))
        });
    }
}

fn is_of(labels: &Labels, account: &AccountName) -> bool {
    labels.get("account").map(String::as_str) == Some(account.as_str())
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
