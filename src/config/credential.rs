//! Reading a credential from where the configuration says it is. Nothing here ever repeats one.

use secrecy::SecretString;

use super::fault::{ConfigFault, HIDDEN, looks_secret};
use super::{Credential, variable};

impl Credential {
    /// The credential itself, raw: no layer of the configuration touches it. `env` is the process's environment.
    pub fn read(&self, env: &[(String, String)]) -> Result<SecretString, ConfigFault> {
        let text = match self {
            Self::Env(name) => variable(env, name).map(str::to_owned).ok_or_else(|| self.fault("nothing: the variable is not set"))?,
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| self.fault(format!("a file that cannot be read ({error})")))?,
        };
        let key = match self {
            Self::Env(_) => text.as_str(),
            Self::File(_) => text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line)),
        };
        match unfit(key) {
            None => Ok(SecretString::from(key)),
            Some(why) => Err(self.fault(why)),
        }
    }

    fn fault(&self, found: impl Into<String>) -> ConfigFault {
        let place = match self {
            // A key pasted where the name of its variable belongs would be told here: only names as people write them are.
            Self::Env(name) if name.chars().any(|c| c.is_ascii_lowercase()) => HIDDEN.to_owned(),
            Self::Env(name) => format!("environment variable {name}"),
            Self::File(path) => Some(path.display().to_string()).filter(|path| !looks_secret(path)).unwrap_or_else(|| HIDDEN.to_owned()),
        };
        ConfigFault { place, key: String::new(), found: found.into(), expected: "the credential, alone".to_owned(), meant: None }
    }
}

/// Why a text cannot go into a header as it stands, without the text.
fn unfit(key: &str) -> Option<&'static str> {
    match key {
        "" => Some("nothing: it is empty"),
        _ if key.chars().any(char::is_whitespace) => Some("white space within"),
        _ if !key.chars().all(|c| c.is_ascii_graphic()) => Some("characters that no header can carry"),
        _ => None,
    }
}
