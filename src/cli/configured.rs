//! The configuration of this process, for every command that needs one.

use crate::cli::{Failure, Globals};
use crate::config::{self, Credentials, Loaded, Source};

/// The configuration with its credentials in place; with faults, all of them.
pub fn load(globals: &Globals) -> Result<Loaded, Failure> {
    config::load(&source(globals, Credentials::Check)).map_err(Failure::usage)
}

/// Where this process's configuration comes from.
pub fn source(globals: &Globals, credentials: Credentials) -> Source {
    Source {
        file: globals.config.clone(),
        set: globals.set.clone(),
        env: std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())).collect(),
        cwd: std::env::current_dir().unwrap_or_default(),
        credentials,
    }
}
