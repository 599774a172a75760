//! The configuration of this process, for every command that needs one.

use secrecy::SecretString;

use crate::cli::{Failure, Globals};
use crate::config::{self, AccountSettings, Config, Credentials, Loaded, NotificationSettings, Source};
use crate::daemon::crew::Setup;

/// The configuration with its credentials in place; with faults, all of them.
pub fn load(globals: &Globals) -> Result<Loaded, Failure> {
    config::load(&source(globals, Credentials::Check)).map_err(Failure::usage)
}

/// Where this process's configuration comes from.
pub fn source(globals: &Globals, credentials: Credentials) -> Source {
    Source {
        file: globals.config.clone(),
        text: None,
        set: globals.set.clone(),
        env: environment(),
        cwd: std::env::current_dir().unwrap_or_default(),
        credentials,
    }
}

fn environment() -> Vec<(String, String)> {
    std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())).collect()
}

/// The configuration with the credentials that it names, ready for the daemon.
pub fn setup(globals: &Globals) -> Result<Setup, Failure> {
    let loaded = load(globals)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    with_keys(loaded.config).map_err(Failure::usage)
}

/// Reads the credentials of a configuration. An error names where one should be.
pub fn with_keys(config: Config) -> Result<Setup, String> {
    let env = environment();
    let key = |account: &AccountSettings| Ok((account.name.clone(), account.credential.read(&env).map_err(|fault| fault.to_string())?));
    let keys = config.accounts.iter().map(key).collect::<Result<_, String>>()?;
    let secrets = |settings: &NotificationSettings| Ok((settings.name.clone(), settings.secrets(&env).map_err(|fault| fault.to_string())?));
    let secrets = config.notifications.iter().map(secrets).collect::<Result<_, String>>()?;
    Ok(Setup { config, keys, secrets })
}

/// The token that `server.token_file` holds.
pub fn token(config: &Config) -> Result<Option<SecretString>, Failure> {
    let Some(path) = &config.server.token_file else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(|why| Failure::usage(format!("server.token_file: {} cannot be read: {why}", path.display())))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(Failure::usage(format!("server.token_file: {} is empty; write the token that clients must send into it", path.display())));
    }
    Ok(Some(SecretString::from(token)))
}
