//! The books as files: killed, shared, damaged, foreign, newer, unreachable.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may fail loudly, and its child process talks over standard output"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;
use session_reaper::config::StorePath;
use session_reaper::domain::activity::Activity;
use session_reaper::domain::hold::{OperatorHold, Pause};
use session_reaper::domain::name::{Kind, Provider, SessionId};
use session_reaper::domain::record::{Record, Sighting};
use session_reaper::domain::release::{Outcome, Release, Releases};
use session_reaper::domain::session::Parts;
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::domain::verdict::Limit;
use session_reaper::ledger::{Ledger, LedgerFault, OpenOptions, Operator, Reader};

fn at(second: i64) -> Timestamp {
    later("2026-11-20T12:00:00Z".parse().unwrap(), SignedDuration::from_secs(second))
}

fn release(id: &str, outcome: Outcome) -> Release {
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
        deadline: at(0),
        requested_at: at(1),
        asked_at: None,
        accepted_at: None,
        confirmed_at: outcome.is_final().then(|| at(3)),
        ended_at: None,
        expires_at: None,
        outcome,
        attempts: 1,
        overrun: SignedDuration::from_millis(12),
        saved_runtime: None,
        saved_cost: None,
        currency: "USD".to_owned(),
        reason: "older than 20m since 12:04:10".to_owned(),
        fault: None,
        metadata: json!({ "env": "ci" }),
    }
}

fn open(path: &Path, retention: SignedDuration, now: Timestamp) -> Result<Ledger, LedgerFault> {
    Ledger::open(&StorePath::File(path.to_owned()), OpenOptions { retention, now })
}

fn open_for_ever(path: &Path) -> Result<Ledger, LedgerFault> {
    open(path, SignedDuration::ZERO, at(0))
}

fn reader(path: &Path) -> Reader {
    Reader::open(&StorePath::File(path.to_owned())).unwrap().expect("a store")
}

fn operator(path: &Path) -> Operator {
    Operator::open(&StorePath::File(path.to_owned())).unwrap()
}

/// Runs a test's future; one that hangs has failed.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), future).await.expect("done within a minute") })
}

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// The daemon, an operator and a reader are all refused, in words that name the file, and not a byte in the folder changes.
fn assert_refused_untouched(path: &Path, expected: fn(&LedgerFault) -> bool) {
    let before = contents(path.parent().unwrap());
    let store = StorePath::File(path.to_owned());
    let refusals = [open_for_ever(path).err(), Operator::open(&store).err(), Reader::open(&store).err()];
    for refusal in refusals {
        let refusal = refusal.expect("a refusal");
        assert!(expected(&refusal), "{refusal:?}");
        assert!(refusal.to_string().contains(path.to_str().unwrap()), "{refusal}");
    }
    assert_eq!(contents(path.parent().unwrap()), before);
}

#[test]
fn no_more_holds_are_placed_than_the_daemon_has_in_mind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.db");
    let mut operator = operator(&path);
    let hold = |session: &str, until| OperatorHold { session: session.into(), placed_at: at(0), until, reason: "debugging".to_owned() };
    operator.place_hold(&hold("s1", at(1_800))).unwrap();
    let many = "WITH RECURSIVE n (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)
         INSERT INTO holds SELECT 's' || n, placed_at, until_at, reason FROM n, holds";
    Connection::open(&path).unwrap().execute(many, []).unwrap();
    let refusal = operator.place_hold(&hold("one-more", at(1_800))).unwrap_err();
    assert!(refusal.to_string().contains("10000 holds are in force already"), "{refusal}");
    assert!(operator.place_hold(&hold("s1", at(900))).unwrap().is_some(), "one that is there may be changed");
    let late = OperatorHold { placed_at: at(1_000), ..hold("one-more", at(1_800)) };
    assert_eq!(operator.place_hold(&late).unwrap(), None, "one has run out meanwhile");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for content in [b"remember the milk".to_vec(), vec![0; 4_096], b"SQLite format 3\0".repeat(64)] {
        fs::write(&path, content).unwrap();
        assert_refused_untouched(&path, |fault| matches!(fault, LedgerFault::Foreign { .. }));
    }
}

#[test]
fn another_programs_database_is_refused_and_left_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photos.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE photos (name TEXT); INSERT INTO photos VALUES ('cat')").unwrap();
    assert_refused_untouched(&path, |fault| matches!(fault, LedgerFault::Foreign { .. }));
}

#[test]
fn a_newer_store_is_refused_and_left_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.db");
    drop(operator(&path));
    let newer = Connection::open(&path).unwrap();
    newer.execute_batch("PRAGMA journal_mode = delete; PRAGMA user_version = 99; PRAGMA journal_mode = wal;").unwrap();
    drop(newer);
    assert_refused_untouched(&path, |fault| matches!(fault, LedgerFault::Newer { found: 99, .. }));
}

#[test]
fn a_damaged_store_is_refused_and_left_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.db");
    let ledger = open_for_ever(&path).unwrap();
    (0..200).for_each(|n| ledger.record(Record::Release(Box::new(release(&format!("s{n}"), Outcome::Requested)))));
    ledger.close();
    fs::remove_file(folder.path().join("books.db.lock")).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[8_192..end].fill(0xA5);
    fs::write(&path, bytes).unwrap();

    let before = fs::read(&path).unwrap();
    let refusal = open_for_ever(&path).err().expect("a refusal");
    assert!(matches!(refusal, LedgerFault::Damaged { .. }), "{refusal:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
    let names: Vec<String> = contents(folder.path()).into_keys().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["books.db", "books.db.lock"]);
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("var");
    let refusal = open_for_ever(&missing.join("books.db")).err().expect("a refusal");
    assert!(refusal.to_string().contains(&format!("the folder {} does not exist", missing.display())), "{refusal}");
    assert!(!missing.exists());
}

#[cfg(unix)]
#[test]
fn the_books_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.db");
    let ledger = open_for_ever(&path).unwrap();
    block_on(ledger.intend(&release("s1", Outcome::Requested))).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

#[cfg(unix)]
#[test]
fn a_folder_without_write_permission_is_an_error_with_a_remedy() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("readonly");
    fs::create_dir(&inner).unwrap();
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o500)).unwrap();
    // The superuser may write everywhere, so that for it there is nothing to see here.
    if fs::write(inner.join("probe"), "").is_err() {
        let refusal = open_for_ever(&inner.join("books.db")).err().expect("a refusal");
        assert!(matches!(refusal, LedgerFault::NoAccess { .. }), "{refusal:?}");
    }
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_path_that_is_a_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = open_for_ever(folder.path()).err().expect("a refusal");
    assert!(matches!(refusal, LedgerFault::NoAccess { .. }), "{refusal:?}");
}

#[test]
fn a_second_daemon_is_refused_until_the_first_has_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.db");
    let first = open_for_ever(&path).unwrap();
    let refusal = open_for_ever(&path).err().expect("a refusal");
    assert!(matches!(refusal, LedgerFault::InUse { .. }), "{refusal:?}");
    first.close();
    open_for_ever(&path).unwrap().close();
}

#[test]
fn a_closed_store_is_one_file_and_nothing_queued_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a store with % and #?.db");
    let ledger = open_for_ever(&path).unwrap();
    (0..2_500).for_each(|n| ledger.record(Record::Release(Box::new(release(&format!("s{n}"), Outcome::Requested)))));
    ledger.close();
    assert_eq!(contents(folder.path()).len(), 2, "the store and its lock");
    assert_eq!(reader(&path).releases(&Releases::latest(usize::MAX)).unwrap().len(), 2_500);
    open_for_ever(&path).unwrap().close();
}

#[test]
fn what_an_operator_writes_is_seen_by_a_running_daemon_within_a_second() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.db");
        let ledger = open_for_ever(&path).unwrap();
        let mut orders = ledger.orders();
        let session = SessionId::from("s1");
        let hold = OperatorHold { session: session.clone(), placed_at: at(0), until: at(1_800), reason: "debugging".to_owned() };
        let general = Pause { account: None, placed_at: at(1), reason: "incident".to_owned() };

        let within = Duration::from_secs(1);
        let mut operator = operator(&path);
        operator.place_hold(&hold).unwrap();
        tokio::time::timeout(within, orders.wait_for(|orders| orders.hold([&session], at(5)) == Some(&hold))).await.unwrap().unwrap();
        operator.pause(&general).unwrap();
        tokio::time::timeout(within, orders.wait_for(|orders| orders.pause(&"growth".into()) == Some(&general))).await.unwrap().unwrap();
        operator.resume(Some(&"growth".into()), at(9)).unwrap();
        tokio::time::timeout(within, orders.wait_for(|orders| orders.resumed_at.get(&"growth".into()) == Some(&at(9)))).await.unwrap().unwrap();
        operator.lift_hold(&session).unwrap();
        tokio::time::timeout(within, orders.wait_for(|orders| orders.holds.is_empty())).await.unwrap().unwrap();
    });
}

#[test]
fn orders_survive_a_restart_and_need_no_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.db");
    operator(&path).pause(&Pause { account: Some("growth".into()), placed_at: at(1), reason: "incident".to_owned() }).unwrap();
    let ledger = open_for_ever(&path).unwrap();
    assert_eq!(ledger.orders().borrow().pause(&"growth".into()).map(|pause| pause.reason.as_str()), Some("incident"));
}

#[test]
fn what_a_session_did_and_how_long_it_ran_survive_a_restart() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.db");
        let ledger = open_for_ever(&path).unwrap();
        let activity = Activity { first_seen: Some(at(0)), sightings: 2, last_active: Some(at(30)), ..Activity::default() };
        let sighting = |id: &str| Sighting {
            account: "growth".into(),
            provider: Provider::Browserbase,
            id: id.into(),
            kind: Kind::Session,
            browser: None,
            created_at: at(0),
            started_at: Some(at(0)),
            expires_at: None,
            region: None,
            keep_alive: Some(true),
            metadata: json!({ "team": "ml" }),
            activity: activity.clone(),
            seen_at: at(60),
            lived_until: at(60),
        };
        ledger.record(Record::Seen(vec![sighting("running"), sighting("over")]));
        ledger.record(Record::Gone { account: "growth".into(), id: "over".into(), at: at(50) });
        ledger.close();

        let ledger = open_for_ever(&path).unwrap();
        let recall = ledger.recall(&"growth".into(), at(90)).await.unwrap();
        assert_eq!(recall.activities, [(SessionId::from("running"), activity)]);
        let mut lived = Vec::new();
        reader(&path).lived(&"growth".into(), at(0), |one| lived.push((one.session.id.to_string(), one.until, one.over))).unwrap();
        lived.sort();
        assert_eq!(lived, [("over".to_owned(), at(50), true), ("running".to_owned(), at(60), false)]);
    });
}

#[test]
fn many_operators_and_the_daemon_write_at_once() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.db");
        let ledger = open_for_ever(&path).unwrap();
        let hands: Vec<_> = (0..4)
            .map(|hand| {
                let path = path.clone();
                std::thread::spawn(move || {
                    for n in 0..10 {
                        let session = SessionId::from(format!("{hand}-{n}"));
                        let hold = OperatorHold { session, placed_at: at(0), until: at(60), reason: "busy".to_owned() };
                        operator(&path).place_hold(&hold).unwrap();
                    }
                })
            })
            .collect();
        for n in 0..40 {
            ledger.intend(&release(&format!("s{n}"), Outcome::Requested)).await.unwrap();
        }
        hands.into_iter().for_each(|hand| hand.join().unwrap());
        assert_eq!(reader(&path).orders().unwrap().holds.len(), 40);
        assert_eq!(reader(&path).releases(&Releases::latest(100)).unwrap().len(), 40);
    });
}

#[test]
fn a_reader_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.db");
    assert!(Reader::open(&StorePath::File(path.clone())).unwrap().is_none());
    assert!(!path.exists());
}

#[test]
fn an_operator_cannot_reach_a_store_in_memory() {
    assert_eq!(Operator::open(&StorePath::Memory).err(), Some(LedgerFault::InMemory));
}

#[test]
fn what_is_older_than_the_retention_is_forgotten_at_the_start() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.db");
        let ledger = open_for_ever(&path).unwrap();
        (0..1_200).for_each(|n| ledger.record(Record::Release(Box::new(release(&format!("s{n}"), Outcome::Confirmed)))));
        ledger.record(Record::Release(Box::new(release("open", Outcome::Stuck))));
        ledger.close();

        let _ledger = open(&path, SignedDuration::from_hours(24), at(86_400 * 2)).unwrap();
        let reader = reader(&path);
        let deadline = Instant::now() + Duration::from_secs(10);
        while reader.releases(&Releases::latest(10)).unwrap().len() > 1 {
            assert!(Instant::now() < deadline, "forgotten within 10 s");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(reader.releases(&Releases::latest(10)).unwrap()[0].id.as_str(), "open");
    });
}

/// Set in the child process that [`an_acknowledged_intent_survives_sigkill`] kills.
const CHILD_STORE: &str = "SESSION_REAPER_TEST_CHILD_STORE";

#[test]
fn an_acknowledged_intent_survives_sigkill() {
    if let Some(path) = std::env::var_os(CHILD_STORE) {
        return intend_until_killed(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.db");
    let mut acknowledged = Vec::new();
    for wanted in [1, 7, 40] {
        acknowledged.extend(run_and_kill(&path, wanted));
        let ledger = open_for_ever(&path).expect("the lock went with its process");
        let missing: Vec<&String> = acknowledged.iter().filter(|id| ledger.reader().release(&id.as_str().into()).unwrap().is_empty()).collect();
        assert!(missing.is_empty(), "lost: {missing:?}");
        ledger.close();
    }
}

/// Starts this test again as a child, kills it once it has acknowledged so many intents, and gives every one it acknowledged.
fn run_and_kill(path: &Path, wanted: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["ledger::an_acknowledged_intent_survives_sigkill", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD_STORE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    for line in lines.map_while(Result::ok) {
        acknowledged.extend(line.split_once("acknowledged ").map(|(_, id)| id.to_owned()));
        if acknowledged.len() == wanted {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= wanted, "the child ended early");
    acknowledged
}

fn intend_until_killed(path: &Path) {
    let ledger = open_for_ever(path).unwrap();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        for n in 0.. {
            let id = format!("{}-{n}", std::process::id());
            ledger.intend(&release(&id, Outcome::Requested)).await.unwrap();
            println!("acknowledged {id}");
        }
    });
}
