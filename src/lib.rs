//! session-reaper, from the ground up.

pub mod domain;

pub mod engine;
pub mod guardrails;
pub mod policy;
pub mod settle;

pub mod clock;
pub mod ledger;
pub mod provider;

pub mod config;

pub mod simulator;

pub mod cli;
