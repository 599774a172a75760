//! The seam between the house and a provider. Reading and releasing are two traits, so that observe mode holds nothing that could release.

mod browser_use;
mod browserbase;
mod http;
mod json;
mod testimony;
mod trail;

use std::pin::Pin;
use std::sync::Arc;

use secrecy::SecretString;

use crate::clock::Clock;
use crate::config::AccountSettings;
use crate::domain::activity::Evidence;
pub use crate::domain::exchange::{Exchange, RequestTrace};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::listing::Listing;
use crate::domain::name::{ApiVersion, Provider};
use crate::domain::session::{Session, Target};
pub use http::{Body, Call, Transport, fault_kind, plain_client, retry_after, why_broken};

/// A future that a provider returns: boxed, so that providers are values.
pub type Answer<T> = Pin<Box<dyn Future<Output = Exchange<T>> + Send>>;

/// Reads; changes nothing at the provider and keeps no session alive.
pub trait Lister: Send + Sync {
    /// Every live session of the account.
    fn list(&self) -> Answer<Listing>;

    /// One session, ended or not: over when every part that is meant is.
    fn read(&self, target: &Target) -> Answer<Session>;

    /// What the provider can tell of one session's activity, asked in at most [`crate::domain::activity::MOST_QUESTIONS`] requests. Fails only where it refuses us, or wants
    /// silence, before anything was answered; what else could not be asked is in the testimonies.
    fn evidence(&self, target: &Target) -> Answer<Evidence>;
}

/// Ends sessions. A request is never repeated by itself.
pub trait Releaser: Send + Sync {
    /// Asks the provider to end a session; gives the session as the provider answered, where it did.
    fn release(&self, target: &Target) -> Answer<Option<Session>>;
}

/// Both faces of one account, over one pool of connections: a release finds the one open that the last listing used.
pub struct Connected {
    pub lister: Arc<dyn Lister>,
    pub releaser: Arc<dyn Releaser>,
}

/// What an account needs where sessions are released. Fails with a sentence for whoever wrote the configuration.
pub fn connect(settings: &AccountSettings, key: SecretString, clock: Clock) -> Result<Connected, String> {
    match settings.provider {
        Provider::Browserbase => browserbase::connect(settings, key, clock),
        Provider::BrowserUse => browser_use::connect(settings, key, clock),
        Provider::SeleniumGrid => Err("provider `selenium-grid` is not built into this version; use `browserbase` or `browser-use`".to_owned()),
    }
}

/// What reads an account: all that observe mode holds.
pub fn lister(settings: &AccountSettings, key: SecretString, clock: Clock) -> Result<Arc<dyn Lister>, String> {
    Ok(connect(settings, key, clock)?.lister)
}

/// What releases an account's sessions, over connections of its own.
pub fn releaser(settings: &AccountSettings, key: SecretString, clock: Clock) -> Result<Arc<dyn Releaser>, String> {
    Ok(connect(settings, key, clock)?.releaser)
}

/// A Browserbase account over whatever carries its calls; only the sessions of this project, where one is named.
pub fn browserbase_over(transport: Arc<dyn Transport>, project: Option<&str>) -> Connected {
    browserbase::over(transport, project)
}

/// A Browser Use account over whatever carries its calls.
pub fn browser_use_over(transport: Arc<dyn Transport>, version: ApiVersion) -> Connected {
    browser_use::over(transport, version)
}

fn another_session() -> Fault {
    Fault::new(FaultKind::Unreadable, "the provider answered with another session than the one asked for: check `base_url` and any proxy before it")
}

/// What was read is about the session, and could not be read.
fn unread(why: &str) -> Fault {
    Fault::new(FaultKind::Unreadable, format!("a session of which {why}"))
}

/// The one that says more about what to do next: that the key is refused, or has to be silent.
fn weightier<'a>(first: &'a Fault, second: &'a Fault) -> &'a Fault {
    if turns_us_away(second) && !turns_us_away(first) { second } else { first }
}

/// The key is refused, or is to be silent: another call would only make it worse.
fn turns_us_away(fault: &Fault) -> bool {
    fault.is_refusal() || fault.asks_for_silence()
}

/// A 2xx is an acceptance, whether or not its body could be read.
fn is_success(fault: &Fault) -> bool {
    fault.status.is_some_and(|status| (200..300).contains(&status))
}
