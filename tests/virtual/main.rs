//! Days that never were: the shipped engine, executor and ledger against the simulated world, in virtual time.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod scenarios;
mod stage;
mod storms;
