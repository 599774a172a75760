//! The daemon as a process, against a provider that these tests hold in hand: its truth, its journal of requests, and its faults.

mod stage;

mod alarms;
mod asking;
mod browser_use;
mod crash;
mod crowds;
mod demo;
#[cfg(target_os = "linux")]
mod disks;
mod guardrails;
mod idle;
mod listing;
mod log;
mod observing;
mod once;
mod operator;
#[cfg(target_os = "linux")]
mod power;
mod releasing;
mod reported;
mod secrets;
mod shown;
mod silence;
mod stopping;
mod store;
mod supervised;
mod telling;
