//! The seam between the house and a provider. Reading and releasing are two traits, so that observe mode holds nothing that could release.

use std::pin::Pin;

pub use crate::domain::exchange::{Exchange, RequestTrace};
use crate::domain::listing::Listing;
use crate::domain::name::{Kind, SessionId};
use crate::domain::session::Session;

/// A future that a provider returns: boxed, so that providers are values.
pub type Answer<T> = Pin<Box<dyn Future<Output = Exchange<T>> + Send>>;

/// Reads; changes nothing at the provider and keeps no session alive.
pub trait Lister: Send + Sync {
    /// Every live session of the account.
    fn list(&self) -> Answer<Listing>;

    /// One session, ended or not.
    fn read(&self, id: &SessionId, kind: Kind) -> Answer<Session>;
}

/// Ends sessions. One request per call, never repeated by itself.
pub trait Releaser: Send + Sync {
    /// Asks the provider to end a session; gives the session as the provider answered, where it did.
    fn release(&self, id: &SessionId, kind: Kind) -> Answer<Option<Session>>;
}
