//! When each policy last governed a session, and when one last fell due by each limit: what is meant to happen and never does is a mistake that makes no noise.

use std::collections::BTreeMap;

use crate::domain::event::Census;
use crate::domain::name::{PolicyName, SessionId};
use crate::domain::record::Lived;
use crate::domain::session::Session;
use crate::domain::time::{Moment, Timestamp};
use crate::domain::verdict::{Deadline, Limit, Verdict};
use crate::engine::Engine;
use crate::engine::judging::is_due;
use crate::policy::{Governed, Occasion, Policy, govern};

/// What is known of each, by the name that it goes by; nothing where it has never been.
#[derive(Clone, Debug, Default)]
pub struct Lately {
    governed: BTreeMap<PolicyName, Timestamp>,
    fell_due: BTreeMap<(PolicyName, Limit), Timestamp>,
}

impl Lately {
    /// Of an earlier life of the process: when sessions fell due, as its books have it.
    pub fn recalled(fell_due: &[(PolicyName, Limit, Timestamp)]) -> Self {
        let fell_due = fell_due.iter().map(|(policy, limit, at)| ((policy.clone(), *limit), *at)).collect();
        Self { governed: BTreeMap::new(), fell_due }
    }

    /// Takes in a session of an earlier life, judged by the policies of today. Gives whether nothing is left to learn from those that are older.
    pub fn saw(&mut self, lived: &Lived, occasion: Occasion<'_>, policies: &[Policy]) -> bool {
        for policy in policies {
            let beside = policy.shadow.then_some(&policy.name);
            if !self.governed.contains_key(&policy.name) && does_govern(&lived.session, occasion, policies, &policy.name, beside) {
                self.governed.insert(policy.name.clone(), lived.until);
            }
        }
        policies.iter().all(|policy| self.governed.contains_key(&policy.name))
    }

    fn governs(&mut self, policy: &PolicyName, at: Timestamp) {
        let known = self.governed.entry(policy.clone()).or_insert(at);
        *known = at.max(*known);
    }

    /// Gives whether that is news.
    fn fell_due(&mut self, deadline: &Deadline, at: Timestamp) -> bool {
        let key = (deadline.policy.clone(), deadline.limit);
        let before = self.fell_due.get(&key).copied();
        self.fell_due.insert(key, before.map_or(at, |before| before.max(at)));
        before.is_none_or(|before| before < at)
    }

    /// Of policies and limits that are gone nothing is remembered.
    pub(super) fn forget_all_but(&mut self, policies: &[Policy]) {
        self.governed.retain(|name, _| policies.iter().any(|policy| policy.name == *name));
        self.fell_due
            .retain(|(name, limit), _| policies.iter().any(|policy| policy.name == *name && policy.rule.armed().any(|armed| armed == *limit)));
    }

    /// Fills in what a census says of each policy and each limit that there is.
    pub(super) fn tell(&self, census: &mut Census, policies: &[Policy]) {
        for policy in policies {
            census.governed.insert(policy.name.clone(), self.governed.get(&policy.name).copied());
            for limit in policy.rule.armed() {
                let key = (policy.name.clone(), limit);
                let at = self.fell_due.get(&key).copied();
                census.fell_due.insert(key, at);
            }
        }
    }
}

impl Engine {
    /// Carries on from what the books tell of an earlier life, and tells how the account stands by that alone: the first listing may be long in coming.
    pub fn recollect(&mut self, lately: Lately, now: Timestamp) {
        self.lately = lately;
        self.census.dirty = true;
        self.tell_census(now);
    }

    /// Notes who governs the sessions that are live, as of the listing that showed each last.
    pub(super) fn note_who_governs(&mut self, now: Timestamp) {
        let mut lately = std::mem::take(&mut self.lately);
        for tracked in self.roster.iter() {
            let beside = tracked.shadows.iter().map(|(name, verdict)| (Some(name), verdict, Some(name)));
            for (policy, verdict, beside) in std::iter::once((tracked.verdict.policy(), &tracked.verdict, None)).chain(beside) {
                // It may be in doubt whether the policy fits at all.
                let sure = |policy: &&PolicyName| {
                    let doubtful = matches!(verdict, Verdict::Unknown { .. });
                    !doubtful || does_govern(&tracked.session, self.occasion(now), &self.terms.policies, policy, beside)
                };
                policy.filter(sure).into_iter().for_each(|policy| lately.governs(policy, tracked.seen_at));
            }
        }
        self.lately = lately;
    }

    /// Notes by which limits a session that was judged just now is due.
    pub(super) fn note_what_is_due(&mut self, id: &SessionId, now: Moment) {
        let Some(tracked) = self.roster.get(id).filter(|tracked| !self.is_out_of_sight(tracked, now.ours)) else { return };
        let verdicts = std::iter::once(&tracked.verdict).chain(tracked.shadows.iter().map(|(_, verdict)| verdict));
        for deadline in verdicts.filter_map(|verdict| is_due(verdict, now.theirs)) {
            self.census.dirty |= self.lately.fell_due(deadline, now.ours_at(deadline.at));
        }
    }
}

fn does_govern(session: &Session, occasion: Occasion<'_>, policies: &[Policy], policy: &PolicyName, beside: Option<&PolicyName>) -> bool {
    matches!(govern(session, occasion, policies, beside), Governed::By(by) if by.name == *policy)
}

#[cfg(test)]
mod tests;
