//! `session-reaper schema`.

use clap::ValueEnum;

use crate::cli::table::print_json;
use crate::cli::{Failure, Globals};
use crate::config::{self, Draft};

#[derive(Debug, clap::Args)]
pub struct Flags {
    /// The dialect of JSON Schema; TOML editors built on taplo read 7
    #[arg(long, value_enum, default_value_t = Dialect::Current)]
    draft: Dialect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dialect {
    #[value(name = "2020-12")]
    Current,
    #[value(name = "7")]
    Seven,
}

pub fn run(flags: &Flags, _globals: &Globals) -> Result<(), Failure> {
    let draft = match flags.draft {
        Dialect::Current => Draft::Current,
        Dialect::Seven => Draft::Seven,
    };
    print_json(&config::schema(draft))
}
