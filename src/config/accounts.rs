//! `[[accounts]]`: what each inherits, where its credential is, and whether it may be sent where the account says.

use std::collections::BTreeMap;

use figment::value::Value;

use super::address::one_origin;
use super::fault::{KeyPath, looks_secret, quoted};
use super::table::Table;
use super::{AccountSettings, Credential, Credentials, Reading};
use crate::domain::name::{AccountName, ApiVersion, Provider};
use crate::domain::time::SignedDuration;

/// What an account of a provider has where it says nothing else.
pub(super) struct ProviderDefaults {
    /// Without the version, where the provider has several.
    pub(super) base_url: &'static str,
    /// Where the provider has several.
    pub(super) api_version: Option<ApiVersion>,
    /// Per session and hour, in [`CURRENCY`].
    pub(super) price_per_hour: f64,
    pub(super) refunded_by: SignedDuration,
    /// One key may see several projects.
    pub(super) has_projects: bool,
}

pub(super) const CURRENCY: &str = "USD";

/// Nothing for a provider that this version does not know.
pub(super) fn provider_defaults(provider: Provider) -> Option<ProviderDefaults> {
    match provider {
        Provider::Browserbase => Some(ProviderDefaults {
            base_url: "https://api.browserbase.com",
            api_version: None,
            price_per_hour: 0.12,
            refunded_by: SignedDuration::ZERO,
            has_projects: true,
        }),
        Provider::BrowserUse => Some(ProviderDefaults {
            base_url: "https://api.browser-use.com",
            api_version: Some(ApiVersion::V2),
            price_per_hour: 0.02,
            // Charged up front for the whole timeout; a stop gives back what is left of it, by the minute.
            refunded_by: SignedDuration::from_mins(1),
            has_projects: false,
        }),
        Provider::SeleniumGrid => None,
    }
}

impl<'a> Reading<'a> {
    pub(super) fn accounts(&mut self) -> Option<Vec<AccountSettings>> {
        let tables = self.top.tables("accounts");
        if tables.is_empty() && self.top.get("accounts").is_none_or(|value| value.as_array().is_some()) {
            let value = self.top.get("accounts").unwrap_or(self.top.value);
            self.report.say(&self.top.path.key("accounts"), value, "no accounts", "at least one [[accounts]]", None);
        }
        self.unique_names("accounts");
        let accounts: Vec<Option<AccountSettings>> = tables.iter().map(|table| self.account(table)).collect();
        self.distinct(&tables, &accounts);
        accounts.into_iter().collect()
    }

    fn account(&mut self, table: &Table<'a>) -> Option<AccountSettings> {
        let credential = self.credential(table);
        let provider = table.text("provider").and_then(Provider::from_word);
        let address = self.address(table, provider);
        let (provider, defaults) = (provider?, provider_defaults(provider?)?);
        let project_id = self.project_id(table, provider, &defaults);
        let inherited = |key: &str| if table.get(key).is_some() { table } else { &self.top };
        Some(AccountSettings {
            name: AccountName::from(table.text("name")?),
            provider,
            credential: credential?,
            project_id,
            base_url: address.as_ref()?.base_url.clone(),
            poll_interval: inherited("poll_interval").duration("poll_interval")?,
            requests_per_second: inherited("requests_per_second").number("requests_per_second")?,
            evidence_requests_per_minute: inherited("evidence_requests_per_minute").count("evidence_requests_per_minute")?,
            request_timeout: inherited("request_timeout").duration("request_timeout")?,
            price_per_hour: table.number("price_per_hour").unwrap_or(defaults.price_per_hour),
            currency: table.text("currency").unwrap_or(CURRENCY).to_owned(),
            refunded_by: defaults.refunded_by,
            api_version: address?.api_version,
        })
    }

    fn project_id(&mut self, table: &Table<'a>, provider: Provider, defaults: &ProviderDefaults) -> Option<String> {
        let value = table.get("project_id")?;
        if !defaults.has_projects {
            let found = format!("a project of an account of {provider}");
            self.report.say(&table.path.key("project_id"), value, found, "no project_id here: the key belongs to one project", None);
        }
        value.as_str().map(str::to_owned)
    }

    /// Exactly one place for the credential; and, unless that is skipped, a credential there.
    fn credential(&mut self, table: &Table<'a>) -> Option<Credential> {
        let (key, credential) = match (table.get("api_key_env"), table.get("api_key_file")) {
            (Some(name), None) => ("api_key_env", Credential::Env(name.as_str()?.to_owned())),
            (None, Some(path)) => ("api_key_file", Credential::File(self.folder.join(path.as_str()?))),
            (None, None) => {
                let expected = "api_key_env, the name of the variable that holds the key, or api_key_file";
                self.report.say(&table.path.key("api_key_env"), table.value, "no credential", expected, None);
                return None;
            }
            (Some(_), Some(second)) => {
                self.report.say(&table.path.key("api_key_file"), second, "api_key_env beside it", "one of the two", None);
                return None;
            }
        };
        if let Some(value) = table.get(key) {
            self.readable(&table.path.key(key), value, &credential);
        }
        Some(credential)
    }

    /// Unless that is skipped, what is needed to read the credential is there.
    pub(super) fn readable(&mut self, path: &KeyPath, value: &Value, credential: &Credential) {
        if self.source.credentials == Credentials::Skip || self.report.tells(path) {
            return;
        }
        if let Err(fault) = credential.read(&self.source.env) {
            self.report.say(path, value, format!("{} ({})", fault.found, fault.place), fault.expected, None);
        }
    }

    /// No two tables of a list have one name.
    pub(super) fn unique_names(&mut self, list: &str) {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, table) in self.top.tables(list).iter().enumerate() {
            let Some((name, value)) = table.get("name").and_then(|value| Some((value.as_str()?, value))) else { continue };
            match first.get(name) {
                Some(earlier) => {
                    let found = format!("{}, the name of {list}[{earlier}] too", quoted(name));
                    self.report.say(&table.path.key("name"), value, found, "a name of its own", None);
                }
                None => _ = first.insert(name, at),
            }
        }
    }

    /// Two accounts that see the same sessions would judge and count them twice.
    fn distinct(&mut self, tables: &[Table<'a>], accounts: &[Option<AccountSettings>]) {
        for (at, account) in accounts.iter().enumerate().filter_map(|(at, account)| Some((at, account.as_ref()?))) {
            if let Some(earlier) = accounts[..at].iter().flatten().find(|earlier| see_the_same(earlier, account)) {
                let found = format!("the credential, base_url and project of account {}", quoted(earlier.name.as_str()));
                let expected = "one account per credential and project: two would judge the same sessions twice";
                self.report.say(&tables[at].path, tables[at].value, found, expected, None);
            }
        }
    }
}

/// One credential at one address; an account without a project sees those of all. Whatever the version, the sessions are the same.
fn see_the_same(one: &AccountSettings, other: &AccountSettings) -> bool {
    let projects_apart = one.project_id.as_ref().zip(other.project_id.as_ref()).is_some_and(|(one, other)| one != other);
    let versioned = one.api_version.is_some() && other.api_version.is_some();
    let one_server = one.base_url == other.base_url || versioned && one_origin(&one.base_url, &other.base_url);
    one.credential == other.credential && one_server && !projects_apart
}

/// The names of the accounts as far as they can be read.
pub(super) fn names<'a>(top: &Table<'a>) -> Vec<&'a str> {
    let name = |value: &'a Value| value.as_dict()?.get("name")?.as_str();
    top.get("accounts").and_then(Value::as_array).unwrap_or_default().iter().filter_map(name).filter(|name| !looks_secret(name)).collect()
}
