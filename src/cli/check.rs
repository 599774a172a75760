//! `session-reaper check`.

use std::fmt::Write as _;

use serde_json::json;

use crate::cli::{Failure, Format, Globals, configured};
use crate::config::{self, AccountSettings, Credentials, Faults, Loaded};

#[derive(Debug, clap::Args)]
pub struct Flags {
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Leave the credentials out, on a machine that must not have them
    #[arg(long)]
    skip_credentials: bool,
    /// Also try each credential with a listing
    #[arg(long, conflicts_with = "skip_credentials")]
    online: bool,
}

pub fn run(flags: &Flags, globals: &Globals) -> Result<(), Failure> {
    let credentials = if flags.skip_credentials { Credentials::Skip } else { Credentials::Check };
    match config::load(&configured::source(globals, credentials)) {
        Ok(loaded) => {
            print(&match flags.format {
                Format::Table => text(&loaded),
                Format::Json => pretty(&valid(&loaded)),
            });
            if flags.online { Err(Failure::work("check --online is not built yet")) } else { Ok(()) }
        }
        Err(faults) => Err(refusal(&faults, flags.format)),
    }
}

/// What trying one account's credential gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    pub account: crate::domain::name::AccountName,
    /// The number of live sessions listed, or why there is no list: a sentence, redacted.
    pub result: Result<usize, String>,
}

/// HOOK for `--online`: one listing per account with its credential, side by side, in the order of the accounts.
pub async fn try_credentials(_accounts: &[AccountSettings]) -> Result<Vec<Tried>, Failure> {
    Err(Failure::work("check --online is not built yet"))
}

fn refusal(faults: &Faults, format: Format) -> Failure {
    match format {
        Format::Table => Failure::usage(faults),
        Format::Json => {
            print(&pretty(&json!({ "valid": false, "faults": faults.0, "warnings": [], "effective": null, "origins": {} })));
            let count = faults.0.len();
            Failure::Usage(format!("the configuration has {count} {}", if count == 1 { "fault" } else { "faults" }))
        }
    }
}

fn valid(loaded: &Loaded) -> serde_json::Value {
    let origins: serde_json::Map<_, _> = loaded.provenance.iter().map(|key| (key.key.clone(), key.from.clone().into())).collect();
    json!({ "valid": true, "faults": [], "warnings": loaded.warnings, "effective": loaded.effective, "origins": origins })
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}")
}

/// Beyond this width, values push their origin to the right instead of all the others'.
const WIDEST: usize = 60;

fn text(loaded: &Loaded) -> String {
    let lines: Vec<(String, &str)> = loaded.provenance.iter().map(|key| (format!("{} = {}", key.key, key.value), key.from.as_str())).collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let mut out = String::new();
    for (line, from) in lines {
        _ = writeln!(out, "{line:width$}  # {from}");
    }
    out.push('\n');
    for warning in &loaded.warnings {
        _ = writeln!(out, "warning: {warning}");
    }
    out + "configuration is valid"
}

fn print(text: &str) {
    anstream::println!("{text}");
}
