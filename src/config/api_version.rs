//! Which version of its API an account of Browser Use speaks, and where. `api_version` says it, and so does a `base_url` that ends in one; they may not
//! contradict each other.

use super::Reading;
use super::fault::quoted;
use super::table::Table;
use crate::domain::name::{ApiVersion, Provider};

/// The version of the provider's own example.
const DEFAULT: ApiVersion = ApiVersion::V2;

/// Where a provider serves its API, and in which version, if it has several.
pub(super) struct Place {
    pub(super) base_url: String,
    pub(super) version: Option<ApiVersion>,
}

impl<'a> Reading<'a> {
    /// The address with its version, from what the account says and the provider's own address. Nothing where both say something else, or neither does.
    pub(super) fn place(&mut self, table: &Table<'a>, provider: Provider, written: Option<String>, own: &str) -> Option<Place> {
        if provider != Provider::BrowserUse {
            self.no_version(table, provider);
            return Some(Place { base_url: written.unwrap_or_else(|| own.to_owned()), version: None });
        }
        let asked = table.text("api_version").and_then(ApiVersion::from_word);
        let address = written.unwrap_or_else(|| own.to_owned());
        match (version_of(&address), asked) {
            (Some(found), Some(asked)) if found != asked => self.contradicted(table, found, asked),
            (Some(found), _) => Some(Place { base_url: address, version: Some(found) }),
            (None, asked) => match completed(&address, asked.unwrap_or(DEFAULT)) {
                Some(base_url) => Some(Place { base_url, version: asked.or(Some(DEFAULT)) }),
                // Whoever names the version may have the API mounted anywhere.
                None if asked.is_some() => Some(Place { base_url: address, version: asked }),
                None => self.unversioned(table, &address),
            },
        }
    }

    fn no_version(&mut self, table: &Table<'a>, provider: Provider) {
        if let Some(value) = table.get("api_version") {
            let found = format!("api_version for {provider}, whose API has one version");
            self.report.say(&table.path.key("api_version"), value, found, "no such key here", None);
        }
    }

    fn contradicted(&mut self, table: &Table<'a>, found: ApiVersion, asked: ApiVersion) -> Option<Place> {
        let value = table.get("api_version")?;
        let found = format!("{}, and a base_url that ends in /{found}", quoted(asked.as_str()));
        self.report.say(&table.path.key("api_version"), value, found, "one version: leave out one of the two", None);
        None
    }

    fn unversioned(&mut self, table: &Table<'a>, address: &str) -> Option<Place> {
        let value = table.get("base_url")?;
        let found = format!("{}, which names no version", quoted(address));
        let expected = "an address that ends in /api/v2, /api/v3 or /api/v4, or api_version beside it";
        self.report.say(&table.path.key("base_url"), value, found, expected, None);
        None
    }
}

/// The version in which an address ends.
fn version_of(address: &str) -> Option<ApiVersion> {
    let (_, behind) = address.split_once("://")?;
    ApiVersion::from_word(behind.rsplit_once('/')?.1)
}

/// The address with the path of a version, where its own path says nothing else.
fn completed(address: &str, version: ApiVersion) -> Option<String> {
    let (_, behind) = address.split_once("://")?;
    match behind.split_once('/').map(|(_, path)| path) {
        None | Some("") => Some(format!("{address}/api/{version}")),
        Some("api") => Some(format!("{address}/{version}")),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_its_version_by_its_end() {
        let cases = [
            ("https://api.browser-use.com/api/v2", Some(ApiVersion::V2)),
            ("http://127.0.0.1:1/v4", Some(ApiVersion::V4)),
            ("https://api.browser-use.com/api/v5", None),
            ("https://api.browser-use.com/api/v2/x", None),
            ("https://v3", None),
        ];
        for (address, version) in cases {
            assert_eq!(version_of(address), version, "{address}");
        }
    }

    #[test]
    fn an_address_that_says_nothing_else_is_completed() {
        assert_eq!(completed("http://127.0.0.1:1", ApiVersion::V3).as_deref(), Some("http://127.0.0.1:1/api/v3"));
        assert_eq!(completed("http://127.0.0.1:1/api", ApiVersion::V2).as_deref(), Some("http://127.0.0.1:1/api/v2"));
        assert_eq!(completed("http://127.0.0.1:1/gateway", ApiVersion::V2), None);
    }
}
