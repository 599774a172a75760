//! What each budget has left, a line each.

use super::day_and_time;
use crate::domain::time::{SignedDuration, Timestamp, human};
use crate::domain::view::BudgetView;

/// `budget research on growth, metadata.team = ml: 12h 5m of 50h left this week; spent at 15:04:10 if all that run go on`.
pub(super) fn line(budget: &BudgetView, now: Timestamp) -> String {
    let shadow = if budget.shadow { "shadow " } else { "" };
    let group = among(budget).map(|among| format!(", {among}")).unwrap_or_default();
    format!("{shadow}budget {} on {}{group}: {}", budget.policy, budget.account, standing(budget, now))
}

/// With whom a session is counted; nothing where all count together.
fn among(budget: &BudgetView) -> Option<String> {
    let per = budget.per.as_ref()?;
    Some(match &budget.group {
        Some(value) => format!("{per} = {value}"),
        None => format!("sessions without {per}"),
    })
}

fn standing(budget: &BudgetView, now: Timestamp) -> String {
    let period = period(budget.every);
    let (left, allowed) = (hours(budget.left), hours(budget.allowed));
    if budget.left.is_positive() {
        let end = budget.spent_at.map(|at| format!("; spent at {} if all that run go on", day_and_time(at, now)));
        return format!("{left} of {allowed} left {period}{}", end.unwrap_or_default());
    }
    let since = budget.spent_at.map(|at| format!(" since {}", day_and_time(at, now))).unwrap_or_default();
    let anew = day_and_time(budget.until, now);
    format!("spent{since}: {} of {allowed} {period}, which ends at {anew}", hours(budget.spent))
}

fn period(every: &str) -> String {
    if every == "day" { "today".to_owned() } else { format!("this {every}") }
}

/// As budgets are written: hours, however many, and minutes.
fn hours(length: SignedDuration) -> String {
    let (hours, minutes) = (length.as_hours(), length.as_mins() % 60);
    match (hours, minutes) {
        (0, _) => human(length),
        (_, 0) => format!("{hours}h"),
        _ => format!("{hours}h {minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn budget(left: SignedDuration) -> BudgetView {
        let allowed = SignedDuration::from_hours(50);
        BudgetView {
            account: "growth".into(),
            policy: "research".into(),
            shadow: false,
            per: Some("metadata.team".to_owned()),
            group: Some("ml".to_owned()),
            every: "week",
            from: at("2026-11-16T00:00:00Z"),
            until: at("2026-11-23T00:00:00Z"),
            allowed,
            spent: allowed - left,
            left,
            spent_at: None,
        }
    }

    fn shown(budget: &BudgetView) -> String {
        line(budget, at("2026-11-20T12:00:00Z"))
    }

    #[test]
    fn what_is_left_of_a_budget_is_said_in_hours() {
        let lasting = budget(SignedDuration::from_mins(725));
        assert_eq!(shown(&lasting), "budget research on growth, metadata.team = ml: 12h 5m of 50h left this week");
        let running = BudgetView { spent_at: Some(at("2026-11-20T15:04:10Z")), every: "day", ..lasting };
        assert_eq!(
            shown(&running),
            "budget research on growth, metadata.team = ml: 12h 5m of 50h left today; spent at 15:04:10 if all that run go on"
        );
        let little = budget(SignedDuration::from_secs(90));
        assert_eq!(shown(&little), "budget research on growth, metadata.team = ml: 1m 30s of 50h left this week");
    }

    #[test]
    fn a_spent_budget_says_since_when_and_until_when() {
        let spent = BudgetView {
            spent: SignedDuration::from_hours(52),
            spent_at: Some(at("2026-11-20T11:00:00Z")),
            shadow: true,
            ..budget(SignedDuration::ZERO)
        };
        assert_eq!(
            shown(&spent),
            "shadow budget research on growth, metadata.team = ml: spent since 11:00:00: 52h of 50h this week, which ends at 2026-11-23 00:00"
        );
    }

    #[test]
    fn a_budget_names_whose_it_is() {
        let left = SignedDuration::from_hours(1);
        let without = BudgetView { group: None, ..budget(left) };
        assert_eq!(shown(&without), "budget research on growth, sessions without metadata.team: 1h of 50h left this week");
        let together = BudgetView { per: None, group: None, every: "month", ..budget(left) };
        assert_eq!(shown(&together), "budget research on growth: 1h of 50h left this month");
    }
}
