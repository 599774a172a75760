//! `report`, and `/api/v1/savings`: what was released and saved, who left most behind, what was only watched, and when nobody looked.

use serde::Serialize;

use crate::domain::name::{AccountName, PolicyName};
use crate::domain::time::{Timestamp, maybe_stamp, stamp};
use crate::domain::verdict::Limit;

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    #[serde(with = "stamp")]
    pub since: Timestamp,
    #[serde(with = "stamp")]
    pub until: Timestamp,
    /// `account`, `policy`, `limit`, `kind`, `day` or `metadata.KEY`.
    pub by: String,
    pub rows: Vec<ReportRow>,
    /// Rows that are only in the total: a tag may have any number of values.
    pub rows_left_out: usize,
    pub total: ReportRow,
    /// Times without complete listings.
    pub gaps: Vec<Gap>,
    /// The same added up for each account.
    pub coverage: Vec<Coverage>,
    /// Who left most behind; nothing where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leakers: Option<Vec<Leaker>>,
    /// What was only watched; nothing where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

impl Report {
    /// The report of books in which nothing is.
    pub fn empty(since: Timestamp, until: Timestamp, by: impl std::fmt::Display) -> Self {
        Self {
            since,
            until,
            by: by.to_string(),
            rows: Vec::new(),
            rows_left_out: 0,
            total: ReportRow::default(),
            gaps: Vec::new(),
            coverage: Vec::new(),
            leakers: None,
            forecast: None,
        }
    }
}

/// Releases that share a key. `saved_cost` and `currency` are null where the row mixes currencies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportRow {
    /// Null for the total, and for sessions without the tag. One that is very long is cut, and ends in what tells it from others.
    pub key: Option<String>,
    pub released: u64,
    pub already_ended: u64,
    /// Denied ones count here too.
    pub failed: u64,
    pub stuck: u64,
    pub saved_runtime_seconds: f64,
    pub saved_cost: Option<f64>,
    pub currency: Option<String>,
    pub overrun_seconds: Overrun,
}

impl Default for ReportRow {
    fn default() -> Self {
        Self {
            key: None,
            released: 0,
            already_ended: 0,
            failed: 0,
            stuck: 0,
            saved_runtime_seconds: 0.0,
            saved_cost: Some(0.0),
            currency: None,
            overrun_seconds: Overrun::default(),
        }
    }
}

/// Null where nothing was released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Overrun {
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub max: Option<f64>,
}

/// A time in which an account had no complete listing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    pub account: AccountName,
    #[serde(with = "stamp")]
    pub from: Timestamp,
    #[serde(with = "maybe_stamp")]
    pub until: Option<Timestamp>,
}

/// How much of the period an account was without complete listings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coverage {
    pub account: AccountName,
    /// The first that the books know of it; null where nothing says.
    #[serde(with = "maybe_stamp")]
    pub known_since: Option<Timestamp>,
    /// How much of the period the account is known for.
    pub known_seconds: Option<f64>,
    /// Without complete listings, within the period and since it is known.
    pub without_seconds: f64,
    /// From 0 to 1: the one divided by the other.
    pub without_share: Option<f64>,
    /// It is without complete listings at the end of the period.
    pub open: bool,
}

/// A value of a tag, and what sessions that carry it left behind to be released.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leaker {
    /// A dotted path for what stands inside an object.
    pub tag: String,
    /// Cut as [`ReportRow::key`] is.
    pub value: String,
    pub released: u64,
    pub saved_runtime_seconds: f64,
    /// Null where they are of several currencies.
    pub saved_cost: Option<f64>,
    pub currency: Option<String>,
}

/// What would have been released. Nothing in here is part of what was saved.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Forecast {
    /// What observe mode only watched. A session counts once, under the policy and limit that it broke first.
    pub observe: ForecastPart,
    /// What policies in `shadow` would have released beyond that: once for each session and policy; in the total once for each session.
    pub shadow: ForecastPart,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ForecastPart {
    pub rows: Vec<ForecastRow>,
    pub total: ForecastRow,
}

/// Sessions that fell due and were not released for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForecastRow {
    /// Both null for the total.
    pub policy: Option<PolicyName>,
    pub limit: Option<Limit>,
    pub sessions: u64,
    /// Of these, not known to be over: what they ran on for still grows.
    pub still_running: u64,
    /// Of these, over when they were counted, as far as anybody saw: a release would have saved nothing.
    pub already_ended: u64,
    /// Of these, without a hard end that anybody knows: what they would have saved by the books is not known.
    pub without_hard_end: u64,
    /// Of these, forgotten by the books, so that nobody knows how long they ran at all.
    pub unknown: u64,
    /// Of these, of accounts whose price is not known: they are in no cost.
    pub unpriced: u64,
    /// What they ran for, after they fell due, as listings showed: proven.
    pub ran_on_seconds: f64,
    /// Null where they are of several currencies.
    pub ran_on_cost: Option<f64>,
    /// As the books count what a release saves: up to the hard end, or to where a later release ended it.
    pub saved_runtime_seconds: f64,
    pub saved_cost: Option<f64>,
    pub currency: Option<String>,
}

impl Default for ForecastRow {
    fn default() -> Self {
        Self {
            policy: None,
            limit: None,
            sessions: 0,
            still_running: 0,
            already_ended: 0,
            without_hard_end: 0,
            unknown: 0,
            unpriced: 0,
            ran_on_seconds: 0.0,
            ran_on_cost: Some(0.0),
            saved_runtime_seconds: 0.0,
            saved_cost: Some(0.0),
            currency: None,
        }
    }
}
