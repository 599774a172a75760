//! session-reaper: releases the cloud-browser sessions that have outlived their use, proves that they ended, and keeps true books.
//!
//! The floors, in reading order; data flows down the list and never back up. `ARCHITECTURE.md` has the map and two walkthroughs.
//!
//! What is deliberately absent: anything that creates a session, anything that deletes history, and any way to release without a permit.

pub mod domain;

pub mod policy;

pub mod evidence;
pub mod guardrails;
pub mod settle;

pub mod engine;

pub mod clock;
pub mod ledger;
pub mod metrics;
pub mod page;
pub mod provider;
pub mod signals;
pub mod supervisor;

pub mod executor;
pub mod notify;
pub mod server;
pub mod telemetry;

pub mod config;
pub mod daemon;

pub mod simulator;

pub mod cli;
