//! The integration tests, as one binary.

#![expect(clippy::expect_used, clippy::panic, reason = "a helper of a test fails as the test does")]

mod commands;
mod house;
mod server;
