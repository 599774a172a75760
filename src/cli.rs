//! The command line: one file per command, and what they share.

pub mod check;
pub mod completions;
pub mod configured;
pub mod demo;
pub mod explain;
pub mod hold;
pub mod man;
mod outlook;
pub mod pause;
pub mod plan;
mod progress;
pub mod report;
pub mod run;
mod runtime;
pub mod schema;
pub mod simulate;
pub mod store;
pub mod table;
mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::telemetry::log;

/// The version with the commit it was built from: `0.1.0 (abc1234)`.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("SESSION_REAPER_COMMIT"), ")");

/// Releases cloud-browser sessions that have outlived their use, proves that they ended, and keeps true books.
#[derive(Debug, Parser)]
#[command(name = "session-reaper", version = VERSION, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// Configuration file [default: $SESSION_REAPER_CONFIG, ./session-reaper.toml, /etc/session-reaper/config.toml: the first that exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Overrides one configuration key, after file and environment: --set server.listen=127.0.0.1:9000
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// error, warn, info, debug, trace, off, or a filter such as session_reaper=debug [default: info for run, warn for all else]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// How a command prints data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the accounts and release what is due, until told to stop
    Run(run::Flags),
    /// Show every live session with its verdict, from one listing; changes nothing
    Plan(plan::Flags),
    /// Show why one session is kept, due or released
    Explain(explain::Flags),
    /// Validate the configuration and print the effective one
    Check(check::Flags),
    /// Show what was released and saved, from the ledger
    Report(report::Flags),
    /// Spare one session for a while
    Hold(hold::Flags),
    /// Release nothing until resumed; go on watching
    Pause(pause::PauseFlags),
    /// End a pause, and lift a tripped guardrail
    Resume(pause::ResumeFlags),
    /// Run the whole thing against simulated providers, with nothing to set up
    Demo(demo::Flags),
    /// Serve the simulated providers alone, over HTTP
    Simulate(simulate::Flags),
    /// Print the JSON Schema of the configuration
    Schema(schema::Flags),
    /// Print shell completions
    Completions(completions::Flags),
    /// Print the manual page
    Man(man::Flags),
}

/// Why a command did not do its work, in a sentence that a person can act on.
#[derive(Debug)]
pub enum Failure {
    /// Exit status 1: the work failed.
    Work(String),
    /// Exit status 2: bad usage or configuration.
    Usage(String),
    /// Exit status 1, everything has been said already.
    Silent,
}

impl Failure {
    pub fn work(why: impl std::fmt::Display) -> Self {
        Self::Work(why.to_string())
    }

    pub fn usage(why: impl std::fmt::Display) -> Self {
        Self::Usage(why.to_string())
    }
}

/// Runs one command and turns its end into an exit status.
pub fn main(cli: Cli) -> std::process::ExitCode {
    // The log's last lines are written before the last word is said.
    let done = start_log(&cli).and_then(|_log| dispatch(&cli));
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(Failure::Silent) => 1.into(),
        Err(Failure::Work(why)) => say(&why, 1),
        Err(Failure::Usage(why)) => say(&why, 2),
    }
}

fn start_log(cli: &Cli) -> Result<log::Guard, Failure> {
    let usual = if matches!(cli.command, Command::Run(_)) { "info" } else { "warn" };
    let shape = match cli.globals.log_format {
        LogFormat::Text => log::Shape::Text,
        LogFormat::Json => log::Shape::Json,
    };
    log::init(shape, cli.globals.log_level.as_deref().unwrap_or(usual)).map_err(Failure::usage)
}

fn dispatch(cli: &Cli) -> Result<(), Failure> {
    let globals = &cli.globals;
    match &cli.command {
        Command::Run(flags) => run::run(flags, globals),
        Command::Plan(flags) => plan::run(flags, globals),
        Command::Explain(flags) => explain::run(flags, globals),
        Command::Check(flags) => check::run(flags, globals),
        Command::Report(flags) => report::run(flags, globals),
        Command::Hold(flags) => hold::run(flags, globals),
        Command::Pause(flags) => pause::pause(flags, globals),
        Command::Resume(flags) => pause::resume(flags, globals),
        Command::Demo(flags) => demo::run(flags, globals),
        Command::Simulate(flags) => simulate::run(flags, globals),
        Command::Schema(flags) => schema::run(flags, globals),
        Command::Completions(flags) => completions::run(flags, globals),
        Command::Man(flags) => man::run(flags, globals),
    }
}

fn say(why: &str, status: u8) -> std::process::ExitCode {
    anstream::eprintln!("session-reaper: {why}");
    status.into()
}
