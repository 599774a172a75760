//! `session-reaper check`.

use std::fmt::Write as _;

use futures_util::future::join_all;
use serde::Serialize;
use serde_json::json;

use crate::cli::progress::Progress;
use crate::cli::table::{print, print_json};
use crate::cli::{Failure, Format, Globals, configured, runtime};
use crate::clock::Clock;
use crate::config::{self, AccountSettings, Credentials, Faults, Loaded};
use crate::daemon::crew::Setup;
use crate::domain::listing::Listing;
use crate::domain::name::AccountName;
use crate::provider;

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
    let loaded = config::load(&configured::source(globals, credentials)).map_err(|faults| refusal(&faults, flags.format))?;
    let tried = if flags.online { Some(online(&loaded)?) } else { None };
    match flags.format {
        Format::Table => print(&(text(&loaded) + &tried.as_deref().map(tried_text).unwrap_or_default()))?,
        Format::Json => print_json(&valid(&loaded, tried.as_deref()))?,
    }
    let refused = tried.iter().flatten().any(|account| account.error.is_some());
    if refused { Err(Failure::Silent) } else { Ok(()) }
}

fn online(loaded: &Loaded) -> Result<Vec<Tried>, Failure> {
    let setup = configured::with_keys(loaded.config.clone()).map_err(Failure::usage)?;
    runtime::block_on(async { Ok(try_credentials(&setup, Clock::start()).await) })
}

/// What trying one account's credential gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Tried {
    account: AccountName,
    /// The number of live sessions listed.
    live: Option<usize>,
    /// Why there is no list, or not a whole one; redacted.
    error: Option<String>,
}

/// One listing per account with its credential, side by side, in the order of the accounts.
async fn try_credentials(setup: &Setup, clock: Clock) -> Vec<Tried> {
    let progress = Progress::of("accounts tried");
    progress.at(0, setup.config.accounts.len() as u64);
    let trials = setup.config.accounts.iter().map(async |account| {
        let tried = try_credential(setup, account, clock).await;
        progress.step();
        tried
    });
    join_all(trials).await
}

async fn try_credential(setup: &Setup, account: &AccountSettings, clock: Clock) -> Tried {
    let listed = match setup.keys.get(&account.name).map(|key| provider::lister(account, key.clone(), clock)) {
        Some(Ok(lister)) => lister.list().await.result.map_err(|fault| fault.to_string()),
        Some(Err(why)) => Err(why),
        None => Err("no credential was read".to_owned()),
    };
    let (live, error) = match listed {
        Ok(Listing::Complete(complete)) => (Some(complete.rows().sessions.len()), None),
        Ok(Listing::Partial { rows, whole, why }) => {
            let whole = whole.map_or(0, |whole| whole.rows().sessions.len());
            (Some(rows.sessions.len() + whole), Some(why.to_string()))
        }
        Err(why) => (None, Some(why)),
    };
    Tried { account: account.name.clone(), live, error }
}

fn refusal(faults: &Faults, format: Format) -> Failure {
    match format {
        Format::Table => Failure::usage(faults),
        Format::Json => {
            let told = print_json(&json!({ "valid": false, "faults": faults.0, "warnings": [], "effective": null, "origins": {} }));
            if let Err(failure) = told {
                return failure;
            }
            let count = faults.0.len();
            Failure::Usage(format!("the configuration has {count} {}", if count == 1 { "fault" } else { "faults" }))
        }
    }
}

fn valid(loaded: &Loaded, tried: Option<&[Tried]>) -> serde_json::Value {
    let origins: serde_json::Map<_, _> = loaded.provenance.iter().map(|key| (key.key.clone(), key.from.clone().into())).collect();
    json!({ "valid": true, "faults": [], "warnings": loaded.warnings, "effective": loaded.effective, "origins": origins, "online": tried })
}

fn tried_text(tried: &[Tried]) -> String {
    let line = |tried: &Tried| match (&tried.error, tried.live) {
        (None, live) => format!("account {}: the credential works, {} live sessions\n", tried.account, live.unwrap_or(0)),
        (Some(error), None) => format!("account {}: {error}\n", tried.account),
        (Some(error), Some(live)) => format!("account {}: {live} live sessions, but not all could be listed: {error}\n", tried.account),
    };
    tried.iter().map(line).collect()
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
    out + "configuration is valid\n"
}
