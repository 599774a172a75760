//! Whose API the accounts of a script speak.

use session_reaper::domain::name::ApiVersion;
use session_reaper::simulator::Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Api {
    Browserbase,
    BrowserUse(ApiVersion),
}

impl Api {
    pub(super) const fn provider(self) -> &'static str {
        match self {
            Self::Browserbase => "browserbase",
            Self::BrowserUse(_) => "browser-use",
        }
    }

    pub(super) fn address(self, simulator: &str) -> String {
        match self {
            Self::Browserbase => simulator.to_owned(),
            Self::BrowserUse(version) => format!("{simulator}/api/{version}"),
        }
    }

    pub(super) fn key(self, account: &str) -> String {
        match self {
            Self::Browserbase => format!("bb_demo_{account}"),
            Self::BrowserUse(_) => format!("bu_demo_{account}"),
        }
    }

    /// A refusal in the provider's form.
    pub(in crate::daemon) fn refusal(self, code: u16, sentence: &str) -> Fault {
        match self {
            Self::Browserbase => Fault::status(code, sentence),
            Self::BrowserUse(_) => Fault::detail(code, sentence),
        }
    }
}
