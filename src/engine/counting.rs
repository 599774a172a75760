//! Limits that hang on several sessions: who is over a count, and which budget is spent. Either is found only by a complete listing, so that nobody is
//! counted who may be gone; the count is withdrawn where the next listing is not complete.

use std::collections::BTreeMap;

use crate::domain::session::Phase;
use crate::domain::time::{Moment, SignedDuration, Timestamp, floor_millis, later};
use crate::domain::verdict::Limit;
use crate::domain::view::BudgetView;
use crate::engine::roster::Tracked;
use crate::engine::runtime::budgets;
use crate::engine::{Engine, Pass};
use crate::policy::budget::{Budget, Standing};
use crate::policy::crowd::{Crowds, Member};
use crate::policy::max_running::MaxRunning;
use crate::policy::per::{Group, Per, group};
use crate::policy::{Governed, Policy, Rule, govern};

/// That a budget will have been spent is found by a listing made then; one that was made a moment too early is made again no sooner than this.
const SOONEST_RECOUNT: SignedDuration = SignedDuration::from_millis(250);

impl Engine {
    /// Counts anew where something changed that may matter. Gives whether anybody's verdict may have.
    pub(super) fn recount(&mut self, now: Timestamp) -> bool {
        if !std::mem::take(&mut self.recount_wanted) {
            return false;
        }
        let listed_at = self.recount_fresh.take();
        let policies = self.terms.policies.clone();
        let mut crowds = Crowds::default();
        for (policy, limit) in counts(&policies).filter(|_| self.polling.whole) {
            self.count_running(&mut crowds, policy, limit, now);
        }
        if listed_at.is_none() {
            self.withhold_news(&mut crowds, now);
        }
        for (policy, budget) in budgets(&policies) {
            self.count_spent(&mut crowds, policy, budget, listed_at, now);
        }
        if let Some(listed_at) = listed_at {
            self.counted_at = Some(self.moment(listed_at).theirs);
        }
        let changed = crowds != self.crowds;
        if changed {
            self.crowds = crowds;
            self.judge_all(now);
        }
        changed
    }

    fn count_running(&self, crowds: &mut Crowds, policy: &Policy, limit: &MaxRunning, now: Timestamp) {
        for id in limit.over(&self.members(policy, limit.per.as_ref(), now)) {
            let key = (policy.name.clone(), id);
            let since = self.crowds.over.get(&key).copied().unwrap_or(floor_millis(self.moment(now).theirs));
            crowds.over.insert(key, since);
        }
    }

    /// Between listings somebody may have gone: nobody is found over a count then who was not before, and a listing is made to see.
    fn withhold_news(&mut self, crowds: &mut Crowds, now: Timestamp) {
        let found = crowds.over.len();
        crowds.over.retain(|key, _| self.crowds.over.contains_key(key));
        if crowds.over.len() < found && self.terms.pass == Pass::Daemon {
            self.polling.soon(later(now, SOONEST_RECOUNT));
        }
    }

    fn count_spent(&mut self, crowds: &mut Crowds, policy: &Policy, budget: &Budget, listed_at: Option<Timestamp>, now: Timestamp) {
        let moment = self.moment(now);
        let period = budget.period(moment.theirs);
        // Of who is listed it is certain that they ran until the listing was asked for.
        let certain = listed_at.map(|at| (self.moment(at).theirs, self.standings(policy, budget, at)));
        for (group, standing) in self.standings(policy, budget, now) {
            let spent = certain.as_ref().and_then(|(at, all)| Some((*at, *all.get(&group)?))).filter(|(_, sure)| sure.spent >= budget.allowed);
            let key = (policy.name.clone(), group);
            // What was found spent stays so until the period is over.
            let known = self.crowds.spent.get(&key).copied().filter(|at| *at >= period.from);
            let found = spent.map(|(at, sure)| self.spent_since(sure, at)).filter(|at| *at >= period.from);
            match (known.or(found), standing.runs_out_at) {
                (Some(at), _) => _ = crowds.spent.insert(key, at),
                // A single pass is over before that, and a listing that failed is tried again at its own pace.
                (None, Some(at)) if self.polling.whole && self.terms.pass == Pass::Daemon => {
                    self.polling.soon(moment.ours_at(at).max(later(now, SOONEST_RECOUNT)));
                }
                (None, _) => {}
            }
        }
    }

    /// Between the last count and this one; at the first, only that it is so is known.
    fn spent_since(&self, standing: Standing, now: Timestamp) -> Timestamp {
        floor_millis(standing.runs_out_at.unwrap_or(now).clamp(self.counted_at.unwrap_or(now).min(now), now))
    }

    fn standings(&self, policy: &Policy, budget: &Budget, now: Timestamp) -> BTreeMap<Group, Standing> {
        let theirs = self.moment(now).theirs;
        let ended = self.runtime.ended(policy, budget, budget.period(theirs));
        budget.standings(&ended, &self.members(policy, budget.per.as_ref(), now), theirs)
    }

    /// The running sessions that a policy governs, or would if it were in force; those of which it is not known where they count are left out.
    fn members(&self, policy: &Policy, per: Option<&Per>, now: Timestamp) -> Vec<Member> {
        let occasion = self.occasion(now);
        let beside = policy.shadow.then_some(&policy.name);
        let member = |tracked: &Tracked| {
            let Tracked { session, activity, .. } = tracked;
            let group = group(per, session, occasion)?;
            let (last_active, leaving) = (activity.last_active, self.is_leaving(tracked, self.moment(now)));
            Some(Member { id: session.id.clone(), group, since: session.since(), last_active, leaving })
        };
        let running = self.roster.iter().filter(|tracked| tracked.session.status.phase == Phase::Running);
        let governed = running
            .filter(|tracked| matches!(govern(&tracked.session, occasion, &self.terms.policies, beside), Governed::By(by) if by.name == policy.name));
        governed.filter_map(member).collect()
    }

    /// Its release is under way, or is asked for now, whatever the count comes to.
    fn is_leaving(&self, tracked: &Tracked, now: Moment) -> bool {
        let due = tracked.verdict.falls_due().filter(|deadline| deadline.at <= now.theirs && deadline.limit != Limit::MaxRunning);
        let under_way = self.flights.contains_key(&tracked.session.id) && !self.is_of_another_life(tracked);
        under_way || (due.is_some() && self.holds_of(tracked, now).is_empty())
    }

    /// Every budget of the account as it stands, by policy and group.
    pub fn budget_views(&self, now: Timestamp) -> Vec<BudgetView> {
        let of = |(policy, budget)| {
            self.standings(policy, budget, now).into_iter().map(move |(group, standing)| self.budget_view(policy, budget, group, standing, now))
        };
        budgets(&self.terms.policies).flat_map(of).collect()
    }

    fn budget_view(&self, policy: &Policy, budget: &Budget, group: Group, standing: Standing, now: Timestamp) -> BudgetView {
        let period = budget.period(self.moment(now).theirs);
        let found = self.crowds.spent.get(&(policy.name.clone(), group.clone())).copied().filter(|at| *at >= period.from);
        BudgetView {
            account: self.terms.account.clone(),
            policy: policy.name.clone(),
            shadow: policy.shadow,
            per: budget.per.as_ref().map(ToString::to_string),
            group: group.0.as_deref().map(ToOwned::to_owned),
            every: budget.every.as_str(),
            from: period.from,
            until: period.until,
            allowed: budget.allowed,
            spent: standing.spent,
            left: budget.allowed.saturating_sub(standing.spent).max(SignedDuration::ZERO),
            spent_at: found.or(standing.runs_out_at),
        }
    }
}

/// Every policy with a count.
fn counts(policies: &[Policy]) -> impl Iterator<Item = (&Policy, &MaxRunning)> {
    policies.iter().filter_map(|policy| match &policy.rule {
        Rule::Limits(limits) => limits.max_running.as_ref().map(|limit| (policy, limit)),
        Rule::Protect => None,
    })
}
