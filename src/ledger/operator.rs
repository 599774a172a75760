//! What operators write into the books, beside a running daemon or without one: each call is one short transaction.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::fault::{LedgerFault, Place};
use super::queries::{all, hold, pause};
use super::rows::millis;
use crate::config::StorePath;
use crate::domain::hold::{OperatorHold, Pause};
use crate::domain::name::{AccountName, SessionId};
use crate::domain::time::Timestamp;

/// The general pause's row stands under the name that no account can have.
const EVERY_ACCOUNT: &str = "";

/// Holds that may be in force at a time: the daemon has them all in mind.
pub(super) const MOST_HOLDS: i64 = 10_000;

/// An operator's hand on the books.
#[derive(Debug)]
pub struct Operator {
    place: Place,
    connection: Connection,
}

/// What `resume` ended, and what holds all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    pub lifted: Vec<Pause>,
    /// The general pause, where only one account was resumed.
    pub still_paused: Option<Pause>,
}

impl Operator {
    /// Opens the store, or creates it where there is none.
    pub fn open(path: &StorePath) -> Result<Self, LedgerFault> {
        let place = Place::of(path);
        let connection = place.open_for_operator()?;
        Ok(Self { place, connection })
    }

    /// Places a hold, or replaces the one that the session has; gives the one replaced.
    pub fn place_hold(&mut self, placed: &OperatorHold) -> Result<Option<OperatorHold>, LedgerFault> {
        let held = self.change(|books| {
            let before = find_hold(books, &placed.session)?;
            let others = "SELECT count(*) FROM holds WHERE session <> ?1 AND until_at > ?2";
            let others: i64 = books.query_row(others, params![placed.session.as_str(), millis(placed.placed_at)], |row| row.get(0))?;
            if others >= MOST_HOLDS {
                return Ok(None);
            }
            books.execute(
                "INSERT OR REPLACE INTO holds (session, placed_at, until_at, reason) VALUES (?1, ?2, ?3, ?4)",
                params![placed.session.as_str(), millis(placed.placed_at), millis(placed.until), placed.reason],
            )?;
            Ok(Some(before))
        })?;
        held.ok_or_else(|| LedgerFault::TooManyHolds { place: self.place.clone() })
    }

    /// Takes a hold back; gives it, or nothing where there was none.
    pub fn lift_hold(&mut self, session: &SessionId) -> Result<Option<OperatorHold>, LedgerFault> {
        self.change(|books| {
            let before = find_hold(books, session)?;
            books.execute("DELETE FROM holds WHERE session = ?1", [session.as_str()])?;
            Ok(before)
        })
    }

    /// Pauses an account, or all of them; a pause that is there already gets the new reason.
    pub fn pause(&mut self, placed: &Pause) -> Result<(), LedgerFault> {
        let name = placed.account.as_ref().map_or(EVERY_ACCOUNT, AccountName::as_str);
        self.change(|books| {
            let sql = "INSERT OR REPLACE INTO pauses (account, placed_at, reason) VALUES (?1, ?2, ?3)";
            books.execute(sql, params![name, millis(placed.placed_at), placed.reason]).map(drop)
        })
    }

    /// Ends an account's own pause and its tripped guardrail; without an account, every pause and every tripped guardrail.
    pub fn resume(&mut self, account: Option<&AccountName>, now: Timestamp) -> Result<Resumed, LedgerFault> {
        self.change(|books| match account {
            Some(account) => resume_one(books, account, now),
            None => resume_all(books, now),
        })
    }

    fn change<T>(&mut self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, LedgerFault> {
        let changed = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
            let given = change(&transaction)?;
            transaction.commit().map(|()| given)
        });
        changed.map_err(|error| self.place.fault(error))
    }
}

fn find_hold(books: &Connection, session: &SessionId) -> rusqlite::Result<Option<OperatorHold>> {
    books.query_row("SELECT * FROM holds WHERE session = ?1", [session.as_str()], hold).optional()
}

fn resume_one(books: &Connection, account: &AccountName, now: Timestamp) -> rusqlite::Result<Resumed> {
    let lifted = all(books, "SELECT * FROM pauses WHERE account = ?1", [account.as_str()], pause)?;
    let still_paused = books.query_row("SELECT * FROM pauses WHERE account = ?1", [EVERY_ACCOUNT], pause).optional()?;
    books.execute("DELETE FROM pauses WHERE account = ?1", [account.as_str()])?;
    books.execute("INSERT OR REPLACE INTO resumes (account, resumed_at) VALUES (?1, ?2)", params![account.as_str(), millis(now)])?;
    Ok(Resumed { lifted, still_paused })
}

/// Every account that the books know: one that they do not know has never been polled, so that nothing can have tripped there.
fn resume_all(books: &Connection, now: Timestamp) -> rusqlite::Result<Resumed> {
    let lifted = all(books, "SELECT * FROM pauses ORDER BY account", [], pause)?;
    books.execute(
        "INSERT OR REPLACE INTO resumes (account, resumed_at)
         SELECT account, ?1 FROM accounts UNION SELECT account, ?1 FROM pauses WHERE account <> ?2",
        params![millis(now), EVERY_ACCOUNT],
    )?;
    books.execute("DELETE FROM pauses", [])?;
    Ok(Resumed { lifted, still_paused: None })
}
