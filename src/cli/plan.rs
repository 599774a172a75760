//! `session-reaper plan`: one listing, no writes, and what `run` would do now.

use crate::cli::table::{Column, Table, print_json, say};
use crate::cli::{Failure, Format, Globals, configured, outlook, runtime};
use crate::clock::Clock;
use crate::domain::event::PollOutcome;
use crate::domain::hold::Hold;
use crate::domain::time::{SignedDuration, clock_time, human};
use crate::domain::verdict::VerdictWord;
use crate::domain::view::{SessionView, Snapshot};

#[derive(Debug, clap::Args)]
pub struct Flags {
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(flags: &Flags, globals: &Globals) -> Result<(), Failure> {
    let setup = configured::setup(globals)?;
    let clock = Clock::start();
    let outlooks = runtime::block_on(outlook::outlooks(&setup, clock))?;
    let snapshot = Snapshot {
        at: clock.now(),
        mode: setup.config.mode,
        accounts: outlooks.iter().map(|outlook| outlook.account(clock)).collect(),
        sessions: outlooks.iter().flat_map(|outlook| outlook.sessions(clock)).collect(),
    };
    match flags.format {
        Format::Json => print_json(&snapshot)?,
        Format::Table => print_table(&snapshot)?,
    }
    let unlisted = snapshot.accounts.iter().any(|account| account.listing != Some(PollOutcome::Complete));
    if unlisted { Err(Failure::Silent) } else { Ok(()) }
}

fn print_table(snapshot: &Snapshot) -> Result<(), Failure> {
    let mut table = Table::new(&[
        Column::whole("SESSION"),
        Column::whole("ACCOUNT"),
        Column::whole("STATUS"),
        Column::number("AGE"),
        Column::whole("VERDICT"),
        Column::whole("POLICY"),
        Column::whole("DEADLINE"),
        Column::whole("HOLD"),
        Column::text("WHY"),
    ]);
    for session in &snapshot.sessions {
        table.row(row(session));
    }
    if !table.is_empty() {
        table.print()?;
        say("")?;
    }
    for account in &snapshot.accounts {
        let listing = account.listing.map_or("no listing", PollOutcome::as_str);
        let rejected = if account.rejected_rows > 0 { format!(", {} rows could not be read", account.rejected_rows) } else { String::new() };
        let error = account.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        say(format!("{} ({}): {} live, listing {listing}{rejected}{error}", account.name, account.provider, account.live))?;
    }
    say(summary(snapshot))
}

fn row(session: &SessionView) -> [String; 9] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        session.id.to_string(),
        session.account.to_string(),
        session.status.clone(),
        human(SignedDuration::from_secs(session.age_seconds as i64)),
        session.verdict.to_string(),
        or_dash(session.policy.as_ref().map(ToString::to_string)),
        or_dash(session.deadline.map(clock_time)),
        or_dash(session.hold.map(|hold| hold.to_string())),
        session.reason.clone(),
    ]
}

fn summary(snapshot: &Snapshot) -> String {
    let due: Vec<&SessionView> = snapshot.sessions.iter().filter(|session| session.verdict == VerdictWord::Due).collect();
    let now = due.iter().filter(|session| session.hold.is_none() && session.release.is_none()).count();
    let observed = due.iter().any(|session| session.hold == Some(Hold::Observe));
    let hint = if observed { "; `plan --set mode=enforce` shows what enforce would" } else { "" };
    format!("{} sessions, {} due; `run` would release {now} now (mode = \"{}\"){hint}", snapshot.sessions.len(), due.len(), snapshot.mode)
}
