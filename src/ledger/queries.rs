//! What the books are asked.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::fault::{LedgerFault, Place};
use super::lived;
use super::notices;
use super::report::{self, By, Read, Wanted};
use super::rows::{self, account, instant, maybe_instant, millis, session, word};
use crate::config::StorePath;
use crate::domain::activity::Activity;
use crate::domain::hold::{OperatorHold, Orders, Pause};
use crate::domain::name::{AccountName, PolicyName, ReceiverName, SessionId};
use crate::domain::record::{Lived, Recall, Untold};
use crate::domain::release::{Outcome, Release, Releases};
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::domain::verdict::Limit;
use crate::domain::view::Report;

/// How long ago a final release may have been requested, for an engine that starts to know of it.
const RECALLED_RELEASES: SignedDuration = SignedDuration::from_hours(24);
/// How long ago a session may have been seen, for an engine that starts to count it as live in the rolling hour.
const RECALLED_SESSIONS: SignedDuration = SignedDuration::from_hours(1);

/// How long ago a session may have been seen for its activity to be worth remembering.
const RECALLED_ACTIVITIES: SignedDuration = SignedDuration::from_hours(24);

/// How long ago a session may have ended for what was counted of it to be worth remembering: it is over, and would have to be listed again.
const RECALLED_COUNTS: SignedDuration = SignedDuration::from_hours(24);

/// Asks the books and cannot write. Its calls block for as long as a query takes.
#[derive(Clone, Debug)]
pub struct Reader {
    place: Place,
    connection: Arc<Mutex<Connection>>,
}

impl Reader {
    /// Opens the store for reading, beside a daemon or without one; `None` where there is none yet, and none is made.
    pub fn open(path: &StorePath) -> Result<Option<Self>, LedgerFault> {
        if *path == StorePath::Memory {
            return Err(LedgerFault::InMemory);
        }
        let place = Place::of(path);
        let connection = place.open_for_reader()?;
        Ok(connection.map(|connection| Self::over(place, connection)))
    }

    pub(super) fn over(place: Place, connection: Connection) -> Self {
        Self { place, connection: Arc::new(Mutex::new(connection)) }
    }

    /// Everything that operators have said and not yet taken back.
    pub fn orders(&self) -> Result<Orders, LedgerFault> {
        self.ask(orders)
    }

    /// What an engine has to know of its account when it starts.
    pub fn recall(&self, account: &AccountName, now: Timestamp) -> Result<Recall, LedgerFault> {
        self.ask(|books| recall(books, account, now))
    }

    /// Releases, newest first.
    pub fn releases(&self, wanted: &Releases) -> Result<Vec<Release>, LedgerFault> {
        let sql = "SELECT * FROM releases WHERE coalesce(confirmed_at, requested_at) >= ?1 AND (?2 IS NULL OR account = ?2)
             AND (?3 IS NULL OR policy = ?3) AND (?4 IS NULL OR outcome = ?4)
             ORDER BY coalesce(confirmed_at, requested_at) DESC, account, id LIMIT ?5 OFFSET ?6";
        let Releases { since, account, policy, outcome, skip, limit } = wanted;
        let since = since.map_or(i64::MIN, millis);
        let (account, policy) = (account.as_ref().map(AccountName::as_str), policy.as_ref().map(PolicyName::as_str));
        let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
        let params = params![since, account, policy, outcome.map(Outcome::as_str), count(*limit), count(*skip)];
        self.ask(|books| all(books, sql, params, rows::release))
    }

    /// The releases of the session that has this id, or a part with this id: one for each of its lives and accounts, newest first.
    pub fn release(&self, id: &SessionId) -> Result<Vec<Release>, LedgerFault> {
        let sql = "SELECT * FROM releases WHERE ?1 IN (id, parts ->> 'browser', parts ->> 'run') ORDER BY requested_at DESC, account";
        self.ask(|books| all(books, sql, [id.as_str()], rows::release))
    }

    /// Whether any account has ever shown a session with this id, or with a browser of this id, as far as the books go back.
    pub fn knows(&self, id: &SessionId) -> Result<bool, LedgerFault> {
        let sql = "SELECT EXISTS (SELECT 1 FROM sessions WHERE ?1 IN (id, browser))
             OR EXISTS (SELECT 1 FROM releases WHERE parts ->> 'browser' = ?1)";
        self.ask(|books| books.query_row(sql, [id.as_str()], |row| row.get(0)))
    }

    /// What was released and saved within `[since, until)`: the rows, which are cheap to have.
    pub fn report(&self, since: Timestamp, until: Timestamp, by: &By) -> Result<Report, LedgerFault> {
        self.ask(|books| report::report(books, since, until, until, by))
    }

    /// The same from `since` on. Releases stand in the provider's time, which may be ahead of ours: the latest of them may lie after `now`.
    pub fn report_to_now(&self, since: Timestamp, now: Timestamp, by: &By) -> Result<Report, LedgerFault> {
        self.ask(|books| report::report(books, since, now, Timestamp::MAX, by))
    }

    /// The whole report: rows, and what else is wanted. Tells from time to time how far it has come.
    pub fn whole_report(&self, wanted: &Wanted, hear: &mut dyn FnMut(Read)) -> Result<Report, LedgerFault> {
        self.whole_reports(wanted, &[], hear).map(|(report, _)| report)
    }

    /// The same, and the rows by other keys, all of one moment.
    pub fn whole_reports(&self, wanted: &Wanted, also: &[By], hear: &mut dyn FnMut(Read)) -> Result<(Report, Vec<Report>), LedgerFault> {
        self.ask(|books| report::whole(books, wanted, also, hear))
    }

    /// Every session's runtime that reaches to `since` or past it, one by one, in no order. Instants are the provider's, save the last sighting of a
    /// session that is not known to be over, which is ours.
    pub fn lived(&self, account: &AccountName, since: Timestamp, each: impl FnMut(Lived)) -> Result<(), LedgerFault> {
        self.ask(|books| lived::lived(books, account, since, each))
    }

    /// What a receiver is still to be told, and what it was told since then.
    pub fn untold(&self, receiver: &ReceiverName, since: Timestamp) -> Result<Untold, LedgerFault> {
        self.ask(|books| notices::untold(books, receiver, since))
    }

    /// The sessions seen or over last, the latest first, until `each` has heard enough; [`Self::lived`] says what of them.
    pub fn latest(&self, account: &AccountName, each: impl FnMut(Lived) -> ControlFlow<()>) -> Result<(), LedgerFault> {
        self.ask(|books| lived::latest(books, account, each))
    }

    fn ask<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, LedgerFault> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // One transaction, so that several statements see one state of the books.
        let asked = connection.transaction().and_then(|books| query(&books));
        asked.map_err(|error| self.place.fault(error))
    }
}

pub(super) fn orders(books: &Connection) -> rusqlite::Result<Orders> {
    let holds = all(books, "SELECT * FROM holds", [], hold)?;
    let resumed = all(books, "SELECT * FROM resumes", [], |row| Ok((account(row, "account")?, instant(row, "resumed_at")?)))?;
    Ok(Orders {
        holds: holds.into_iter().map(|hold| (hold.session.clone(), hold)).collect(),
        pauses: all(books, "SELECT * FROM pauses ORDER BY account", [], pause)?,
        resumed_at: resumed.into_iter().collect(),
    })
}

pub(super) fn hold(row: &Row<'_>) -> rusqlite::Result<OperatorHold> {
    Ok(OperatorHold {
        session: session(row, "session")?,
        placed_at: instant(row, "placed_at")?,
        until: instant(row, "until_at")?,
        reason: row.get("reason")?,
    })
}

pub(super) fn pause(row: &Row<'_>) -> rusqlite::Result<Pause> {
    Ok(Pause {
        account: Some(account(row, "account")?).filter(|name| !name.as_str().is_empty()),
        placed_at: instant(row, "placed_at")?,
        reason: row.get("reason")?,
    })
}

pub(super) fn recall(books: &Connection, name: &AccountName, now: Timestamp) -> rusqlite::Result<Recall> {
    let ago = |length: SignedDuration| millis(later(now, -length));
    let releases = "SELECT * FROM releases WHERE account = ?1 AND ((outcome NOT IN ('confirmed', 'already_ended') AND confirmed_at IS NULL) OR requested_at >= ?2)
         ORDER BY requested_at, id";
    let seen = "SELECT id, last_seen_at FROM sessions WHERE account = ?1 AND last_seen_at >= ?2 ORDER BY id";
    let would_release = "SELECT id, policy, limit_word FROM would_release AS counted WHERE account = ?1 AND shadow = ?2
         AND NOT EXISTS (SELECT 1 FROM sessions WHERE account = counted.account AND id = counted.id AND ended_at < ?3)
         ORDER BY id, policy, limit_word";
    let guard = "SELECT home, tripped_at, allowance_opened_at, last_complete_at FROM accounts WHERE account = ?1";
    let state = books.prepare_cached(guard)?.query_row([name.as_str()], guardrail).optional()?.unwrap_or_default();
    let recalled = Recall {
        releases: all(books, releases, params![name.as_str(), ago(RECALLED_RELEASES)], rows::release)?,
        seen: all(books, seen, params![name.as_str(), ago(RECALLED_SESSIONS)], |row| Ok((session(row, "id")?, instant(row, "last_seen_at")?)))?,
        activities: activities(books, name, later(now, -RECALLED_ACTIVITIES))?,
        would_release: all(books, would_release, params![name.as_str(), false, ago(RECALLED_COUNTS)], counted)?,
        shadowed: all(books, would_release, params![name.as_str(), true, ago(RECALLED_COUNTS)], counted)?,
        fell_due: all(books, FELL_DUE, [name.as_str()], fell_due)?,
        ..state
    };
    Ok(recalled)
}

/// Of sessions that are not known to be over. What cannot be read any more is as if nothing was known, and is said once.
fn activities(books: &Connection, name: &AccountName, seen_since: Timestamp) -> rusqlite::Result<Vec<(SessionId, Activity)>> {
    let sql = "SELECT id, activity FROM sessions
         WHERE account = ?1 AND coalesce(ended_at, last_seen_at) >= ?2 AND ended_at IS NULL AND activity IS NOT NULL ORDER BY id";
    let found = all(books, sql, params![name.as_str(), millis(seen_since)], |row| Ok((session(row, "id")?, rows::activity(row)?)))?;
    let unreadable = found.iter().filter(|(_, activity)| activity.is_none()).count();
    if unreadable > 0 {
        tracing::warn!(account = %name, sessions = unreadable, "what the books remember of these sessions' activity cannot be read; it counts as not known");
    }
    Ok(found.into_iter().filter_map(|(id, activity)| Some((id, activity?))).collect())
}

/// Releases have their deadlines; what would have been released was counted when it was due.
const FELL_DUE: &str = "SELECT policy, limit_word, max(at) AS at FROM (
         SELECT policy, limit_word, deadline_at AS at FROM releases WHERE account = ?1
         UNION ALL SELECT policy, limit_word, counted_at FROM would_release WHERE account = ?1)
     GROUP BY policy, limit_word ORDER BY policy, limit_word";

fn fell_due(row: &Row<'_>) -> rusqlite::Result<(PolicyName, Limit, Timestamp)> {
    Ok((rows::policy(row)?, word(row, "limit_word", Limit::from_word)?, instant(row, "at")?))
}

fn guardrail(row: &Row<'_>) -> rusqlite::Result<Recall> {
    Ok(Recall {
        home: row.get("home")?,
        tripped_at: maybe_instant(row, "tripped_at")?,
        allowance_opened_at: maybe_instant(row, "allowance_opened_at")?,
        last_complete_at: maybe_instant(row, "last_complete_at")?,
        ..Recall::default()
    })
}

fn counted(row: &Row<'_>) -> rusqlite::Result<(SessionId, PolicyName, Limit)> {
    Ok((session(row, "id")?, rows::policy(row)?, word(row, "limit_word", Limit::from_word)?))
}

pub(super) fn all<T>(
    books: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    books.prepare_cached(sql)?.query_map(params, read)?.collect()
}
