//! `session-reaper simulate`.

use crate::cli::{Failure, Globals};

#[derive(Debug, clap::Args)]
pub struct Flags {}

pub fn run(_flags: &Flags, _globals: &Globals) -> Result<(), Failure> {
    Err(Failure::work("not built yet"))
}
