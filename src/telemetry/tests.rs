use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::log::{Shape, subscriber};
use super::standing::News;
use super::*;
use crate::domain::activity::Finding;
use crate::domain::event::{Census, Operation, PollOutcome, What};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::name::{Kind, Provider};
use crate::domain::release::{Outcome, Release, RequestOutcome};
use crate::domain::time::{SignedDuration, Timestamp};
use crate::domain::verdict::Limit;
use crate::domain::view::{BudgetView, Change};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("a page").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn told(shape: Shape, level: &str, events: impl IntoIterator<Item = What>) -> (String, Metrics) {
    let (page, metrics) = (Page::default(), Metrics::new("0", "0").expect("metrics"));
    let (writer, telemetry) = (page.clone(), Telemetry::new(metrics.clone()));
    let log = subscriber(shape, level, false, move || writer.clone()).expect("a level");
    tracing::subscriber::with_default(log, || {
        for what in events {
            telemetry.tell(&Event { account: "growth".into(), what });
        }
    });
    let written = page.0.lock().expect("a page").clone();
    (String::from_utf8(written).expect("text"), metrics)
}

fn release() -> Box<Release> {
    let at: Timestamp = "2026-11-20T12:00:00Z".parse().expect("an instant");
    Box::new(Release {
        account: "growth".into(),
        provider: Provider::Browserbase,
        id: "s-1".into(),
        kind: Kind::Session,
        parts: crate::domain::session::Parts::default(),
        life: None,
        region: None,
        policy: "ci".into(),
        limit: Limit::MaxAge,
        deadline: at,
        requested_at: at,
        asked_at: Some(at),
        accepted_at: Some(at),
        confirmed_at: Some(at),
        ended_at: Some(at),
        expires_at: None,
        outcome: Outcome::Confirmed,
        attempts: 1,
        overrun: SignedDuration::from_millis(3),
        saved_runtime: Some(SignedDuration::from_mins(90)),
        saved_cost: Some(0.18),
        currency: "USD".into(),
        reason: "older than 20m since 11:40:00".into(),
        fault: None,
        metadata: json!({ "password": "hunter2" }),
    })
}

fn polled(outcome: PollOutcome, fault: Option<FaultKind>) -> What {
    let fault = fault.map(|kind| Fault::new(kind, "no answer"));
    What::Polled { outcome, at: Timestamp::from_second(1_000).expect("an instant"), live: 2, rejected: 0, fault }
}

#[test]
fn a_fault_is_loud_once_and_its_end_is_told() {
    use PollOutcome::{Complete, Failed};
    let timed_out = || polled(Failed, Some(FaultKind::TimedOut));
    let events = [polled(Complete, None), timed_out(), timed_out(), polled(Failed, Some(FaultKind::Unavailable)), polled(Complete, None)];
    let (text, metrics) = told(Shape::Text, "debug", events);
    let levels: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(levels, ["INFO", "WARN", "DEBUG", "WARN", "INFO"], "{text}");
    assert_eq!(metrics.polls.with_label_values(&["growth", "failed"]).get(), 3);
    assert!((metrics.poll_last_complete.with_label_values(&["growth"]).get() - 1_000.0).abs() < 1e-9);
}

#[test]
fn a_part_of_the_listing_that_is_refused_is_loud_once_and_again_when_that_changes_or_ends() {
    use PollOutcome::{Complete, Partial};
    let refused = || {
        let fault = Fault { status: Some(403), ..Fault::new(FaultKind::Forbidden, "API key is missing required scope: browsers") };
        What::Polled { outcome: Partial, at: Timestamp::UNIX_EPOCH, live: 1, rejected: 0, fault: Some(fault) }
    };
    let events = [refused(), refused(), polled(Partial, Some(FaultKind::TimedOut)), refused(), polled(Complete, None)];
    let (text, _) = told(Shape::Text, "info", events);
    let levels: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(levels, ["WARN", "WARN", "WARN", "INFO"], "{text}");
    let first = text.lines().next().expect("a line");
    assert!(first.contains("refuses a part of the listing") && first.contains("403: API key is missing required scope: browsers"), "{first}");
}

#[test]
fn a_failed_poll_does_not_move_the_last_complete_listing() {
    let (_, metrics) = told(Shape::Text, "info", [polled(PollOutcome::Partial, Some(FaultKind::TimedOut))]);
    assert!(metrics.poll_last_complete.with_label_values(&["growth"]).get() < 1.0);
}

#[test]
fn a_release_counts_when_it_is_confirmed_and_not_before() {
    let labels = ["growth", "browserbase", "ci", "max_age"];
    let overrun = Some(SignedDuration::from_millis(3));
    let before = [
        What::Requesting { release: release() },
        What::Answered { release: release(), outcome: RequestOutcome::Accepted, overrun, fault: None },
        What::Stuck { release: release() },
        What::AlreadyEnded { release: release() },
        What::WouldRelease { id: "s-1".into(), policy: "ci".into(), limit: Limit::MaxAge, reason: "old".into() },
    ];
    let (_, metrics) = told(Shape::Text, "info", before.clone());
    assert_eq!(metrics.sessions_released.with_label_values(&labels).get(), 0);
    assert_eq!(metrics.would_release.with_label_values(&["growth", "ci", "max_age"]).get(), 1);
    assert_eq!(metrics.release_overrun.with_label_values(&["growth"]).get_sample_count(), 1);

    let confirmed = What::Confirmed { release: release(), took: SignedDuration::from_secs(2) };
    let (_, metrics) = told(Shape::Text, "info", before.into_iter().chain([confirmed]));
    assert_eq!(metrics.sessions_released.with_label_values(&labels).get(), 1);
    assert!((metrics.saved_runtime.with_label_values(&labels).get() - 5_400.0).abs() < 1e-9);
    assert!((metrics.saved_cost.with_label_values(&["growth", "browserbase", "ci", "max_age", "USD"]).get() - 0.18).abs() < 1e-9);
}

#[test]
fn savings_below_zero_move_no_counter() {
    let release = Box::new(Release { saved_runtime: Some(SignedDuration::from_secs(-5)), saved_cost: Some(-1.0), ..*release() });
    let (_, metrics) = told(Shape::Text, "info", [What::Confirmed { release, took: SignedDuration::ZERO }]);
    assert!(metrics.saved_runtime.with_label_values(&["growth", "browserbase", "ci", "max_age"]).get().abs() < 1e-9);
}

#[test]
fn a_sessions_metadata_is_in_no_log_line() {
    let took = SignedDuration::from_secs(2);
    for shape in [Shape::Text, Shape::Json] {
        let events = [
            What::Requesting { release: release() },
            What::Answered { release: release(), outcome: RequestOutcome::Failed, overrun: None, fault: None },
            What::Confirmed { release: release(), took },
            What::AlreadyEnded { release: release() },
            What::Stuck { release: release() },
            What::Failed { release: release() },
        ];
        let (text, _) = told(shape, "trace", events);
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn json_lines_carry_their_figures_as_fields() {
    let called = What::Called { operation: Operation::List, status: "200".into(), took: SignedDuration::from_millis(12) };
    let (text, _) = told(Shape::Json, "debug", [called]);
    let line: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!((&line["account"], &line["operation"], &line["status"]), (&json!("growth"), &json!("list"), &json!("200")), "{text}");
    assert_eq!(line["message"], "called the provider");
}

#[test]
fn books_that_take_a_write_again_are_writable_again() {
    let refused = || What::BooksRefused { id: "s-1".into(), why: "disk full".into() };
    assert_eq!(told(Shape::Text, "info", [refused()]).1.books_writable.get(), 0);
    assert_eq!(told(Shape::Text, "info", [refused(), What::Requesting { release: release() }]).1.books_writable.get(), 1);
}

#[test]
fn books_that_go_on_refusing_are_told_once_until_a_request_goes_out() {
    let refused = || What::BooksRefused { id: "s-1".into(), why: "disk full".into() };
    let (text, _) = told(Shape::Text, "info", [refused(), refused(), refused(), What::Requesting { release: release() }, refused()]);
    assert_eq!(text.matches("the ledger could not be written").count(), 2, "{text}");
}

#[test]
fn asking_about_activity_is_counted_and_shadow_policies_stand_apart() {
    let heard = |finding| What::Heard { id: "s-1".into(), finding };
    let shadow = What::ShadowWouldRelease { id: "s-2".into(), policy: "trial".into(), limit: Limit::Budget, reason: "the budget is spent".into() };
    let (text, metrics) = told(Shape::Text, "debug", [heard(Finding::Quiet), heard(Finding::Failed), heard(Finding::Quiet), shadow]);
    let levels: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(levels, ["DEBUG", "DEBUG", "DEBUG", "INFO"], "{text}");
    assert!(text.lines().last().is_some_and(|line| line.contains("shadow") && line.contains("policy=trial") && line.contains("s-2")), "{text}");
    assert_eq!(metrics.evidence.with_label_values(&["growth", "quiet"]).get(), 2);
    assert_eq!(metrics.shadow_would_release.with_label_values(&["growth", "trial", "budget"]).get(), 1);
    assert_eq!(metrics.would_release.with_label_values(&["growth", "trial", "budget"]).get(), 0);
}

#[test]
fn a_census_tells_what_shadow_policies_would_change_and_what_budgets_have_left() {
    let at = Timestamp::UNIX_EPOCH;
    let budget = BudgetView {
        account: "growth".into(),
        policy: "research".into(),
        shadow: false,
        per: Some("metadata.team".into()),
        group: Some("ml".into()),
        every: "week",
        from: at,
        until: at,
        allowed: SignedDuration::from_hours(50),
        spent: SignedDuration::from_hours(38),
        left: SignedDuration::from_hours(12),
        spent_at: None,
    };
    let shadows = BTreeMap::from([(("trial".into(), Change::WouldSpare), 2)]);
    let census = Census { shadows, budgets: vec![budget], ..Census::default() };
    let (_, metrics) = told(Shape::Text, "debug", [What::Census(Box::new(census))]);
    assert_eq!(metrics.shadow_changes.with_label_values(&["growth", "trial", "would_spare"]).get(), 2);
    assert!((metrics.budget_left.with_label_values(&["growth", "research", "ml"]).get() - 43_200.0).abs() < 1e-9);
}

#[test]
fn how_an_account_stood_is_forgotten_with_the_account() {
    let mut standings = Standings::default();
    let event = |account: &str| Event { account: account.into(), what: polled(PollOutcome::Failed, Some(FaultKind::TimedOut)) };
    let mut news = |account: &str| standings.take_in(&event(account));
    assert_eq!(["growth", "research", "growth", "research"].map(&mut news), [News::New, News::New, News::Same, News::Same]);
    standings.forget_all_but(|name| name.as_str() == "growth");
    assert_eq!(["growth", "research"].map(|account| standings.take_in(&event(account))), [News::Same, News::New]);
}
