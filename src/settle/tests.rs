use serde_json::json;

use super::*;
use crate::domain::fixtures::{at, in_phase, release, session};

const TARIFF: Tariff = Tariff { price_per_hour: 0.12, refunded_by: SignedDuration::ZERO };

/// When the one request was sent.
const ASKED: i64 = 10_000;

fn ended(phase: Phase, millis: i64) -> Session {
    Session { ended_at: Some(at(millis)), ..in_phase(phase, session("a", json!({}))) }
}

fn asked() -> Release {
    release("a", at(ASKED))
}

fn accepted() -> Release {
    Release { accepted_at: Some(at(ASKED + 50)), ..asked() }
}

#[test]
fn what_has_not_ended_is_live_be_its_status_known_or_not() {
    for phase in [Phase::Running, Phase::Pending, Phase::Unknown] {
        let odd = Session { ended_at: Some(at(ASKED)), ..in_phase(phase, session("a", json!({}))) };
        assert_eq!(settle(&accepted(), true, &odd), Finding::Live, "{phase:?}");
    }
}

#[test]
fn an_end_without_an_instant_settles_nothing() {
    let session = in_phase(Phase::Completed, session("a", json!({})));
    assert_eq!(settle(&accepted(), true, &session), Finding::Unsettled);
}

#[test]
fn an_end_at_or_after_our_request_is_ours_and_one_a_millisecond_before_is_not() {
    for release in [asked(), accepted()] {
        let found = [-1, 0, 1].map(|millis| settle(&release, false, &ended(Phase::Completed, ASKED + millis)));
        let instants = [-1, 0, 1].map(|millis| at(ASKED + millis));
        assert_eq!(
            found,
            [Finding::NotOurs { ended_at: instants[0] }, Finding::Ours { ended_at: instants[1] }, Finding::Ours { ended_at: instants[2] }]
        );
    }
}

#[test]
fn an_end_in_whole_seconds_may_have_been_at_any_moment_of_that_second() {
    let asked = Release { asked_at: Some(at(ASKED + 999)), ..asked() };
    assert_eq!(settle(&asked, false, &ended(Phase::Completed, ASKED)), Finding::Ours { ended_at: at(ASKED) });
    assert_eq!(settle(&asked, false, &ended(Phase::Completed, ASKED + 1)), Finding::NotOurs { ended_at: at(ASKED + 1) });
    assert_eq!(settle(&asked, false, &ended(Phase::Completed, ASKED - 1_000)), Finding::NotOurs { ended_at: at(ASKED - 1_000) });
}

#[test]
fn what_was_paid_up_front_is_given_back_in_whole_minutes() {
    let tariff = Tariff { price_per_hour: 0.60, refunded_by: SignedDuration::from_mins(1) };
    // Of 60 minutes paid for 10 min 1 s ran: 11 are charged and 49 given back, a cent each.
    let saved = savings(Some(at(601_000)), Some(at(3_600_000)), tariff);
    assert_eq!(saved.runtime, Some(SignedDuration::from_secs(2_999)));
    assert!(saved.cost.is_some_and(|cost| (cost - 0.49).abs() < 1e-9), "{saved:?}");
    assert_eq!(savings(Some(at(3_540_001)), Some(at(3_600_000)), tariff).cost, Some(0.0), "the last minute has begun");
    assert_eq!(savings(Some(at(3_540_000)), Some(at(3_600_000)), tariff).cost, Some(0.01));
}

#[test]
fn instants_are_held_against_each_other_in_whole_milliseconds() {
    let release = Release { asked_at: Some(later(at(ASKED), SignedDuration::from_micros(900))), ..asked() };
    assert_eq!(settle(&release, false, &ended(Phase::Completed, ASKED)), Finding::Ours { ended_at: at(ASKED) });
}

#[test]
fn a_session_that_was_seen_running_after_our_request_ended_on_it_whatever_the_clocks_say() {
    assert_eq!(settle(&accepted(), true, &ended(Phase::Completed, ASKED - 5_000)), Finding::Ours { ended_at: at(ASKED - 5_000) });
    assert_eq!(settle(&accepted(), true, &ended(Phase::Errored, ASKED + 1)), Finding::Ours { ended_at: at(ASKED + 1) });
}

#[test]
fn a_session_that_ran_into_its_own_hard_end_was_not_ended_by_us() {
    let timed_out = ended(Phase::TimedOut, ASKED + 60_000);
    let ended_at = at(ASKED + 60_000);
    assert_eq!(settle(&accepted(), true, &timed_out), Finding::RanOut { ended_at });
    assert_eq!(settle(&accepted(), false, &timed_out), Finding::RanOut { ended_at }, "accepted in an earlier life of the process");
    assert_eq!(settle(&asked(), false, &timed_out), Finding::NotOurs { ended_at });
    let at_once = Release { accepted_at: Some(ended_at), ..accepted() };
    assert_eq!(settle(&at_once, false, &timed_out), Finding::NotOurs { ended_at }, "it did not outlive what was accepted as it ended");
    let before = ended(Phase::TimedOut, ASKED - 1);
    assert_eq!(settle(&accepted(), false, &before), Finding::NotOurs { ended_at: at(ASKED - 1) });
}

#[test]
fn while_every_request_was_turned_away_no_end_is_ours() {
    let release = Release { asked_at: None, ..asked() };
    assert_eq!(settle(&release, false, &ended(Phase::Completed, ASKED + 1)), Finding::NotOurs { ended_at: at(ASKED + 1) });
}

#[test]
fn a_request_that_nobody_answered_reaches_five_minutes() {
    let reach = UNANSWERED_REACH.as_millis() as i64;
    let (last, beyond) = (ended(Phase::Completed, ASKED + reach), ended(Phase::Completed, ASKED + reach + 1));
    assert_eq!(settle(&asked(), false, &last), Finding::Ours { ended_at: at(ASKED + reach) });
    assert_eq!(settle(&asked(), false, &beyond), Finding::NotOurs { ended_at: at(ASKED + reach + 1) });
    let twice = Release { attempts: 2, ..asked() };
    assert!(matches!(settle(&twice, false, &beyond), Finding::Ours { .. }));
    let long_after = ended(Phase::Completed, ASKED + 2 * reach + 1);
    assert!(matches!(settle(&twice, false, &long_after), Finding::NotOurs { .. }), "however often it was asked for");
    assert!(matches!(settle(&accepted(), false, &beyond), Finding::Ours { .. }));
}

#[test]
fn savings_are_the_hard_end_minus_the_end() {
    let saved = savings(Some(at(0)), Some(at(5_400_000)), TARIFF);
    assert_eq!((saved.runtime, saved.cost), (Some(SignedDuration::from_mins(90)), Some(0.18)));
    assert_eq!(savings(Some(at(1)), Some(at(0)), TARIFF).runtime, Some(SignedDuration::ZERO), "never below zero");
    for (end, hard_end) in [(None, Some(at(0))), (Some(at(0)), None)] {
        assert_eq!(savings(end, hard_end, TARIFF), Savings { runtime: None, cost: None });
    }
}

#[test]
fn only_a_confirmed_release_has_savings() {
    let session = ended(Phase::Completed, ASKED);
    let ended_at = at(ASKED);
    let cases = [
        (Finding::Ours { ended_at }, Outcome::Confirmed, true),
        (Finding::NotOurs { ended_at }, Outcome::AlreadyEnded, false),
        (Finding::RanOut { ended_at }, Outcome::Failed, false),
    ];
    for (finding, outcome, saves) in cases {
        let mut row = accepted();
        assert!(enter(&mut row, finding, &session, TARIFF, at(ASKED + 2_000)));
        assert_eq!((row.outcome, row.ended_at, row.confirmed_at), (outcome, Some(ended_at), Some(at(ASKED + 2_000))));
        assert_eq!((row.saved_runtime.is_some(), row.saved_cost.is_some()), (saves, saves), "{finding:?}");
        assert!(row.is_closed());
    }
}

#[test]
fn a_finding_that_settles_nothing_leaves_the_row_as_it_is() {
    for finding in [Finding::Live, Finding::Unsettled] {
        let mut row = accepted();
        assert!(!enter(&mut row, finding, &session("a", json!({})), TARIFF, at(ASKED)));
        assert_eq!(row, accepted());
    }
}

#[test]
fn the_last_word_on_the_hard_end_counts() {
    let mut row = accepted();
    let extended = Session { expires_at: Some(at(ASKED + 7_000)), ..ended(Phase::Completed, ASKED) };
    enter(&mut row, Finding::Ours { ended_at: at(ASKED) }, &extended, TARIFF, at(ASKED));
    assert_eq!(row.saved_runtime, Some(SignedDuration::from_secs(7)));
    let mut row = accepted();
    let silent = Session { expires_at: None, ..ended(Phase::Completed, ASKED) };
    enter(&mut row, Finding::Ours { ended_at: at(ASKED) }, &silent, TARIFF, at(ASKED));
    assert_eq!(row.expires_at, accepted().expires_at);
}
