//! `session-reaper pause` and `session-reaper resume`: the kill switch.

use serde_json::{Value, json};

use crate::cli::hold::filled;
use crate::cli::table::{print_json, say};
use crate::cli::{Failure, Format, Globals, store};
use crate::clock::Clock;
use crate::domain::hold::Pause;
use crate::domain::name::AccountName;
use crate::domain::time::rfc3339;
use crate::ledger::Resumed;

#[derive(Debug, clap::Args)]
pub struct PauseFlags {
    /// Only this account [default: all of them]
    #[arg(value_parser = account)]
    pub account: Option<AccountName>,
    /// Why, for whoever wonders later
    #[arg(long, value_name = "TEXT", value_parser = filled)]
    pub reason: String,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, clap::Args)]
pub struct ResumeFlags {
    /// Only this account [default: all of them]
    #[arg(value_parser = account)]
    pub account: Option<AccountName>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

fn account(text: &str) -> Result<AccountName, String> {
    let fits = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if fits { Ok(text.into()) } else { Err("an account's name has only a-z, 0-9 and -".to_owned()) }
}

pub fn pause(flags: &PauseFlags, globals: &Globals) -> Result<(), Failure> {
    refuse_unknown(flags.account.as_ref(), &store::known_accounts(globals)?)?;
    let placed = Pause { account: flags.account.clone(), placed_at: Clock::start().now(), reason: flags.reason.clone() };
    store::operator(globals)?.pause(&placed).map_err(store::failure)?;
    match (flags.format, &placed.account) {
        (Format::Json, _) => print_json(&json!({ "pause": as_json(&placed) })),
        (Format::Table, None) => say(format!("paused: nothing is released until `session-reaper resume`: {}", placed.reason)),
        (Format::Table, Some(name)) => {
            say(format!("paused {name}: nothing is released there until `session-reaper resume {name}`: {}", placed.reason))
        }
    }
}

pub fn resume(flags: &ResumeFlags, globals: &Globals) -> Result<(), Failure> {
    refuse_unknown(flags.account.as_ref(), &store::known_accounts(globals)?)?;
    let resumed = store::operator(globals)?.resume(flags.account.as_ref(), Clock::start().now()).map_err(store::failure)?;
    if flags.format == Format::Json {
        let lifted: Vec<Value> = resumed.lifted.iter().map(as_json).collect();
        return print_json(&json!({ "lifted": lifted, "still_paused": resumed.still_paused.as_ref().map(as_json) }));
    }
    sentences(flags.account.as_ref(), &resumed).into_iter().try_for_each(say)
}

/// What a `resume` did, in words.
fn sentences(account: Option<&AccountName>, resumed: &Resumed) -> Vec<String> {
    let named = |pause: &Pause| pause.account.as_ref().map_or_else(|| "the general pause".to_owned(), |name| format!("the pause of {name}"));
    let ended = |pause: &Pause| format!("{} since {} has ended: {}", named(pause), rfc3339(pause.placed_at), pause.reason);
    let mut said: Vec<String> = resumed.lifted.iter().map(ended).collect();
    let whose = account.map_or_else(|| "every account".to_owned(), AccountName::to_string);
    if said.is_empty() {
        said.push(match account {
            Some(name) => format!("{name} had no pause of its own"),
            None => "nothing was paused".to_owned(),
        });
    }
    said.push(format!("a max_release_fraction that had tripped is lifted for {whose}"));
    said.extend(
        resumed.still_paused.as_ref().map(|pause| {
            format!("the general pause since {} still holds; `session-reaper resume` ends it: {}", rfc3339(pause.placed_at), pause.reason)
        }),
    );
    said
}

/// An order for an account that the configuration does not have would hold nothing back, and look as if it did.
fn refuse_unknown(account: Option<&AccountName>, known: &[AccountName]) -> Result<(), Failure> {
    match account {
        Some(name) if !known.contains(name) => {
            let names: Vec<&str> = known.iter().map(AccountName::as_str).collect();
            Err(Failure::usage(format!("there is no account {name}; the configuration has {}", names.join(", "))))
        }
        _ => Ok(()),
    }
}

fn as_json(pause: &Pause) -> Value {
    json!({ "account": pause.account, "placed_at": rfc3339(pause.placed_at), "reason": pause.reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn paused(account: Option<&str>) -> Pause {
        Pause { account: account.map(AccountName::from), placed_at: Timestamp::UNIX_EPOCH, reason: "incident".to_owned() }
    }

    #[test]
    fn resuming_one_account_says_that_the_general_pause_still_holds() {
        let resumed = Resumed { lifted: vec![paused(Some("growth"))], still_paused: Some(paused(None)) };
        assert_eq!(
            sentences(Some(&"growth".into()), &resumed),
            [
                "the pause of growth since 1970-01-01T00:00:00.000Z has ended: incident",
                "a max_release_fraction that had tripped is lifted for growth",
                "the general pause since 1970-01-01T00:00:00.000Z still holds; `session-reaper resume` ends it: incident",
            ]
        );
    }

    #[test]
    fn an_account_that_the_configuration_lacks_is_bad_usage() {
        let known = ["growth".into(), "research".into()];
        assert!(refuse_unknown(Some(&"growth".into()), &known).is_ok());
        assert!(refuse_unknown(None, &known).is_ok());
        let refusal = refuse_unknown(Some(&"grwoth".into()), &known);
        assert!(matches!(refusal, Err(Failure::Usage(why)) if why == "there is no account grwoth; the configuration has growth, research"));
    }
}
