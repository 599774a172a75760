use serde_json::json;

use super::*;
use crate::domain::activity::Activity;
use crate::domain::name::{Kind, Provider, SessionId};
use crate::domain::record::Sighting;
use crate::domain::release::{Outcome, Releases};
use crate::domain::session::Parts;
use crate::domain::time::later;
use crate::domain::verdict::Limit;

mod bounds;
mod faults;
mod notices;
mod power;
mod sessions;

pub(super) fn at(second: i64) -> Timestamp {
    later("2026-11-20T12:00:00Z".parse().unwrap(), SignedDuration::from_secs(second))
}

pub(super) fn release(id: &str, outcome: Outcome) -> Release {
    Release {
        account: "growth".into(),
        provider: Provider::Browserbase,
        id: id.into(),
        kind: Kind::Session,
        parts: Parts::default(),
        life: None,
        region: Some("us-west-2".to_owned()),
        policy: "ci".into(),
        limit: Limit::MaxAge,
        deadline: at(0),
        requested_at: at(1),
        asked_at: Some(at(1)),
        accepted_at: Some(at(2)),
        confirmed_at: outcome.is_final().then(|| at(3)),
        ended_at: None,
        expires_at: Some(at(3_600)),
        outcome,
        attempts: 1,
        overrun: SignedDuration::from_millis(12),
        saved_runtime: Some(SignedDuration::from_secs(3_597)),
        saved_cost: Some(0.1199),
        currency: "USD".to_owned(),
        reason: "older than 20m since 12:04:10".to_owned(),
        fault: None,
        metadata: json!({ "env": "ci" }),
    }
}

fn sighting(id: &str, seen_at: Timestamp) -> Sighting {
    Sighting {
        account: "growth".into(),
        provider: Provider::Browserbase,
        id: id.into(),
        kind: Kind::Session,
        created_at: at(0),
        started_at: Some(at(0)),
        expires_at: None,
        browser: None,
        region: None,
        keep_alive: None,
        activity: Activity::default(),
        metadata: json!({}),
        seen_at,
        lived_until: seen_at,
    }
}

fn open(path: &StorePath, now: Timestamp) -> Ledger {
    Ledger::open(path, OpenOptions { retention: SignedDuration::from_hours(24 * 90), now }).unwrap()
}

fn in_memory() -> Ledger {
    open(&StorePath::Memory, at(0))
}

/// Runs a test's future; one that hangs has failed.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), future).await.expect("done within a minute") })
}

async fn flushed(ledger: &Ledger) {
    assert!(ledger.flush(Duration::from_secs(10)).await, "flushed within 10 s");
}

fn account() -> AccountName {
    "growth".into()
}

#[test]
fn a_release_comes_back_as_it_was_written() {
    block_on(async {
        let ledger = in_memory();
        let written = release("s1", Outcome::Requested);
        ledger.intend(&written).await.unwrap();
        assert_eq!(ledger.reader().release(&SessionId::from("s1")).unwrap(), [written]);
    });
}

#[test]
fn a_final_row_is_never_reopened() {
    block_on(async {
        let ledger = in_memory();
        let ended = release("s1", Outcome::Confirmed);
        ledger.record(Record::Release(Box::new(ended.clone())));
        ledger.record(Record::Release(Box::new(release("s1", Outcome::Stuck))));
        let again = ledger.intend(&release("s1", Outcome::Requested)).await;
        assert!(matches!(again, Err(LedgerFault::Settled { .. })), "{again:?}");
        assert_eq!(ledger.reader().release(&"s1".into()).unwrap(), [ended]);
    });
}

/// A conversation of Browser Use comes back to life with each new browser.
#[test]
fn each_life_of_a_session_has_a_row_of_its_own() {
    block_on(async {
        let ledger = in_memory();
        let life = |browser: &str, outcome| {
            let parts = Parts { own: false, browser: Some(browser.into()), run: Some("r".into()) };
            Release { life: parts.life().cloned(), parts, ..release("s1", outcome) }
        };
        let (first, second) = (life("b1", Outcome::Confirmed), Release { requested_at: at(60), ..life("b2", Outcome::Requested) });
        ledger.record(Record::Release(Box::new(first.clone())));
        ledger.intend(&second).await.unwrap();
        assert!(matches!(ledger.intend(&life("b1", Outcome::Requested)).await, Err(LedgerFault::Settled { .. })));
        assert_eq!(ledger.recall(&account(), at(90)).await.unwrap().releases, [first, second]);
    });
}

#[test]
fn a_row_that_is_not_final_is_replaced_whole() {
    block_on(async {
        let ledger = in_memory();
        ledger.intend(&release("s1", Outcome::Requested)).await.unwrap();
        let stuck = Release { attempts: 3, fault: Some("timed out".to_owned()), region: None, ..release("s1", Outcome::Stuck) };
        ledger.record(Record::Release(Box::new(stuck.clone())));
        flushed(&ledger).await;
        assert_eq!(ledger.reader().release(&"s1".into()).unwrap(), [stuck]);
    });
}

#[test]
fn an_engine_recalls_what_is_open_and_what_is_recent() {
    block_on(async {
        let ledger = in_memory();
        let now = at(86_400 * 3);
        let recent = Release { requested_at: later(now, SignedDuration::from_hours(-24)), ..release("recent", Outcome::Confirmed) };
        for row in [release("old-open", Outcome::Failed), release("old-final", Outcome::Confirmed), recent] {
            ledger.record(Record::Release(Box::new(row)));
        }
        let ago = |minutes: i64| later(now, SignedDuration::from_mins(-minutes));
        ledger.record(Record::Seen(vec![sighting("gone", ago(61)), sighting("here", ago(60))]));
        ledger.record(Record::WouldRelease {
            account: account(),
            id: "here".into(),
            policy: "ci".into(),
            limit: Limit::Idle,
            shadow: false,
            at: at(1),
        });
        ledger.record(Record::Tripped { account: account(), at: at(5) });
        ledger.record(Record::Allowance { account: account(), opened_at: at(6) });
        ledger.record(Record::Polled { account: account(), at: at(7), gap_after: SignedDuration::from_mins(1) });
        let recall = ledger.recall(&account(), now).await.unwrap();
        let ids: Vec<&str> = recall.releases.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["old-open", "recent"]);
        assert_eq!(recall.seen, [("here".into(), ago(60))]);
        assert_eq!(recall.would_release, [("here".into(), "ci".into(), Limit::Idle)]);
        assert_eq!((recall.tripped_at, recall.allowance_opened_at, recall.last_complete_at), (Some(at(5)), Some(at(6)), Some(at(7))));
        assert_eq!(ledger.recall(&"other".into(), now).await.unwrap(), Recall::default());
    });
}

#[test]
fn writing_the_same_records_twice_changes_nothing() {
    block_on(async {
        let ledger = in_memory();
        let polled = |second| Record::Polled { account: account(), at: at(second), gap_after: SignedDuration::from_secs(60) };
        let records = [
            Record::Release(Box::new(release("s1", Outcome::Confirmed))),
            Record::WouldRelease { account: account(), id: "s2".into(), policy: "ci".into(), limit: Limit::MaxAge, shadow: false, at: at(1) },
            Record::Seen(vec![sighting("s2", at(3)), sighting("s3", at(9))]),
            Record::Tripped { account: account(), at: at(5) },
            polled(0),
            polled(400),
        ];
        let state = async || {
            flushed(&ledger).await;
            let report = ledger.reader().report(at(0), at(450), &By::Policy).unwrap();
            (ledger.recall(&account(), at(10)).await.unwrap(), serde_json::to_value(report).unwrap())
        };
        records.iter().for_each(|record| ledger.record(record.clone()));
        let once = state().await;
        records.iter().chain(&records).for_each(|record| ledger.record(record.clone()));
        assert_eq!(state().await, once);
        assert_eq!(once.1["gaps"].as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn an_older_sighting_does_not_turn_back_the_last_one() {
    block_on(async {
        let ledger = in_memory();
        ledger.record(Record::Seen(vec![sighting("s1", at(9))]));
        ledger.record(Record::Seen(vec![sighting("s1", at(3))]));
        assert_eq!(ledger.recall(&account(), at(10)).await.unwrap().seen, [("s1".into(), at(9))]);
    });
}

/// Lets the store grow no further, as a full disk would.
fn fill_disk(ledger: &Ledger) {
    ledger.meddle(|books| drop(books.query_row("PRAGMA max_page_count = 1", [], |_| Ok(()))));
}

fn free_disk(ledger: &Ledger) {
    ledger.meddle(|books| drop(books.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(()))));
}

fn bulky(id: &str, outcome: Outcome) -> Release {
    Release { reason: "x".repeat(20_000), ..release(id, outcome) }
}

#[test]
fn a_full_disk_refuses_intents_and_keeps_records_until_it_can_write_again() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&StorePath::File(folder.path().join("books.db")), at(0));
        let mut health = ledger.health();
        ledger.intend(&release("before", Outcome::Requested)).await.unwrap();
        fill_disk(&ledger);
        ledger.record(Record::Release(Box::new(bulky("recorded", Outcome::Confirmed))));
        health.wait_for(Result::is_err).await.unwrap();
        let refused = ledger.intend(&bulky("intended", Outcome::Requested)).await;
        assert!(matches!(refused, Err(LedgerFault::Full { .. })), "{refused:?}");
        assert!(!ledger.flush(Duration::from_millis(1)).await, "nothing is on the disk yet");

        free_disk(&ledger);
        health.wait_for(Result::is_ok).await.unwrap();
        flushed(&ledger).await;
        let reader = ledger.reader();
        assert_eq!(reader.release(&"recorded".into()).unwrap().len(), 1, "a record outlasts the fault");
        assert_eq!(reader.release(&"intended".into()).unwrap(), [], "an intent does not");
        assert_eq!(reader.release(&"before".into()).unwrap().len(), 1);
    });
}

#[test]
fn past_the_queues_bound_observations_are_dropped_and_releases_never() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&StorePath::File(folder.path().join("books.db")), at(0));
        let mut health = ledger.health();
        fill_disk(&ledger);
        ledger.record(Record::Release(Box::new(bulky("first", Outcome::Confirmed))));
        health.wait_for(Result::is_err).await.unwrap();
        (0..desk::QUEUE_RECORDS).for_each(|n| ledger.record(Record::Seen(vec![sighting(&format!("s{n}"), at(1))])));
        ledger.record(Record::Release(Box::new(release("last", Outcome::Confirmed))));
        health.wait_for(|health| health.as_ref().is_err_and(|why| why.contains("dropped"))).await.unwrap();
        free_disk(&ledger);
        flushed(&ledger).await;
        let recall = ledger.recall(&account(), at(2)).await.unwrap();
        assert_eq!(recall.releases.len(), 2);
        assert!(recall.seen.len() < desk::QUEUE_RECORDS && recall.seen.len() > desk::QUEUE_RECORDS - 10, "{}", recall.seen.len());
        health.wait_for(Result::is_ok).await.unwrap();
    });
}

#[test]
fn readers_see_a_store_in_memory_while_it_is_written() {
    block_on(async {
        let ledger = in_memory();
        let reader = ledger.reader();
        let reading = std::thread::spawn(move || (0..200).try_for_each(|_| reader.releases(&Releases::latest(10)).map(drop)));
        for n in 0..200 {
            ledger.intend(&release(&format!("s{n}"), Outcome::Requested)).await.unwrap();
        }
        reading.join().unwrap().unwrap();
        assert_eq!(ledger.reader().releases(&Releases::latest(1_000)).unwrap().len(), 200);
        assert_eq!(in_memory().reader().releases(&Releases::latest(1_000)).unwrap(), [], "each memory is its own");
    });
}

#[test]
fn releases_come_newest_first_and_no_more_than_asked_for() {
    block_on(async {
        let ledger = in_memory();
        for second in [3, 1, 2] {
            let row = Release { confirmed_at: Some(at(second)), ..release(&format!("s{second}"), Outcome::Confirmed) };
            ledger.record(Record::Release(Box::new(row)));
        }
        flushed(&ledger).await;
        let ids = |since, limit| -> Vec<String> {
            ledger.reader().releases(&Releases { since, ..Releases::latest(limit) }).unwrap().into_iter().map(|row| row.id.to_string()).collect()
        };
        assert_eq!(ids(None, 10), ["s3", "s2", "s1"]);
        assert_eq!(ids(Some(at(2)), 10), ["s3", "s2"]);
        assert_eq!(ids(None, 1), ["s3"]);
    });
}

#[test]
fn releases_are_found_by_account_policy_and_outcome_and_page_by_page() {
    block_on(async {
        let ledger = in_memory();
        let of = |id, second, outcome| Release { confirmed_at: Some(at(second)), ..release(id, outcome) };
        let rows = [
            of("a", 1, Outcome::Confirmed),
            Release { account: "agents".into(), ..of("b", 2, Outcome::Confirmed) },
            Release { policy: "research".into(), ..of("c", 3, Outcome::Confirmed) },
            of("d", 4, Outcome::AlreadyEnded),
        ];
        rows.into_iter().for_each(|row| ledger.record(Record::Release(Box::new(row))));
        flushed(&ledger).await;
        let ids = |wanted: Releases| -> String { ledger.reader().releases(&wanted).unwrap().iter().map(|row| row.id.as_str()).collect() };
        assert_eq!(ids(Releases { skip: 1, ..Releases::latest(2) }), "cb");
        assert_eq!(ids(Releases { account: Some("agents".into()), ..Releases::latest(9) }), "b");
        assert_eq!(ids(Releases { policy: Some("research".into()), ..Releases::latest(9) }), "c");
        assert_eq!(ids(Releases { outcome: Some(Outcome::Confirmed), skip: 1, ..Releases::latest(9) }), "ba");
    });
}

#[test]
fn a_session_is_known_and_its_releases_are_found_by_the_id_of_its_browser() {
    block_on(async {
        let ledger = in_memory();
        let seen = |browser: Option<&str>, second| Sighting { browser: browser.map(SessionId::from), ..sighting("agent", at(second)) };
        // The last one stands where a listing could not read the browsers.
        ledger.record(Record::Seen(vec![seen(Some("live"), 0), seen(None, 1), sighting("alone", at(1))]));
        for (browser, second) in [("first", 1), ("second", 2)] {
            let parts = Parts { own: false, browser: Some(browser.into()), run: Some(format!("run-{browser}").into()) };
            let life = parts.life().cloned();
            let row = Release { parts, life, requested_at: at(second), ..release("agent", Outcome::Confirmed) };
            ledger.record(Record::Release(Box::new(row)));
        }
        flushed(&ledger).await;
        let reader = ledger.reader();
        let lives = |id: &str| -> Vec<SessionId> { reader.release(&id.into()).unwrap().into_iter().filter_map(|row| row.life).collect() };
        assert_eq!(lives("agent"), ["second".into(), "first".into()]);
        assert_eq!(lives("first"), ["first".into()]);
        assert_eq!(lives("run-second"), ["second".into()]);
        assert_eq!(lives("alone"), []);
        for (id, known) in [("agent", true), ("live", true), ("first", true), ("alone", true), ("misspelt", false)] {
            assert_eq!(reader.knows(&id.into()).unwrap(), known, "{id}");
        }
    });
}

#[test]
fn a_closed_ledger_refuses_intents_at_once() {
    block_on(async {
        let ledger = in_memory();
        let other = ledger.clone();
        ledger.close();
        assert!(matches!(other.intend(&release("s1", Outcome::Requested)).await, Err(LedgerFault::Closed { .. })));
        assert!(!other.flush(Duration::from_secs(10)).await);
    });
}

#[test]
fn forgetting_spares_what_is_open_and_what_would_be_counted_again() {
    let mut books = rusqlite::Connection::open_in_memory().unwrap();
    schema::migrate(&mut books, schema::MIGRATIONS).unwrap();
    let day = SignedDuration::from_hours(24);
    let now = later(at(0), day * 10);
    let would =
        |id: &str, shadow| Record::WouldRelease { account: account(), id: id.into(), policy: "ci".into(), limit: Limit::MaxAge, shadow, at: at(0) };
    let records = [
        Record::Release(Box::new(release("final", Outcome::AlreadyEnded))),
        Record::Release(Box::new(release("open", Outcome::Denied))),
        Record::Seen(vec![sighting("gone", at(0)), sighting("live", now)]),
        would("gone", false),
        would("gone", true),
        would("live", false),
        would("live", true),
    ];
    records.iter().for_each(|record| apply::record(&books, record).unwrap());
    let hold = "INSERT INTO holds VALUES ('s', 0, ?1, 'r')";
    books.execute(hold, [rows::millis(later(now, SignedDuration::from_secs(1)))]).unwrap();

    assert!(!retention::forget_some(&books, SignedDuration::ZERO, now).unwrap());
    let count = |table: &str| -> i64 { books.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap() };
    assert_eq!((count("releases"), count("sessions"), count("would_release"), count("holds")), (2, 2, 4, 1));
    retention::forget_some(&books, day, now).unwrap();
    retention::forget_some(&books, day, now).unwrap();
    let recall = queries::recall(&books, &account(), now).unwrap();
    assert_eq!(recall.releases.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["open"]);
    assert_eq!(recall.seen, [("live".into(), now)]);
    assert_eq!(recall.would_release, [("live".into(), "ci".into(), Limit::MaxAge)]);
    assert_eq!(recall.shadowed, recall.would_release);
    assert_eq!((count("would_release"), count("holds")), (2, 1));
}

#[test]
fn a_reader_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = StorePath::File(folder.path().join("books.db"));
    let _ledger = open(&path, at(0));
    let connection = Place::of(&path).connect_for_reading().unwrap();
    assert!(connection.execute("DELETE FROM releases", []).is_err());
}

#[test]
fn resuming_everything_lifts_the_guardrail_of_every_account_that_was_ever_polled() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = StorePath::File(folder.path().join("books.db"));
        let ledger = open(&path, at(0));
        for name in ["growth", "research"] {
            ledger.record(Record::Polled { account: name.into(), at: at(0), gap_after: SignedDuration::from_secs(60) });
        }
        flushed(&ledger).await;
        let mut orders = ledger.orders();
        Operator::open(&path).unwrap().resume(None, at(9)).unwrap();
        let both = |orders: &Arc<Orders>| orders.resumed_at.values().filter(|resumed| **resumed == at(9)).count() == 2;
        orders.wait_for(both).await.unwrap();
    });
}
