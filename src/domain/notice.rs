//! What somebody outside is told, and in which words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::name::words;
use crate::domain::template::METADATA;
use crate::domain::time::Timestamp;

words! {
    /// What a notification is about.
    Topic {
        /// A session was released: its provider confirms the end.
        Released = "released",
        /// A release that the provider accepted and did not carry out in time.
        Stuck = "stuck",
        /// A release that the provider will not do.
        Failed = "failed",
        /// `max_release_fraction` holds an account back.
        Guardrail = "guardrail",
        /// An account's credential is refused.
        Denied = "denied",
        /// A session is about to be released.
        Warning = "warning",
        /// What a day came to.
        Digest = "digest",
    }
}

/// Places of the texts about a release.
const OF_A_RELEASE: &[&str] = &[
    "account",
    "provider",
    "id",
    "kind",
    "region",
    "policy",
    "limit",
    "reason",
    "deadline",
    "requested_at",
    "ended_at",
    "expires_at",
    "outcome",
    "attempts",
    "overrun",
    "saved_runtime",
    "saved_cost",
    "currency",
    "fault",
    METADATA,
];

impl Topic {
    /// The names of the places that a text about it may have.
    pub const fn places(self) -> &'static [&'static str] {
        match self {
            Self::Released | Self::Stuck | Self::Failed => OF_A_RELEASE,
            Self::Guardrail => &["account", "requested", "live"],
            Self::Denied => &["account", "fault", "again_at"],
            Self::Warning => {
                &["account", "provider", "id", "kind", "region", "policy", "limit", "reason", "deadline", "release_at", "command", METADATA]
            }
            Self::Digest => {
                &["since", "until", "released", "already_ended", "failed", "stuck", "saved_runtime", "saved_cost", "accounts", "policies"]
            }
        }
    }

    /// The text where the configuration has no other. A session's tags are its owner's, and are told only where a template names them.
    pub const fn usual_text(self) -> &'static str {
        match self {
            Self::Released => "released {id} on {account} ({policy}, {limit}): {reason}; saved {saved_runtime}, {saved_cost}",
            Self::Stuck => "stuck: {id} on {account} ({policy}, {limit}) was asked to end at {requested_at} and runs still; asking again",
            Self::Failed => "failed: the release of {id} on {account} ({policy}, {limit}): {fault}",
            Self::Guardrail => {
                "guardrail: max_release_fraction holds {account} back, {requested} of {live} sessions were released within an hour; \
                 nothing more is until the hour has rolled on, or `session-reaper resume {account}`"
            }
            Self::Denied => "denied: the provider refuses the credential of {account}: {fault}; asked again at {again_at}",
            Self::Warning => "coming: {id} on {account} is released at {release_at} ({policy}, {limit}): {reason}; to keep it: {command}",
            Self::Digest => {
                "{since} to {until}: {released} released, {saved_runtime} and {saved_cost} saved, {stuck} stuck, {failed} failed\n{accounts}\n{policies}"
            }
        }
    }
}

/// One thing to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The same for the same fact, whenever and by whichever life of the process it is told: receivers may go by it.
    pub id: String,
    pub topic: String,
    /// When it was found out (ours).
    pub at: Timestamp,
    /// What programs are told, without tags.
    pub data: Value,
    /// What fills the places of a text, as people read it.
    pub words: BTreeMap<String, String>,
    /// The session's tags, for texts that name one.
    pub metadata: Value,
}

impl Notice {
    pub fn topic(&self) -> Option<Topic> {
        Topic::from_word(&self.topic)
    }
}
