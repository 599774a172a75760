//! A session is over `max_running` if and only if, of the running sessions that its policy governs in its group, as a complete listing shows them, more
//! than `count` come after it in the order of release, or as many.

use std::collections::BTreeSet;

use crate::domain::name::{PolicyName, SessionId};
use crate::domain::time::SignedDuration;
use crate::domain::verdict::{Deadline, Limit, Source};
use crate::policy::Subject;
use crate::policy::crowd::{Member, Order};
use crate::policy::per::{Per, among};

/// The limit as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxRunning {
    pub count: u32,
    pub per: Option<Per>,
    pub release: Order,
}

impl MaxRunning {
    /// Those over the count. The same members, in whatever order they come, always give the same ones.
    pub fn over(&self, _members: &[Member]) -> BTreeSet<SessionId> {
        BTreeSet::new()
    }

    /// Since when this session is over the count, where it is.
    pub fn deadline(&self, subject: &Subject<'_>, policy: &PolicyName) -> Option<Deadline> {
        let id = &subject.session.id;
        let at = *subject.crowds.over.get(&(policy.clone(), id.clone()))?;
        Some(Deadline {
            policy: policy.clone(),
            limit: Limit::MaxRunning,
            allowed: SignedDuration::ZERO,
            from: Source::Count { count: self.count, among: among(self.per.as_ref(), subject) },
            since: at,
            at,
            rank: self.release.rank(subject.session, subject.activity),
        })
    }
}
