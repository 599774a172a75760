//! What the books know of sessions: their runtime, their end, their activity, and what shadow policies counted.

use std::sync::Mutex;

use super::*;
use crate::domain::record::Lived;
use crate::domain::session::Metadata;

fn ended(id: &str, second: i64) -> Record {
    Record::Gone { account: account(), id: id.into(), at: at(second) }
}

fn seen(id: &str, second: i64) -> Record {
    Record::Seen(vec![sighting(id, at(second))])
}

fn active(id: &str, second: i64, last: i64) -> Record {
    let activity = Activity { first_seen: Some(at(0)), sightings: 2, last_active: Some(at(last)), ..Activity::default() };
    Record::Seen(vec![Sighting { activity, ..sighting(id, at(second)) }])
}

fn record(ledger: &Ledger, records: impl IntoIterator<Item = Record>) {
    records.into_iter().for_each(|record| ledger.record(record));
}

async fn lived(ledger: &Ledger, since: Timestamp) -> Vec<Lived> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let kept = found.clone();
    ledger.lived(&account(), since, move |one| kept.lock().unwrap().push(one)).await.unwrap();
    let mut found = std::mem::take(&mut *found.lock().unwrap());
    found.sort_by(|a, b| a.session.id.cmp(&b.session.id));
    found
}

/// Each session with the end of its runtime, and whether it is over.
async fn ends(ledger: &Ledger, since: i64) -> Vec<(String, Timestamp, bool)> {
    lived(ledger, at(since)).await.into_iter().map(|one| (one.session.id.to_string(), one.until, one.over)).collect()
}

#[test]
fn runtime_reaches_to_the_providers_end_else_to_the_last_sighting() {
    block_on(async {
        let ledger = in_memory();
        record(&ledger, [seen("earlier", 5), seen("over", 9), ended("over", 30), seen("running", 20), ended("never-seen", 30)]);
        assert_eq!(ends(&ledger, 20).await, [("over".to_owned(), at(30), true), ("running".to_owned(), at(20), false)]);
        assert_eq!(ends(&ledger, 31).await, []);
        assert!(matches!(ledger.reader().lived(&"other".into(), at(0), |one| panic!("{one:?}")), Ok(())));
    });
}

#[test]
fn an_end_may_be_corrected_and_a_later_sighting_takes_it_back() {
    block_on(async {
        let ledger = in_memory();
        record(&ledger, [seen("s1", 9), ended("s1", 9), ended("s1", 8)]);
        assert_eq!(ends(&ledger, 0).await, [("s1".to_owned(), at(8), true)]);
        // Neither the sighting before the end nor an older one, written once more, makes it live.
        record(&ledger, [seen("s1", 9), seen("s1", 3)]);
        assert_eq!(ends(&ledger, 0).await, [("s1".to_owned(), at(8), true)]);
        record(&ledger, [seen("s1", 12)]);
        assert_eq!(ends(&ledger, 0).await, [("s1".to_owned(), at(12), false)]);
    });
}

#[test]
fn a_session_comes_back_with_what_it_is_counted_by() {
    block_on(async {
        let ledger = in_memory();
        let whole = Sighting {
            started_at: Some(at(1)),
            expires_at: Some(at(3_600)),
            region: Some("us-west-2".to_owned()),
            keep_alive: Some(true),
            metadata: json!({ "team": "ml" }),
            ..sighting("whole", at(9))
        };
        // A listing that could not learn these takes nothing back.
        let blurred = Sighting { region: None, keep_alive: None, metadata: json!(null), seen_at: at(10), ..whole.clone() };
        let unlearnt = Sighting { metadata: json!(null), ..sighting("unlearnt", at(9)) };
        record(&ledger, [Record::Seen(vec![whole, unlearnt]), Record::Seen(vec![blurred])]);
        let [unlearnt, whole]: [Lived; 2] = lived(&ledger, at(0)).await.try_into().unwrap();
        let session = whole.session;
        assert_eq!((session.since(), session.expires_at, session.ended_at), (at(1), Some(at(3_600)), None));
        assert_eq!((session.region.as_deref(), session.keep_alive, session.keep_alive_unlearnt), (Some("us-west-2"), Some(true), false));
        assert_eq!(session.metadata.get("team"), Some(&json!("ml")));
        assert!(matches!(unlearnt.session.metadata, Metadata::Unlearnt { .. }), "never no tags: {:?}", unlearnt.session.metadata);
        assert!(unlearnt.session.keep_alive_unlearnt);
    });
}

#[test]
fn what_ran_where_the_account_was_before_is_not_its_runtime() {
    block_on(async {
        let ledger = in_memory();
        let home = |home: &str| Record::Home { account: account(), home: home.to_owned() };
        record(&ledger, [seen("before-homes-were-known", 9), home("project a"), seen("there", 9), home("project b"), seen("here", 9)]);
        let ids = async || ends(&ledger, 0).await.into_iter().map(|(id, _, _)| id).collect::<Vec<_>>();
        assert_eq!(ids().await, ["before-homes-were-known", "here"]);
        record(&ledger, [seen("there", 12)]);
        assert_eq!(ids().await, ["before-homes-were-known", "here", "there"]);
    });
}

#[test]
fn runtime_is_found_by_an_index() {
    let mut books = rusqlite::Connection::open_in_memory().unwrap();
    schema::migrate(&mut books, schema::MIGRATIONS).unwrap();
    for sql in [super::lived::LIVED.to_owned(), super::lived::latest_first()] {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let plan = queries::all(&books, &sql, rusqlite::params!["growth", 0], |row| row.get::<_, String>("detail")).unwrap();
        assert_eq!(plan[0], "SEARCH sessions USING INDEX sessions_by_end (account=? AND <expr>>?)", "{plan:?}");
        assert!(!plan.iter().any(|step| step.contains("ORDER BY")), "{plan:?}");
    }
}

#[test]
fn the_runtime_of_a_closed_ledger_is_a_fault() {
    block_on(async {
        let ledger = in_memory();
        let other = ledger.clone();
        ledger.close();
        let refused = other.lived(&account(), at(0), |_| ()).await;
        assert!(matches!(refused, Err(LedgerFault::Closed { .. })), "{refused:?}");
    });
}

/// A budget that counts less than was spent because the books could not be written would be no budget.
#[test]
fn runtime_that_cannot_be_written_is_a_fault_and_not_left_out() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&StorePath::File(folder.path().join("books.db")), at(0));
        let mut health = ledger.health();
        fill_disk(&ledger);
        ledger.record(Record::Release(Box::new(bulky("first", Outcome::Confirmed))));
        health.wait_for(Result::is_err).await.unwrap();
        record(&ledger, [seen("s1", 9)]);
        assert!(matches!(ledger.lived(&account(), at(0), |_| ()).await, Err(LedgerFault::Full { .. })));
        free_disk(&ledger);
        flushed(&ledger).await;
        assert_eq!(ends(&ledger, 0).await.len(), 1);
    });
}

#[test]
fn activity_is_recalled_for_a_day_and_while_the_session_is_not_known_to_be_over() {
    block_on(async {
        let ledger = in_memory();
        let day = 86_400;
        record(&ledger, [active("old", -1, -1), active("here", 0, -30), active("over", 9, 8), ended("over", 9), seen("unknown", 9)]);
        let recalled = ledger.recall(&account(), at(day)).await.unwrap().activities;
        let ids: Vec<&str> = recalled.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["here"]);
        assert_eq!((recalled[0].1.last_active, recalled[0].1.sightings), (Some(at(-30)), 2));
        record(&ledger, [active("here", 10, 7), active("here", 3, 2)]);
        let recalled = ledger.recall(&account(), at(day)).await.unwrap().activities;
        assert_eq!(recalled[0].1.last_active, Some(at(7)), "the newest sighting's");
    });
}

/// What a recall says in the log, and what it gives.
fn overheard(reader: &Reader, now: Timestamp) -> (String, Recall) {
    let page = tempfile::NamedTempFile::new().unwrap();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(page.reopen().unwrap()).finish();
    let recall = tracing::subscriber::with_default(log, || reader.recall(&account(), now)).unwrap();
    (std::fs::read_to_string(page.path()).unwrap(), recall)
}

#[test]
fn activity_that_cannot_be_read_is_as_if_nothing_was_known() {
    block_on(async {
        let ledger = in_memory();
        record(&ledger, [active("s1", 9, 8), active("s2", 9, 8), active("s3", 9, 8)]);
        flushed(&ledger).await;
        ledger.meddle(|books| {
            books.execute("UPDATE sessions SET activity = '{\"sightings\":' WHERE id = 's1'", []).unwrap();
            books.execute("UPDATE sessions SET activity = CAST(x'ff' AS TEXT) WHERE id = 's2'", []).unwrap();
        });
        flushed(&ledger).await;
        let (said, recall) = overheard(&ledger.reader(), at(10));
        assert_eq!((said.lines().count(), said.contains("sessions=2")), (1, true), "{said}");
        let ids: Vec<&str> = recall.activities.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!((ids, recall.seen.len()), (vec!["s3"], 3));
    });
}

#[test]
fn what_shadow_policies_counted_stands_apart_and_a_spent_budget_is_a_limit() {
    block_on(async {
        let ledger = in_memory();
        let counted = |policy: &str, shadow| Record::WouldRelease {
            account: account(),
            id: "s1".into(),
            policy: policy.into(),
            limit: Limit::Budget,
            shadow,
            at: at(1),
        };
        record(&ledger, [counted("both", false), counted("both", true), counted("beside", true)]);
        record(&ledger, [Record::Release(Box::new(Release { limit: Limit::Budget, ..release("s1", Outcome::Confirmed) }))]);
        let recall = ledger.recall(&account(), at(10)).await.unwrap();
        let of = |policy: &str| (SessionId::from("s1"), policy.into(), Limit::Budget);
        assert_eq!(recall.would_release, [of("both")]);
        assert_eq!(recall.shadowed, [of("beside"), of("both")]);
        assert_eq!(recall.releases[0].limit, Limit::Budget);
        let report = ledger.reader().report(at(0), at(10), &By::Limit).unwrap();
        assert_eq!(report.rows.iter().filter_map(|row| row.key.as_deref()).collect::<Vec<_>>(), ["budget"]);
    });
}
