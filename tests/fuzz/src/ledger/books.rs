//! A small store with something in every table, and what an input makes of it.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use session_reaper::config::StorePath;
use session_reaper::domain::activity::Activity;
use session_reaper::domain::hold::{OperatorHold, Pause};
use session_reaper::domain::name::{Kind, Provider, SessionId};
use session_reaper::domain::record::{Record, Sighting};
use session_reaper::domain::release::{Outcome, Release};
use session_reaper::domain::session::Parts;
use session_reaper::domain::time::{SignedDuration, later};
use session_reaper::domain::verdict::Limit;
use session_reaper::ledger::{Ledger, OpenOptions, Operator};

use super::super::cut::Cut;
use super::super::dealt::noon;
use super::quick_folder;

/// Where SQLite's header has what the house goes by: the way of writing, the format's number, and whose file it is.
const MARKS: [usize; 4] = [18, 19, 63, 68];

/// The columns that hold numbers and texts from outside, with their tables.
const COLUMNS: [(&str, &str); 26] = [
    ("releases", "deadline_at"),
    ("releases", "requested_at"),
    ("releases", "confirmed_at"),
    ("releases", "ended_at"),
    ("releases", "attempts"),
    ("releases", "overrun_ms"),
    ("releases", "saved_runtime_ms"),
    ("releases", "outcome"),
    ("releases", "limit_word"),
    ("releases", "parts"),
    ("releases", "life"),
    ("releases", "metadata"),
    ("sessions", "created_at"),
    ("sessions", "started_at"),
    ("sessions", "last_seen_at"),
    ("sessions", "ended_at"),
    ("sessions", "lived_until_at"),
    ("sessions", "keep_alive"),
    ("sessions", "activity"),
    ("sessions", "metadata"),
    ("accounts", "last_complete_at"),
    ("accounts", "gap_after_ms"),
    ("accounts", "tripped_at"),
    ("holds", "until_at"),
    ("pauses", "placed_at"),
    ("gaps", "until_at"),
];

/// The store with up to eight stretches of bytes changed, and perhaps cut short.
pub(super) fn changed_bytes(cut: &mut Cut<'_>) -> Vec<u8> {
    let mut bytes = template().to_vec();
    let end = if cut.below(8) == 1 { cut.number().unsigned_abs() as usize % bytes.len() } else { bytes.len() };
    bytes.truncate(end);
    for _ in 0..cut.below(9) {
        let at = match cut.below(4) {
            0 => cut.of(&MARKS),
            1 => cut.below(100),
            _ => cut.number().unsigned_abs() as usize % template().len(),
        };
        let length = 1 + cut.below(8);
        let new = cut.bytes(length);
        bytes.iter_mut().skip(at).zip(new).for_each(|(old, new)| *old = *new);
    }
    bytes
}

/// The store with up to eight columns changed.
pub(super) fn changed_rows(path: &Path, cut: &mut Cut<'_>) {
    fs::write(path, template()).expect("a file");
    let books = Connection::open(path).expect("a store");
    for _ in 0..cut.below(9) {
        let (table, column) = cut.of(&COLUMNS);
        let value = match cut.below(4) {
            0 => Sql::Null,
            1 => Sql::Integer(cut.number()),
            2 => Sql::Integer(i64::from(cut.byte())),
            _ => Sql::Text(cut.text()),
        };
        // Of another type than the column's, it is not taken.
        _ = books.execute(&format!("UPDATE {table} SET {column} = ?1"), [value]);
    }
}

/// A store as the daemon leaves it, made once.
fn template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir_in(quick_folder()).expect("a folder");
        let path = folder.path().join("books.db");
        fill(&StorePath::File(path.clone()));
        fs::read(path).expect("a store")
    })
}

fn fill(path: &StorePath) {
    let ledger = Ledger::open(path, OpenOptions { retention: SignedDuration::ZERO, now: noon() }).expect("a store");
    let account = || "growth".into();
    let polled =
        |minute| Record::Polled { account: account(), at: later(noon(), SignedDuration::from_mins(minute)), gap_after: SignedDuration::from_mins(1) };
    let (policy, limit) = ("ci".into(), Limit::MaxAge);
    let records = [
        Record::Home { account: account(), home: "https://api.browserbase.com".to_owned() },
        Record::Release(Box::new(Release { outcome: Outcome::Confirmed, confirmed_at: Some(noon()), saved_cost: Some(0.12), ..release("s-1") })),
        Record::Release(Box::new(release("s-2"))),
        Record::Seen(vec![sighting("s-1"), sighting("s-2")]),
        Record::Gone { account: account(), id: "s-1".into(), at: noon() },
        Record::WouldRelease { account: account(), id: "s-2".into(), policy, limit, shadow: true, at: noon() },
        Record::Tripped { account: account(), at: noon() },
        polled(0),
        polled(9),
    ];
    records.into_iter().for_each(|record| ledger.record(record));
    ledger.close();
    let mut operator = Operator::open(path).expect("a store");
    let hold = OperatorHold {
        session: SessionId::from("s-2"),
        placed_at: noon(),
        until: later(noon(), SignedDuration::from_hours(1)),
        reason: "look".to_owned(),
    };
    operator.place_hold(&hold).expect("a hold");
    operator.pause(&Pause { account: Some(account()), placed_at: noon(), reason: "incident".to_owned() }).expect("a pause");
}

/// Asked for once at noon, and not answered.
pub(super) fn release(id: &str) -> Release {
    Release {
        account: "growth".into(),
        provider: Provider::Browserbase,
        id: id.into(),
        kind: Kind::Session,
        parts: Parts::default(),
        life: None,
        region: None,
        policy: "ci".into(),
        limit: Limit::MaxAge,
        deadline: noon(),
        requested_at: noon(),
        asked_at: Some(noon()),
        accepted_at: None,
        confirmed_at: None,
        ended_at: None,
        expires_at: None,
        outcome: Outcome::Requested,
        attempts: 1,
        overrun: SignedDuration::ZERO,
        saved_runtime: Some(SignedDuration::from_mins(9)),
        saved_cost: None,
        currency: "USD".to_owned(),
        reason: "older than 20m since 12:40:00".to_owned(),
        fault: None,
        metadata: serde_json::json!({ "env": "ci" }),
    }
}

fn sighting(id: &str) -> Sighting {
    Sighting {
        account: "growth".into(),
        provider: Provider::Browserbase,
        id: id.into(),
        kind: Kind::Session,
        browser: None,
        created_at: noon(),
        started_at: Some(noon()),
        expires_at: None,
        region: None,
        keep_alive: Some(true),
        metadata: serde_json::json!({ "env": "ci" }),
        activity: Activity { first_seen: Some(noon()), sightings: 2, ..Activity::default() },
        seen_at: noon(),
        lived_until: noon(),
    }
}
