//! The books' file: any bytes in its place, a store with bytes changed, and a store whose rows hold anything.

use std::fs;
use std::path::{Path, PathBuf};

use session_reaper::config::StorePath;
use session_reaper::domain::release::Releases;
use session_reaper::domain::time::{SignedDuration, Timestamp};
use session_reaper::ledger::{By, Ledger, LedgerFault, OpenOptions, Operator, Reader};

use super::cut::Cut;
use super::dealt::noon;

mod books;

/// What became of a file in the store's place.
#[derive(Debug)]
pub enum Opened {
    /// Nobody may use it.
    Refused(LedgerFault),
    /// A store, which takes an intent or says why not.
    Taken(Result<(), LedgerFault>),
}

/// The first byte says what the file is: any bytes (`0`), a store of which bytes are changed (`1`), or one of which rows are (`2`).
pub fn ledger_opening(input: &[u8]) -> Opened {
    let folder = tempfile::tempdir_in(quick_folder()).expect("a folder");
    let path = folder.path().join("books.db");
    let mut cut = Cut(input);
    match cut.below(3) {
        0 => fs::write(&path, cut.0).expect("a file"),
        1 => fs::write(&path, books::changed_bytes(&mut cut)).expect("a file"),
        _ => books::changed_rows(&path, &mut cut),
    }
    looking_changes_nothing(&path);
    open(&path)
}

/// In memory where the system has such a folder: the disk is not what is tried here.
fn quick_folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn store(path: &Path) -> StorePath {
    StorePath::File(path.to_owned())
}

/// A fault names the file.
fn names<T>(path: &Path, result: Result<T, LedgerFault>) -> Result<T, LedgerFault> {
    if let Err(fault) = &result {
        assert!(fault.to_string().contains(&path.display().to_string()), "{fault}");
    }
    result
}

/// A reader finds what is there or says what is wrong, and leaves the file as it is; so does an operator who is refused.
fn looking_changes_nothing(path: &Path) {
    let before = fs::read(path).expect("the file");
    if let Ok(Some(reader)) = names(path, Reader::open(&store(path))) {
        ask_everything(path, &reader);
    }
    assert!(fs::read(path).expect("the file") == before, "a reader changed the file");
    if names(path, Operator::open(&store(path))).is_err() {
        assert!(fs::read(path).expect("the file") == before, "an operator who was refused changed the file");
    }
}

fn ask_everything(path: &Path, reader: &Reader) {
    let (account, ever) = ("growth".into(), Timestamp::MIN);
    _ = names(path, reader.orders());
    _ = names(path, reader.recall(&account, noon()));
    _ = names(path, reader.releases(&Releases::latest(1_000)));
    _ = names(path, reader.release(&"s-1".into()));
    _ = names(path, reader.knows(&"s-1".into()));
    _ = names(path, reader.lived(&account, ever, |lived| _ = lived.session.age(lived.until)));
    for by in [By::Account, By::Policy, By::Limit, By::Kind, By::Day, By::Metadata("env".to_owned())] {
        _ = names(path, reader.report(ever, Timestamp::MAX, &by).map(|report| serde_json::to_string(&report).expect("a report")));
        _ = names(path, reader.report_to_now(ever, noon(), &by));
    }
}

/// A file that is refused is as it was, and nothing but the lock stands beside it. One that is taken can be written and read, or says why not.
fn open(path: &Path) -> Opened {
    let before = fs::read(path).expect("the file");
    let options = OpenOptions { retention: SignedDuration::from_hours(24), now: noon() };
    let ledger = match names(path, Ledger::open(&store(path), options)) {
        Ok(ledger) => ledger,
        Err(fault) => {
            assert!(fs::read(path).expect("the file") == before, "refused, and changed: {fault}");
            return Opened::Refused(fault);
        }
    };
    let intended = at_once(async {
        let intended = names(path, ledger.intend(&books::release("intended")).await);
        _ = names(path, ledger.recall(&"growth".into(), noon()).await);
        intended
    });
    if intended.is_ok() {
        let kept = names(path, ledger.reader().release(&"intended".into()));
        assert!(kept.is_err() || kept.is_ok_and(|kept| kept.len() == 1), "an intent that was taken is not there");
    }
    ledger.close();
    Opened::Taken(intended)
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}
