//! The store that the configuration names, opened for a command.

use crate::cli::progress::Progress;
use crate::cli::{Failure, Globals, configured};
use crate::config::{self, Config, Credentials, StorePath};
use crate::domain::name::AccountName;
use crate::ledger::{LedgerFault, Operator, Reader};

/// Where the books are.
pub fn store_path(globals: &Globals) -> Result<StorePath, Failure> {
    Ok(offline(globals)?.store.path)
}

/// The books for reading; `None` where there are none yet.
pub fn reader(globals: &Globals) -> Result<Option<Reader>, Failure> {
    Reader::open(&store_path(globals)?).map_err(failure)
}

/// The books for an operator's word.
pub fn operator(globals: &Globals) -> Result<Operator, Failure> {
    Operator::open(&store_path(globals)?).map_err(failure)
}

/// Shown while the daemon's way in takes long: a large store is looked through for damage, and an older one is brought up to date.
pub fn opening() -> Progress {
    Progress::of("opening the store: checking it, and bringing it up to date")
}

/// A store that no command can reach is a matter of the configuration; all else is work that failed.
pub fn failure(fault: LedgerFault) -> Failure {
    match fault {
        LedgerFault::InMemory | LedgerFault::NoFolder { .. } => Failure::usage(fault),
        fault => Failure::work(fault),
    }
}

/// The accounts of the configuration.
pub fn known_accounts(globals: &Globals) -> Result<Vec<AccountName>, Failure> {
    Ok(offline(globals)?.accounts.into_iter().map(|account| account.name).collect())
}

/// What only reads and writes the books needs no credentials.
pub fn offline(globals: &Globals) -> Result<Config, Failure> {
    config::load(&configured::source(globals, Credentials::Skip)).map(|loaded| loaded.config).map_err(Failure::usage)
}
