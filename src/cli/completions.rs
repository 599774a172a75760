//! `session-reaper completions`.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, Failure, Globals};

#[derive(Debug, clap::Args)]
pub struct Flags {
    /// The shell to complete in
    shell: Shell,
}

pub fn run(flags: &Flags, _globals: &Globals) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut Cli::command(), "session-reaper", &mut script);
    emit(&script)
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
pub(super) fn emit(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(Failure::work(format!("cannot write to standard output: {why}"))),
        _ => Ok(()),
    }
}
