//! `session-reaper pause` and `session-reaper resume`.

use crate::cli::{Failure, Globals};

#[derive(Debug, clap::Args)]
pub struct PauseFlags {}

#[derive(Debug, clap::Args)]
pub struct ResumeFlags {}

pub fn pause(_flags: &PauseFlags, _globals: &Globals) -> Result<(), Failure> {
    Err(Failure::work("not built yet"))
}

pub fn resume(_flags: &ResumeFlags, _globals: &Globals) -> Result<(), Failure> {
    Err(Failure::work("not built yet"))
}
