use super::*;
use crate::domain::view::Overrun;

fn schedule(at: &str, zone: &str) -> Schedule {
    Schedule { at: at.parse().expect("a time of day"), zone: TimeZone::get(zone).expect("a zone") }
}

fn instant(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

#[test]
fn the_next_hour_is_today_or_tomorrow_by_the_clock_of_the_zone() {
    for (now, next) in [
        ("2026-11-21T07:59:59Z", "2026-11-21T08:00:00Z"),
        ("2026-11-21T08:00:00Z", "2026-11-22T08:00:00Z"),
        ("2026-11-21T23:30:00Z", "2026-11-22T08:00:00Z"),
    ] {
        assert_eq!(schedule("09:00", "Europe/Berlin").next(instant(now)), Some(instant(next)), "{now}");
    }
}

#[test]
fn a_day_reaches_from_one_digest_to_the_next_also_when_clocks_change() {
    let zone = schedule("09:00", "Europe/Berlin");
    for (now, since, until) in [
        ("2026-11-21T08:00:00Z", "2026-11-20T08:00:00Z", "2026-11-21T08:00:00Z"),
        ("2026-11-21T07:59:00Z", "2026-11-19T08:00:00Z", "2026-11-20T08:00:00Z"),
        // 25 hours, then 23.
        ("2026-10-25T10:00:00Z", "2026-10-24T07:00:00Z", "2026-10-25T08:00:00Z"),
        ("2026-03-29T10:00:00Z", "2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"),
    ] {
        assert_eq!(zone.last(instant(now)), Some(Day { since: instant(since), until: instant(until) }), "{now}");
    }
    // A time of day that is not there comes when it would have been.
    let gone = schedule("02:30", "Europe/Berlin").next(instant("2026-03-29T00:00:00Z"));
    assert_eq!(gone, Some(instant("2026-03-29T01:30:00Z")));
}

#[test]
fn days_follow_each_other_without_a_gap_for_a_year() {
    let schedule = schedule("02:30", "America/New_York");
    let mut now = instant("2026-01-01T12:00:00Z");
    for _ in 0..366 {
        let next = schedule.next(now).expect("a next one");
        let (day, before) = (schedule.last(next).expect("a day"), schedule.last(later(next, -SignedDuration::from_secs(1))).expect("a day"));
        assert_eq!((day.until, day.since), (next, before.until));
        now = next;
    }
}

#[test]
fn a_digest_that_was_missed_is_made_up_for_and_one_that_was_told_is_not_told_again() {
    let schedule = schedule("09:00", "UTC");
    let (now, next) = (instant("2026-11-21T12:00:00Z"), instant("2026-11-22T09:00:00Z"));
    let until = |text: &str| -> Vec<Timestamp> { text.split_whitespace().map(instant).collect() };
    for (about, told, first) in [
        ("never told anything", "", next),
        ("told today", "2026-11-20T09:00:00Z 2026-11-21T09:00:00Z", next),
        ("told yesterday", "2026-11-20T09:00:00Z", now),
        ("told long ago", "2026-11-12T09:00:00Z", next),
    ] {
        assert_eq!(schedule.first(now, |day| until(told).contains(&day.until)), Some(first), "{about}");
    }
}

fn row(key: Option<&str>, released: u64) -> ReportRow {
    ReportRow {
        key: key.map(str::to_owned),
        released,
        already_ended: 1,
        failed: 2,
        stuck: 3,
        saved_runtime_seconds: 5_400.0,
        saved_cost: Some(0.18),
        currency: Some("USD".to_owned()),
        overrun_seconds: Overrun { p50: None, p99: None, max: None },
    }
}

fn report(keys: &[&str]) -> Report {
    let day = day();
    let rows = keys.iter().map(|key| row(Some(key), 4)).collect();
    Report { rows, total: row(None, 8), ..Report::empty(day.since, day.until, "account") }
}

fn day() -> Day {
    Day { since: instant("2026-11-20T09:00:00Z"), until: instant("2026-11-21T09:00:00Z") }
}

#[test]
fn a_digest_says_what_a_day_came_to_by_account_and_policy() {
    let notice = notice(&"ops".into(), day(), &report(&["growth", "research"]), &report(&["ci"]), day().until);
    assert_eq!((notice.words["released"].as_str(), notice.words["saved_runtime"].as_str()), ("8", "1h 30m"));
    assert_eq!(
        notice.words["accounts"],
        "account growth: 4 released, 1h 30m, 0.1800 USD saved, 3 stuck, 2 failed\naccount research: 4 released, 1h 30m, 0.1800 USD saved, 3 stuck, 2 failed"
    );
    assert!(notice.words["policies"].starts_with("policy ci: 4 released"));
    assert_eq!((&notice.data["total"]["released"], &notice.data["accounts"][1]["key"]), (&json!(8), &json!("research")));
    let places: Vec<&str> = notice.words.keys().map(String::as_str).collect();
    let mut known = Topic::Digest.places().to_vec();
    known.sort_unstable();
    assert_eq!(places, known);
    assert_eq!(notice.id, digest_id(&"ops".into(), day()));
    assert_ne!(notice.id, digest_id(&"others".into(), day()));
}

#[test]
fn of_many_rows_the_first_are_told_and_the_rest_counted() {
    let keys: Vec<String> = (0..14).map(|number| format!("a{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let shown = lines("account", &report(&keys));
    assert_eq!((shown.lines().count(), shown.lines().last()), (MOST_ROWS + 1, Some("and 4 more")));
}
