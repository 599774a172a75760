//! The program from outside, in one binary.

mod browserbase_client;
mod commands;
mod config;
mod house;
mod ledger;
mod server;
mod simulator;
mod support;
mod wire;
