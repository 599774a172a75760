//! `[[accounts]]`: what each inherits, where its credential is, and whether it may be sent where the account says.

use std::collections::BTreeMap;

use figment::value::Value;
use reqwest::Url;

use super::fault::{HIDDEN, KeyPath, looks_secret, quoted};
use super::table::Table;
use super::{AccountSettings, Credential, Credentials, Reading};
use crate::domain::name::{AccountName, Provider};
use crate::domain::time::SignedDuration;

/// What an account of a provider has where it says nothing else.
pub(super) struct ProviderDefaults {
    pub(super) base_url: &'static str,
    /// Per session and hour, in [`CURRENCY`].
    pub(super) price_per_hour: f64,
    /// Of a session that is stopped, time is given back in whole ones of these; zero: to the millisecond.
    pub(super) refunded_by: SignedDuration,
}

pub(super) const CURRENCY: &str = "USD";

/// Nothing for a provider that this version does not know.
pub(super) fn provider_defaults(provider: Provider) -> Option<ProviderDefaults> {
    match provider {
        Provider::Browserbase => {
            Some(ProviderDefaults { base_url: "https://api.browserbase.com", price_per_hour: 0.12, refunded_by: SignedDuration::ZERO })
        }
        // Charged up front for the whole timeout; what is left at a stop is given back to the minute (the description of `POST /browsers`).
        Provider::BrowserUse => {
            Some(ProviderDefaults { base_url: "https://api.browser-use.com", price_per_hour: 0.02, refunded_by: SignedDuration::from_mins(1) })
        }
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
        let base_url = self.base_url(table, provider);
        let provider = provider?;
        let defaults = provider_defaults(provider)?;
        let place = self.place(table, provider, base_url, defaults.base_url)?;
        self.project_fits(table, provider);
        let inherited = |key: &str| if table.get(key).is_some() { table } else { &self.top };
        Some(AccountSettings {
            name: AccountName::from(table.text("name")?),
            provider,
            credential: credential?,
            project_id: table.text("project_id").map(str::to_owned),
            base_url: place.base_url,
            poll_interval: inherited("poll_interval").duration("poll_interval")?,
            requests_per_second: inherited("requests_per_second").number("requests_per_second")?,
            request_timeout: inherited("request_timeout").duration("request_timeout")?,
            price_per_hour: table.number("price_per_hour").unwrap_or(defaults.price_per_hour),
            currency: table.text("currency").unwrap_or(CURRENCY).to_owned(),
            refunded_by: defaults.refunded_by,
            api_version: place.version,
        })
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

    /// The address without its trailing slash, where the account has one and it may be used.
    fn base_url(&mut self, table: &Table<'a>, provider: Option<Provider>) -> Option<String> {
        let value = table.get("base_url")?;
        let text = value.as_str()?.trim_end_matches('/');
        match url_fault(text, provider.unwrap_or(Provider::Browserbase)) {
            None => Some(text.to_owned()),
            Some((found, expected)) => {
                let shown = if looks_secret(text) { HIDDEN.to_owned() } else { format!("{text:?}") };
                self.report.say(&table.path.key("base_url"), value, format!("{shown}, {found}"), expected, None);
                None
            }
        }
    }

    /// A key of Browser Use belongs to one project already.
    fn project_fits(&mut self, table: &Table<'a>, provider: Provider) {
        if let Some(value) = table.get("project_id").filter(|_| provider == Provider::BrowserUse) {
            let found = "project_id for browser-use, whose keys belong to one project each";
            self.report.say(&table.path.key("project_id"), value, found, "no such key here", None);
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

/// One credential at one address; an account without a project sees those of all. Browser Use shows the same browsers under every version.
fn see_the_same(one: &AccountSettings, other: &AccountSettings) -> bool {
    let projects_apart = one.project_id.as_ref().zip(other.project_id.as_ref()).is_some_and(|(one, other)| one != other);
    one.credential == other.credential && root(one) == root(other) && !projects_apart
}

fn root(account: &AccountSettings) -> String {
    let origin = || Url::parse(&account.base_url).ok().map(|url| url.origin().ascii_serialization());
    account.api_version.and_then(|_| origin()).unwrap_or_else(|| account.base_url.clone())
}

/// What is wrong with the address of a provider's API, and what would be right.
fn url_fault(text: &str, provider: Provider) -> Option<(&'static str, &'static str)> {
    let example = match provider {
        Provider::BrowserUse => "an address such as \"https://api.browser-use.com/api/v2\"",
        _ => "an address such as \"https://api.browserbase.com\"",
    };
    let Ok(url) = Url::parse(text) else { return Some(("which is no address", example)) };
    let path = url.path().trim_end_matches('/');
    match url.scheme() {
        "https" | "http" if url.host().is_none() => Some(("which names no host", example)),
        "http" if !is_loopback(&url) => Some(("which would send the key in the clear", "https beyond loopback")),
        "https" | "http" if !url.username().is_empty() || url.password().is_some() => {
            Some(("which holds a login", "an address without one: credentials are never in the configuration"))
        }
        "https" | "http" if url.query().is_some() || url.fragment().is_some() => Some(("which has a query or a fragment", example)),
        "https" | "http" if provider == Provider::Browserbase && path.ends_with("/v1") => {
            Some(("which ends in /v1", "the address without /v1: it is added"))
        }
        "https" | "http" => None,
        _ => Some(("which is not https", example)),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The names of the accounts as far as they can be read.
pub(super) fn names<'a>(top: &Table<'a>) -> Vec<&'a str> {
    let name = |value: &'a Value| value.as_dict()?.get("name")?.as_str();
    top.get("accounts").and_then(Value::as_array).unwrap_or_default().iter().filter_map(name).filter(|name| !looks_secret(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for address in
            ["http://127.0.0.1:1", "http://127.8.0.1", "http://[::1]:1", "http://localhost:1", "http://LOCALHOST", "https://example.com/eu"]
        {
            assert_eq!(url_fault(address, Provider::Browserbase), None, "{address}");
        }
        for address in [
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://0.0.0.0:1",
            "http://10.0.0.1",
            "http://[::2]",
            "http://localhost@example.com",
        ] {
            assert!(url_fault(address, Provider::Browserbase).is_some_and(|(found, _)| found.contains("in the clear")), "{address}");
        }
    }

    #[test]
    fn an_address_is_a_base_and_nothing_more() {
        for address in ["https://a/v1", "https://a/v1/", "https://a?x=1", "https://a#x", "https://u@a", "ftp://a", "a", "", "https://"] {
            assert!(url_fault(address, Provider::Browserbase).is_some(), "{address}");
        }
    }
}
