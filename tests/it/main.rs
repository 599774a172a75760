//! The program from outside, in one binary.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod clients;
mod commands;
mod config;
mod contract;
mod daemon;
mod dependencies;
mod fuzzed;
mod house;
mod image;
mod kubernetes;
mod ledger;
mod named;
mod observed;
mod once;
mod page;
mod server;
mod simulator;
mod support;
mod systemd;
mod wire;
