//! The store that the configuration names, opened for a command.

use crate::cli::{Failure, Globals};
use crate::config::StorePath;
use crate::domain::name::AccountName;
use crate::ledger::{LedgerFault, Operator, Reader};

/// Where the books are.
pub fn store_path(globals: &Globals) -> Result<StorePath, Failure> {
    let given = globals.set.iter().rev().find_map(|set| set.strip_prefix("store.path="));
    match given {
        Some(":memory:") => Ok(StorePath::Memory),
        Some(path) => Ok(StorePath::File(path.into())),
        None => Err(Failure::usage("reading the configuration is not built yet: say --set store.path=FILE")),
    }
}

/// The books for reading; `None` where there are none yet.
pub fn reader(globals: &Globals) -> Result<Option<Reader>, Failure> {
    Reader::open(&store_path(globals)?).map_err(failure)
}

/// The books for an operator's word.
pub fn operator(globals: &Globals) -> Result<Operator, Failure> {
    Operator::open(&store_path(globals)?).map_err(failure)
}

/// A store that no command can reach is a matter of the configuration; all else is work that failed.
pub fn failure(fault: LedgerFault) -> Failure {
    match fault {
        LedgerFault::InMemory | LedgerFault::NoFolder { .. } => Failure::usage(fault),
        fault => Failure::work(fault),
    }
}

/// The accounts of the configuration; `None` where no configuration was read.
pub fn known_accounts(_globals: &Globals) -> Result<Option<Vec<AccountName>>, Failure> {
    Ok(None)
}
