//! The power goes: whatever of the store has reached the disk by then, the books open, and hold the intent of every release that was sent. The shipped
//! binary does it all under strace, whose record says what a disk could hold at each moment.

#![expect(clippy::print_stdout, reason = "how many disks were tried is for whoever reads the test's output")]

mod disk;
mod lives;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
use session_reaper::config::StorePath;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::SignedDuration;
use session_reaper::ledger::{Ledger, OpenOptions};

use self::disk::{Disk, Luck};
use self::lives::Lives;
use self::trace::Act;
use super::stage::{Script, Stage};
use crate::support::{eventually, foreign_script};

/// Disks beyond those of the moments at which a release leaves.
const DISKS: usize = 400;

const LUCKS: [Luck; 5] = [Luck::None, Luck::All, Luck::AllButTheLast, Luck::Some { sector: 512 }, Luck::Some { sector: 4_096 }];

/// Threads that look at disks side by side.
const LOOKERS: usize = 2;

/// How to call strace; nothing where it cannot be had.
pub(super) fn strace() -> Option<String> {
    let environment = concat!(env!("CARGO_TARGET_TMPDIR"), "/strace");
    foreign_script("tests/power/strace.sh", &[environment]).map(|said| said.trim().to_owned())
}

/// The same command under strace. With `-D` the tracer stands aside, so that the process is the program's own.
pub(super) fn under(strace: &str, options: &[&str], command: &Command) -> Command {
    let mut traced = Command::new(strace);
    traced.args(options).arg(command.get_program()).args(command.get_args());
    traced.current_dir(command.get_current_dir().expect("a stage's commands have one"));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    traced
}

#[test]
fn whenever_the_power_goes_the_books_open_and_hold_every_release_that_left() {
    let stage = Stage::playing(&Script { top: "requests_per_second = 100\ndrain_timeout = \"20s\"", ..Script::default() });
    let ids: Vec<SessionId> = (0..150).map(|n| stage.due_in(500 + n * 60)).collect();
    let Some(mut lives) = Lives::on(stage) else { return };
    lives.live(|stage, daemon| {
        eventually("a third is requested", || (stage.requested().len() >= 50).then_some(()));
        daemon.dies();
    });
    lives.live(|stage, daemon| {
        stage.all_end(&ids);
        daemon.reaches(75.0, "session_reaper_sessions_released_total", &[]);
        assert_eq!(daemon.stops(), Some(0));
    });
    lives.live(|stage, daemon| {
        stage.due_in(0);
        eventually("it is requested", || (stage.requested().len() > 150).then_some(()));
        daemon.dies();
    });

    let arrived: BTreeSet<SessionId> = lives.stage.requested().into_iter().filter_map(|request| request.session).collect();
    assert_eq!(lives.requested().into_iter().cloned().collect::<BTreeSet<_>>(), arrived, "the record has every release that arrived");
    assert!(lives.checkpoints() > 2, "the store's own file is written while releases leave");
    each_row_is_on_the_disk_before_its_release_leaves(&lives);
    every_disk_that_may_be_found_opens_and_knows_what_left(&lives, &BTreeSet::new());
    a_daemon_on_what_was_found_settles_it(lives);
}

#[test]
fn whenever_the_power_goes_in_a_migration_the_store_opens_and_has_all_that_it_had() {
    let stage = Stage::new();
    std::fs::write(stage.path("books.db"), include_bytes!("../../fixtures/store/format-1.db")).expect("a writable folder");
    let Some(mut lives) = Lives::on(stage) else { return };
    lives.live(|_, daemon| {
        daemon.is_ready();
        assert_eq!(daemon.stops(), Some(0));
    });
    let had = (0..20).map(|n| SessionId::from(format!("s{n}"))).collect();
    every_disk_that_may_be_found_opens_and_knows_what_left(&lives, &had);
}

/// What releases' rows went into each file.
type Rows<'a> = BTreeMap<&'a Path, BTreeSet<SessionId>>;

fn each_row_is_on_the_disk_before_its_release_leaves(lives: &Lives) {
    let (mut written, mut syncing, mut synced) = (Rows::new(), Rows::new(), BTreeSet::new());
    for act in &lives.acts {
        match act {
            Act::Wrote { file, bytes, .. } => written.entry(file).or_default().extend(rows(bytes)),
            Act::Syncing(file) => drop(syncing.insert(file, written.get(&**file).cloned().unwrap_or_default())),
            Act::Synced(file) => synced.append(syncing.entry(file).or_default()),
            Act::Requested(id) => assert!(synced.contains(id), "{id} was asked for before its row was synced"),
            _ => {}
        }
    }
}

/// The sessions whose releases' rows are among these bytes: SQLite keeps the texts of a row one after the other, in the order of its columns.
fn rows(bytes: &[u8]) -> Vec<SessionId> {
    const ID_LENGTH: usize = 36;
    let text = String::from_utf8_lossy(bytes);
    let behind = text.match_indices("browserbasesession{\"own\"").map(|(place, _)| &text[..place]);
    behind.filter_map(|before| before.get(before.len().checked_sub(ID_LENGTH)?..)).map(SessionId::from).collect()
}

/// Knows, too, what it had from the beginning.
fn every_disk_that_may_be_found_opens_and_knows_what_left(lives: &Lives, had: &BTreeSet<SessionId>) {
    let mut rng = Rng::with_seed(5);
    let chosen: BTreeSet<usize> = (0..DISKS).map(|_| rng.usize(..lives.acts.len())).collect();
    let tried = AtomicUsize::new(0);
    let look = |looker: usize| {
        let mut rng = Rng::with_seed(looker as u64);
        lives.replay(|moment, act, disk, sent| {
            if moment % LOOKERS != looker {
                return;
            }
            let at_worst = matches!(act, Act::Requested(_)).then_some(Luck::None);
            let by_chance = chosen.contains(&moment).then(|| rng.choice(LUCKS).expect("one of five"));
            for luck in at_worst.into_iter().chain(by_chance) {
                assert_it_opens(disk, luck, &mut rng, &(sent | had), &format!("{luck:?} after act {moment}: {act}"));
                tried.fetch_add(1, Ordering::Relaxed);
            }
        });
    };
    std::thread::scope(|scope| (0..LOOKERS).for_each(|looker| drop(scope.spawn(move || look(looker)))));
    println!("{} disks opened, of {} acts", tried.into_inner(), lives.acts.len());
}

fn assert_it_opens(disk: &Disk, luck: Luck, rng: &mut Rng, expected: &BTreeSet<SessionId>, what: &str) {
    // What is looked at here is only read: in memory that is sooner done.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder");
    put(disk, luck, rng, folder.path());
    let known = known(folder.path()).unwrap_or_else(|why| panic!("{what}: {why}"));
    let forgotten: Vec<_> = expected.difference(&known).collect();
    assert!(forgotten.is_empty(), "{what}: not in the books: {forgotten:?}");
}

fn put(disk: &Disk, luck: Luck, rng: &mut Rng, folder: &Path) {
    for (path, bytes) in disk.found(luck, rng) {
        std::fs::write(folder.join(path.file_name().expect("a name")), bytes).expect("a writable folder");
    }
}

/// What an engine that starts on this store is told of: everything that was ever asked for, in a test that takes less than a day.
fn known(folder: &Path) -> Result<BTreeSet<SessionId>, String> {
    let (path, now) = (StorePath::File(folder.join("books.db")), "2026-01-01T00:00:00Z".parse().expect("an instant"));
    let ledger = Ledger::open(&path, OpenOptions { retention: SignedDuration::ZERO, now }).map_err(|fault| fault.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let recall = runtime.block_on(ledger.recall(&"growth".into(), now)).map_err(|fault| fault.to_string())?;
    Ok(recall.releases.into_iter().map(|row| row.id).collect())
}

/// The world goes on as it was: what had left by then has arrived.
fn a_daemon_on_what_was_found_settles_it(lives: Lives) {
    let mut rng = Rng::with_seed(7);
    let last = lives.requested().len() - 1;
    for (place, luck) in [(0, Luck::None), (last / 2, Luck::Some { sector: 512 }), (last, Luck::None)] {
        let mut sent_then = BTreeSet::new();
        lives.replay(|_, act, disk, sent| {
            if matches!(act, Act::Requested(_)) && sent.len() == place + 1 && sent_then.is_empty() {
                ["", "-wal", "-shm", "-journal"].iter().for_each(|suffix| drop(std::fs::remove_file(lives.stage.path(&format!("books.db{suffix}")))));
                put(disk, luck, &mut rng, &lives.folder);
                sent_then.clone_from(sent);
            }
        });
        let daemon = lives.stage.daemon();
        sent_then.iter().for_each(|id| drop(daemon.comes_to(id, "confirmed")));
        assert_eq!(daemon.stops(), Some(0));
    }
}
