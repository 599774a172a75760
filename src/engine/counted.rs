//! What is counted once for each session, policy and limit: remembered for as long as the session lives, and a while longer, lest it comes back.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::name::{PolicyName, SessionId};
use crate::domain::time::{Timestamp, later};
use crate::domain::verdict::Limit;
use crate::engine::DONE_KEPT;

/// What was counted, by session.
#[derive(Debug, Default)]
pub struct Counted(BTreeMap<SessionId, Of>);

#[derive(Debug, Default)]
struct Of {
    by: BTreeSet<(PolicyName, Limit)>,
    /// Since when it has not been among those that live (ours).
    gone_at: Option<Timestamp>,
}

impl Counted {
    /// As the books have it.
    pub fn recalled(counted: &[(SessionId, PolicyName, Limit)]) -> Self {
        let mut recalled = Self::default();
        for (id, policy, limit) in counted {
            recalled.count(id, policy, *limit);
        }
        recalled
    }

    /// Gives whether that had not been counted yet.
    pub fn count(&mut self, id: &SessionId, policy: &PolicyName, limit: Limit) -> bool {
        self.0.entry(id.clone()).or_default().by.insert((policy.clone(), limit))
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets the sessions that have been gone for long.
    pub fn forget(&mut self, lives: impl Fn(&SessionId) -> bool, now: Timestamp) {
        self.0.retain(|id, of| {
            of.gone_at = if lives(id) { None } else { of.gone_at.or(Some(now)) };
            of.gone_at.is_none_or(|gone_at| later(gone_at, DONE_KEPT) > now)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::at;
    use crate::domain::time::SignedDuration;

    #[test]
    fn a_session_that_is_gone_for_a_moment_is_not_counted_again_and_one_that_is_gone_for_long_is_forgotten() {
        let (id, policy) = ("a".into(), "ci".into());
        let mut counted = Counted::recalled(&[("a".into(), "ci".into(), Limit::MaxAge), ("long-gone".into(), "ci".into(), Limit::MaxAge)]);
        assert!(!counted.count(&id, &policy, Limit::MaxAge) && counted.count(&id, &policy, Limit::Idle));
        let hours = |count| later(at(0), SignedDuration::from_hours(count));
        counted.forget(|_| false, hours(0));
        counted.forget(|other| *other == id, hours(23));
        counted.forget(|_| false, hours(24));
        assert_eq!(counted.0.keys().collect::<Vec<_>>(), [&id], "the other one has been gone for a day");
        counted.forget(|_| false, later(hours(48), -SignedDuration::from_millis(1)));
        assert!(!counted.count(&id, &policy, Limit::MaxAge), "gone for less than a day since it was last there");
        counted.forget(|_| false, hours(48));
        assert!(counted.0.is_empty());
    }
}
