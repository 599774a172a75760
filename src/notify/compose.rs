//! An event as a notice: what programs are told, and the words that fill a text.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::domain::event::{Coming, Event, What};
use crate::domain::name::{AccountName, SessionId};
use crate::domain::notice::{Notice, Topic};
use crate::domain::release::Release;
use crate::domain::time::{Timestamp, human, rfc3339};

/// A refusal that lasts is told again no sooner than in the next of these.
const DENIED_AGAIN_SECONDS: i64 = 3_600;

/// What an event is about, where it is one that people outside are told.
pub(super) const fn topic(event: &Event) -> Option<Topic> {
    match event.what {
        What::Confirmed { .. } => Some(Topic::Released),
        What::Stuck { .. } => Some(Topic::Stuck),
        What::Failed { .. } => Some(Topic::Failed),
        What::Tripped { .. } => Some(Topic::Guardrail),
        What::Refused { .. } => Some(Topic::Denied),
        What::Coming(_) => Some(Topic::Warning),
        _ => None,
    }
}

pub(super) fn notice(event: &Event, at: Timestamp) -> Option<Notice> {
    let (account, topic) = (&event.account, topic(event)?);
    let told = match &event.what {
        What::Confirmed { release, .. } | What::Stuck { release } | What::Failed { release } => of_release(topic, release),
        What::Coming(coming) => of_coming(account, coming),
        What::Tripped { at, requested, live } => Told {
            key: at.as_millisecond().to_string(),
            data: json!({ "account": account, "requested": requested, "live": live, "tripped_at": rfc3339(*at) }),
            words: words([("account", account.to_string()), ("requested", requested.to_string()), ("live", live.to_string())]),
            metadata: Value::Null,
        },
        What::Refused { fault, again_at } => {
            let (shown, again_at) = (fault.to_string(), rfc3339(*again_at));
            Told {
                key: format!("{:?} {}", fault.status, at.as_second().div_euclid(DENIED_AGAIN_SECONDS)),
                data: json!({ "account": account, "fault": shown, "status": fault.status, "again_at": again_at }),
                words: words([("account", account.to_string()), ("fault", shown), ("again_at", again_at)]),
                metadata: Value::Null,
            }
        }
        _ => return None,
    };
    let Told { key, data, words, metadata } = told;
    Some(Notice { id: id(topic, &[account.as_str(), &key]), topic: topic.as_str().to_owned(), at, data, words, metadata })
}

/// What is to be said of one event.
struct Told {
    /// Tells this fact from every other of its account and topic.
    key: String,
    data: Value,
    words: BTreeMap<String, String>,
    metadata: Value,
}

/// One id for one fact, in letters that a header can carry.
pub(super) fn id(topic: Topic, parts: &[&str]) -> String {
    format!("evt_{}", print(std::iter::once(topic.as_str()).chain(parts.iter().copied())))
}

/// 144 bits of what tells these texts from all others.
pub(super) fn print<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..18])
}

pub(super) fn words<const N: usize>(words: [(&str, String); N]) -> BTreeMap<String, String> {
    words.into_iter().map(|(place, word)| (place.to_owned(), word)).collect()
}

fn of_release(topic: Topic, release: &Release) -> Told {
    let mut data = serde_json::to_value(release).unwrap_or_default();
    // Tags are their owner's: texts name them one by one.
    if let Some(fields) = data.as_object_mut() {
        fields.remove("metadata");
        if topic != Topic::Released {
            fields.insert("fault".to_owned(), release.fault.clone().into());
        }
    }
    let stamp = |at: Option<Timestamp>| at.map_or_else(unknown, rfc3339);
    let life = release.life.as_ref().map_or("", SessionId::as_str);
    Told {
        key: format!("{} {life} {}", release.id, release.deadline.as_millisecond()),
        data,
        words: words([
            ("account", release.account.to_string()),
            ("provider", release.provider.to_string()),
            ("id", release.id.to_string()),
            ("kind", release.kind.to_string()),
            ("region", release.region.clone().unwrap_or_else(unknown)),
            ("policy", release.policy.to_string()),
            ("limit", release.limit.to_string()),
            ("reason", release.reason.clone()),
            ("deadline", rfc3339(release.deadline)),
            ("requested_at", rfc3339(release.requested_at)),
            ("ended_at", stamp(release.ended_at)),
            ("expires_at", stamp(release.expires_at)),
            ("outcome", release.outcome.to_string()),
            ("attempts", release.attempts.to_string()),
            ("overrun", human(release.overrun)),
            ("saved_runtime", release.saved_runtime.map_or_else(unknown, human)),
            ("saved_cost", cost(release.saved_cost, Some(&release.currency))),
            ("currency", release.currency.clone()),
            ("fault", release.fault.clone().unwrap_or_else(|| "no reason given".to_owned())),
        ]),
        metadata: release.metadata.clone(),
    }
}

fn of_coming(account: &AccountName, coming: &Coming) -> Told {
    let Coming { provider, id, kind, region, policy, limit, deadline, release_at, reason, metadata } = coming;
    let command = hold_command(id);
    Told {
        key: format!("{id} {policy} {}", deadline.as_millisecond()),
        data: json!({
            "account": account, "provider": provider.as_str(), "id": id, "kind": kind.as_str(), "region": region, "policy": policy, "limit": limit.as_str(),
            "deadline": rfc3339(*deadline), "release_at": rfc3339(*release_at), "reason": reason, "command": command,
        }),
        words: words([
            ("account", account.to_string()),
            ("provider", provider.to_string()),
            ("id", id.to_string()),
            ("kind", kind.to_string()),
            ("region", region.clone().unwrap_or_else(unknown)),
            ("policy", policy.to_string()),
            ("limit", limit.to_string()),
            ("reason", reason.clone()),
            ("deadline", rfc3339(*deadline)),
            ("release_at", rfc3339(*release_at)),
            ("command", command),
        ]),
        metadata: metadata.clone(),
    }
}

/// Somebody will paste it into a shell: an id is whatever the provider wrote.
fn hold_command(id: &SessionId) -> String {
    let id = id.as_str();
    let plain = !id.is_empty() && !id.starts_with('-') && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let quoted = if plain { id.to_owned() } else { format!("'{}'", id.replace('\'', r"'\''")) };
    format!("session-reaper hold {quoted} --for 30m --reason \"…\"")
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// An amount as people read it; a fraction of a cent is told too.
pub(super) fn cost(amount: Option<f64>, currency: Option<&str>) -> String {
    match amount {
        Some(amount) if amount.abs() < 1.0 => format!("{amount:.4} {}", currency.unwrap_or_default()).trim_end().to_owned(),
        Some(amount) => format!("{amount:.2} {}", currency.unwrap_or_default()).trim_end().to_owned(),
        None => "cost unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests;
