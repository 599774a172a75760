//! Marks planted in answers, which must not come out again.

use serde_json::{Map, Value};

use super::dealt::Said;

/// Looks like nothing that a provider would say.
pub(super) const MARK: &str = "s3cret-Zq8vW1xK";

/// Where providers put what opens a live browser, and what agents were told and found.
const SECRETS: [&str; 18] = [
    "connectUrl",
    "signingKey",
    "seleniumRemoteUrl",
    "publicShareUrl",
    "liveUrl",
    "cdpUrl",
    "recordingUrl",
    "debuggerUrl",
    "debuggerFullscreenUrl",
    "wsUrl",
    "apiKey",
    "contextId",
    "task",
    "output",
    "llm",
    "data",
    "method",
    "frameId",
];

/// Where they put instants. One that is none is told by its name.
const INSTANTS: [&str; 8] = ["createdAt", "startedAt", "updatedAt", "finishedAt", "timeoutAt", "expiresAt", "endedAt", "timestamp"];

/// The owner's own words, which are kept.
const KEPT: [&str; 2] = ["userMetadata", "metadata"];

/// The answers as any other writer of JSON would have written them: each name once.
pub(super) fn rewritten(answers: &[Said]) -> Vec<Said> {
    answers.iter().map(|said| with(said, &[])).collect()
}

/// With a mark under every name of a secret, in every object but the owner's.
pub(super) fn with_secrets(answers: &[Said]) -> Vec<Said> {
    answers.iter().map(|said| with(said, &SECRETS)).collect()
}

/// With a mark in place of every instant as well.
pub(super) fn with_secrets_for_instants(answers: &[Said]) -> Vec<Said> {
    let names: Vec<&str> = SECRETS.into_iter().chain(INSTANTS).collect();
    answers.iter().map(|said| with(said, &names)).collect()
}

/// Whether the input holds the mark by itself.
pub(super) fn is_in(input: &[u8]) -> bool {
    input.windows(MARK.len()).any(|part| part == MARK.as_bytes())
}

fn with(said: &Said, names: &[&str]) -> Said {
    match said.json() {
        Some(mut value) => {
            plant(&mut value, names);
            Said::Body(value.to_string().into_bytes())
        }
        None => said.clone(),
    }
}

fn plant(value: &mut Value, names: &[&str]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| plant(item, names)),
        Value::Object(fields) => plant_in(fields, names),
        _ => {}
    }
}

fn plant_in(fields: &mut Map<String, Value>, names: &[&str]) {
    fields.iter_mut().filter(|(name, _)| !KEPT.contains(&name.as_str())).for_each(|(_, inner)| plant(inner, names));
    for name in names {
        fields.insert((*name).to_owned(), MARK.into());
    }
}
