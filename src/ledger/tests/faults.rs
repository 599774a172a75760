//! A disk that fails at any statement of a batch, and files that are not where they were. The scribe is turned by hand, so that a batch is what the test
//! says it is.

use std::path::PathBuf;

use futures_util::FutureExt;
use tempfile::TempDir;

use super::*;

struct Desk {
    folder: TempDir,
    ledger: Ledger,
    scribe: Scribe,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = StorePath::File(folder.path().join("books.db"));
        let (ledger, scribe) = Ledger::open_with_scribe(&path, OpenOptions { retention: SignedDuration::ZERO, now: at(0) }).unwrap();
        Self { folder, ledger, scribe }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn turn(&mut self) {
        self.scribe.turn(at(0));
    }

    /// Asks for an intent, turns once, and gives the answer.
    fn intend(&mut self, id: &str) -> Result<(), LedgerFault> {
        let (ledger, row) = (self.ledger.clone(), release(id, Outcome::Requested));
        let mut answer = Box::pin(ledger.intend(&row));
        assert!(answer.as_mut().now_or_never().is_none(), "answered before it was written");
        self.turn();
        answer.now_or_never().expect("an answer")
    }

    /// Does this to the scribe's own connection, before anything else of the next turn.
    fn sql(&self, sql: String) {
        self.ledger.meddle(move |books| books.execute_batch(&sql).unwrap());
    }

    fn attempts(&self) -> Vec<(String, u32)> {
        let rows = self.ledger.reader().releases(&Releases::latest(1_000)).unwrap();
        rows.into_iter().map(|row| (row.id.to_string(), row.attempts)).collect::<std::collections::BTreeMap<_, _>>().into_iter().collect()
    }

    fn health(&self) -> Result<(), String> {
        self.ledger.health().borrow().clone()
    }
}

fn attempt(id: &str, attempts: u32) -> Record {
    Record::Release(Box::new(Release { attempts, ..release(id, Outcome::Failed) }))
}

/// What a batch consists of, each of another table, with a statement before which it fails.
fn batch() -> Vec<(Record, &'static str)> {
    let would = Record::WouldRelease { account: account(), id: "w".into(), policy: "ci".into(), limit: Limit::MaxAge, shadow: false, at: at(1) };
    vec![
        (attempt("a", 1), "INSERT ON releases WHEN NEW.id = 'a'"),
        (Record::Seen(vec![sighting("s", at(1)), sighting("t", at(1))]), "INSERT ON sessions WHEN NEW.id = 't'"),
        (would, "INSERT ON would_release WHEN true"),
        (Record::Tripped { account: account(), at: at(2) }, "INSERT ON accounts WHEN true"),
        (attempt("a", 2), "UPDATE ON releases WHEN NEW.attempts = 2"),
        (attempt("b", 1), "INSERT ON releases WHEN NEW.id = 'b'"),
    ]
}

#[test]
fn a_statement_that_fails_leaves_nothing_of_its_batch_and_loses_nothing() {
    for (_, fails_at) in batch() {
        let mut desk = Desk::new();
        desk.sql(format!("CREATE TEMP TRIGGER fault BEFORE {fails_at} BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"));
        batch().into_iter().for_each(|(record, _)| desk.ledger.record(record));
        let intended = desk.intend("intended");
        assert!(matches!(intended, Err(LedgerFault::Other { .. })), "{fails_at}: {intended:?}");
        assert_eq!(desk.ledger.reader().recall(&account(), at(3)).unwrap(), Recall::default(), "half a batch: {fails_at}");
        desk.ledger.record(attempt("a", 3));
        desk.turn();
        assert!(desk.health().is_err());

        desk.sql("DROP TRIGGER temp.fault".to_owned());
        desk.turn();
        assert_eq!(desk.health(), Ok(()));
        assert_eq!(desk.attempts(), [("a".to_owned(), 3), ("b".to_owned(), 1)], "in order, and without the intent: {fails_at}");
        let recall = desk.ledger.reader().recall(&account(), at(3)).unwrap();
        assert_eq!((recall.seen.len(), recall.would_release.len(), recall.tripped_at), (2, 1, Some(at(2))));
    }
}

#[test]
fn what_did_not_fit_into_a_batch_that_failed_still_comes_after_it() {
    let mut desk = Desk::new();
    (1..=1_500).for_each(|attempts| desk.ledger.record(attempt("a", attempts)));
    desk.sql("PRAGMA query_only = true".to_owned());
    desk.turn();
    assert!(desk.health().is_err());
    desk.sql("PRAGMA query_only = false".to_owned());
    desk.turn();
    desk.turn();
    assert_eq!(desk.attempts(), [("a".to_owned(), 1_500)]);
}

/// SQLite's own word for a full disk, at whichever page of the batch it comes.
#[test]
fn a_disk_that_fills_at_any_page_leaves_nothing_of_its_batch_and_loses_nothing() {
    let mut refused = 0;
    for pages in 0.. {
        let mut desk = Desk::new();
        desk.ledger.meddle(move |books| {
            let used: u32 = books.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
            books.pragma_update_and_check(None, "max_page_count", used + pages, |_| Ok(())).unwrap();
        });
        (0..12).for_each(|n| desk.ledger.record(Record::Release(Box::new(bulky(&format!("s{n}"), Outcome::Confirmed)))));
        desk.turn();
        let written = desk.attempts().len();
        if desk.health().is_ok() {
            assert_eq!(written, 12);
            break;
        }
        refused += 1;
        assert_eq!(written, 0, "with {pages} pages left");
        assert!(desk.health().is_err_and(|why| why.contains("no space left")));
        free_disk(&desk.ledger);
        desk.turn();
        assert_eq!((desk.health(), desk.attempts().len()), (Ok(()), 12), "with {pages} pages left");
    }
    assert!(refused > 40, "it was full {refused} times");
}

#[test]
fn a_fault_is_news_once_however_often_it_is_met() {
    let mut desk = Desk::new();
    let mut health = desk.ledger.health();
    desk.sql("PRAGMA query_only = true".to_owned());
    for n in 0..5 {
        desk.ledger.record(attempt(&format!("s{n}"), 1));
        desk.turn();
        assert_eq!(health.has_changed().unwrap(), n == 0, "turn {n}");
        assert!(health.borrow_and_update().is_err());
    }
    desk.sql("PRAGMA query_only = false".to_owned());
    desk.turn();
    assert!(health.has_changed().unwrap() && health.borrow_and_update().is_ok());
}

#[test]
fn books_of_which_only_intents_were_refused_are_well_once_something_is_written() {
    let mut desk = Desk::new();
    desk.sql("PRAGMA query_only = true".to_owned());
    assert!(matches!(desk.intend("s1"), Err(LedgerFault::NoAccess { .. })));
    desk.turn();
    assert!(desk.health().is_err(), "that there was nothing to write proves nothing");
    desk.sql("PRAGMA query_only = false".to_owned());
    desk.ledger.record(attempt("s1", 1));
    desk.turn();
    assert_eq!(desk.health(), Ok(()));
}

#[cfg(unix)]
#[test]
fn a_store_that_is_not_where_it_was_takes_nothing_until_it_is_back() {
    for (name, others) in [("books.db", None), ("books.db", Some("another's")), ("books.db-wal", None), ("books.db-shm", Some(""))] {
        let mut desk = Desk::new();
        std::fs::rename(desk.path(name), desk.path("away")).unwrap();
        if let Some(bytes) = others {
            std::fs::write(desk.path(name), bytes).unwrap();
        }
        desk.ledger.record(attempt("s2", 1));
        assert!(matches!(desk.intend("s1"), Err(LedgerFault::Lost { .. })), "{name}");
        assert!(desk.health().is_err_and(|why| why.contains("put it back")));

        std::fs::rename(desk.path("away"), desk.path(name)).unwrap();
        desk.turn();
        assert_eq!(desk.health(), Ok(()));
        assert_eq!(desk.attempts(), [("s2".to_owned(), 1)]);
    }
}
