//! The first page of many live sessions, beside the same sessions as JSON: what the page costs, as a share of what the API costs.
//!
//! `cargo bench --bench page` renders it as it is asked for first, found by a text, and sorted, and says the best of several rounds in milliseconds. Ends
//! with 1 where a page takes longer than the JSON, or the first one is not under 100 kB with the files that it needs.

#![expect(clippy::print_stdout, reason = "what a benchmark is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use askama::Template;
use serde_json::json;
use session_reaper::domain::hold::Hold;
use session_reaper::domain::name::{Kind, Provider};
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::domain::verdict::{Limit, VerdictWord};
use session_reaper::domain::view::{Mode, SessionView, Snapshot};
use session_reaper::page::ask::Asked;
use session_reaper::page::{Frame, assets, overview};

const SESSIONS: i64 = 10_000;
const ROUNDS: usize = 20;
/// A first view is no larger than this, with its style and its script, before any of it is compressed.
const LARGEST: usize = 100_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            println!("page: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<bool> {
    let snapshot = snapshot();
    let (json, bytes) = best(|| Ok(serde_json::to_vec(&snapshot)?.len()))?;
    println!("{SESSIONS} live sessions, best of {ROUNDS}\n\n{:<24}{:>10}{:>10}{:>10}", "", "ms", "of JSON", "bytes");
    line("JSON", json, json, bytes);
    let (mut well, needed) = (true, assets::ALL.iter().map(|asset| asset.content.len()).sum::<usize>());
    for (name, params) in [("first page", vec![]), ("sorted by policy", vec![("sort", "policy")]), ("found by a tag", vec![("q", "team=research")])] {
        let params: BTreeMap<String, String> = params.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (page, bytes) = best(|| render(&snapshot, Asked::read(&params)?))?;
        line(name, page, json, bytes);
        well &= page <= json && bytes + needed < LARGEST;
    }
    println!("\n{needed} bytes more for the style, the script and the icon");
    Ok(well)
}

fn line(name: &str, took: Duration, json: Duration, bytes: usize) {
    println!("{name:<24}{:>10.2}{:>10.2}{bytes:>10}", took.as_secs_f64() * 1e3, took.as_secs_f64() / json.as_secs_f64());
}

fn best(mut work: impl FnMut() -> Result<usize>) -> Result<(Duration, usize)> {
    let mut best = (Duration::MAX, 0);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let bytes = work()?;
        best = best.min((began.elapsed(), bytes));
    }
    Ok(best)
}

fn render(snapshot: &Snapshot, asked: Asked) -> Result<usize> {
    let frame = Frame::new(snapshot.mode, snapshot.at, None, false);
    Ok(overview::View::new(frame, snapshot, Err("left out here".to_owned()), asked).render()?.len())
}

fn snapshot() -> Snapshot {
    let at = Timestamp::UNIX_EPOCH;
    Snapshot {
        at,
        mode: Mode::Observe,
        accounts: Vec::new(),
        sessions: (0..SESSIONS).map(|n| session(n, at)).collect(),
        budgets: Vec::new(),
        policies: Vec::new(),
    }
}

/// In no order that would make sorting easy.
fn session(n: i64, at: Timestamp) -> SessionView {
    let place = n * 7_919 % SESSIONS;
    let policy = ["ci", "research", "after-hours", "everything-else"][usize::try_from(place % 4).unwrap_or_default()];
    SessionView {
        account: "growth".into(),
        provider: Provider::Browserbase,
        id: format!("0b5b3d6c-3a3e-4f5e-9c1d-{place:012}").into(),
        kind: Kind::Session,
        browser: None,
        status: "RUNNING".to_owned(),
        region: Some("us-west-2".to_owned()),
        keep_alive: Some(true),
        metadata: json!({ "env": "staging", "team": if place % 2 == 0 { "research" } else { "growth" }, "ticket": place, "branch": "feature/checkout" }),
        created_at: at,
        started_at: Some(at),
        expires_at: Some(later(at, SignedDuration::from_hours(6))),
        age_seconds: place as f64,
        last_active_at: None,
        verdict: VerdictWord::Due,
        policy: Some(policy.into()),
        limit: Some(Limit::MaxAge),
        deadline: Some(later(at, SignedDuration::from_secs(place))),
        hold: Some(Hold::Observe),
        reason: "older than 20m since 12:04:10; observe mode: nothing is released".to_owned(),
        release: None,
        shadows: Vec::new(),
    }
}
