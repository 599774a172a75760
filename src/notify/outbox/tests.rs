use serde_json::Value;

use super::*;
use crate::domain::fixtures::{at, mins, secs};

const NO_JITTER: f64 = 0.0;

fn notice(id: &str, found_at: Timestamp) -> Notice {
    Notice {
        id: id.to_owned(),
        topic: "released".to_owned(),
        at: found_at,
        data: Value::Null,
        words: std::collections::BTreeMap::new(),
        metadata: Value::Null,
    }
}

fn outbox() -> Outbox {
    with(Untold::default())
}

fn with(untold: Untold) -> Outbox {
    Outbox::new("ops".into(), secs(10), 3, untold, at(0))
}

fn refused() -> Answer {
    Answer::Refused { why: "it answered 500".to_owned(), retry_after: None }
}

fn after(seconds: i64) -> Timestamp {
    later(at(0), secs(seconds))
}

/// The ids of what leaves now.
fn leaving(outbox: &mut Outbox, now: Timestamp) -> Option<Vec<String>> {
    outbox.take(now).map(|batch| batch.notices.iter().map(|notice| notice.id.clone()).collect())
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn pushed(outbox: &mut Outbox, names: &[&str], now: Timestamp) {
    for name in names {
        assert_eq!(outbox.push(notice(name, now), now), Pushed::New);
    }
}

#[test]
fn what_happens_within_the_time_leaves_together_and_in_order() {
    let mut outbox = outbox();
    assert_eq!(outbox.next_at(), None);
    pushed(&mut outbox, &["a"], after(0));
    pushed(&mut outbox, &["b"], after(9));
    assert_eq!((outbox.next_at(), leaving(&mut outbox, after(9))), (Some(after(10)), None));
    assert_eq!(leaving(&mut outbox, after(10)), Some(ids(&["a", "b"])));
    assert_eq!((outbox.next_at(), outbox.queued()), (None, 2), "one request at a time");
}

#[test]
fn a_full_batch_waits_for_nothing() {
    let mut outbox = outbox();
    pushed(&mut outbox, &["a", "b", "c", "d"], after(1));
    assert_eq!(leaving(&mut outbox, after(1)), Some(ids(&["a", "b", "c"])));
    assert_eq!(outbox.answered(&Answer::Taken, after(2), NO_JITTER), Some(Settled::Taken(ids(&["a", "b", "c"]))));
    assert_eq!((outbox.next_at(), outbox.queued()), (Some(after(11)), 1));
}

#[test]
fn a_batch_stays_as_it_is_until_it_is_taken_and_the_waits_double() {
    let mut outbox = outbox();
    pushed(&mut outbox, &["a"], after(0));
    let first = outbox.take(after(10)).cloned().expect("due");
    let mut now = after(10);
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        assert_eq!(outbox.answered(&refused(), now, NO_JITTER), Some(Settled::Again(1)));
        pushed(&mut outbox, &[&format!("after {wait} at {now}")], now);
        assert_eq!(outbox.next_at(), Some(later(now, secs(wait))));
        now = later(now, secs(wait));
        assert_eq!(outbox.take(now), Some(&first));
    }
    assert_eq!(outbox.answered(&Answer::Taken, now, NO_JITTER), Some(Settled::Taken(ids(&["a"]))));
    assert_eq!(outbox.next_at().map(|at| at <= now), Some(true), "what waited meanwhile leaves at once");
    assert_eq!(outbox.take(now).map(|batch| batch.notices.len()), Some(3));
    outbox.answered(&refused(), now, NO_JITTER);
    assert_eq!(outbox.next_at(), Some(later(now, secs(1))), "it waits from the beginning again");
}

#[test]
fn jitter_shortens_a_wait_by_a_quarter_at_most() {
    for (jitter, millis) in [(0.0, 1_000), (0.5, 875), (1.0, 750), (7.0, 750)] {
        let mut outbox = outbox();
        pushed(&mut outbox, &["a"], after(0));
        outbox.take(after(10));
        outbox.answered(&refused(), after(10), jitter);
        assert_eq!(outbox.next_at(), Some(later(after(10), SignedDuration::from_millis(millis))), "{jitter}");
    }
}

#[test]
fn a_receiver_that_asks_to_be_left_alone_is_but_not_for_days() {
    for (asked, waited) in [(secs(30), secs(30)), (SignedDuration::ZERO, secs(1)), (SignedDuration::from_hours(20), mins(60))] {
        let mut outbox = outbox();
        pushed(&mut outbox, &["a"], after(0));
        outbox.take(after(10));
        outbox.answered(&Answer::Refused { why: "it answered 429".to_owned(), retry_after: Some(asked) }, after(10), NO_JITTER);
        assert_eq!(outbox.next_at(), Some(later(after(10), waited)));
    }
}

#[test]
fn what_is_a_day_old_is_given_up_after_one_more_try_and_nothing_before_that() {
    let mut outbox = outbox();
    pushed(&mut outbox, &["a"], after(0));
    let almost = later(at(0), GIVE_UP_AFTER - SignedDuration::from_millis(1));
    outbox.take(almost);
    assert_eq!(outbox.answered(&refused(), almost, NO_JITTER), Some(Settled::Again(1)));
    let late = later(almost, secs(1));
    pushed(&mut outbox, &["b"], almost);
    outbox.take(late);
    assert_eq!(outbox.answered(&refused(), late, NO_JITTER), Some(Settled::GivenUp(ids(&["a"]))));
    assert_eq!((outbox.queued(), outbox.next_at()), (1, Some(later(almost, secs(10)))), "what came later is tried still");
    let mut outbox = with(Untold { notices: vec![notice("a", at(0)), notice("b", late)], told: Vec::new() });
    outbox.most_in_batch = 1;
    let week = later(at(0), SignedDuration::from_hours(24 * 7));
    outbox.failures = 8;
    assert_eq!(leaving(&mut outbox, week), Some(ids(&["a"])));
    assert_eq!(outbox.answered(&refused(), week, NO_JITTER), Some(Settled::GivenUp(ids(&["a"]))));
    assert_eq!(outbox.next_at(), Some(later(week, secs(256))), "and no sooner than the receiver is asked again");
}

#[test]
fn past_the_bound_the_oldest_is_given_up() {
    let mut outbox = outbox();
    for number in 0..MOST_WAITING {
        assert_eq!(outbox.push(notice(&number.to_string(), at(0)), at(0)), Pushed::New);
    }
    assert_eq!(outbox.push(notice("one more", at(0)), at(0)), Pushed::InPlaceOf("0".to_owned()));
    assert_eq!(outbox.queued(), MOST_WAITING);
}

#[test]
fn the_same_fact_is_told_once_also_by_another_life_of_the_process() {
    let mut outbox = with(Untold { notices: vec![notice("waits", at(0))], told: ids(&["told"]) });
    for id in ["waits", "told"] {
        assert_eq!(outbox.push(notice(id, after(1)), after(1)), Pushed::Known, "{id}");
    }
    let batch = outbox.take(after(10)).cloned().expect("what waited");
    let mut other = with(Untold { notices: vec![notice("waits", at(0))], told: Vec::new() });
    assert_eq!(other.take(after(10)), Some(&batch), "the same batch has the same id in every life");
    let mut elsewhere = Outbox::new("others".into(), secs(10), 3, Untold { notices: batch.notices.clone(), told: Vec::new() }, at(0));
    assert_ne!(elsewhere.take(after(10)).map(|other| other.id.clone()), Some(batch.id));
}

#[test]
fn what_is_known_has_an_end_and_the_latest_stay() {
    let told: Vec<String> = (0..MOST_KNOWN + 5).map(|number| number.to_string()).collect();
    // The books give the latest first.
    let outbox = with(Untold { notices: Vec::new(), told });
    assert!(outbox.knows("0") && !outbox.knows(&MOST_KNOWN.to_string()));
    assert_eq!((outbox.known.len(), outbox.known_in_order.len()), (MOST_KNOWN, MOST_KNOWN));
}

#[test]
fn at_the_end_everything_leaves_at_once_and_a_refusal_ends_it() {
    let mut outbox = outbox();
    pushed(&mut outbox, &["a", "b"], after(0));
    assert!(!outbox.is_over());
    outbox.end();
    assert_eq!(leaving(&mut outbox, after(0)), Some(ids(&["a", "b"])));
    assert!(!outbox.is_over(), "it is under way");
    outbox.answered(&refused(), after(1), NO_JITTER);
    assert!(outbox.is_over());
}

#[test]
fn at_the_end_one_that_was_to_be_tried_later_is_tried_once_more() {
    let mut outbox = outbox();
    pushed(&mut outbox, &["a"], after(0));
    outbox.take(after(10));
    outbox.answered(&refused(), after(10), NO_JITTER);
    outbox.end();
    assert_eq!(leaving(&mut outbox, after(10)), Some(ids(&["a"])));
    outbox.answered(&Answer::Taken, after(10), NO_JITTER);
    assert!(outbox.is_over());
}

#[test]
fn a_new_address_is_tried_at_once() {
    let mut outbox = outbox();
    pushed(&mut outbox, &["a"], after(0));
    outbox.take(after(10));
    outbox.answered(&refused(), after(10), NO_JITTER);
    outbox.reconfigure(secs(60), 3);
    assert_eq!(leaving(&mut outbox, after(10)), Some(ids(&["a"])));
}
