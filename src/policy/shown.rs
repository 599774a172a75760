//! What the policies look like: their limits in words, and how many of the live sessions each governs.

use std::collections::BTreeMap;

use crate::domain::name::PolicyName;
use crate::domain::time::human;
use crate::domain::verdict::{Limit, VerdictWord};
use crate::domain::view::{Change, LimitView, PolicyView, SessionView};
use crate::policy::budget::Budget;
use crate::policy::crowd::Order;
use crate::policy::idle::{Idle, WithoutEvidence};
use crate::policy::max_age::MaxAge;
use crate::policy::max_running::MaxRunning;
use crate::policy::per::Per;
use crate::policy::{Limits, Policy, Rule};

/// Every policy in order, with what it governs of these sessions. A policy that is gone and has sessions still, until they are judged anew, has no row.
pub fn policies(policies: &[Policy], sessions: &[SessionView]) -> Vec<PolicyView> {
    let mut views: Vec<PolicyView> = policies.iter().map(unused).collect();
    let places: BTreeMap<PolicyName, usize> = policies.iter().enumerate().map(|(place, policy)| (policy.name.clone(), place)).collect();
    let mut count = |policy: &PolicyName, add: &dyn Fn(&mut PolicyView)| {
        if let Some(view) = places.get(policy).and_then(|place| views.get_mut(*place)) {
            add(view);
        }
    };
    for session in sessions {
        if let Some(policy) = &session.policy {
            count(policy, &|view| (view.sessions, view.due) = (view.sessions + 1, view.due + usize::from(session.verdict == VerdictWord::Due)));
        }
        for shadow in &session.shadows {
            count(&shadow.policy, &|view| {
                view.sessions += 1;
                view.due += usize::from(shadow.verdict == VerdictWord::Due);
                view.would_release += usize::from(shadow.change == Some(Change::WouldRelease));
                view.would_spare += usize::from(shadow.change == Some(Change::WouldSpare));
            });
        }
    }
    views
}

fn unused(policy: &Policy) -> PolicyView {
    let limits = match &policy.rule {
        Rule::Protect => Vec::new(),
        Rule::Limits(limits) => limits_of(limits),
    };
    let (name, shadow) = (policy.name.clone(), policy.shadow);
    PolicyView { name, protect: policy.rule == Rule::Protect, limits, shadow, sessions: 0, due: 0, would_release: 0, would_spare: 0 }
}

fn limits_of(limits: &Limits) -> Vec<LimitView> {
    let values = [
        (Limit::MaxAge, limits.max_age.as_ref().map(max_age)),
        (Limit::Idle, limits.idle.as_ref().map(idle)),
        (Limit::MaxRunning, limits.max_running.as_ref().map(max_running)),
        (Limit::Budget, limits.budget.as_ref().map(budget)),
    ];
    values.into_iter().filter_map(|(limit, value)| Some(LimitView { limit, value: value? })).collect()
}

fn max_age(limit: &MaxAge) -> String {
    let tag = limit.tag.as_ref().map(|tag| format!(", or by its tag {tag}")).unwrap_or_default();
    let ceiling = limit.ceiling.map(|ceiling| format!(", at most {}", human(ceiling))).unwrap_or_default();
    format!("{}{tag}{ceiling}", human(limit.limit))
}

fn idle(limit: &Idle) -> String {
    let without = match limit.without_evidence {
        WithoutEvidence::Keep => "",
        WithoutEvidence::Release => ", also where nobody can tell",
    };
    format!("{}{without}", human(limit.limit))
}

fn max_running(limit: &MaxRunning) -> String {
    format!("{}{}, the {} go", limit.count, per(limit.per.as_ref()), order(limit.release))
}

fn budget(limit: &Budget) -> String {
    format!("{} a {}{}, the {} go", hours(limit), limit.every.as_str(), per(limit.per.as_ref()), order(limit.release))
}

/// A budget is written in hours, and people compare it in hours.
fn hours(limit: &Budget) -> String {
    format!("{} h", limit.allowed.as_millis() as f64 / 3_600_000.0)
}

fn per(per: Option<&Per>) -> String {
    per.map(|per| format!(" per {per}")).unwrap_or_default()
}

const fn order(order: Order) -> &'static str {
    match order {
        Order::Oldest => "oldest",
        Order::Idlest => "idlest",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::{mins, session_view};
    use crate::domain::time::SignedDuration;
    use crate::domain::view::ShadowView;
    use crate::policy::budget::Every;
    use crate::policy::selector::Selector;

    fn policy(name: &str, rule: Rule, shadow: bool) -> Policy {
        Policy { name: name.into(), selector: Selector::All, rule, shadow }
    }

    fn limits() -> Limits {
        let per = Some(Per::Metadata("team".to_owned()));
        Limits {
            max_age: Some(MaxAge { limit: mins(120), tag: Some("ttl".to_owned()), ceiling: Some(mins(360)) }),
            idle: Some(Idle { limit: mins(5), without_evidence: WithoutEvidence::Release }),
            max_running: Some(MaxRunning { count: 20, per: per.clone(), release: Order::Idlest }),
            budget: Some(Budget {
                allowed: SignedDuration::from_mins(90),
                per,
                every: Every::Week,
                time_zone: jiff::tz::TimeZone::UTC,
                release: Order::Oldest,
            }),
            warn_before: None,
        }
    }

    #[test]
    fn limits_are_said_in_a_few_words() {
        let shown = policies(&[policy("research", Rule::Limits(limits()), false)], &[]);
        let said: Vec<String> = shown.iter().flat_map(|view| &view.limits).map(|limit| format!("{} {}", limit.limit, limit.value)).collect();
        let expected = [
            "max_age 2h, or by its tag ttl, at most 6h",
            "idle 5m, also where nobody can tell",
            "max_running 20 per metadata.team, the idlest go",
            "budget 1.5 h a week per metadata.team, the oldest go",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn each_policy_counts_what_it_governs_and_a_shadow_what_it_would_change() {
        let age = || Rule::Limits(Limits { max_age: limits().max_age, ..Limits::default() });
        let table = [policy("production", Rule::Protect, false), policy("trial", age(), true), policy("ci", age(), false)];
        let shadow = |verdict, change| ShadowView { policy: "trial".into(), verdict, limit: None, deadline: None, change, reason: String::new() };
        let governed = |id: &str, policy: &str, verdict, shadows| SessionView { policy: Some(policy.into()), verdict, shadows, ..session_view(id) };
        let sessions = [
            governed("a", "ci", VerdictWord::Due, vec![shadow(VerdictWord::Keep, Some(Change::WouldSpare))]),
            governed("b", "ci", VerdictWord::Keep, vec![shadow(VerdictWord::Due, Some(Change::WouldRelease))]),
            governed("c", "production", VerdictWord::Protected, Vec::new()),
            governed("d", "gone", VerdictWord::Keep, vec![shadow(VerdictWord::Keep, None)]),
            session_view("e"),
        ];
        let shown = policies(&table, &sessions);
        let counts: Vec<_> =
            shown.iter().map(|view| (view.name.as_str(), view.protect, view.sessions, view.due, view.would_release, view.would_spare)).collect();
        assert_eq!(counts, [("production", true, 1, 0, 0, 0), ("trial", false, 3, 1, 1, 1), ("ci", false, 2, 1, 0, 0)]);
    }
}
