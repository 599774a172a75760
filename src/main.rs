use std::process::ExitCode;

use clap::Parser;
use session_reaper::cli::{self, Cli};

fn main() -> ExitCode {
    cli::main(Cli::parse())
}
