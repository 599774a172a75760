//! The fuzzer's oracles in the ordinary tests: each of its seeds, and inputs that are drawn with more understanding than bytes have.

#[path = "../fuzz/src/lib.rs"]
mod oracles;
mod structured;

use std::fs;
use std::path::Path;

use oracles::Opened;
use session_reaper::domain::listing::Listing;
use session_reaper::domain::verdict::VerdictWord;
use session_reaper::ledger::LedgerFault;

/// What an oracle makes of each seed of its target, with the seed's name.
fn seeds<T>(target: &str, oracle: impl Fn(&[u8]) -> T) -> Vec<(String, T)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut seeds: Vec<_> = fs::read_dir(folder).expect("a folder of seeds").map(|entry| entry.expect("an entry").path()).collect();
    seeds.sort();
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    seeds.iter().map(|path| (name(path), oracle(&fs::read(path).expect("a seed")))).collect()
}

/// The names of the seeds that came to this.
fn those<T>(outcomes: &[(String, T)], came_to: impl Fn(&T) -> bool) -> Vec<&str> {
    outcomes.iter().filter(|(_, outcome)| came_to(outcome)).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn seeds_of_browserbase_are_listings_sessions_and_evidence_whole_and_broken() {
    let outcomes = seeds("browserbase_wire", oracles::browserbase_wire);
    let complete = those(&outcomes, |outcome| matches!(&outcome.list, Ok(Listing::Complete(complete)) if complete.rows().sessions.len() > 1));
    assert_eq!(complete, ["listing", "listing-of-a-project"]);
    let partial = those(&outcomes, |outcome| matches!(outcome.list, Ok(Listing::Partial { .. })));
    assert_eq!(partial, ["pending-refused", "pending-that-breaks-off"]);
    assert_eq!(those(&outcomes, |outcome| outcome.read.is_ok()), ["session", "session-over"]);
    assert_eq!(those(&outcomes, |outcome| outcome.release.is_err()), ["pending-refused", "refused"]);
    assert_eq!(those(&outcomes, |outcome| outcome.evidence.is_err()), ["refused"]);
    let proven =
        those(&outcomes, |outcome| outcome.evidence.as_ref().is_ok_and(|evidence| evidence.fault.is_none() && evidence.testimonies.len() == 2));
    assert_eq!(proven, ["log-and-pages"]);
}

#[test]
fn seeds_of_browser_use_are_pages_that_add_up_and_pages_that_do_not() {
    let outcomes = seeds("browser_use_wire", oracles::browser_use_wire);
    let complete = those(&outcomes, |outcome| outcome.lists.iter().all(|list| matches!(list, Ok(Listing::Complete(_)))));
    assert_eq!(complete, ["browser-left-behind", "listing-v2", "listing-v3", "listing-v4", "pair"]);
    let partial = those(&outcomes, |outcome| matches!(outcome.lists[0], Ok(Listing::Partial { .. })));
    assert_eq!(
        partial,
        [
            "cursor-that-leads-back-v4",
            "ids-in-both-inventories",
            "messages-v3",
            "no-right-to-agents",
            "pages-that-shift",
            "pages-without-end",
            "runs-v4"
        ]
    );
    let read = those(&outcomes, |outcome| outcome.reads.iter().any(Result::is_ok));
    assert_eq!(read, ["messages-v3", "one-agent-v3", "one-browser", "run-v4"]);
    assert!(those(&outcomes, |outcome| outcome.evidence.iter().all(Result::is_ok)).contains(&"runs-v4"));
}

#[test]
fn seeds_of_the_configuration_are_valid_and_faulty() {
    let outcomes = seeds("configuration", |input| oracles::configuration(input).expect("a text").is_ok());
    let valid =
        ["browser_use_by_api_version.toml", "browser_use_by_base_url.toml", "contract.toml", "full.toml", "limits.toml", "notifications.toml"];
    assert_eq!(those(&outcomes, |valid| *valid), valid);
}

#[test]
fn seeds_of_policies_come_to_every_verdict() {
    let outcomes = seeds("policy", oracles::policy);
    let words = |wanted: VerdictWord| those(&outcomes, |judgement| judgement.verdict.word(oracles::noon()) == wanted);
    assert_eq!(words(VerdictWord::Due), ["crowd", "due"]);
    assert_eq!(words(VerdictWord::Keep), ["nothing", "pending", "watched", "window"]);
    assert_eq!(words(VerdictWord::Protected), ["protected"]);
    assert_eq!(words(VerdictWord::Unmatched), ["unmatched"]);
    assert_eq!(words(VerdictWord::Unknown), ["unknown-tags"]);
}

#[test]
fn seeds_of_the_ledger_are_refused_opened_and_written() {
    let outcomes = seeds("ledger_opening", oracles::ledger_opening);
    assert_eq!(those(&outcomes, |opened| matches!(opened, Opened::Taken(Ok(())))), ["empty", "rows", "store"]);
    assert_eq!(those(&outcomes, |opened| matches!(opened, Opened::Refused(LedgerFault::Foreign { .. }))), ["magic", "notes", "other-owner"]);
    assert_eq!(those(&outcomes, |opened| matches!(opened, Opened::Refused(LedgerFault::Damaged { .. }))), ["cut-short", "damaged"]);
    assert_eq!(those(&outcomes, |opened| matches!(opened, Opened::Refused(LedgerFault::Newer { .. }))), ["format-99"]);
}
