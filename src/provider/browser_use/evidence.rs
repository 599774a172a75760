//! What Browser Use can tell of a session's activity: an agent session's tasks, messages or runs, by version; of a browser by itself nothing.

use crate::domain::activity::Evidence;
use crate::domain::session::Target;
use crate::provider::Exchange;
use crate::provider::browser_use::Account;
use crate::provider::trail::Trail;

pub(super) async fn ask(_account: &Account, _target: &Target) -> Exchange<Evidence> {
    Trail::default().end(Ok(Evidence::default()))
}
