use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::tests::{at, release};
use super::super::{apply, schema};
use super::*;
use crate::domain::release::{Outcome, Release};
use crate::domain::time::SignedDuration;
use crate::domain::view::Overrun;

pub(super) fn books(releases: &[Release]) -> Connection {
    let mut books = Connection::open_in_memory().unwrap();
    schema::migrate(&mut books, schema::MIGRATIONS).unwrap();
    releases.iter().for_each(|row| assert!(apply::release(&books, row).unwrap()));
    books
}

fn report(books: &Connection, since: Timestamp, until: Timestamp, by: &By) -> rusqlite::Result<Report> {
    super::report(books, since, until, until, by)
}

#[test]
fn of_a_tag_with_values_without_end_those_that_saved_most_have_rows_and_the_total_has_all() {
    let releases: Vec<Release> = (0..=MOST_ROWS).map(|n| saved(&format!("s{n}"), n as i64 + 1, json!({ "run": n }))).collect();
    let books = books(&releases);
    let report = report(&books, at(0), at(100), &By::Metadata("run".to_owned())).unwrap();
    assert_eq!((report.rows.len(), report.rows_left_out, report.total.released), (MOST_ROWS, 1, MOST_ROWS as u64 + 1));
    assert!(!report.rows.iter().any(|row| row.key.as_deref() == Some("0")), "it saved least");
}

#[test]
fn a_release_at_a_provider_whose_clock_is_ahead_counts_at_once() {
    let ahead = Release { confirmed_at: Some(at(3_600)), ..saved("a", 10, json!({})) };
    let report = super::report(&books(&[ahead]), at(0), at(10), Timestamp::MAX, &By::Policy).unwrap();
    assert_eq!((report.total.released, report.until), (1, at(10)));
}

/// Everything there is to be had of the first ten seconds.
pub(super) fn whole(books: &Connection, leakers: &[&str], prices: &Prices) -> Report {
    let leakers = Some(leakers.iter().map(|tag| (*tag).to_owned()).collect());
    let wanted = Wanted { since: at(0), until: at(10), to_now: false, by: By::Policy, leakers, forecast: Some(prices.clone()) };
    super::whole(books, &wanted, &[], &mut |_| {}).unwrap().0
}

#[test]
fn reading_tells_how_far_it_has_come_of_every_row_that_it_will_read() {
    let releases: Vec<Release> = (0..ROWS_A_WORD).map(|n| saved(&format!("s{n}"), 1, json!({}))).collect();
    let books = books(&releases);
    let wanted = Wanted { since: at(0), until: at(10), to_now: true, by: By::Day, leakers: Some(Vec::new()), forecast: None };
    let mut heard = Vec::new();
    let (report, also) = super::whole(&books, &wanted, &[By::Account], &mut |read| heard.push(read)).unwrap();
    let of = ROWS_A_WORD * 3;
    assert_eq!(heard, [1, 2, 3].map(|pass| Read { rows: ROWS_A_WORD * pass, of }));
    assert_eq!((also[0].by.as_str(), also[0].total.released), ("account", ROWS_A_WORD));
    assert_eq!((report.forecast, report.leakers), (None, Some(Vec::new())));
}

fn keys(report: &Report) -> Vec<Option<&str>> {
    report.rows.iter().map(|row| row.key.as_deref()).collect()
}

pub(super) fn saved(id: &str, seconds: i64, metadata: Value) -> Release {
    Release { saved_runtime: Some(SignedDuration::from_secs(seconds)), metadata, ..release(id, Outcome::Confirmed) }
}

#[test]
fn rows_by_tag_follow_dotted_paths_and_most_saved_comes_first() {
    let releases = [
        saved("a", 10, json!({ "team": { "name": "ml" } })),
        saved("b", 30, json!({ "team.name": 7 })),
        saved("c", 20, json!({ "team": "flat" })),
        saved("d", 5, json!({ "team": { "name": "ml" } })),
        saved("e", 1, Value::Null),
    ];
    let report = report(&books(&releases), at(0), at(10), &By::Metadata("team.name".to_owned())).unwrap();
    assert_eq!(keys(&report), [Some("7"), None, Some("ml")]);
    assert_eq!(report.rows[1].released, 2);
    assert_eq!(report.total.saved_runtime_seconds, 66.0);
}

#[test]
fn days_come_in_their_order_and_the_end_of_the_period_is_outside() {
    let on = |id: &str, second, saved_seconds| Release { confirmed_at: Some(at(second)), ..saved(id, saved_seconds, json!({})) };
    let day = 86_400;
    let books = books(&[on("a", day, 1), on("b", 0, 2), on("c", 2 * day, 3), on("d", -1, 4)]);
    let report = report(&books, at(0), at(2 * day), &By::Day).unwrap();
    assert_eq!(keys(&report), [Some("2026-11-20"), Some("2026-11-21")]);
}

#[test]
fn currencies_are_not_added_up() {
    let euro = Release { currency: "EUR".to_owned(), policy: "eu".into(), ..release("b", Outcome::Confirmed) };
    let report = report(&books(&[release("a", Outcome::Confirmed), euro]), at(0), at(10), &By::Policy).unwrap();
    assert_eq!((report.total.saved_cost, report.total.currency), (None, None));
    assert!(report.rows.iter().all(|row| row.saved_cost == Some(0.1199) && row.currency.is_some()));
}

fn any_release() -> impl Strategy<Value = (u8, Outcome, i64, i64, i64, i64)> {
    let outcome = proptest::sample::select(Outcome::ALL);
    (0..4_u8, outcome, -5..15_i64, 0..5_000_i64, -50..90_000_i64, 0..40_i64)
}

proptest! {
    /// Against the books kept by hand: filter, group and add up, with nothing of the implementation's in it.
    #[test]
    fn the_report_is_what_adding_up_by_hand_gives(drawn in proptest::collection::vec(any_release(), 0..40)) {
        let releases: Vec<Release> = drawn.iter().enumerate().map(|(n, (policy, outcome, second, overrun, saved, cents))| Release {
            policy: format!("p{policy}").into(),
            confirmed_at: (*outcome == Outcome::Confirmed).then(|| at(*second)),
            requested_at: at(if *outcome == Outcome::Confirmed { -100 } else { *second }),
            overrun: SignedDuration::from_millis(*overrun),
            saved_runtime: Some(SignedDuration::from_millis(*saved)),
            saved_cost: Some(*cents as f64 / 100.0),
            ..release(&format!("s{n}"), *outcome)
        }).collect();
        let report = report(&books(&releases), at(0), at(10), &By::Policy).unwrap();
        for row in report.rows.iter().chain([&report.total]) {
            let mine: Vec<_> = drawn.iter()
                .filter(|(policy, _, second, ..)| (0..10).contains(second) && row.key.as_ref().is_none_or(|key| *key == format!("p{policy}")))
                .collect();
            let count = |wanted: &[Outcome]| mine.iter().filter(|drawn| wanted.contains(&drawn.1)).count() as u64;
            let confirmed: Vec<_> = mine.iter().filter(|drawn| drawn.1 == Outcome::Confirmed).collect();
            prop_assert_eq!(row.released, confirmed.len() as u64);
            prop_assert_eq!(row.already_ended, count(&[Outcome::AlreadyEnded]));
            prop_assert_eq!(row.failed, count(&[Outcome::Failed, Outcome::Denied]));
            prop_assert_eq!(row.stuck, count(&[Outcome::Stuck]));
            prop_assert_eq!(row.saved_runtime_seconds, confirmed.iter().map(|drawn| drawn.4).sum::<i64>() as f64 / 1_000.0);
            prop_assert_eq!(row.saved_cost, Some(confirmed.iter().map(|drawn| drawn.5).sum::<i64>() as f64 / 100.0));
            let at_most = |bound: f64| confirmed.iter().filter(|drawn| drawn.3 as f64 / 1_000.0 <= bound).count();
            if let Overrun { p50: Some(p50), p99: Some(p99), max: Some(max) } = row.overrun_seconds {
                prop_assert!(at_most(p50) * 2 >= confirmed.len() && at_most(p50 - 0.001) * 2 < confirmed.len());
                prop_assert!(at_most(p99) * 100 >= confirmed.len() * 99);
                prop_assert_eq!(at_most(max), confirmed.len());
            } else {
                prop_assert!(confirmed.is_empty());
            }
        }
        let expected: std::collections::BTreeSet<_> =
            drawn.iter().filter(|drawn| (0..10).contains(&drawn.2) && drawn.1 != Outcome::Requested).map(|drawn| format!("p{}", drawn.0)).collect();
        let found: std::collections::BTreeSet<_> = report.rows.iter().filter_map(|row| row.key.clone()).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(report.rows.is_sorted_by(|a, b| a.saved_runtime_seconds >= b.saved_runtime_seconds));
    }
}
