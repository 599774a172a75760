//! The program from outside, in one binary: each module is about one thing that it promises.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

mod browserbase_client;
mod simulator;
