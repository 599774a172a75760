//! What is known of a session's activity. Instants are in the provider's time.

use serde::{Deserialize, Serialize};

use crate::domain::fault::Fault;
use crate::domain::name::words;
use crate::domain::time::Timestamp;

words! {
    /// Something that a provider can be asked, or that its rows tell unasked, about a session's activity.
    Question {
        /// Bytes through the provider's proxy: comes with every row. A rise is activity, no rise is nothing.
        ProxyBytes = "proxy_bytes",
        /// The provider's own word for how the session is, where it has one for being at work.
        Status = "status",
        /// What a browser's clients told it.
        Logs = "logs",
        /// The pages that a browser has open: a change is activity, no change is nothing.
        Pages = "pages",
        /// An agent session's tasks.
        Tasks = "tasks",
        /// An agent session's messages.
        Messages = "messages",
        /// A conversation's runs.
        Runs = "runs",
        /// All of these that the provider could be asked.
        Activity = "activity",
    }
}

/// Requests that one asking for evidence may take.
pub const MOST_QUESTIONS: usize = 2;

/// What a row of a listing says of a session's activity, unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sign {
    #[default]
    Nothing,
    /// It is at work as the listing is made.
    Busy,
    /// Something was done at this instant.
    At(Timestamp),
}

/// What a provider answered when it was asked about one session's activity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// One for each question, in the order in which they were asked.
    pub testimonies: Vec<Testimony>,
    /// The weightiest fault met on the way: it may ask for silence, or refuse us.
    pub fault: Option<Fault>,
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Testimony {
    pub asked: Question,
    pub said: Said,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Said {
    /// It is at work as this is answered.
    Busy,
    /// The last thing that was done, and everything was read: since then it is quiet.
    Last { at: Timestamp },
    /// Something was done at this instant; what was done after it may not have been read.
    AtLeast { at: Timestamp, why: String },
    /// A print of what stood there: another one than the last is activity, the same is nothing.
    Print { print: u64 },
    /// There is nothing that could tell.
    Nothing { why: String },
    /// It could not be asked.
    Failed { why: String },
}

/// What is remembered of one session's activity, from listing to listing and over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// When a listing first showed it.
    pub first_seen: Option<Timestamp>,
    /// In how many listings it was seen; counts to two.
    pub sightings: u8,
    /// The last activity that is proven.
    pub last_active: Option<Timestamp>,
    /// As the last row had them.
    pub proxy_bytes: Option<u64>,
    /// The print of its pages, as they were when last asked for.
    pub pages: Option<u64>,
    /// What was answered when last asked.
    pub heard: Option<Heard>,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// When it was asked: what was done after that is not in it.
    pub asked_at: Timestamp,
    pub finding: Finding,
    /// Askings in a row, this one included, that failed.
    pub failures: u32,
    pub testimonies: Vec<Testimony>,
}

words! {
    /// What the answers say together.
    Finding {
        /// At work, or something was done since the last asking.
        Active = "active",
        /// Nothing was done after the last activity that is known.
        Quiet = "quiet",
        /// The provider has nothing that could tell.
        Nothing = "nothing",
        /// It could not be asked, or not everything was read.
        Failed = "failed",
    }
}
