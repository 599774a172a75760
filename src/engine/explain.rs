//! Why one session is what it is: every policy in order, every limit with its arithmetic, every hold.

use crate::domain::name::SessionId;
use crate::domain::session::Session;
use crate::domain::time::{Timestamp, human, later, seconds};
use crate::domain::verdict::{Limit, Source};
use crate::domain::view::{Explanation, HoldView, KeyCheck, LimitCheck, PolicyCheck};
use crate::engine::Engine;
use crate::policy::selector::{Compared, Fit};
use crate::policy::{Policy, Rule};

impl Engine {
    /// Nothing where the account has no such live session.
    pub fn explain(&self, id: &SessionId, now: Timestamp) -> Option<Explanation> {
        let tracked = self.tracked(id)?;
        let holds: Vec<HoldView> = self.shown_holds(tracked, self.moment(now)).into_iter().map(HoldView::from).collect();
        let governing = tracked.verdict.policy();
        Some(Explanation {
            session: self.session_view(tracked, now),
            policies: self.terms.policies.iter().map(|policy| self.check(policy, &tracked.session, governing == Some(&policy.name))).collect(),
            limits: self
                .terms
                .policies
                .iter()
                .filter(|policy| governing == Some(&policy.name))
                .flat_map(|policy| limits(policy, &tracked.session))
                .collect(),
            evidence: Vec::new(),
            hold: holds.first().cloned(),
            holds,
            release: self.flights.get(id).map(|flight| flight.row.clone()),
        })
    }

    fn check(&self, policy: &Policy, session: &Session, governs: bool) -> PolicyCheck {
        let fit = policy.selector.fit(session, self.origin());
        PolicyCheck {
            name: policy.name.clone(),
            fits: known(&fit),
            governs,
            keys: policy.selector.compare(session, self.origin()).into_iter().map(KeyCheck::from).collect(),
        }
    }
}

impl From<Compared> for KeyCheck {
    fn from(compared: Compared) -> Self {
        Self { fits: known(&compared.fit), key: compared.key, expected: compared.expected, found: compared.found }
    }
}

fn known(fit: &Fit) -> Option<bool> {
    match fit {
        Fit::Yes => Some(true),
        Fit::No => Some(false),
        Fit::Undecided { .. } => None,
    }
}

fn limits(policy: &Policy, session: &Session) -> Vec<LimitCheck> {
    let Rule::Limits(limits) = &policy.rule else { return Vec::new() };
    let max_age = limits.max_age.as_ref().map(|limit| {
        let reading = limit.read(session);
        let since = session.since();
        LimitCheck {
            limit: Limit::MaxAge,
            value: human(reading.allowed),
            value_seconds: seconds(reading.allowed),
            from: match &reading.from {
                Source::Policy => "policy".to_owned(),
                Source::Tag(tag) => format!("tag {tag}"),
                Source::Ceiling(tag) => format!("max_age_ceiling, tag {tag} asks for more"),
            },
            since,
            deadline: later(since, reading.allowed),
            note: reading.unreadable.map(|(tag, found, why)| format!("tag {tag} = {found} is not followed: {why}")),
        }
    });
    max_age.into_iter().collect()
}
