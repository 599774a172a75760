//! Why one session is what it is: every policy in order, every limit with its arithmetic, every hold.

use crate::domain::name::SessionId;
use crate::domain::session::Session;
use crate::domain::time::{Timestamp, human, later, seconds};
use crate::domain::verdict::{Limit, Source};
use crate::domain::view::{Explanation, HoldView, KeyCheck, LimitCheck, PolicyCheck};
use crate::engine::Engine;
use crate::policy::max_age::MaxAge;
use crate::policy::selector::{Compared, Fit};
use crate::policy::{Policy, Rule};

impl Engine {
    /// Nothing where the account has no such live session.
    pub fn explain(&self, id: &SessionId, now: Timestamp) -> Option<Explanation> {
        let tracked = self.tracked(id).or_else(|| self.roster.iter().find(|tracked| tracked.browser.as_ref() == Some(id)))?;
        let id = &tracked.session.id;
        let holds: Vec<HoldView> = self.shown_holds(tracked, self.moment(now)).into_iter().map(HoldView::from).collect();
        let governing = tracked.verdict.policy();
        Some(Explanation {
            session: self.session_view(tracked, now),
            policies: self.terms.policies.iter().map(|policy| self.check(policy, &tracked.session, governing == Some(&policy.name), now)).collect(),
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

    fn check(&self, policy: &Policy, session: &Session, governs: bool, now: Timestamp) -> PolicyCheck {
        let fit = policy.selector.fit(session, self.occasion(now));
        PolicyCheck {
            name: policy.name.clone(),
            fits: known(&fit),
            governs,
            keys: policy.selector.compare(session, self.occasion(now)).into_iter().map(KeyCheck::from).collect(),
        }
    }
}

impl From<Compared> for KeyCheck {
    fn from(compared: Compared) -> Self {
        Self { fits: known(&compared.fit), key: compared.key, expected: compared.expected, found: compared.found, note: compared.note }
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
    limits.max_age.iter().map(|limit| max_age(limit, session)).collect()
}

fn max_age(limit: &MaxAge, session: &Session) -> LimitCheck {
    let reading = limit.read(session);
    let since = session.since();
    let (from, tag, note) = match (reading.from, reading.unreadable) {
        (_, Some((tag, found, why))) => ("policy", Some(tag), Some(format!("the tag holds {found}, which is not followed: {why}"))),
        (Source::Policy | Source::Count { .. } | Source::Spent { .. }, None) => ("policy", None, None),
        (Source::Tag(tag), None) => ("tag", Some(tag), None),
        (Source::Ceiling(tag), None) => ("policy", Some(tag), Some("the tag asks for more than max_age_ceiling".to_owned())),
    };
    LimitCheck {
        limit: Limit::MaxAge,
        value: human(reading.allowed),
        value_seconds: seconds(reading.allowed),
        from,
        tag,
        since,
        deadline: later(since, reading.allowed),
        note,
    }
}
