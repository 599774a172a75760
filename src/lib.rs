//! session-reaper, from the ground up.

pub mod domain;

pub mod guardrails;
pub mod policy;

pub mod clock;
pub mod metrics;
pub mod provider;
pub mod server;
pub mod signals;
pub mod telemetry;

pub mod config;

pub mod cli;
