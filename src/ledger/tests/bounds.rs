//! What the books keep waiting and remember has an end, and a hand that is kept from writing is found.

use std::sync::mpsc;

use rusqlite::Connection;

use super::*;
use crate::domain::name::PolicyName;

/// Turned by hand, and in a file.
fn by_hand(folder: &tempfile::TempDir) -> (Ledger, Scribe) {
    let path = StorePath::File(folder.path().join("books.db"));
    Ledger::open_with_scribe(&path, OpenOptions { retention: SignedDuration::ZERO, now: at(0) }).unwrap()
}

fn seen(count: usize) -> Record {
    Record::Seen((0..count).map(|n| sighting(&format!("s{n}"), at(1))).collect())
}

fn row(outcome: Outcome, attempts: u32) -> Record {
    Record::Release(Box::new(Release { attempts, ..release("s1", outcome) }))
}

#[test]
fn sightings_beyond_those_that_may_wait_are_dropped_and_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _scribe) = by_hand(&folder);
    (0..5).for_each(|_| ledger.record(seen(desk::QUEUE_SIGHTINGS / 4)));
    assert_eq!(ledger.inner.desk.waiting(), (4, desk::QUEUE_SIGHTINGS));
    let why = ledger.health().borrow().clone().unwrap_err();
    assert!(why.contains("newer observations are dropped"), "{why}");
    ledger.record(row(Outcome::Stuck, 1));
    assert_eq!(ledger.inner.desk.waiting().0, 5, "a release is not dropped");
}

#[test]
fn of_a_release_that_waits_for_the_disk_the_latest_row_is_kept_and_its_end_whatever_comes_after() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, mut scribe) = by_hand(&folder);
    scribe.refuse_writes(true).unwrap();
    (0..desk::QUEUE_RECORDS).for_each(|_| ledger.record(seen(1)));
    (1..=1_000).for_each(|attempts| ledger.record(row(Outcome::Stuck, attempts)));
    scribe.turn(at(2));
    assert_eq!(ledger.inner.desk.waiting().0, desk::QUEUE_RECORDS + 1);
    ledger.record(row(Outcome::Confirmed, 1_001));
    ledger.record(row(Outcome::Stuck, 1_002));
    scribe.turn(at(2));
    scribe.refuse_writes(false).unwrap();
    (0..=desk::QUEUE_RECORDS / 1_000 + 1).for_each(|_| scribe.turn(at(3)));
    let kept = ledger.reader().release(&"s1".into()).unwrap();
    assert_eq!((kept[0].outcome, kept[0].attempts), (Outcome::Confirmed, 1_001));
}

#[test]
fn while_a_write_does_not_return_each_release_waits_with_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _scribe) = by_hand(&folder);
    (0..desk::QUEUE_RECORDS).for_each(|_| ledger.record(seen(1)));
    (1..=100).for_each(|attempts| ledger.record(row(Outcome::Stuck, attempts)));
    assert_eq!(ledger.inner.desk.waiting(), (desk::QUEUE_RECORDS + 1, desk::QUEUE_RECORDS));
}

#[test]
fn a_write_that_does_not_return_is_one_that_the_scribe_is_busy_with_and_a_rest_is_none() {
    block_on(async {
        let ledger = in_memory();
        flushed(&ledger).await;
        let (hung, hangs) = mpsc::channel();
        let (resume, resumed) = mpsc::channel::<()>();
        ledger.meddle(move |_| {
            hung.send(()).unwrap();
            resumed.recv().unwrap();
        });
        hangs.recv().unwrap();
        let first = ledger.busy_for().expect("it is at it");
        assert!(ledger.busy_for().expect("it is at it still") >= first);
        resume.send(()).unwrap();
        flushed(&ledger).await;
        ledger.close();
    });
}

#[test]
fn who_waits_for_anothers_lock_is_busy_turn_after_turn_and_who_is_refused_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, mut scribe) = by_hand(&folder);
    scribe.turn(at(0));
    assert_eq!(ledger.busy_for(), None);
    ledger.meddle(|books| books.busy_timeout(Duration::ZERO).unwrap());
    let other = Connection::open(folder.path().join("books.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    ledger.record(seen(1));
    scribe.turn(at(1));
    let first = ledger.busy_for().expect("it waits for the lock");
    scribe.turn(at(2));
    assert!(ledger.busy_for().expect("it still does") >= first);

    scribe.refuse_writes(true).unwrap();
    scribe.turn(at(3));
    assert_eq!((ledger.busy_for(), ledger.health().borrow().is_err()), (None, true), "a disk that refuses answers");
    scribe.refuse_writes(false).unwrap();
    scribe.turn(at(4));
    assert!(ledger.busy_for().is_some());
    other.execute_batch("ROLLBACK").unwrap();
    scribe.turn(at(5));
    assert_eq!((ledger.busy_for(), ledger.health().borrow().is_ok()), (None, true));
}

#[test]
fn a_resume_is_forgotten_once_it_cannot_matter_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = StorePath::File(folder.path().join("books.db"));
    let (ledger, mut scribe) = by_hand(&folder);
    let mut operator = Operator::open(&path).unwrap();
    operator.resume(Some(&"old".into()), at(0)).unwrap();
    operator.resume(Some(&"new".into()), at(1)).unwrap();
    scribe.turn(later(at(1), SignedDuration::from_hours(24)));
    let remembered = ledger.reader().orders().unwrap().resumed_at;
    assert_eq!(remembered.keys().map(AccountName::as_str).collect::<Vec<_>>(), ["new"]);
}

#[test]
fn the_write_ahead_file_gives_back_what_a_reader_made_it_grow_by() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, mut scribe) = by_hand(&folder);
    let reader = Connection::open(folder.path().join("books.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM sessions").unwrap();
    let long = json!({ "note": "x".repeat(10_000) });
    let mut rewrite = |second: i64| {
        let sightings = (0..1_000).map(|n| Sighting { metadata: long.clone(), ..sighting(&format!("s{n}"), at(second)) });
        ledger.record(Record::Seen(sightings.collect()));
        scribe.turn(at(second));
        std::fs::metadata(folder.path().join("books.db-wal")).unwrap().len()
    };
    let grown = (1..=4).map(&mut rewrite).last().unwrap();
    assert!(grown > 16 << 20, "{grown} bytes: the reader holds on to what it began with");
    reader.execute_batch("COMMIT").unwrap();
    let after = (5..=7).map(&mut rewrite).last().unwrap();
    assert!(after <= 16 << 20, "{after} bytes");
}

#[test]
fn what_was_counted_of_a_session_that_was_over_for_a_day_is_not_recalled() {
    block_on(async {
        let ledger = in_memory();
        let counted = |id: &str, shadow| Record::WouldRelease {
            account: account(),
            id: id.into(),
            policy: "ci".into(),
            limit: Limit::Idle,
            shadow,
            at: at(70),
        };
        let gone = |id: &str| Record::Gone { account: account(), id: id.into(), at: at(60) };
        for id in ["over", "lives"] {
            ledger.record(Record::Seen(vec![sighting(id, at(50))]));
            [false, true].into_iter().for_each(|shadow| ledger.record(counted(id, shadow)));
        }
        ledger.record(counted("unseen", false));
        ledger.record(gone("over"));
        let ids = |counted: Vec<(SessionId, PolicyName, Limit)>| counted.into_iter().map(|(id, ..)| id.to_string()).collect::<Vec<_>>();
        let a_day_on = later(at(60), SignedDuration::from_hours(24));
        let recall = ledger.recall(&account(), a_day_on).await.unwrap();
        assert_eq!(
            (ids(recall.would_release), ids(recall.shadowed)),
            (vec!["lives".into(), "over".into(), "unseen".into()], vec!["lives".into(), "over".into()])
        );
        let recall = ledger.recall(&account(), later(a_day_on, SignedDuration::from_millis(1))).await.unwrap();
        assert_eq!((ids(recall.would_release), ids(recall.shadowed)), (vec!["lives".into(), "unseen".into()], vec!["lives".into()]));
    });
}

#[test]
fn the_books_tell_when_each_limit_last_counted_by_what_came_of_it() {
    block_on(async {
        let ledger = in_memory();
        let due = |id: &str, second: i64| Record::Release(Box::new(Release { deadline: at(second), ..release(id, Outcome::Confirmed) }));
        let counted = Record::WouldRelease { account: account(), id: "s3".into(), policy: "ci".into(), limit: Limit::Idle, shadow: true, at: at(70) };
        let other = Record::Release(Box::new(Release { account: "other".into(), deadline: at(900), ..release("s4", Outcome::Stuck) }));
        [due("s1", 40), due("s2", 30), counted, other].into_iter().for_each(|record| ledger.record(record));
        let recall = ledger.recall(&account(), at(100)).await.unwrap();
        assert_eq!(recall.fell_due, [("ci".into(), Limit::Idle, at(70)), ("ci".into(), Limit::MaxAge, at(40))]);
    });
}

#[test]
fn the_latest_sessions_come_first_until_enough_was_heard() {
    block_on(async {
        let ledger = in_memory();
        for (id, second) in [("b", 20), ("c", 30), ("a", 10)] {
            ledger.record(Record::Seen(vec![sighting(id, at(second))]));
        }
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = heard.clone();
        let each = move |lived: Lived| {
            let mut heard = kept.lock().unwrap();
            heard.push(lived.session.id.to_string());
            if heard.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        ledger.latest(&account(), each).await.unwrap();
        assert_eq!(*heard.lock().unwrap(), ["c", "b"]);
    });
}
