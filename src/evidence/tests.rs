use serde_json::json;

use super::*;
use crate::domain::activity::Testimony;
use crate::domain::fixtures::{at, session};

fn row(proxy_bytes: Option<u64>, sign: Sign) -> Session {
    Session { proxy_bytes, sign, ..session("a", json!({})) }
}

fn sighted(rows: &[(i64, Option<u64>, Sign)]) -> Activity {
    let mut activity = Activity::default();
    for (second, bytes, sign) in rows {
        sight(&mut activity, &row(*bytes, *sign), None, at(second * 1_000));
    }
    activity
}

fn said(asked: Question, said: Said) -> Testimony {
    Testimony { asked, said }
}

/// Asked at second 100 and answered a second later, by a session of which this much was known.
fn told(activity: &mut Activity, testimonies: Vec<Testimony>) -> Finding {
    hear(activity, Evidence { testimonies, fault: None }, at(100_000), at(101_000))
}

fn failed() -> Said {
    Said::Failed { why: "503: no".to_owned() }
}

fn nothing() -> Said {
    Said::Nothing { why: "its log is empty".to_owned() }
}

#[test]
fn bytes_that_rise_are_activity_and_bytes_that_stay_or_fall_are_nothing() {
    let bytes = |counts: &[Option<u64>]| {
        let rows: Vec<_> = counts.iter().enumerate().map(|(second, count)| (second as i64, *count, Sign::Nothing)).collect();
        sighted(&rows).last_active
    };
    assert_eq!(bytes(&[Some(5), Some(6)]), Some(at(1_000)));
    assert_eq!(bytes(&[Some(5), Some(6), Some(6)]), Some(at(1_000)));
    assert_eq!(bytes(&[Some(5), None, Some(6)]), Some(at(2_000)), "a row without the count takes nothing back");
    for quiet in [vec![Some(5)], vec![Some(5), Some(5)], vec![Some(5), Some(4)], vec![None, Some(5)], vec![None, None]] {
        assert_eq!(bytes(&quiet), None, "{quiet:?}");
    }
    assert_eq!(bytes(&[Some(9), Some(4), Some(5)]), Some(at(2_000)), "a count that began anew rises again");
}

#[test]
fn what_a_session_sent_before_it_was_first_seen_is_activity_if_it_was_not_there_at_the_listing_before() {
    let first = |created: i64, before: Option<i64>, bytes: u64| {
        let (mut activity, row) = (Activity::default(), Session { created_at: at(created), ..row(Some(bytes), Sign::Nothing) });
        sight(&mut activity, &row, before.map(at), at(9_000));
        activity
    };
    assert_eq!(first(5_000, Some(5_000), 1).last_active, Some(at(9_000)));
    for (created, before, bytes) in [(5_000, Some(5_001), 1), (5_000, None, 1), (5_000, Some(5_000), 0)] {
        assert_eq!(first(created, before, bytes).last_active, None, "{created} {before:?} {bytes}");
    }
    let (mut known, row) = (first(5_000, None, 1), Session { created_at: at(5_000), ..row(None, Sign::Nothing) });
    known.proxy_bytes = None;
    sight(&mut known, &Session { proxy_bytes: Some(1), ..row }, Some(at(1_000)), at(10_000));
    assert_eq!(known.last_active, None, "a session that was seen before is not new");
}

#[test]
fn a_row_may_say_that_it_is_at_work_or_when_it_was() {
    assert_eq!(sighted(&[(7, None, Sign::Busy)]).last_active, Some(at(7_000)));
    assert_eq!(sighted(&[(7, None, Sign::At(at(3_000)))]).last_active, Some(at(3_000)));
    assert_eq!(sighted(&[(7, None, Sign::At(at(9_000)))]).last_active, Some(at(7_000)), "nothing was done after it was listed");
    assert_eq!(sighted(&[(7, None, Sign::Busy), (8, None, Sign::At(at(3_000)))]).last_active, Some(at(7_000)), "the last activity never goes back");
}

#[test]
fn sightings_are_counted_to_two_and_the_first_is_remembered() {
    let mut activity = Activity::default();
    assert!(sight(&mut activity, &row(None, Sign::Nothing), None, at(1_000)));
    assert_eq!((activity.first_seen, activity.sightings), (Some(at(1_000)), 1));
    assert!(sight(&mut activity, &row(None, Sign::Nothing), None, at(2_000)), "the second sighting is news");
    assert!(!sight(&mut activity, &row(None, Sign::Nothing), None, at(3_000)), "the third is not");
    assert_eq!((activity.first_seen, activity.sightings), (Some(at(1_000)), 2));
}

#[test]
fn what_was_answered_comes_to_one_finding() {
    use Question::{Logs, Messages, Pages, Status, Tasks};
    let last = || Said::Last { at: at(50_000) };
    let cut = || Said::AtLeast { at: at(50_000), why: "too long".to_owned() };
    let cases = [
        (vec![said(Logs, last())], Finding::Quiet, Some(at(50_000))),
        (vec![said(Tasks, Said::Busy)], Finding::Active, Some(at(101_000))),
        (vec![said(Status, failed()), said(Messages, last())], Finding::Failed, Some(at(50_000))),
        (vec![said(Logs, last()), said(Pages, failed())], Finding::Quiet, Some(at(50_000))),
        (vec![said(Logs, failed()), said(Pages, Said::Print { print: 1 })], Finding::Failed, None),
        (vec![said(Logs, cut())], Finding::Failed, Some(at(50_000))),
        (vec![said(Logs, nothing()), said(Pages, failed())], Finding::Nothing, None),
        (vec![], Finding::Nothing, None),
    ];
    for (testimonies, finding, last_active) in cases {
        let mut activity = Activity::default();
        assert_eq!(told(&mut activity, testimonies.clone()), finding, "{testimonies:?}");
        assert_eq!(activity.last_active, last_active, "{testimonies:?}");
        let heard = activity.heard.expect("heard");
        assert_eq!((heard.finding, heard.asked_at, heard.testimonies), (finding, at(100_000), testimonies));
    }
}

#[test]
fn pages_that_changed_are_activity_and_the_first_look_at_them_is_not() {
    let mut activity = Activity::default();
    let print = |print| vec![said(Question::Logs, nothing()), said(Question::Pages, Said::Print { print })];
    assert_eq!((told(&mut activity, print(1)), activity.last_active), (Finding::Nothing, None));
    assert_eq!((told(&mut activity, print(1)), activity.last_active), (Finding::Nothing, None));
    assert_eq!((told(&mut activity, print(2)), activity.last_active), (Finding::Active, Some(at(101_000))));
    assert_eq!(activity.pages, Some(2));
}

#[test]
fn an_entry_from_the_future_is_no_later_than_the_answer_that_has_it() {
    let mut activity = Activity::default();
    told(&mut activity, vec![said(Question::Logs, Said::Last { at: at(900_000) })]);
    assert_eq!(activity.last_active, Some(at(101_000)));
}

#[test]
fn askings_that_fail_are_counted_until_one_succeeds() {
    let mut activity = Activity::default();
    let failures: Vec<u32> = [failed(), failed(), nothing(), failed()]
        .into_iter()
        .map(|answer| {
            told(&mut activity, vec![said(Question::Logs, answer)]);
            activity.heard.as_ref().map_or(0, |heard| heard.failures)
        })
        .collect();
    assert_eq!(failures, [1, 2, 0, 1]);
}
