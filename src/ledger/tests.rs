use std::time::Instant;

use serde_json::json;

use super::*;
use crate::domain::name::{Kind, Provider, SessionId};
use crate::domain::record::Sighting;
use crate::domain::release::Outcome;
use crate::domain::time::later;
use crate::domain::verdict::Limit;

fn at(second: i64) -> Timestamp {
    later("2026-11-20T12:00:00Z".parse().unwrap(), SignedDuration::from_secs(second))
}

fn release(id: &str, outcome: Outcome) -> Release {
    Release {
        account: "growth".into(),
        provider: Provider::Browserbase,
        id: id.into(),
        kind: Kind::Session,
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
        started_at: None,
        expires_at: None,
        metadata: json!({}),
        seen_at,
    }
}

fn open(path: &StorePath, now: Timestamp) -> Ledger {
    Ledger::open(path, OpenOptions { retention: SignedDuration::from_hours(24 * 90), now }).unwrap()
}

fn in_memory() -> Ledger {
    open(&StorePath::Memory, at(0))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}, within 10 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
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
        ledger.record(Record::WouldRelease { account: account(), id: "here".into(), policy: "ci".into(), limit: Limit::Idle, at: at(1) });
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
