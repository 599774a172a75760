//! `session-reaper explain SESSION`: why it is kept, due, or was released.

use serde_json::Value;

use crate::cli::outlook::Asking;
use crate::cli::table::{print_json, say};
use crate::cli::{Failure, Format, Globals, configured, outlook, runtime, store};
use crate::clock::Clock;
use crate::config::StorePath;
use crate::domain::name::SessionId;
use crate::domain::release::Release;
use crate::domain::time::{SignedDuration, human, rfc3339};
use crate::domain::view::{Explanation, KeyCheck, PolicyCheck};
use crate::ledger::Reader;

#[derive(Debug, clap::Args)]
pub struct Flags {
    /// The session's id at its provider, or its browser's
    session: String,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(flags: &Flags, globals: &Globals) -> Result<(), Failure> {
    let setup = configured::setup(globals)?;
    let clock = Clock::start();
    let id = SessionId::from(flags.session.as_str());
    let outlooks = runtime::block_on(outlook::outlooks(&setup, Asking::Only(&id), clock))?;
    if let Some(found) = outlooks.iter().find_map(|outlook| outlook.explain(&id, clock)) {
        return match flags.format {
            Format::Json => print_json(&found),
            Format::Table => print_live(&found),
        };
    }
    if let Some(release) = from_books(&setup.config.store.path, &id)? {
        return match flags.format {
            Format::Json => {
                print_json(&serde_json::json!({ "session": null, "policies": [], "limits": [], "evidence": [], "hold": null, "release": release }))
            }
            Format::Table => print_release(&release),
        };
    }
    let unlisted: Vec<String> = outlooks
        .iter()
        .map(|outlook| outlook.account(clock))
        .filter_map(|account| account.error.map(|error| format!("{}: {error}", account.name)))
        .collect();
    match unlisted.as_slice() {
        [] => Err(Failure::work(format!("session {id} is neither live on any account nor in the books; `plan` lists what is"))),
        faults => Err(Failure::work(format!("session {id} was not found, and not every account could be listed: {}", faults.join("; ")))),
    }
}

/// A developer whose session was released wants to know why, long after it is gone.
fn from_books(path: &StorePath, id: &SessionId) -> Result<Option<Release>, Failure> {
    if *path == StorePath::Memory {
        return Ok(None);
    }
    let Some(reader) = Reader::open(path).map_err(store::failure)? else { return Ok(None) };
    Ok(reader.release(id).map_err(store::failure)?.into_iter().next())
}

fn print_live(found: &Explanation) -> Result<(), Failure> {
    let session = &found.session;
    say(format!("session   {} ({} on {}, {})", session.id, session.kind, session.account, session.provider))?;
    session.browser.iter().try_for_each(|browser| say(format!("browser   {browser}")))?;
    say(format!("status    {}, age {}", session.status, human(SignedDuration::from_secs(session.age_seconds as i64))))?;
    say(format!("metadata  {}", session.metadata))?;
    say(format!("verdict   {}: {}", session.verdict, session.reason))?;
    say("")?;
    say("policies, in order; the first that fits governs:")?;
    found.policies.iter().try_for_each(print_policy)?;
    for limit in &found.limits {
        say("")?;
        let tag = limit.tag.as_ref().map(|tag| format!(" {tag}")).filter(|_| limit.from == "tag").unwrap_or_default();
        say(format!("limit     {} = {} (from {}{tag})", limit.limit, limit.value, limit.from))?;
        if let Some((since, deadline)) = limit.since.zip(limit.deadline) {
            say(format!("          {} + {} = {}", rfc3339(since), limit.value, rfc3339(deadline)))?;
        }
        limit.note.iter().try_for_each(|note| say(format!("          {note}")))?;
    }
    for hold in &found.holds {
        let until = hold.until.map(|until| format!(", until {}", rfc3339(until))).unwrap_or_default();
        say(format!("hold      {}: {}{until}", hold.hold, hold.reason))?;
    }
    found.release.iter().try_for_each(print_release)
}

fn print_policy(policy: &PolicyCheck) -> Result<(), Failure> {
    let governs = if policy.governs { "  <- governs" } else { "" };
    say(format!("  {} {}{governs}", mark(policy.fits), policy.name))?;
    policy.keys.iter().try_for_each(|key| say(format!("      {} {}", mark(key.fits), comparison(key))))
}

fn comparison(key: &KeyCheck) -> String {
    let found = match &key.found {
        Value::Null => "nothing".to_owned(),
        value => value.to_string(),
    };
    let note = key.note.map(|note| format!(" ({note})")).unwrap_or_default();
    if key.key == "match" { "everything fits".to_owned() } else { format!("{}: wants {}, found {found}{note}", key.key, key.expected) }
}

const fn mark(fits: Option<bool>) -> &'static str {
    match fits {
        Some(true) => "yes",
        Some(false) => "no ",
        None => "?  ",
    }
}

fn attempts(count: u32) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

fn print_release(release: &Release) -> Result<(), Failure> {
    say(format!("release   {} (account {}, policy {}, {})", release.outcome, release.account, release.policy, release.limit))?;
    say(format!("          {}", release.reason))?;
    say(format!("          deadline {}, requested {}, {}", rfc3339(release.deadline), rfc3339(release.requested_at), attempts(release.attempts)))?;
    release.ended_at.iter().try_for_each(|ended| say(format!("          ended {}", rfc3339(*ended))))?;
    if let Some(saved) = release.saved_runtime {
        let cost = release.saved_cost.map(|cost| format!(", {cost:.4} {}", release.currency)).unwrap_or_default();
        say(format!("          saved {}{cost}", human(saved)))?;
    }
    release.fault.iter().try_for_each(|fault| say(format!("          last fault: {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_could_not_be_found_says_why() {
        let key = |note| KeyCheck { key: "metadata.env".to_owned(), expected: "\"ci\"".to_owned(), found: Value::Null, fits: Some(false), note };
        assert_eq!(comparison(&key(None)), "metadata.env: wants \"ci\", found nothing");
        assert_eq!(comparison(&key(Some("none is kept"))), "metadata.env: wants \"ci\", found nothing (none is kept)");
    }
}
