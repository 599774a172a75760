//! `session-reaper hold`: spares one session for a while.

use serde_json::{Value, json};

use crate::cli::table::{Column, Table, print_json, say, visible};
use crate::cli::{Failure, Format, Globals, store};
use crate::clock::Clock;
use crate::domain::hold::OperatorHold;
use crate::domain::name::SessionId;
use crate::domain::time::{SignedDuration, Timestamp, between, human, later, parse_duration, rfc3339};

/// A hold is for a while; what should never be released is for a policy with `protect` to say.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 30);

#[derive(Debug, clap::Args)]
pub struct Flags {
    /// The session to spare, by its id or its browser's
    #[arg(value_parser = filled, required_unless_present_any = ["list", "lift"], conflicts_with_all = ["list", "lift"])]
    pub session: Option<String>,
    /// For how long: 30m, 2h 30m, at most 30 days
    #[arg(long = "for", value_name = "DURATION", value_parser = length, required_unless_present_any = ["list", "lift"], conflicts_with_all = ["list", "lift"])]
    pub length: Option<SignedDuration>,
    /// Why, for whoever wonders later
    #[arg(long, value_name = "TEXT", value_parser = filled, required_unless_present_any = ["list", "lift"], conflicts_with_all = ["list", "lift"])]
    pub reason: Option<String>,
    /// Show the holds that are in force
    #[arg(long, conflicts_with = "lift")]
    pub list: bool,
    /// Take back the hold on a session
    #[arg(long, value_name = "SESSION", value_parser = filled)]
    pub lift: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// The longest id or reason that is taken down, in characters: the daemon keeps it in mind, and shows it beside each session that it holds back.
const LONGEST_TEXT: usize = 500;

/// Reads a text that must say something.
pub fn filled(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("must not be empty".to_owned()),
        text if text.chars().count() > LONGEST_TEXT => Err(format!("longer than {LONGEST_TEXT} characters")),
        text => Ok(text.to_owned()),
    }
}

fn length(text: &str) -> Result<SignedDuration, String> {
    match parse_duration(text) {
        Err(fault) => Err(format!("{fault}; say it like 30m or 2h 30m")),
        Ok(length) if length.is_zero() => Err("a hold of no length holds nothing; --lift takes one back".to_owned()),
        Ok(length) if length > LONGEST => Err(format!("longer than {}; a policy with `protect` spares sessions for good", human(LONGEST))),
        Ok(length) => Ok(length),
    }
}

pub fn run(flags: &Flags, globals: &Globals) -> Result<(), Failure> {
    let now = Clock::start().now();
    match (&flags.lift, &flags.session, flags.length, &flags.reason) {
        (Some(session), ..) => lift(&session.as_str().into(), flags.format, globals),
        (None, Some(session), Some(length), Some(reason)) => {
            let session = session.as_str().into();
            place(&OperatorHold { session, placed_at: now, until: later(now, length), reason: reason.clone() }, flags.format, globals)
        }
        _ => list(now, flags.format, globals),
    }
}

fn place(hold: &OperatorHold, format: Format, globals: &Globals) -> Result<(), Failure> {
    let replaced = store::operator(globals)?.place_hold(hold).map_err(store::failure)?;
    // A session may be held before the daemon has seen it, and an id may be misspelt.
    if let Some(false) = store::reader(globals)?.map(|reader| reader.knows(&hold.session)).transpose().map_err(store::failure)? {
        anstream::eprintln!(
            "session-reaper: no session {} has been seen yet; `session-reaper plan` lists those that there are",
            visible(hold.session.as_str())
        );
    }
    if format == Format::Json {
        return print_json(&json!({ "hold": as_json(hold), "replaced": replaced.as_ref().map(as_json) }));
    }
    let length = human(between(hold.placed_at, hold.until));
    say(format!("session {} is spared until {} ({length}): {}", hold.session, rfc3339(hold.until), hold.reason))?;
    match replaced.filter(|before| before.until > hold.placed_at) {
        Some(before) => say(format!("this replaces its hold until {}: {}", rfc3339(before.until), before.reason)),
        None => Ok(()),
    }
}

fn lift(session: &SessionId, format: Format, globals: &Globals) -> Result<(), Failure> {
    let unknown = || Failure::work(format!("there is no hold on session {session}; `session-reaper hold --list` shows those that there are"));
    // Looking first makes no store where there is none.
    store::reader(globals)?.ok_or_else(unknown)?;
    let lifted = store::operator(globals)?.lift_hold(session).map_err(store::failure)?.ok_or_else(unknown)?;
    match format {
        Format::Json => print_json(&json!({ "lifted": as_json(&lifted) })),
        Format::Table => say(format!("the hold on session {session} is lifted (it was until {}: {})", rfc3339(lifted.until), lifted.reason)),
    }
}

fn list(now: Timestamp, format: Format, globals: &Globals) -> Result<(), Failure> {
    let orders = match store::reader(globals)? {
        Some(reader) => reader.orders().map_err(store::failure)?,
        None => Default::default(),
    };
    let mut holds: Vec<&OperatorHold> = orders.holds.values().filter(|hold| now < hold.until).collect();
    holds.sort_by_key(|hold| hold.until);
    if format == Format::Json {
        return print_json(&json!({ "holds": holds.into_iter().map(as_json).collect::<Vec<Value>>() }));
    }
    if holds.is_empty() {
        return say("no session is held");
    }
    let mut table = Table::new(&[Column::whole("SESSION"), Column::whole("UNTIL"), Column::number("LEFT"), Column::text("REASON")]);
    for hold in holds {
        table.row([hold.session.to_string(), rfc3339(hold.until), human(between(now, hold.until)), hold.reason.clone()]);
    }
    table.print()
}

fn as_json(hold: &OperatorHold) -> Value {
    json!({ "session": hold.session, "placed_at": rfc3339(hold.placed_at), "until": rfc3339(hold.until), "reason": hold.reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_says_has_words_and_an_end() {
        assert_eq!(filled(" a reason "), Ok("a reason".to_owned()));
        assert!(filled("  ").is_err() && filled(&"é".repeat(LONGEST_TEXT)).is_ok());
        assert_eq!(filled(&"é".repeat(LONGEST_TEXT + 1)), Err("longer than 500 characters".to_owned()));
    }
}
