use jiff::civil::time;
use proptest::prelude::*;

use super::*;

/// By day in `Mon-Sun`, from and to as `HH:MM`, `24:00` too.
fn window(days: &[&str], from: &str, to: &str, zone: &str) -> Window {
    Window {
        days: DAYS.map(|day| days.contains(&day)),
        from: from.parse().expect("a time"),
        to: (to != "24:00").then(|| to.parse().expect("a time")),
        time_zone: TimeZone::get(zone).expect("a zone"),
    }
}

const WORKDAYS: [&str; 5] = ["Mon", "Tue", "Wed", "Thu", "Fri"];

fn instant(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// The next changes, each with what it is then.
fn changes(window: &Window, after: &str, count: usize) -> Vec<String> {
    let mut at = instant(after);
    let mut found = Vec::new();
    for _ in 0..count {
        let Some(next) = window.next_change(at) else { break };
        found.push(format!("{next} {}", if window.is_open(next) { "opens" } else { "closes" }));
        at = next;
    }
    found
}

#[test]
fn it_is_open_from_its_first_instant_up_to_its_last_and_no_longer() {
    let noon = window(&DAYS, "12:00", "13:00", "UTC");
    let open = ["11:59:59.999999999", "12:00:00", "12:59:59.999999999", "13:00:00"].map(|time| noon.is_open(instant(&format!("2026-11-20T{time}Z"))));
    assert_eq!(open, [false, true, true, false]);
}

#[test]
fn across_midnight_the_hours_after_it_belong_to_the_day_before() {
    let nights = window(&WORKDAYS, "20:00", "06:00", "UTC");
    // 2026-11-20 is a Friday.
    let open = ["20T05:00", "20T12:00", "20T21:00", "21T05:00", "21T21:00", "22T05:00", "23T05:00", "23T21:00"]
        .map(|at| nights.is_open(instant(&format!("2026-11-{at}:00Z"))));
    assert_eq!(open, [true, false, true, true, false, false, false, true]);
}

#[test]
fn a_weekend_is_one_stretch_from_its_first_midnight_to_its_last() {
    let weekend = window(&["Sat", "Sun"], "00:00", "24:00", "Europe/London");
    let expected = ["2026-11-21T00:00:00Z opens", "2026-11-23T00:00:00Z closes", "2026-11-28T00:00:00Z opens"];
    assert_eq!(changes(&weekend, "2026-11-18T12:00:00Z", 3), expected);
}

#[test]
fn nights_that_touch_are_one_stretch_and_until_midnight_ends_at_midnight() {
    let evening = window(&["Fri"], "20:00", "24:00", "UTC");
    assert_eq!(changes(&evening, "2026-11-20T00:00:00Z", 2), ["2026-11-20T20:00:00Z opens", "2026-11-21T00:00:00Z closes"]);
    let whole = window(&["Fri", "Sat"], "06:00", "06:00", "UTC");
    assert_eq!(changes(&whole, "2026-11-20T00:00:00Z", 2), ["2026-11-20T06:00:00Z opens", "2026-11-22T06:00:00Z closes"]);
}

#[test]
fn what_is_open_at_all_times_never_changes() {
    for (from, to) in [("00:00", "24:00"), ("00:00", "00:00"), ("06:00", "06:00")] {
        let always = window(&DAYS, from, to, "Europe/London");
        assert!(always.is_always());
        assert_eq!(always.next_change(instant("2026-10-20T00:00:00Z")), None);
    }
    for other in [window(&DAYS, "00:00", "23:59", "UTC"), window(&WORKDAYS, "00:00", "24:00", "UTC"), window(&DAYS, "06:00", "24:00", "UTC")] {
        assert!(!other.is_always() && other.next_change(instant("2026-10-20T00:00:00Z")).is_some());
    }
}

#[test]
fn a_clock_that_is_set_forward_makes_the_night_an_hour_shorter() {
    let nights = window(&DAYS, "20:00", "06:00", "Europe/London");
    let expected = ["2027-03-27T20:00:00Z opens", "2027-03-28T05:00:00Z closes", "2027-03-28T19:00:00Z opens"];
    assert_eq!(changes(&nights, "2027-03-27T12:00:00Z", 3), expected);
}

#[test]
fn a_clock_that_is_set_back_makes_the_night_an_hour_longer() {
    let nights = window(&DAYS, "20:00", "06:00", "Europe/London");
    let expected = ["2026-10-24T19:00:00Z opens", "2026-10-25T06:00:00Z closes", "2026-10-25T20:00:00Z opens"];
    assert_eq!(changes(&nights, "2026-10-24T12:00:00Z", 3), expected);
}

#[test]
fn what_the_clock_skips_opens_at_the_jump_or_not_at_all() {
    let from_within = window(&["Sun"], "01:30", "03:00", "Europe/London");
    assert_eq!(changes(&from_within, "2027-03-27T12:00:00Z", 2), ["2027-03-28T01:00:00Z opens", "2027-03-28T02:00:00Z closes"]);
    let to_within = window(&["Sun"], "00:30", "01:30", "Europe/London");
    assert_eq!(changes(&to_within, "2027-03-27T12:00:00Z", 2), ["2027-03-28T00:30:00Z opens", "2027-03-28T01:00:00Z closes"]);
    let swallowed = window(&["Sun"], "01:15", "01:45", "Europe/London");
    assert_eq!(changes(&swallowed, "2027-03-21T12:00:00Z", 1), ["2027-04-04T00:15:00Z opens"], "two weeks on");
}

#[test]
fn what_the_clock_shows_twice_is_open_twice() {
    let within = window(&["Sun"], "01:15", "01:45", "Europe/London");
    let expected = ["2026-10-25T00:15:00Z opens", "2026-10-25T00:45:00Z closes", "2026-10-25T01:15:00Z opens", "2026-10-25T01:45:00Z closes"];
    assert_eq!(changes(&within, "2026-10-24T12:00:00Z", 4), expected);
    let begun_within = window(&["Sun"], "01:30", "03:00", "Europe/London");
    let expected = ["2026-10-25T00:30:00Z opens", "2026-10-25T01:00:00Z closes", "2026-10-25T01:30:00Z opens", "2026-10-25T03:00:00Z closes"];
    assert_eq!(changes(&begun_within, "2026-10-24T12:00:00Z", 4), expected);
}

#[test]
fn a_day_that_is_shown_again_after_midnight_is_open_again() {
    // At one minute past midnight on 2010-11-07 the clock of St. John's went back to 23:01 on Saturday.
    let saturdays = window(&["Sat"], "00:00", "24:00", "America/St_Johns");
    let expected = ["2010-11-07T02:30:00Z closes", "2010-11-07T02:31:00Z opens", "2010-11-07T03:30:00Z closes"];
    assert_eq!(changes(&saturdays, "2010-11-06T12:00:00Z", 3), expected);
    let late = window(&["Sat"], "23:15", "23:30", "America/St_Johns");
    assert_eq!(changes(&late, "2010-11-07T02:30:30Z", 1), ["2010-11-07T02:45:00Z opens"], "asked in the minute that was Sunday");
}

#[test]
fn the_last_change_is_found_however_many_days_ago_it_was() {
    let mondays = window(&["Mon"], "08:00", "10:00", "UTC");
    for until in ["2026-11-16T10:00:00Z", "2026-11-18T09:00:00Z", "2026-11-22T12:00:00Z", "2026-11-23T07:59:59Z"] {
        assert_eq!(mondays.last_change(instant(until)), Some(instant("2026-11-16T10:00:00Z")), "up to {until}");
    }
}

#[test]
fn it_reads_as_people_write_it() {
    let shown = |days: &[&str], from: &str, to: &str| window(days, from, to, "Europe/London").to_string();
    assert_eq!(shown(&WORKDAYS, "20:00", "06:00"), "Mon-Fri 20:00 to 06:00 Europe/London");
    assert_eq!(shown(&["Sat", "Sun"], "00:00", "24:00"), "Sat,Sun 00:00 to 24:00 Europe/London");
    assert_eq!(shown(&["Fri", "Sat", "Sun", "Mon"], "08:05", "09:00"), "Fri-Mon 08:05 to 09:00 Europe/London");
    assert_eq!(shown(&["Mon", "Wed", "Thu"], "08:00", "09:00"), "Mon,Wed,Thu 08:00 to 09:00 Europe/London");
    assert_eq!(shown(&["Sun", "Mon"], "08:00", "09:00"), "Sun,Mon 08:00 to 09:00 Europe/London");
    assert_eq!(window(&DAYS, "08:00", "09:00", "UTC").to_string(), "Mon-Sun 08:00 to 09:00 UTC");
    assert_eq!(window(&DAYS, "08:00", "09:00", "Asia/Kathmandu").shown_at(instant("2026-11-21T07:20:00Z")), "Sat 13:05");
}

#[test]
fn the_ends_of_time_have_no_change_and_no_panic() {
    let nights = window(&WORKDAYS, "20:00", "06:00", "Europe/London");
    assert_eq!(nights.next_change(Timestamp::MAX), None);
    _ = nights.next_change(Timestamp::MIN);
    _ = nights.is_open(Timestamp::MIN);
}

/// Zones with a noon from which the days after hold a change of the clock; the last ones have it at midnight.
const CHANGES: [(&str, &str); 14] = [
    ("Europe/London", "2026-10-20T12:00:00Z"),
    ("Europe/London", "2027-03-24T12:00:00Z"),
    ("America/New_York", "2026-10-29T12:00:00Z"),
    ("America/New_York", "2027-03-10T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-01T12:00:00Z"),
    ("Australia/Lord_Howe", "2027-04-01T12:00:00Z"),
    ("Asia/Kathmandu", "2026-10-20T12:00:00Z"),
    ("UTC", "2026-10-20T12:00:00Z"),
    ("Atlantic/Azores", "2026-10-21T12:00:00Z"),
    ("Atlantic/Azores", "2027-03-24T12:00:00Z"),
    ("America/Asuncion", "2023-03-22T12:00:00Z"),
    ("America/Asuncion", "2022-09-28T12:00:00Z"),
    ("America/Havana", "2026-10-29T12:00:00Z"),
    ("America/St_Johns", "2010-11-04T12:00:00Z"),
];

/// Mostly near where clocks are changed.
fn any_time() -> impl Strategy<Value = Time> {
    let near = prop_oneof![0..4 * 60_i8 as i16, 22 * 60..24 * 60_i16];
    prop_oneof![3 => near, 1 => 0..24 * 60_i16].prop_map(|minute| time((minute / 60) as i8, (minute % 60) as i8, 0, 0))
}

fn any_window(zone: &'static str) -> impl Strategy<Value = Window> {
    let days = any::<[bool; 7]>().prop_filter("at least one day", |days| days.contains(&true));
    (days, any_time(), prop::option::weighted(0.8, any_time())).prop_map(move |(days, from, to)| Window {
        days,
        from,
        to,
        time_zone: TimeZone::get(zone).expect("a zone"),
    })
}

fn any_case() -> impl Strategy<Value = (Window, Timestamp)> {
    prop::sample::select(CHANGES.to_vec()).prop_flat_map(|(zone, near)| (any_window(zone), Just(instant(near))))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_next_change_is_the_first_that_a_look_at_every_minute_finds((window, near) in any_case(), minute in 0..14 * 24 * 60_i64) {
        let minutes = |count| SignedDuration::from_mins(count);
        let after = later(near, minutes(minute - 3 * 24 * 60));
        let first = (1..=16 * 24 * 60).map(|count| later(after, minutes(count))).find(|at| window.is_open(*at) != window.is_open(after));
        prop_assert_eq!(window.next_change(after), first, "{} after {}", window, after);
    }

    #[test]
    fn between_changes_nothing_changes_and_at_one_it_does_to_the_instant((window, near) in any_case(), nanos in 0..14 * 86_400_000_000_000_i64) {
        let after = later(near, SignedDuration::from_nanos(nanos));
        if let Some(next) = window.next_change(after) {
            prop_assert!(next > after);
            prop_assert_ne!(window.is_open(later(next, JUST_BEFORE)), window.is_open(next));
            prop_assert_eq!(window.is_open(later(next, JUST_BEFORE)), window.is_open(after));
            prop_assert_eq!(window.next_change(later(next, JUST_BEFORE)), Some(next));
        }
    }

    #[test]
    fn the_last_change_is_the_one_that_was_next((window, near) in any_case(), nanos in 0..14 * 86_400_000_000_000_i64) {
        let until = later(near, SignedDuration::from_nanos(nanos));
        if let Some(last) = window.last_change(until) {
            prop_assert!(last <= until);
            prop_assert_eq!(window.next_change(later(last, JUST_BEFORE)), Some(last));
            prop_assert!(window.next_change(last).is_none_or(|next| next > until), "{} is the last up to {}", last, until);
        }
        if let Some(next) = window.next_change(until) {
            prop_assert_eq!(window.last_change(next), Some(next));
        }
    }
}
