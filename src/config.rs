//! The configuration as meant: read, checked, and with every default filled in.
//!
//! figment merges the layers and knows from which each value came; [`shape`] walks the merged tree by the table in [`keys`]; [`accounts`], [`policies`] and [`limits`]
//! read what it says. Each goes on after a fault, so that all are told at once.

mod accounts;
mod address;
mod credential;
mod effective;
mod fault;
mod keys;
mod layers;
mod limits;
mod matcher;
mod notifications;
mod policies;
mod schema;
mod shape;
mod table;
mod week;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::domain::name::{AccountName, ApiVersion, Provider};
use crate::domain::time::SignedDuration;
use crate::domain::view::Mode;
use crate::guardrails::Guardrails;
use crate::policy::Policy;

pub use effective::Provenance;
pub use fault::{ConfigFault, Faults};
pub use notifications::{NotificationSettings, ReceiverKind, Secrets};
pub use schema::{Draft, schema};

use fault::KeyPath;
use shape::Report;
use table::Table;

/// The built-in defaults, every key explained.
pub const DEFAULTS: &str = include_str!("../config/default.toml");
/// A configuration to start from.
pub const EXAMPLE: &str = include_str!("../config/example.toml");

/// Where a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// `--config`: only this file.
    pub file: Option<PathBuf>,
    /// The configuration itself, instead of any file.
    pub text: Option<String>,
    /// `--set KEY=VALUE`, over everything else.
    pub set: Vec<String>,
    /// The process's environment: configuration keys, the file's name, and the credentials.
    pub env: Vec<(String, String)>,
    /// The folder from which relative paths on the command line are taken.
    pub cwd: PathBuf,
    pub credentials: Credentials,
}

/// Whether a credential that is not there is a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    #[default]
    Check,
    /// For a machine that must not have them.
    Skip,
}

impl Source {
    fn variable(&self, name: &str) -> Option<&str> {
        variable(&self.env, name)
    }
}

fn variable<'a>(env: &'a [(String, String)], name: &str) -> Option<&'a str> {
    env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// A configuration that is valid, and what is worth knowing of it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<String>,
    /// Every key in force, in order, without secrets.
    pub provenance: Vec<Provenance>,
    /// The same as one tree.
    pub effective: serde_json::Value,
    pub file: Option<PathBuf>,
}

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
    pub notifications: Vec<NotificationSettings>,
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
    /// Without a trailing slash; with the version, where the provider has several.
    pub base_url: String,
    pub poll_interval: SignedDuration,
    pub requests_per_second: f64,
    /// Requests for evidence of activity, in any minute.
    pub evidence_requests_per_minute: u32,
    pub request_timeout: SignedDuration,
    pub price_per_hour: f64,
    pub currency: String,
    /// What the provider gives back of a session that is stopped is counted in whole ones of these; zero: to the millisecond.
    pub refunded_by: SignedDuration,
    /// The version of the provider's API, where it has several.
    pub api_version: Option<ApiVersion>,
}

impl Config {
    /// Where every credential is that the loops use: of accounts, and of those who are told.
    pub fn credentials(&self) -> impl Iterator<Item = &Credential> {
        let told = self.notifications.iter().flat_map(|receiver| match &receiver.address {
            notifications::Address::Kept(place) => [Some(place), receiver.secret.as_ref()],
            notifications::Address::Written(_) => [None, receiver.secret.as_ref()],
        });
        self.accounts.iter().map(|account| &account.credential).chain(told.flatten())
    }
}

/// Where a credential is; never the credential itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Env(String),
    File(PathBuf),
}

/// The file that a configuration is read from, wherever it was looked for; nothing where there is none.
pub fn file(source: &Source) -> Option<PathBuf> {
    layers::find_file(source).ok().map(|file| source.cwd.join(file))
}

/// Reads, merges and checks a configuration; with faults, all of them.
pub fn load(source: &Source) -> Result<Loaded, Faults> {
    let merged = layers::merge(source)?;
    let mut report = Report::new(&merged.origins);
    let root = KeyPath::default();
    shape::check(&mut report, &root, &merged.tree, &keys::ROOT);
    let mut reading = Reading {
        source,
        folder: layers::folder(source, &merged.origins),
        top: Table { path: root, value: &merged.tree },
        report,
        warnings: Vec::new(),
    };
    let config = reading.config();
    let Reading { report, warnings, .. } = reading;
    let faults = report.into_faults();
    match config {
        Some(config) if faults.is_empty() => {
            let (effective, provenance) = effective::show(&merged, &config);
            Ok(Loaded { config, warnings, provenance, effective, file: Some(merged.origins.file().to_path_buf()) })
        }
        _ => Err(Faults(faults)),
    }
}

/// The second pass: what the keys mean together.
struct Reading<'a> {
    source: &'a Source,
    /// Relative paths are taken from here.
    folder: PathBuf,
    top: Table<'a>,
    report: Report<'a>,
    warnings: Vec<String>,
}

impl Reading<'_> {
    /// Nothing where any key that is needed is faulty; the faults are in the report.
    fn config(&mut self) -> Option<Config> {
        let server = self.server();
        let store = self.store();
        let accounts = self.accounts();
        let policies = self.policies();
        let notifications = self.notifications();
        Some(Config {
            mode: Mode::from_word(self.top.text("mode")?)?,
            drain_timeout: self.top.duration("drain_timeout")?,
            server: server?,
            store: store?,
            accounts: accounts?,
            policies: policies?,
            guardrails: self.guardrails()?,
            notifications: notifications?,
        })
    }

    fn server(&mut self) -> Option<ServerSettings> {
        let table = self.top.table("server")?;
        let listen: SocketAddr = table.text("listen")?.parse().ok()?;
        let token_file = table.text("token_file").map(|path| self.folder.join(path));
        if !listen.ip().is_loopback() && token_file.is_none() {
            let value = table.get("listen")?;
            let expected = format!("server.token_file too: {listen} can be reached from other machines");
            self.report.say(&table.path.key("token_file"), value, "nothing", expected, None);
        }
        if let (Some(path), Some(value)) = (&token_file, table.get("token_file")) {
            self.readable(&table.path.key("token_file"), value, &Credential::File(path.clone()));
        }
        Some(ServerSettings {
            listen,
            token_file,
            open_metrics: table.flag("open_metrics")?,
            hosts: table.texts("hosts")?.into_iter().map(str::to_owned).collect(),
        })
    }

    fn store(&self) -> Option<StoreSettings> {
        let table = self.top.table("store")?;
        let path = match table.text("path")? {
            ":memory:" => StorePath::Memory,
            path => StorePath::File(self.folder.join(path)),
        };
        Some(StoreSettings { path, retention: table.duration("retention")? })
    }

    fn guardrails(&self) -> Option<Guardrails> {
        let table = self.top.table("guardrails")?;
        Some(Guardrails {
            max_releases_per_poll: table.count("max_releases_per_poll")?,
            max_release_fraction: table.number("max_release_fraction")?,
            min_age: table.duration("min_age")?,
            skip_expiring_within: table.duration("skip_expiring_within")?,
            confirm_within: table.duration("confirm_within")?,
        })
    }
}

#[cfg(test)]
mod tests;
