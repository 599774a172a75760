//! The integration tests, as one binary.

mod commands;
mod house;
mod server;
