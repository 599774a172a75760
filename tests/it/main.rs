//! The program from outside, in one binary.

mod ledger;
mod wire;
