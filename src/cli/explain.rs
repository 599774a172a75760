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
use crate::domain::verdict::Limit;
use crate::domain::view::{Change, EvidenceView, Explanation, KeyCheck, LimitCheck, PolicyCheck, ShadowView};
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
        limit_lines(limit).iter().try_for_each(say)?;
    }
    activity_lines(found).iter().chain(&shadow_lines(&session.shadows)).try_for_each(say)?;
    for hold in &found.holds {
        let until = hold.until.map(|until| format!(", until {}", rfc3339(until))).unwrap_or_default();
        say(format!("hold      {}: {}{until}", hold.hold, hold.reason))?;
    }
    found.release.iter().try_for_each(print_release)
}

fn limit_lines(limit: &LimitCheck) -> Vec<String> {
    let LimitCheck { value, from, .. } = limit;
    let tag = limit.tag.as_ref().map(|tag| format!(" {tag}")).filter(|_| *from == "tag").unwrap_or_default();
    let head = format!("limit     {} = {value} (from {from}{tag})", limit.limit);
    let rest = arithmetic(limit).into_iter().chain(limit.note.clone()).map(|line| format!("          {line}"));
    std::iter::once(head).chain(rest).collect()
}

/// How the deadline comes about, where there is one. What hangs on other sessions is no sum.
fn arithmetic(limit: &LimitCheck) -> Option<String> {
    let (since, deadline) = (rfc3339(limit.since?), rfc3339(limit.deadline?));
    Some(match limit.limit {
        Limit::MaxAge | Limit::Idle => format!("{since} + {} = {deadline}", limit.value),
        Limit::MaxRunning => format!("over the count since {since}"),
        Limit::Budget => format!("counted since {since}, spent at {deadline}"),
    })
}

/// The last activity and what was asked about it; nothing where neither is known.
fn activity_lines(found: &Explanation) -> Vec<String> {
    let last = found.session.last_active_at.map(|at| format!("active    last at {}", rfc3339(at)));
    let none = (!found.evidence.is_empty()).then(|| "active    no activity is proven".to_owned());
    last.or(none).into_iter().chain(found.evidence.iter().flat_map(evidence_lines)).collect()
}

fn evidence_lines(evidence: &EvidenceView) -> [String; 2] {
    let asked = evidence.asked_at.map_or_else(|| "told unasked".to_owned(), |at| format!("asked {}", rfc3339(at)));
    let at = evidence.at.map(rfc3339);
    let answer = match (evidence.answer, at) {
        (Some("quiet"), Some(at)) => format!(": quiet since {at}"),
        (Some(answer), Some(at)) => format!(": {answer} at {at}"),
        (Some(answer), None) => format!(": {answer}"),
        (None, Some(at)) => format!(": {at}"),
        (None, None) => String::new(),
    };
    [format!("evidence  {}, {asked}{answer}", evidence.asked), format!("          {}", evidence.said)]
}

fn shadow_lines(shadows: &[ShadowView]) -> Vec<String> {
    let line = |shadow: &ShadowView| {
        let limit = shadow.limit.map(|limit| format!(" by {limit}")).unwrap_or_default();
        let deadline = shadow.deadline.map(|at| format!(", deadline {}", rfc3339(at))).unwrap_or_default();
        let change = match shadow.change {
            Some(Change::WouldRelease) => "it would release this session now",
            Some(Change::WouldSpare) => "it would spare this session",
            None => "it would change nothing now",
        };
        [format!("shadow    {}: {}{limit}{deadline}; {change}", shadow.policy, shadow.verdict), format!("          {}", shadow.reason)]
    };
    shadows.iter().flat_map(line).collect()
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
    use crate::domain::activity::Question;
    use crate::domain::time::Timestamp;
    use crate::domain::verdict::VerdictWord;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn a_limit_that_is_a_length_is_a_sum_and_one_that_hangs_on_others_is_none() {
        let limit = |limit, value: &str| LimitCheck {
            limit,
            value: value.to_owned(),
            value_seconds: Some(300.0),
            from: "policy",
            tag: None,
            since: Some(at("2026-11-20T12:00:00Z")),
            deadline: Some(at("2026-11-20T12:05:00Z")),
            note: None,
        };
        assert_eq!(
            limit_lines(&limit(Limit::Idle, "5m")),
            ["limit     idle = 5m (from policy)", "          2026-11-20T12:00:00.000Z + 5m = 2026-11-20T12:05:00.000Z"]
        );
        assert_eq!(limit_lines(&limit(Limit::MaxRunning, "20"))[1], "          over the count since 2026-11-20T12:00:00.000Z");
        let spent = "          counted since 2026-11-20T12:00:00.000Z, spent at 2026-11-20T12:05:00.000Z";
        assert_eq!(limit_lines(&limit(Limit::Budget, "50h a week"))[1], spent);
        let within = LimitCheck { since: None, deadline: None, ..limit(Limit::MaxRunning, "20") };
        assert_eq!(limit_lines(&within), ["limit     max_running = 20 (from policy)"]);
    }

    #[test]
    fn evidence_says_what_was_asked_when_and_what_came_of_it() {
        let told = EvidenceView { asked: Question::ProxyBytes, asked_at: None, answer: None, at: None, said: "1024 bytes so far".to_owned() };
        assert_eq!(evidence_lines(&told), ["evidence  proxy_bytes, told unasked", "          1024 bytes so far"]);
        let first = |answer, at| {
            let asked_at = Some("2026-11-20T12:05:00Z".parse().expect("an instant"));
            evidence_lines(&EvidenceView { asked: Question::Logs, asked_at, answer, at, said: String::new() })[0].clone()
        };
        let asked = "evidence  logs, asked 2026-11-20T12:05:00.000Z";
        assert_eq!(first(Some("unknown"), None), format!("{asked}: unknown"));
        assert_eq!(first(Some("quiet"), Some(at("2026-11-20T12:00:00Z"))), format!("{asked}: quiet since 2026-11-20T12:00:00.000Z"));
        assert_eq!(first(Some("active"), Some(at("2026-11-20T12:00:00Z"))), format!("{asked}: active at 2026-11-20T12:00:00.000Z"));
    }

    #[test]
    fn a_shadow_policy_says_its_verdict_and_what_it_would_change() {
        let shadow = ShadowView {
            policy: "trial".into(),
            verdict: VerdictWord::Due,
            limit: Some(Limit::Idle),
            deadline: Some(at("2026-11-20T12:05:00Z")),
            change: Some(Change::WouldRelease),
            reason: "idle for 5m since 12:00:00".to_owned(),
        };
        let expected = [
            "shadow    trial: due by idle, deadline 2026-11-20T12:05:00.000Z; it would release this session now",
            "          idle for 5m since 12:00:00",
        ];
        assert_eq!(shadow_lines(&[shadow]), expected);
    }

    #[test]
    fn a_key_that_could_not_be_found_says_why() {
        let key = |note| KeyCheck { key: "metadata.env".to_owned(), expected: "\"ci\"".to_owned(), found: Value::Null, fits: Some(false), note };
        assert_eq!(comparison(&key(None)), "metadata.env: wants \"ci\", found nothing");
        assert_eq!(comparison(&key(Some("none is kept"))), "metadata.env: wants \"ci\", found nothing (none is kept)");
    }
}
