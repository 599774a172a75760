//! From which request on an end may be our doing.

use super::*;
use crate::engine::flight::Flight;

/// Asked for first at this second.
fn asked(second: i64) -> Flight {
    let mut flight = Flight::new(Release { asked_at: None, attempts: 0, ..crate::domain::fixtures::release("a", at(0)) });
    flight.is_asked(at(second * 1_000));
    flight
}

#[test]
fn a_request_of_five_minutes_ago_may_have_been_applied_and_one_of_longer_ago_has_not() {
    for (again, counts_from) in [(300, 10), (310, 10), (311, 311)] {
        let mut flight = asked(10);
        flight.is_asked(at(again * 1_000));
        assert_eq!(flight.row.asked_at, Some(at(counts_from * 1_000)), "asked again at {again}");
    }
}

#[test]
fn what_was_accepted_counts_however_long_ago() {
    let mut flight = asked(10);
    flight.row.accepted_at = Some(at(11_000));
    flight.is_asked(at(9_000_000));
    assert_eq!(flight.row.asked_at, Some(at(10_000)));
}

#[test]
fn a_request_that_was_not_applied_leaves_what_stood_before_it() {
    let mut flight = asked(10);
    flight.is_asked(at(9_000_000));
    flight.was_not_applied();
    assert_eq!(flight.row.asked_at, Some(at(10_000)));
    let mut first = asked(10);
    first.was_not_applied();
    assert_eq!(first.row.asked_at, None);
}

#[test]
fn what_an_earlier_request_did_is_in_doubt_until_somebody_looks() {
    let (now, looked) = (at(1_000_000), |flight: &mut Flight, ago: SignedDuration| flight.alive_at = Some(later(at(1_000_000), -ago)));
    let mut flight = asked(10);
    assert!(flight.is_in_doubt(now));
    looked(&mut flight, mins(2));
    assert!(!flight.is_in_doubt(now));
    looked(&mut flight, mins(2) + SignedDuration::from_millis(1));
    assert!(flight.is_in_doubt(now));
    flight.row.accepted_at = Some(now);
    assert!(!flight.is_in_doubt(now), "whatever ends it now, we asked for it");
    let mut refused = asked(10);
    refused.was_not_applied();
    assert!(!refused.is_in_doubt(now));
}
