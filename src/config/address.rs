//! `base_url` and `api_version`: where an account's provider is asked, under which version of its API, and whether a key may be sent there.

use reqwest::Url;

use super::Reading;
use super::accounts::{ProviderDefaults, provider_defaults};
use super::fault::{HIDDEN, looks_secret, quoted};
use super::table::Table;
use crate::domain::name::{ApiVersion, Provider};

/// Where an account's provider is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Without a trailing slash.
    pub(super) base_url: String,
    pub(super) api_version: Option<ApiVersion>,
}

/// What is wrong with an address, and what would be right.
type Misfit = (String, String);

impl<'a> Reading<'a> {
    /// Nothing where a key is faulty, or the provider is not known.
    pub(super) fn address(&mut self, table: &Table<'a>, provider: Option<Provider>) -> Option<Address> {
        let asked = self.api_version(table, provider);
        let defaults = provider.and_then(provider_defaults);
        let Some(value) = table.get("base_url") else { return Some(default_address(&defaults?, asked?)) };
        let text = value.as_str()?.trim_end_matches('/');
        // Of a key that is faulty by itself, nothing follows for the other.
        match read(text, defaults.as_ref(), asked.flatten()) {
            Ok(address) => asked.and(address),
            Err((found, expected)) => {
                let shown = if looks_secret(text) { HIDDEN.to_owned() } else { format!("{text:?}") };
                self.report.say(&table.path.key("base_url"), value, format!("{shown}, {found}"), expected, None);
                None
            }
        }
    }

    /// The version that the account asks for, if it does; nothing where the key is faulty.
    fn api_version(&mut self, table: &Table<'a>, provider: Option<Provider>) -> Option<Option<ApiVersion>> {
        let Some(value) = table.get("api_version") else { return Some(None) };
        let version = ApiVersion::from_word(value.as_str()?)?;
        if let Some(provider) = provider.filter(|provider| provider_defaults(*provider).is_some_and(|defaults| defaults.api_version.is_none())) {
            let found = format!("{} on an account of {provider}", quoted(version.as_str()));
            let expected = "no api_version here: only browser-use has several";
            self.report.say(&table.path.key("api_version"), value, found, expected, None);
            return None;
        }
        Some(Some(version))
    }
}

fn default_address(defaults: &ProviderDefaults, asked: Option<ApiVersion>) -> Address {
    match defaults.api_version {
        None => Address { base_url: defaults.base_url.to_owned(), api_version: None },
        Some(usual) => under_api(defaults.base_url, asked.unwrap_or(usual)),
    }
}

fn under_api(origin: &str, version: ApiVersion) -> Address {
    Address { base_url: format!("{origin}/api/{version}"), api_version: Some(version) }
}

/// Reads an address, which has no trailing slash any more; gives none where it is sound but the provider is not known.
fn read(text: &str, defaults: Option<&ProviderDefaults>, asked: Option<ApiVersion>) -> Result<Option<Address>, Misfit> {
    let url = sound(text, defaults.map_or("https://api.example.com", |defaults| defaults.base_url))?;
    match defaults {
        None => Ok(None),
        Some(ProviderDefaults { api_version: None, .. }) => without_v1(text, &url).map(Some),
        Some(ProviderDefaults { api_version: Some(usual), .. }) => with_version(&url, asked, *usual).map(Some),
    }
}

/// An address to which a key may be sent, and nothing more than an address.
fn sound(text: &str, example: &str) -> Result<Url, Misfit> {
    let such_as = format!("an address such as {example:?}");
    let misfit = |found: &str, expected: &str| Err((found.to_owned(), expected.to_owned()));
    let Ok(url) = Url::parse(text) else { return misfit("which is no address", &such_as) };
    match url.scheme() {
        "https" | "http" if url.host().is_none() => misfit("which names no host", &such_as),
        "http" if !is_loopback(&url) => misfit("which would send the key in the clear", "https beyond loopback"),
        "https" | "http" if !url.username().is_empty() || url.password().is_some() => {
            misfit("which holds a login", "an address without one: credentials are never in the configuration")
        }
        "https" | "http" if url.query().is_some() || url.fragment().is_some() => misfit("which has a query or a fragment", &such_as),
        "https" | "http" => Ok(url),
        _ => misfit("which is not https", &such_as),
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A provider with one version, which its paths begin with.
fn without_v1(text: &str, url: &Url) -> Result<Address, Misfit> {
    match last_step(url) {
        "v1" => Err(("which ends in /v1".to_owned(), "the address without /v1: it is added".to_owned())),
        _ => Ok(Address { base_url: text.to_owned(), api_version: None }),
    }
}

/// A provider with several versions, of which the address ends in one.
fn with_version(url: &Url, asked: Option<ApiVersion>, usual: ApiVersion) -> Result<Address, Misfit> {
    let (path, last) = (url.path().trim_end_matches('/'), last_step(url));
    let as_it_is = |version| Ok(Address { base_url: url.as_str().trim_end_matches('/').to_owned(), api_version: Some(version) });
    match (ApiVersion::from_word(last), asked) {
        (Some(named), Some(asked)) if named != asked => {
            Err((format!("which ends in /{named} beside api_version = \"{asked}\""), format!("one version: /{asked} here, or no api_version")))
        }
        (Some(named), _) => as_it_is(named),
        (None, _) if looks_like_version(last) => {
            Err((format!("which ends in /{last}"), "an address that ends in /api/v2, /api/v3 or /api/v4".to_owned()))
        }
        (None, _) if matches!(path, "" | "/api") => Ok(under_api(&url.origin().ascii_serialization(), asked.unwrap_or(usual))),
        // A gateway may mount the API anywhere.
        (None, Some(asked)) => as_it_is(asked),
        (None, None) => {
            let expected = "an address that ends in /api/v2, /api/v3 or /api/v4, or api_version beside it";
            Err(("which says no version of the API".to_owned(), expected.to_owned()))
        }
    }
}

fn last_step(url: &Url) -> &str {
    url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

fn looks_like_version(step: &str) -> bool {
    step.strip_prefix(['v', 'V']).is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

/// The address itself says which version of the API it is.
pub(super) fn names_version(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| ApiVersion::from_word(last_step(&url)).is_some())
}

/// Both addresses are of one server.
pub(super) fn one_origin(one: &str, other: &str) -> bool {
    Url::parse(one).ok().zip(Url::parse(other).ok()).is_some_and(|(one, other)| one.origin() == other.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<String> {
        let text = text.trim_end_matches('/');
        read(text, provider_defaults(Provider::Browserbase).as_ref(), None).err().map(|(found, _)| found)
    }

    /// What a Browser Use account with this address and version asks.
    fn asks(text: &str, asked: Option<ApiVersion>) -> Result<(String, ApiVersion), Misfit> {
        let address = read(text.trim_end_matches('/'), provider_defaults(Provider::BrowserUse).as_ref(), asked)?.expect("a known provider");
        Ok((address.base_url, address.api_version.expect("a version")))
    }

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for address in
            ["http://127.0.0.1:1", "http://127.8.0.1", "http://[::1]:1", "http://localhost:1", "http://LOCALHOST", "https://example.com/eu"]
        {
            assert_eq!(found(address), None, "{address}");
        }
        for address in [
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://0.0.0.0:1",
            "http://10.0.0.1",
            "http://[::2]",
            "http://localhost@example.com",
        ] {
            assert!(found(address).is_some_and(|found| found.contains("in the clear")), "{address}");
            assert!(asks(address, None).is_err_and(|(found, _)| found.contains("in the clear")), "{address}");
        }
    }

    #[test]
    fn an_address_is_a_base_and_nothing_more() {
        for address in ["https://a/v1", "https://a/v1/", "https://a?x=1", "https://a#x", "https://u@a", "ftp://a", "a", "", "https://"] {
            assert!(found(address).is_some(), "{address}");
        }
        for address in ["https://a/api/v2?x=1", "https://a/api/v2?", "https://a/api/v2#x", "https://u@a/api/v2", "ftp://a/api/v2", "a/api/v2"] {
            assert!(asks(address, None).is_err(), "{address}");
        }
    }

    #[test]
    fn an_address_without_a_path_is_completed_with_the_version() {
        for address in ["https://a.example", "https://a.example/", "https://a.example/api", "https://a.example/api/", "https://A.EXAMPLE:443"] {
            assert_eq!(asks(address, None), Ok(("https://a.example/api/v2".to_owned(), ApiVersion::V2)), "{address}");
            assert_eq!(asks(address, Some(ApiVersion::V4)), Ok(("https://a.example/api/v4".to_owned(), ApiVersion::V4)), "{address}");
        }
        assert_eq!(asks("http://127.0.0.1:8080", None), Ok(("http://127.0.0.1:8080/api/v2".to_owned(), ApiVersion::V2)));
    }

    #[test]
    fn an_address_that_ends_in_a_version_chooses_it() {
        for (version, asked) in ApiVersion::ALL.iter().flat_map(|version| [(*version, None), (*version, Some(*version))]) {
            let address = format!("https://a.example/api/{version}");
            assert_eq!(asks(&address, asked), Ok((address.clone(), version)));
            assert_eq!(asks(&format!("https://a.example/gateway/{version}/"), asked).map(|(_, version)| version), Ok(version));
        }
    }

    #[test]
    fn an_address_and_a_version_that_disagree_are_both_named() {
        let (found, expected) = asks("https://a.example/api/v2", Some(ApiVersion::V3)).expect_err("two versions");
        assert_eq!(
            (found.as_str(), expected.as_str()),
            ("which ends in /v2 beside api_version = \"v3\"", "one version: /v3 here, or no api_version")
        );
    }

    #[test]
    fn an_address_with_a_path_of_its_own_wants_the_version_said() {
        let elsewhere = "https://a.example/browsers";
        assert!(asks(elsewhere, None).is_err_and(|(_, expected)| expected.contains("or api_version beside it")));
        assert_eq!(asks(elsewhere, Some(ApiVersion::V3)), Ok((elsewhere.to_owned(), ApiVersion::V3)));
    }

    #[test]
    fn a_version_that_is_not_known_is_not_taken_for_a_path() {
        for address in ["https://a.example/api/v1", "https://a.example/api/v5", "https://a.example/api/V2", "https://a.example/v10"] {
            assert!(asks(address, None).is_err_and(|(found, _)| found.starts_with("which ends in /")), "{address}");
            assert!(asks(address, Some(ApiVersion::V2)).is_err(), "{address}");
        }
    }
}
