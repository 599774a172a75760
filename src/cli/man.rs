//! `session-reaper man`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::completions::emit;
use crate::cli::{Cli, Failure, Globals};

#[derive(Debug, clap::Args)]
pub struct Flags {
    /// Write one page per command into this folder, instead of one page with all of them to standard output
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn run(flags: &Flags, _globals: &Globals) -> Result<(), Failure> {
    match &flags.dir {
        Some(dir) => clap_mangen::generate_to(Cli::command(), dir)
            .map_err(|why| Failure::work(format!("cannot write manual pages into {}: {why}; the folder must exist", dir.display()))),
        None => emit(&whole_page().map_err(Failure::work)?),
    }
}

fn whole_page() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let root = Cli::command();
    Man::new(root.clone()).render(&mut page)?;
    for command in root.get_subcommands() {
        section(&mut page, command)?;
    }
    Ok(page)
}

/// One command as a section of the whole page: what would be its own page's sections becomes subsections.
fn section(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    let full_name = format!("session-reaper {}", command.get_name());
    let man = Man::new(command.clone().bin_name(&full_name));
    let mut parts = Vec::new();
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    let parts = String::from_utf8_lossy(&parts);
    writeln!(page, ".SH \"{}\"", full_name.to_uppercase())?;
    for line in parts.lines() {
        match line.strip_prefix(".SH ") {
            Some(title) => writeln!(page, ".SS {title}")?,
            None => writeln!(page, "{line}")?,
        }
    }
    Ok(())
}
