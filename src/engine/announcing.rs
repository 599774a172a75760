//! Announcing what is coming: once per session, policy and deadline, by an alarm of its own, and only what would be released if nobody said anything.
//!
//! Only `max_age` is known beforehand. Whether a session is idle, over a count or past a budget is found at the very instant at which it falls due.
//! Nothing is delayed or forbidden here: what is announced leaves at its deadline, whether or not anybody was told.

use std::collections::BTreeMap;

use crate::domain::event::{Coming, What};
use crate::domain::hold::Hold;
use crate::domain::name::{PolicyName, SessionId};
use crate::domain::time::{Moment, SignedDuration, Timestamp, between, later};
use crate::domain::verdict::{Deadline, Limit};
use crate::domain::view::Mode;
use crate::engine::roster::Tracked;
use crate::engine::view::due_reason;
use crate::engine::{Engine, Pass};
use crate::policy::Rule;

/// What was announced last of each session: its policy and deadline.
#[derive(Debug, Default)]
pub struct Announced(BTreeMap<SessionId, (PolicyName, Timestamp)>);

impl Announced {
    fn has(&self, id: &SessionId, deadline: &Deadline) -> bool {
        self.0.get(id).is_some_and(|(policy, at)| *policy == deadline.policy && *at == deadline.at)
    }

    fn note(&mut self, id: &SessionId, deadline: &Deadline) {
        self.0.insert(id.clone(), (deadline.policy.clone(), deadline.at));
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn forget(&mut self, lives: impl Fn(&SessionId) -> bool) {
        self.0.retain(|id, _| lives(id));
    }
}

impl Engine {
    /// Announces a session's release where the time for that has come, else has it looked at then.
    pub(super) fn announce(&mut self, id: &SessionId, now: Moment) {
        let Some((tracked, deadline, before)) = self.to_be_announced(id) else { return };
        let release_at = self.release_at(tracked, deadline, now);
        if release_at <= now.theirs || self.is_kept(tracked, release_at, now) {
            return;
        }
        let announce_at = later(release_at, -before);
        if announce_at > now.theirs {
            self.roster.look_by(id, announce_at);
            return;
        }
        let session = &tracked.session;
        let coming = Coming {
            provider: self.terms.provider,
            id: id.clone(),
            kind: session.kind,
            region: session.region.as_deref().map(ToOwned::to_owned),
            policy: deadline.policy.clone(),
            limit: deadline.limit,
            deadline: deadline.at,
            release_at,
            reason: due_reason(deadline),
            metadata: session.metadata.to_json(),
        };
        let deadline = deadline.clone();
        self.announced.note(id, &deadline);
        self.tell(What::Coming(Box::new(coming)));
    }

    /// An order, or a guardrail that holds no longer, may change what is coming.
    pub(super) fn announce_all(&mut self, now: Moment) {
        if self.terms.policies.iter().any(|policy| warn_before(&policy.rule).is_some()) {
            self.roster.ids().iter().for_each(|id| self.announce(id, now));
        }
    }

    fn to_be_announced(&self, id: &SessionId) -> Option<(&Tracked, &Deadline, SignedDuration)> {
        if self.terms.mode == Mode::Observe || self.terms.pass == Pass::Plan || self.draining || self.flights.contains_key(id) {
            return None;
        }
        let tracked = self.roster.get(id)?;
        let deadline = tracked.verdict.falls_due().filter(|deadline| deadline.limit == Limit::MaxAge && !self.announced.has(id, deadline))?;
        let policy = self.terms.policies.iter().find(|policy| policy.name == deadline.policy)?;
        Some((tracked, deadline, warn_before(&policy.rule)?))
    }

    /// When it leaves if nobody says anything more: at its deadline, or when a hold ends that lasts longer (theirs).
    fn release_at(&self, tracked: &Tracked, deadline: &Deadline, now: Moment) -> Timestamp {
        let held = self.holds_of(tracked, now).into_iter().find(|held| held.hold == Hold::Operator).and_then(|held| held.until);
        let held_until = held.map_or(Timestamp::MIN, |until| later(until, between(now.ours, now.theirs)));
        let old_enough = later(tracked.session.since(), self.rails.settings().min_age);
        deadline.at.max(held_until).max(old_enough)
    }

    /// It would not be released then, as far as can be told: the account rests, its row is not known any more, or it ends by itself first.
    fn is_kept(&self, tracked: &Tracked, release_at: Timestamp, now: Moment) -> bool {
        let rests = self.orders.pause(&self.terms.account).is_some() || self.rails.tripped(self.resumed_at(), now).is_some();
        let margin = self.rails.settings().skip_expiring_within;
        let ends_first = tracked.session.expires_at.is_some_and(|end| between(release_at, end) <= margin);
        rests || ends_first || self.is_out_of_sight(tracked, now.ours)
    }
}

fn warn_before(rule: &Rule) -> Option<SignedDuration> {
    match rule {
        Rule::Protect => None,
        Rule::Limits(limits) => limits.warn_before,
    }
}
