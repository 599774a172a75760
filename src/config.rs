//! The configuration as meant: read, checked, and with every default filled in.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::domain::name::{AccountName, Provider};
use crate::domain::time::SignedDuration;
use crate::domain::view::Mode;
use crate::guardrails::Guardrails;
use crate::policy::Policy;

/// The whole configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub mode: Mode,
    pub drain_timeout: SignedDuration,
    pub server: ServerSettings,
    pub store: StoreSettings,
    pub accounts: Vec<AccountSettings>,
    pub policies: Vec<Policy>,
    pub guardrails: Guardrails,
}

/// `[server]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSettings {
    pub listen: SocketAddr,
    pub token_file: Option<PathBuf>,
    pub open_metrics: bool,
    /// Host names, beside loopback and the listen address, under which the page and the API answer.
    pub hosts: Vec<String>,
}

/// `[store]`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreSettings {
    pub path: StorePath,
    /// Zero: kept for ever.
    pub retention: SignedDuration,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StorePath {
    Memory,
    File(PathBuf),
}

/// One of `[[accounts]]`, with what it inherits filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountSettings {
    pub name: AccountName,
    pub provider: Provider,
    pub credential: Credential,
    pub project_id: Option<String>,
    /// Without a trailing slash.
    pub base_url: String,
    pub poll_interval: SignedDuration,
    pub requests_per_second: f64,
    pub request_timeout: SignedDuration,
    pub price_per_hour: f64,
    pub currency: String,
}

/// Where a credential is; never the credential itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Env(String),
    File(PathBuf),
}
