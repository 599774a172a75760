//! Why one session is what it is: every policy in order, every limit with its arithmetic, every hold.

use crate::domain::activity::{Activity, Question, Said, Testimony};
use crate::domain::name::{PolicyName, SessionId};
use crate::domain::session::Session;
use crate::domain::time::{Timestamp, human, later, rfc3339, seconds};
use crate::domain::verdict::{Limit, Source};
use crate::domain::view::{EvidenceView, Explanation, HoldView, KeyCheck, LimitCheck, PolicyCheck};
use crate::engine::Engine;
use crate::engine::roster::Tracked;
use crate::policy::budget::Budget;
use crate::policy::idle::{ENOUGH_SIGHTINGS, Idle, State};
use crate::policy::max_age::MaxAge;
use crate::policy::max_running::MaxRunning;
use crate::policy::per::{among, group};
use crate::policy::selector::{Compared, Fit};
use crate::policy::{Policy, Rule, Subject};

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
            limits: self.limits(tracked, now),
            evidence: evidence(&tracked.activity),
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

impl Engine {
    /// The limits of the policy that governs, each by itself.
    fn limits(&self, tracked: &Tracked, now: Timestamp) -> Vec<LimitCheck> {
        let governing = self.terms.policies.iter().find(|policy| !policy.shadow && tracked.verdict.policy() == Some(&policy.name));
        let Some((policy, Rule::Limits(limits))) = governing.map(|policy| (policy, &policy.rule)) else { return Vec::new() };
        let Tracked { session, activity, .. } = tracked;
        let subject = Subject { session, activity, crowds: &self.crowds, occasion: self.occasion(now) };
        let checks = [
            limits.max_age.as_ref().map(|limit| max_age(limit, session)),
            limits.idle.as_ref().map(|limit| idle(limit, &subject, &policy.name)),
            limits.max_running.as_ref().map(|limit| max_running(limit, &subject, &policy.name)),
            limits.budget.as_ref().map(|limit| self.budget(policy, limit, &subject, now)),
        ];
        checks.into_iter().flatten().collect()
    }

    fn budget(&self, policy: &Policy, limit: &Budget, subject: &Subject<'_>, now: Timestamp) -> LimitCheck {
        let group = group(limit.per.as_ref(), subject.session, subject.occasion);
        let views = self.budget_views(now);
        let own = group.and_then(|group| views.into_iter().find(|view| view.policy == policy.name && view.group.as_deref() == group.0.as_deref()));
        let of = among(limit.per.as_ref(), subject);
        let of = if of.is_empty() { of } else { format!(" for {of}") };
        LimitCheck {
            limit: Limit::Budget,
            value: format!("{} a {}{of}", human(limit.allowed), limit.every.as_str()),
            value_seconds: Some(seconds(limit.allowed)),
            deadline: own.as_ref().and_then(|own| own.spent_at),
            since: own.as_ref().map(|own| own.from),
            from: "policy",
            tag: None,
            note: Some(own.map_or_else(
                || "it is not known in which group it counts".to_owned(),
                |own| format!("{} spent, {} left until {}", human(own.spent), human(own.left), rfc3339(own.until)),
            )),
        }
    }
}

fn max_age(limit: &MaxAge, session: &Session) -> LimitCheck {
    let reading = limit.read(session);
    let since = session.since();
    let (from, tag, note) = match (reading.from, reading.unreadable) {
        (_, Some((tag, found, why))) => ("policy", Some(tag), Some(format!("the tag holds {found}, which is not followed: {why}"))),
        (Source::Tag(tag), None) => ("tag", Some(tag), None),
        (Source::Ceiling(tag), None) => ("policy", Some(tag), Some("the tag asks for more than max_age_ceiling".to_owned())),
        (Source::Policy | Source::Count { .. } | Source::Spent { .. }, None) => ("policy", None, None),
    };
    LimitCheck {
        limit: Limit::MaxAge,
        value: human(reading.allowed),
        value_seconds: Some(seconds(reading.allowed)),
        from,
        tag,
        since: Some(since),
        deadline: Some(later(since, reading.allowed)),
        note,
    }
}

fn idle(limit: &Idle, subject: &Subject<'_>, policy: &PolicyName) -> LimitCheck {
    let reading = limit.read(subject, policy);
    let note = match &reading.state {
        State::Proven => None,
        State::Unknown { why } => Some(why.clone()),
        State::Open if subject.activity.sightings < ENOUGH_SIGHTINGS => Some("seen in one listing only: never idle yet".to_owned()),
        State::Open => Some("no activity is known since then; its provider is asked at the deadline".to_owned()),
    };
    LimitCheck {
        limit: Limit::Idle,
        value: human(limit.limit),
        value_seconds: Some(seconds(limit.limit)),
        from: "policy",
        tag: None,
        since: Some(reading.deadline.since),
        deadline: Some(reading.deadline.at),
        note,
    }
}

fn max_running(limit: &MaxRunning, subject: &Subject<'_>, policy: &PolicyName) -> LimitCheck {
    let over = limit.deadline(subject, policy).map(|deadline| deadline.at);
    let of = among(limit.per.as_ref(), subject);
    LimitCheck {
        limit: Limit::MaxRunning,
        value: if of.is_empty() { limit.count.to_string() } else { format!("{} for {of}", limit.count) },
        value_seconds: None,
        from: "policy",
        tag: None,
        since: over,
        deadline: over,
        note: over.is_none().then(|| "not among those over the count in the last complete listing".to_owned()),
    }
}

/// What the provider was asked, and what its rows told unasked.
fn evidence(activity: &Activity) -> Vec<EvidenceView> {
    let asked = activity.heard.iter().flat_map(|heard| heard.testimonies.iter().map(|testimony| testified(testimony, heard.asked_at)));
    let bytes = activity.proxy_bytes.map(|bytes| EvidenceView {
        asked: Question::ProxyBytes,
        asked_at: None,
        answer: None,
        at: None,
        said: format!("{bytes} bytes through the proxy in its last row"),
    });
    asked.chain(bytes).collect()
}

fn testified(testimony: &Testimony, asked_at: Timestamp) -> EvidenceView {
    let (answer, at, said) = match &testimony.said {
        Said::Busy => (Some("active"), Some(asked_at), "at work".to_owned()),
        Said::Last { at } => (Some("quiet"), Some(*at), format!("nothing since {}", rfc3339(*at))),
        Said::AtLeast { at, why } => {
            (Some("unknown"), Some(*at), format!("something was done at {}, and what came after may be missing: {why}", rfc3339(*at)))
        }
        Said::Print { .. } => (None, None, "taken note of, to see whether it changes".to_owned()),
        Said::Nothing { why } => (Some("unknown"), None, why.clone()),
        Said::Failed { why } => (Some("unknown"), None, format!("could not be asked: {why}")),
    };
    EvidenceView { asked: testimony.asked, asked_at: Some(asked_at), answer, at, said }
}
