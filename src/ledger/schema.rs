//! The tables, and how an older file is brought up to them.
//!
//! Instants are integer milliseconds since 1970 UTC and durations integer milliseconds, in columns that end in `_at` and `_ms`. The format's number is
//! `user_version` and is written in the same transaction as the tables, while the file is in no write-ahead mode: so it always stands in the file's own
//! header, where it can be read without opening the file as a database.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Marks a file as ours: `SRpr`.
pub(super) const APPLICATION_ID: u32 = 0x5352_7072;

/// The steps from an empty file to today's tables; a step that was released is never edited. The format's number is how many of them a file has had.
pub(super) const MIGRATIONS: &[&str] = &[FORMAT_1, FORMAT_2, FORMAT_3, FORMAT_4];

/// The format that this program reads and writes.
pub(super) const FORMAT: u32 = MIGRATIONS.len() as u32;

const FORMAT_1: &str = "
    CREATE TABLE releases (
        account TEXT NOT NULL,
        id TEXT NOT NULL,
        provider TEXT NOT NULL,
        kind TEXT NOT NULL,
        region TEXT,
        policy TEXT NOT NULL,
        limit_word TEXT NOT NULL,
        deadline_at INTEGER NOT NULL,
        requested_at INTEGER NOT NULL,
        asked_at INTEGER,
        accepted_at INTEGER,
        confirmed_at INTEGER,
        ended_at INTEGER,
        expires_at INTEGER,
        outcome TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        overrun_ms INTEGER NOT NULL,
        saved_runtime_ms INTEGER,
        saved_cost REAL,
        currency TEXT NOT NULL,
        reason TEXT NOT NULL,
        fault TEXT,
        metadata TEXT NOT NULL,
        PRIMARY KEY (account, id)
    ) STRICT;
    CREATE INDEX releases_by_time ON releases (coalesce(confirmed_at, requested_at));
    CREATE INDEX releases_open ON releases (account) WHERE outcome NOT IN ('confirmed', 'already_ended');

    CREATE TABLE sessions (
        account TEXT NOT NULL,
        id TEXT NOT NULL,
        provider TEXT NOT NULL,
        kind TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        started_at INTEGER,
        expires_at INTEGER,
        metadata TEXT NOT NULL,
        first_seen_at INTEGER NOT NULL,
        last_seen_at INTEGER NOT NULL,
        PRIMARY KEY (account, id)
    ) STRICT;
    CREATE INDEX sessions_by_last_seen ON sessions (last_seen_at);

    CREATE TABLE would_release (
        account TEXT NOT NULL,
        id TEXT NOT NULL,
        policy TEXT NOT NULL,
        limit_word TEXT NOT NULL,
        counted_at INTEGER NOT NULL,
        PRIMARY KEY (account, id, policy, limit_word)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE accounts (
        account TEXT PRIMARY KEY,
        home TEXT,
        last_complete_at INTEGER,
        gap_after_ms INTEGER,
        tripped_at INTEGER,
        allowance_opened_at INTEGER
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE gaps (
        account TEXT NOT NULL,
        from_at INTEGER NOT NULL,
        until_at INTEGER NOT NULL,
        PRIMARY KEY (account, from_at)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE holds (
        session TEXT PRIMARY KEY,
        placed_at INTEGER NOT NULL,
        until_at INTEGER NOT NULL,
        reason TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- The general pause stands under the empty name, which no account can have.
    CREATE TABLE pauses (
        account TEXT PRIMARY KEY,
        placed_at INTEGER NOT NULL,
        reason TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE resumes (
        account TEXT PRIMARY KEY,
        resumed_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// A session may consist of parts, and may come back to life under its id: each life has a row of its own.
const FORMAT_2: &str = r#"
    CREATE TABLE releases_2 (
        account TEXT NOT NULL,
        id TEXT NOT NULL,
        provider TEXT NOT NULL,
        kind TEXT NOT NULL,
        parts TEXT NOT NULL,
        life TEXT NOT NULL,
        region TEXT,
        policy TEXT NOT NULL,
        limit_word TEXT NOT NULL,
        deadline_at INTEGER NOT NULL,
        requested_at INTEGER NOT NULL,
        asked_at INTEGER,
        accepted_at INTEGER,
        confirmed_at INTEGER,
        ended_at INTEGER,
        expires_at INTEGER,
        outcome TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        overrun_ms INTEGER NOT NULL,
        saved_runtime_ms INTEGER,
        saved_cost REAL,
        currency TEXT NOT NULL,
        reason TEXT NOT NULL,
        fault TEXT,
        metadata TEXT NOT NULL,
        PRIMARY KEY (account, id, life)
    ) STRICT;
    INSERT INTO releases_2
        SELECT account, id, provider, kind, '{"own":true,"browser":null,"run":null}', '', region, policy, limit_word, deadline_at, requested_at, asked_at,
            accepted_at, confirmed_at, ended_at, expires_at, outcome, attempts, overrun_ms, saved_runtime_ms, saved_cost, currency, reason, fault, metadata
        FROM releases;
    DROP TABLE releases;
    ALTER TABLE releases_2 RENAME TO releases;
    CREATE INDEX releases_by_time ON releases (coalesce(confirmed_at, requested_at));
    CREATE INDEX releases_open ON releases (account) WHERE outcome NOT IN ('confirmed', 'already_ended');
    ALTER TABLE sessions ADD COLUMN browser TEXT;
"#;

/// What limits beside `max_age` need: runtime that is over, and by what it is counted; the activity that was seen; and what shadow policies counted.
/// `home` is the account's when the session was seen, null in rows that are older than this.
const FORMAT_3: &str = "
    ALTER TABLE sessions ADD COLUMN home TEXT;
    ALTER TABLE sessions ADD COLUMN region TEXT;
    ALTER TABLE sessions ADD COLUMN keep_alive INTEGER;
    ALTER TABLE sessions ADD COLUMN activity TEXT;
    ALTER TABLE sessions ADD COLUMN ended_at INTEGER;
    ALTER TABLE sessions ADD COLUMN lived_until_at INTEGER;
    CREATE INDEX sessions_by_end ON sessions (account, coalesce(ended_at, last_seen_at));

    CREATE TABLE would_release_3 (
        account TEXT NOT NULL,
        id TEXT NOT NULL,
        policy TEXT NOT NULL,
        limit_word TEXT NOT NULL,
        shadow INTEGER NOT NULL,
        counted_at INTEGER NOT NULL,
        PRIMARY KEY (account, id, policy, limit_word, shadow)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO would_release_3 SELECT account, id, policy, limit_word, 0, counted_at FROM would_release;
    DROP TABLE would_release;
    ALTER TABLE would_release_3 RENAME TO would_release;
";

/// What receivers are to be told, and were: in the order in which it happened, which is that of `rowid`.
const FORMAT_4: &str = "
    CREATE TABLE notices (
        receiver TEXT NOT NULL,
        id TEXT NOT NULL,
        notice TEXT NOT NULL,
        noticed_at INTEGER NOT NULL,
        told_at INTEGER,
        PRIMARY KEY (receiver, id)
    ) STRICT;
    CREATE INDEX notices_untold ON notices (receiver) WHERE told_at IS NULL;
    CREATE INDEX notices_by_time ON notices (noticed_at);
";

/// The format of an open file; zero for a new one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings a file to the end of `steps`, all of it or nothing. Another process may be doing the same: whoever comes second finds it done.
///
/// An older file goes through it twice, and is as it was after the first time: one that the steps do not fit is not even taken out of its write-ahead mode.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let found = version(connection)? as usize;
    if found >= steps.len() {
        return Ok(());
    }
    if found > 0 {
        stepped(connection, steps)?.rollback()?;
        leave_wal(connection)?;
    }
    stepped(connection, steps)?.commit()
}

/// A transaction in which the steps that a file has not had have been taken.
fn stepped<'a>(connection: &'a mut Connection, steps: &[&str]) -> rusqlite::Result<Transaction<'a>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let done = version(&transaction)? as usize;
    for step in steps.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", steps.len().max(done) as u32)?;
    Ok(transaction)
}

fn leave_wal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_file_is_brought_up_to_date_and_keeps_its_rows() {
        let older = ["CREATE TABLE t (a TEXT NOT NULL) STRICT;"];
        let newer = [older[0], "ALTER TABLE t ADD COLUMN b INTEGER NOT NULL DEFAULT 7;"];
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &older).unwrap();
        connection.execute("INSERT INTO t VALUES ('kept')", []).unwrap();
        migrate(&mut connection, &newer).unwrap();
        migrate(&mut connection, &newer).unwrap();
        let row: (String, i64) = connection.query_row("SELECT a, b FROM t", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, ("kept".to_owned(), 7));
        assert_eq!(version(&connection).unwrap(), 2);
    }

    #[test]
    fn releases_of_format_1_are_of_one_part_and_one_life() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &MIGRATIONS[..1]).unwrap();
        let old = "INSERT INTO releases (account, id, provider, kind, policy, limit_word, deadline_at, requested_at, ended_at, outcome, attempts, overrun_ms,
                saved_cost, currency, reason, metadata)
            VALUES ('growth', 's1', 'browserbase', 'session', 'ci', 'max_age', 1, 2, 3, 'confirmed', 1, 4, 0.5, 'USD', 'old', '{\"env\":\"ci\"}')";
        connection.execute(old, []).unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let row = connection.query_row("SELECT * FROM releases", [], super::super::rows::release).unwrap();
        assert_eq!((row.id.as_str(), &row.parts, &row.life), ("s1", &crate::domain::session::Parts::default(), &None));
        assert_eq!((row.ended_at.map(|at| at.as_millisecond()), row.saved_cost, row.reason.as_str()), (Some(3), Some(0.5), "old"));
        assert_eq!(row.metadata["env"], "ci");
    }

    #[test]
    fn sessions_and_counts_of_format_2_stay_and_nothing_is_made_up_about_them() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &MIGRATIONS[..2]).unwrap();
        let old = "INSERT INTO sessions (account, id, provider, kind, created_at, started_at, metadata, first_seen_at, last_seen_at)
                VALUES ('growth', 's1', 'browserbase', 'session', 1, 2, '{\"env\":\"ci\"}', 3, 9);
            INSERT INTO would_release VALUES ('growth', 's1', 'ci', 'max_age', 5);";
        connection.execute_batch(old).unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let at = |millis| crate::domain::time::Timestamp::from_millisecond(millis).unwrap();
        let recall = super::super::queries::recall(&connection, &"growth".into(), at(10)).unwrap();
        assert_eq!(recall.would_release, [("s1".into(), "ci".into(), crate::domain::verdict::Limit::MaxAge)]);
        assert_eq!((recall.shadowed, recall.activities), (Vec::new(), Vec::new()));
        let mut lived = Vec::new();
        super::super::lived::lived(&connection, &"growth".into(), at(9), |one| lived.push(one)).unwrap();
        assert_eq!((lived[0].until, lived[0].over, lived[0].session.since()), (at(9), false, at(2)));
        assert_eq!((&lived[0].session.region, lived[0].session.keep_alive_unlearnt), (&None, true));
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut connection, &["CREATE TABLE t (a TEXT) STRICT;", "no SQL"]).is_err());
        assert_eq!(version(&connection).unwrap(), 0);
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 0);
    }

    #[test]
    fn a_file_that_the_steps_do_not_fit_keeps_every_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.db");
        let mut books = Connection::open(&path).unwrap();
        migrate(&mut books, MIGRATIONS).unwrap();
        // The tables of today under the number of yesterday.
        books.pragma_update(None, "user_version", FORMAT - 1).unwrap();
        books.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
        books.close().unwrap();
        let before = std::fs::read(&path).unwrap();
        let mut books = Connection::open(&path).unwrap();
        assert!(migrate(&mut books, MIGRATIONS).is_err());
        books.close().unwrap();
        assert!(std::fs::read(&path).unwrap() == before, "it was changed");
    }

    #[test]
    fn the_formats_number_stands_in_the_header() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        assert_eq!(version(&connection).unwrap(), FORMAT);
        let id: u32 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
        assert_eq!(id, APPLICATION_ID);
    }
}
