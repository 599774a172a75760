use std::collections::{BTreeMap, BTreeSet};

use prometheus::proto::MetricType;

use super::*;
use crate::config::Credential;
use crate::domain::event::Census;
use crate::domain::name::Provider;
use crate::domain::time::{SignedDuration, Timestamp};
use crate::domain::verdict::VerdictWord;
use crate::domain::view::BudgetView;

/// The metrics as documented: name, type, labels.
const DOCUMENTED: &[(&str, MetricType, &[&str])] = &[
    ("process_cpu_seconds_total", MetricType::COUNTER, &[]),
    ("process_open_fds", MetricType::GAUGE, &[]),
    ("process_resident_memory_bytes", MetricType::GAUGE, &[]),
    ("process_start_time_seconds", MetricType::GAUGE, &[]),
    ("session_reaper_books_writable", MetricType::GAUGE, &[]),
    ("session_reaper_budget_left_seconds", MetricType::GAUGE, &["account", "group", "policy"]),
    ("session_reaper_build_info", MetricType::GAUGE, &["commit", "version"]),
    ("session_reaper_clock_skew_seconds", MetricType::GAUGE, &["account"]),
    ("session_reaper_config_last_reload_successful", MetricType::GAUGE, &[]),
    ("session_reaper_evidence_total", MetricType::COUNTER, &["account", "finding"]),
    ("session_reaper_guardrail_tripped", MetricType::GAUGE, &["account"]),
    ("session_reaper_healthy", MetricType::GAUGE, &[]),
    ("session_reaper_holds", MetricType::GAUGE, &["account", "hold"]),
    ("session_reaper_limit_last_due_timestamp_seconds", MetricType::GAUGE, &["account", "limit", "policy"]),
    ("session_reaper_listing_rows_rejected_total", MetricType::COUNTER, &["account"]),
    ("session_reaper_log_lines_lost_total", MetricType::COUNTER, &[]),
    ("session_reaper_policy_last_governed_timestamp_seconds", MetricType::GAUGE, &["account", "policy"]),
    ("session_reaper_poll_interval_seconds", MetricType::GAUGE, &["account"]),
    ("session_reaper_poll_last_complete_timestamp_seconds", MetricType::GAUGE, &["account"]),
    ("session_reaper_polls_total", MetricType::COUNTER, &["account", "outcome"]),
    ("session_reaper_price_per_hour", MetricType::GAUGE, &["account", "currency", "provider"]),
    ("session_reaper_provider_request_duration_seconds", MetricType::HISTOGRAM, &["account", "operation"]),
    ("session_reaper_provider_requests_total", MetricType::COUNTER, &["account", "operation", "status"]),
    ("session_reaper_release_confirmation_seconds", MetricType::HISTOGRAM, &["account"]),
    ("session_reaper_release_overrun_seconds", MetricType::HISTOGRAM, &["account"]),
    ("session_reaper_release_requests_total", MetricType::COUNTER, &["account", "outcome"]),
    ("session_reaper_release_stuck_oldest_timestamp_seconds", MetricType::GAUGE, &["account"]),
    ("session_reaper_releases_stuck", MetricType::GAUGE, &["account"]),
    ("session_reaper_saved_cost_total", MetricType::COUNTER, &["account", "currency", "limit", "policy", "provider"]),
    ("session_reaper_saved_runtime_seconds_total", MetricType::COUNTER, &["account", "limit", "policy", "provider"]),
    ("session_reaper_sessions", MetricType::GAUGE, &["account", "policy", "verdict"]),
    ("session_reaper_sessions_released_total", MetricType::COUNTER, &["account", "limit", "policy", "provider"]),
    ("session_reaper_shadow_changes", MetricType::GAUGE, &["account", "change", "policy"]),
    ("session_reaper_shadow_would_release_total", MetricType::COUNTER, &["account", "limit", "policy"]),
    ("session_reaper_tags_unreadable_total", MetricType::COUNTER, &["account", "policy"]),
    ("session_reaper_would_release_total", MetricType::COUNTER, &["account", "limit", "policy"]),
];

fn account(name: &str) -> AccountSettings {
    AccountSettings {
        name: name.into(),
        provider: Provider::Browserbase,
        credential: Credential::Env("KEY".into()),
        project_id: None,
        base_url: "https://example.test".into(),
        poll_interval: SignedDuration::from_secs(30),
        requests_per_second: 1.0,
        evidence_requests_per_minute: 60,
        request_timeout: SignedDuration::from_secs(10),
        price_per_hour: 0.12,
        currency: "USD".into(),
        refunded_by: SignedDuration::ZERO,
        api_version: None,
    }
}

fn policies(name: &str) -> BTreeMap<PolicyName, Vec<Limit>> {
    BTreeMap::from([(name.into(), vec![Limit::MaxAge])])
}

fn declared() -> Metrics {
    let metrics = Metrics::new("1.2.3", "abc").expect("declarations that agree");
    metrics.declare(&[account("growth")], &policies("ci"));
    metrics
}

#[test]
fn the_documented_metrics_are_those_that_are_shown() {
    let metrics = declared();
    // Which groups a budget has is only known from sessions.
    metrics.budgets(&"growth".into(), &[budget("ci", None, 60)]);
    let mut shown: Vec<(String, MetricType, BTreeSet<String>)> = metrics
        .gather()
        .iter()
        .map(|family| {
            let labels = family.get_metric()[0].get_label().iter().map(|pair| pair.name().to_owned()).collect();
            (family.name().to_owned(), family.get_field_type(), labels)
        })
        .collect();
    shown.sort_by(|a, b| a.0.cmp(&b.0));
    let documented: Vec<_> =
        DOCUMENTED.iter().map(|(name, kind, labels)| (name.to_string(), *kind, labels.iter().map(|label| label.to_string()).collect())).collect();
    assert_eq!(shown, documented);
}

#[test]
fn every_known_series_starts_at_zero() {
    let text = declared().render().expect("text");
    for line in [
        r#"session_reaper_sessions_released_total{account="growth",limit="max_age",policy="ci",provider="browserbase"} 0"#,
        r#"session_reaper_saved_cost_total{account="growth",currency="USD",limit="idle",policy="ci",provider="browserbase"} 0"#,
        r#"session_reaper_release_requests_total{account="growth",outcome="throttled"} 0"#,
        r#"session_reaper_holds{account="growth",hold="max_release_fraction"} 0"#,
        r#"session_reaper_sessions{account="growth",policy="",verdict="unmatched"} 0"#,
        r#"session_reaper_sessions{account="growth",policy="ci",verdict="due"} 0"#,
        r#"session_reaper_sessions_released_total{account="growth",limit="budget",policy="ci",provider="browserbase"} 0"#,
        r#"session_reaper_shadow_would_release_total{account="growth",limit="max_running",policy="ci"} 0"#,
        r#"session_reaper_shadow_changes{account="growth",change="would_spare",policy="ci"} 0"#,
        r#"session_reaper_evidence_total{account="growth",finding="quiet"} 0"#,
        r#"session_reaper_provider_requests_total{account="growth",operation="evidence",status="200"} 0"#,
        r#"session_reaper_provider_request_duration_seconds_count{account="growth",operation="evidence"} 0"#,
        r#"session_reaper_release_overrun_seconds_bucket{account="growth",le="0.001"} 0"#,
        r#"session_reaper_build_info{commit="abc",version="1.2.3"} 1"#,
        "# HELP session_reaper_sessions_released_total Sessions that the provider says ended on our request.",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is missing in\n{text}");
    }
}

#[test]
fn a_reload_drops_the_series_of_removed_accounts_and_keeps_what_was_counted() {
    let metrics = declared();
    metrics.polls.with_label_values(&["growth", "complete"]).inc();
    metrics.declare(&[account("growth"), account("research")], &policies("ci"));
    assert!(metrics.render().expect("text").contains("research"));
    metrics.declare(&[account("growth")], &policies("nightly"));
    let text = metrics.render().expect("text");
    assert!(!text.contains("research"), "{text}");
    assert!(text.contains(r#"session_reaper_polls_total{account="growth",outcome="complete"} 1"#), "{text}");
    assert!(text.contains(r#"policy="nightly""#), "{text}");
}

#[test]
fn a_reload_shows_the_new_interval_and_price_and_not_the_old_ones() {
    let metrics = declared();
    let lines = |name: &str| metrics.render().expect("text").lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect::<Vec<_>>();
    let (interval, price) = ("session_reaper_poll_interval_seconds", "session_reaper_price_per_hour");
    assert_eq!(lines(interval), [r#"session_reaper_poll_interval_seconds{account="growth"} 30"#]);
    assert_eq!(lines(price), [r#"session_reaper_price_per_hour{account="growth",currency="USD",provider="browserbase"} 0.12"#]);
    let changed = AccountSettings { poll_interval: SignedDuration::from_mins(1), price_per_hour: 0.1, currency: "EUR".into(), ..account("growth") };
    metrics.declare(&[changed], &policies("ci"));
    assert_eq!(lines(interval), [r#"session_reaper_poll_interval_seconds{account="growth"} 60"#]);
    assert_eq!(lines(price), [r#"session_reaper_price_per_hour{account="growth",currency="EUR",provider="browserbase"} 0.1"#]);
}

#[test]
fn policies_that_are_gone_are_shown_until_there_are_too_many_of_them() {
    let metrics = declared();
    let shown = || family::series(&metrics.would_release).map(|labels| family::value(&labels, "policy").to_owned()).collect::<BTreeSet<_>>().len();
    for n in 1..=MOST_GONE_POLICIES {
        metrics.declare(&[account("growth")], &policies(&format!("p{n}")));
    }
    assert_eq!(shown(), MOST_GONE_POLICIES + 1);
    metrics.declare(&[account("growth")], &policies("last"));
    assert_eq!(shown(), 1);
    assert!(metrics.render().expect("text").contains(r#"session_reaper_sessions{account="growth",policy="",verdict="unmatched"} 0"#));
}

#[test]
fn a_census_replaces_the_one_before_it() {
    let metrics = declared();
    let due = BTreeMap::from([((Some("ci".into()), VerdictWord::Due), 3)]);
    let stuck_since = Some(Timestamp::from_second(90).expect("an instant"));
    let first = Census { holds: BTreeMap::from([(Hold::Observe, 3)]), sessions: due, tripped: true, stuck: 2, stuck_since, ..Census::default() };
    metrics.census(&"growth".into(), &first);
    let account_wide = || {
        let gauges = [&metrics.releases_stuck, &metrics.guardrail_tripped].map(|gauge| gauge.with_label_values(&["growth"]).get());
        (gauges, metrics.release_stuck_oldest.with_label_values(&["growth"]).get())
    };
    assert_eq!(account_wide(), ([2, 1], 90.0));
    let kept = BTreeMap::from([((None, VerdictWord::Unmatched), 2)]);
    metrics.census(&"growth".into(), &Census { sessions: kept, ..Census::default() });
    assert_eq!(account_wide(), ([0, 0], 0.0));
    assert_eq!(metrics.sessions.with_label_values(&["growth", "ci", "due"]).get(), 0);
    assert_eq!(metrics.sessions.with_label_values(&["growth", "", "unmatched"]).get(), 2);
    assert_eq!(metrics.holds.with_label_values(&["growth", "observe"]).get(), 0);
}

#[test]
fn what_has_not_happened_for_long_is_shown_for_what_is_configured_and_for_nothing_else() {
    let metrics = declared();
    let lines = |name: &str| {
        let text = metrics.render().expect("text");
        text.lines().filter_map(|line| line.strip_prefix(&format!("session_reaper_{name}{{"))).map(str::to_owned).collect::<Vec<_>>()
    };
    let (governed, due) = ("policy_last_governed_timestamp_seconds", "limit_last_due_timestamp_seconds");
    assert_eq!(lines(governed), [r#"account="growth",policy="ci"} 0"#]);
    assert_eq!(lines(due), [r#"account="growth",limit="max_age",policy="ci"} 0"#], "a limit that the policy does not have is none");

    let at = |second| Timestamp::from_second(second).ok();
    let census = Census {
        governed: BTreeMap::from([("ci".into(), at(70)), ("trial".into(), None)]),
        fell_due: BTreeMap::from([(("ci".into(), Limit::MaxAge), at(60)), (("trial".into(), Limit::Idle), None)]),
        last_complete_at: at(80),
        ..Census::default()
    };
    metrics.census(&"growth".into(), &census);
    metrics.census(&"research".into(), &Census { governed: BTreeMap::from([("ci".into(), at(75))]), ..Census::default() });
    assert_eq!(lines(governed)[..2], [r#"account="growth",policy="ci"} 70"#, r#"account="growth",policy="trial"} 0"#]);
    assert_eq!(lines(due), [r#"account="growth",limit="idle",policy="trial"} 0"#, r#"account="growth",limit="max_age",policy="ci"} 60"#]);
    assert_eq!(lines("poll_last_complete_timestamp_seconds")[0], r#"account="growth"} 80"#);

    metrics.census(&"growth".into(), &Census { governed: BTreeMap::from([("trial".into(), None)]), ..Census::default() });
    assert_eq!(lines(governed), [r#"account="growth",policy="trial"} 0"#, r#"account="research",policy="ci"} 75"#], "another account's stays");
    assert_eq!(lines(due), [""; 0]);
}

#[test]
fn what_shadow_policies_would_change_is_that_of_the_last_census() {
    let metrics = declared();
    let gauge = |change: Change| metrics.shadow_changes.with_label_values(&["growth", "ci", change.as_str()]).get();
    metrics.shadows(&"growth".into(), &BTreeMap::from([(("ci".into(), Change::WouldRelease), 3)]));
    metrics.shadows(&"research".into(), &BTreeMap::new());
    assert_eq!((gauge(Change::WouldRelease), gauge(Change::WouldSpare)), (3, 0));
    metrics.shadows(&"growth".into(), &BTreeMap::from([(("ci".into(), Change::WouldSpare), 1)]));
    assert_eq!((gauge(Change::WouldRelease), gauge(Change::WouldSpare)), (0, 1));
}

fn budget(policy: &str, group: Option<&str>, left: i64) -> BudgetView {
    BudgetView {
        account: "growth".into(),
        policy: policy.into(),
        shadow: false,
        per: group.map(|_| "metadata.team".to_owned()),
        group: group.map(str::to_owned),
        every: "week",
        from: Timestamp::UNIX_EPOCH,
        until: Timestamp::UNIX_EPOCH,
        allowed: SignedDuration::from_hours(50),
        spent: SignedDuration::ZERO,
        left: SignedDuration::from_secs(left),
        spent_at: None,
    }
}

/// The group and the seconds left of each series of a policy, in the order of the text.
fn left(metrics: &Metrics, account: &str, policy: &str) -> Vec<(String, f64)> {
    let text = metrics.render().expect("text");
    let start = format!("session_reaper_budget_left_seconds{{account=\"{account}\",group=\"");
    let lines = text.lines().filter_map(|line| line.strip_prefix(&start)?.split_once(&format!("\",policy=\"{policy}\"}} ")));
    lines.map(|(group, value)| (group.to_owned(), value.parse().expect("a number"))).collect()
}

#[test]
fn a_budget_shows_what_is_left_of_it_and_groups_that_are_gone_vanish() {
    let metrics = declared();
    let (growth, research) = ("growth".into(), "research".into());
    metrics.budgets(&research, &[budget("ci", Some("other"), 9)]);
    metrics.budgets(&growth, &[budget("ci", Some("ml"), 60), budget("ci", None, 30), budget("nightly", None, 1)]);
    assert_eq!(left(&metrics, "growth", "ci"), [(String::new(), 30.0), ("ml".to_owned(), 60.0)]);
    metrics.budgets(&growth, &[budget("ci", Some("ml"), 50)]);
    assert_eq!(left(&metrics, "growth", "ci"), [("ml".to_owned(), 50.0)]);
    assert_eq!(left(&metrics, "growth", "nightly"), []);
    assert_eq!(left(&metrics, "research", "ci"), [("other".to_owned(), 9.0)], "another account's stay");
}

#[test]
fn of_many_groups_the_fifty_with_the_least_left_are_shown() {
    let metrics = declared();
    let groups = |first: i64| (0..200).map(|n| budget("ci", Some(&format!("g{n:03}")), (n - first).abs())).collect::<Vec<_>>();
    let shown = |first: i64| {
        let budgets: Vec<BudgetView> = groups(first).into_iter().chain([budget("other", None, 10_000)]).collect();
        metrics.budgets(&"growth".into(), &budgets);
        left(&metrics, "growth", "ci").into_iter().map(|(group, _)| group).collect::<Vec<_>>()
    };
    let range = |from: i64, to: i64| (from..to).map(|n| format!("g{n:03}")).collect::<Vec<_>>();
    assert_eq!(shown(0), range(0, 50));
    assert_eq!(shown(199), range(150, 200), "what falls out of the list is shown no more");
    assert_eq!(left(&metrics, "growth", "other").len(), 1, "each policy by itself");
}

#[test]
fn a_group_is_short_and_shows_no_key() {
    let metrics = declared();
    let long = "é".repeat(101);
    let also_long = format!("{}x", "é".repeat(100));
    let groups = [("bb_live_abcdef", 5), ("https://ann:pw@example.test/", 7), (long.as_str(), 9), (also_long.as_str(), 8)];
    metrics.budgets(&"growth".into(), &groups.map(|(group, seconds)| budget("ci", Some(group), seconds)));
    assert_eq!(left(&metrics, "growth", "ci"), [("[not shown]".to_owned(), 5.0), ("é".repeat(100), 8.0)]);
}

#[test]
fn only_codes_and_known_words_become_status_labels() {
    for known in ["200", "599", "timed_out"] {
        assert_eq!(status_label(known), known);
    }
    for unknown in ["", "99", "600", "+200", "0200", "connection refused by 10.0.0.1"] {
        assert_eq!(status_label(unknown), "other", "{unknown}");
    }
}
