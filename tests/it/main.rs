//! The program from outside, in one binary.

mod config;
mod ledger;
mod wire;
