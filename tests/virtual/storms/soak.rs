//! A month of a busy account: memory stays flat, and the books as large as their retention makes them.

use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::simulator::{Cause, NewSession, Settings, World};

use crate::scenarios::{START, nobody, terms};
use crate::stage::{Act, Face, Stage};

const CONFIG: &str = "
poll_interval = \"1m\"
requests_per_second = 100
[guardrails]
max_release_fraction = 1.0
max_releases_per_poll = 1000
[[policies]]
name = \"trial\"
match = \"all\"
max_age = \"3m\"
shadow = true
[[policies]]
name = \"all\"
match = \"all\"
max_age = \"5m\"
";

const DAYS: i32 = 30;
const SESSIONS: u64 = 1_000_000;
const RETENTION: SignedDuration = SignedDuration::from_hours(36);
/// By then the books have begun to forget, and everything that is kept for a day is full.
const FULL_AFTER: i32 = 4;

/// From one birth to the next.
fn gap(days: i32, sessions: u64) -> SignedDuration {
    SignedDuration::from_millis((SignedDuration::from_hours(24) * days).as_millis() as i64 / sessions as i64)
}

/// Two in three are closed by their owners, the third is forgotten.
fn newcomer(index: u64) -> NewSession {
    let fate = (!index.is_multiple_of(3)).then(|| (SignedDuration::from_secs(20 + (index % 240) as i64), Cause::Closed));
    let team = ["a", "b", "c"][index as usize % 3];
    NewSession { fate, metadata: Some(serde_json::json!({ "team": team, "build": index })), ..NewSession::default() }
}

/// Resident memory of this process, in bytes.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("a Linux machine");
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number of pages") * 4_096
}

#[test]
#[ignore = "takes minutes, and wants the process for itself"]
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn a_million_sessions_in_a_month_leave_memory_and_books_as_they_were() {
    let start: Timestamp = START.parse().expect("an instant");
    let settings = Settings { population: nobody(), remembers: SignedDuration::from_hours(1), ..Settings::seeded(1) };
    let mut stage = Stage::new(terms(CONFIG, None).expect("a configuration"), Face::of(None), World::with(settings, start), start);
    stage.forgets(RETENTION);
    let (gap, mut born, mut figures) = (gap(DAYS, SESSIONS), 0, Vec::new());
    for hour in 0..24 * DAYS {
        let until = later(start, SignedDuration::from_hours(1) * (hour + 1));
        while later(start, gap * born as i32) < until {
            stage.plan(later(start, gap * born as i32), Act::Create { name: format!("s{born}"), new: newcomer(born).into() });
            born += 1;
        }
        stage.go_on_until(until);
        stage.check_books(later(until, -SignedDuration::from_mins(5)));
        stage.forget_what_is_over();
        if (hour + 1) % 24 == 0 {
            figures.push((memory(), stage.books_bytes()));
            println!("day {}: {born} sessions, memory {} MB, books {} MB", (hour + 1) / 24, memory() >> 20, stage.books_bytes() >> 20);
        }
    }
    let (early, last) = (figures[FULL_AFTER as usize - 1], figures[DAYS as usize - 1]);
    assert!(last.0 < early.0 + early.0 / 4, "memory has grown from {} to {} bytes", early.0, last.0);
    assert!(last.1 < early.1 + early.1 / 4, "the books have grown from {} to {} bytes", early.1, last.1);
}
