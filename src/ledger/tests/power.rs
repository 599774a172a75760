//! A store whose making or migration was cut short: by a kill, or by the power.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::*;

/// What stands in a folder while these steps are made and not yet committed, with less memory than they need: so that much of them is in the file.
fn cut_short(folder: &Path, steps: &str) -> PathBuf {
    let (path, found) = (folder.join("books.db"), folder.join("found.db"));
    let books = Connection::open(&path).unwrap();
    books.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).unwrap();
    books.pragma_update(None, "cache_size", 2).unwrap();
    books.execute_batch("BEGIN EXCLUSIVE").unwrap();
    books.execute_batch(steps).unwrap();
    std::fs::copy(&path, &found).unwrap();
    std::fs::copy(folder.join("books.db-journal"), folder.join("found.db-journal")).unwrap();
    found
}

fn old_store(path: &Path, rows: usize) {
    let mut books = Connection::open(path).unwrap();
    schema::migrate(&mut books, &schema::MIGRATIONS[..1]).unwrap();
    let sql =
        "INSERT INTO releases (account, id, provider, kind, policy, limit_word, deadline_at, requested_at, outcome, attempts, overrun_ms, currency,
            reason, metadata)
        VALUES ('growth', ?1, 'browserbase', 'session', 'ci', 'max_age', 1, 2, 'requested', 1, 4, 'USD', ?2, '{}')";
    for n in 0..rows {
        books.execute(sql, rusqlite::params![format!("s{n}"), "x".repeat(500)]).unwrap();
    }
}

#[test]
fn a_migration_that_was_cut_short_is_taken_back_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    old_store(&folder.path().join("books.db"), 300);
    let steps = format!("{}; PRAGMA user_version = {}", schema::MIGRATIONS[1..].join(";"), schema::FORMAT);
    let found = cut_short(folder.path(), &steps);
    let store = StorePath::File(found);
    assert!(matches!(Reader::open(&store), Err(LedgerFault::Older { found: 1, .. })), "what a reader is told");
    let ledger = open(&store, at(0));
    assert_eq!(block_on(ledger.recall(&account(), at(0))).unwrap().releases.len(), 300);
}

#[test]
fn a_store_whose_making_was_cut_short_is_made_again() {
    let steps = format!(
        "{}; {}; PRAGMA application_id = {}; PRAGMA user_version = {}",
        schema::MIGRATIONS.join(";"),
        FILLER,
        schema::APPLICATION_ID,
        schema::FORMAT
    );
    for first_page_arrived in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let found = cut_short(folder.path(), &steps);
        let mut bytes = std::fs::read(&found).unwrap();
        if !first_page_arrived {
            bytes[..4_096].fill(0);
        }
        bytes[4_096..].fill(0);
        std::fs::write(&found, bytes).unwrap();
        let store = StorePath::File(found);
        assert!(Reader::open(&store).unwrap().is_none(), "there is nothing to read yet");
        block_on(open(&store, at(0)).intend(&release("s1", Outcome::Requested))).unwrap();
        assert_eq!(Reader::open(&store).unwrap().unwrap().releases(&Releases::latest(9)).unwrap().len(), 1);
    }
}

/// Enough for the cache to run over.
const FILLER: &str = "CREATE TABLE filler (bytes BLOB); INSERT INTO filler VALUES (zeroblob(100000)); DROP TABLE filler";

/// Another program's file is its own, whatever stands beside it.
#[test]
fn what_another_program_left_half_done_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    Connection::open(folder.path().join("books.db")).unwrap().execute_batch("CREATE TABLE photos (name TEXT)").unwrap();
    let found = cut_short(folder.path(), FILLER);
    let files = || ["found.db", "found.db-journal"].map(|name| std::fs::read(folder.path().join(name)).unwrap());
    let before = files();
    assert!(before[0].len() > 4_096, "nothing was written yet");
    let refusal = Ledger::open(&StorePath::File(found), OpenOptions { retention: SignedDuration::ZERO, now: at(0) }).err();
    assert!(matches!(refusal, Some(LedgerFault::Foreign { .. })), "{refusal:?}");
    assert!(files() == before);
}
