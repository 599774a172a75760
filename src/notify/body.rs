//! What a request carries: signed JSON for a webhook, by Standard Webhooks, and a text for Slack.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::domain::notice::{Notice, Topic};
use crate::domain::session::{Metadata, scalar_text};
use crate::domain::template::{METADATA, Template};
use crate::domain::text::is_invisible;
use crate::domain::time::{Timestamp, rfc3339};

/// The longest text about one thing, in characters.
pub(super) const LONGEST_TEXT: usize = 1_500;
/// Things told in one request of a webhook.
pub(super) const MOST_IN_WEBHOOK: usize = 100;
/// Things told in one message of Slack, which cuts messages at 40,000 characters: with the longest texts so many fit.
pub(super) const MOST_IN_SLACK: usize = 25;

/// The texts of one receiver.
pub(super) type Templates = BTreeMap<Topic, Template>;

/// The body of a webhook.
pub(super) fn webhook(notices: &[Notice], templates: &Templates) -> Value {
    let event = |notice: &Notice| json!({ "id": notice.id, "type": notice.topic, "at": rfc3339(notice.at), "text": text(notice, templates), "data": notice.data });
    json!({ "events": notices.iter().map(event).collect::<Vec<_>>() })
}

/// The body of a message to Slack: one line for each thing.
pub(super) fn slack(notices: &[Notice], templates: &Templates) -> Value {
    let lines: Vec<String> = notices.iter().map(|notice| escaped(&text(notice, templates))).collect();
    json!({ "text": lines.join("\n") })
}

/// What Slack would read as a mention, a link or a command is shown as it stands.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A notice in its receiver's words.
pub(super) fn text(notice: &Notice, templates: &Templates) -> String {
    let Some(template) = notice.topic().and_then(|topic| templates.get(&topic)) else { return notice.topic.clone() };
    let lines = notice.topic() == Some(Topic::Digest);
    let rendered = template.render(|place| harmless(&word(notice, place), lines));
    match rendered.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", rendered[..end].trim_end_matches(|c: char| !c.is_alphanumeric())),
        None => rendered,
    }
}

fn word(notice: &Notice, place: &str) -> String {
    let Some(tag) = place.strip_prefix(METADATA) else { return notice.words.get(place).cloned().unwrap_or_default() };
    let metadata = Metadata::from_json(Some(notice.metadata.clone()));
    let value = metadata.get(tag);
    value.map_or_else(|| "none".to_owned(), |value| scalar_text(value).map_or_else(|| value.to_string(), |text| text.into_owned()))
}

/// What others wrote makes no lines of its own, and does not look like something else.
fn harmless(word: &str, lines: bool) -> String {
    let shown = |c: char| if c.is_control() && !(lines && c == '\n') { ' ' } else { c };
    word.chars().filter(|c| !is_invisible(*c)).map(shown).collect()
}

/// `webhook-signature`, of what leaves at this instant under this id.
pub(super) fn signature(signing: &SecretString, id: &str, at: Timestamp, body: &str) -> Option<String> {
    let key = STANDARD.decode(signing.expose_secret()).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{}.{body}", at.as_second()).as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests;
