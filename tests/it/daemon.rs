//! The daemon as a process, against a provider that these tests hold in hand: its truth, its journal of requests, and its faults.

mod stage;

mod alarms;
mod crash;
mod guardrails;
mod listing;
mod observing;
mod operator;
mod releasing;
mod stopping;
