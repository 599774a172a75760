//! The words of the house: what every floor above may say, and nothing that does anything.
//!
//! In reading order: [`time`], [`name`], [`activity`], [`tariff`], [`session`], [`listing`], [`verdict`], [`hold`], [`release`], [`record`], [`event`], [`view`].

pub mod activity;
pub mod event;
pub mod exchange;
pub mod fault;
#[cfg(test)]
pub mod fixtures;
pub mod hold;
pub mod listing;
pub mod name;
pub mod notice;
pub mod record;
pub mod release;
pub mod session;
pub mod tariff;
pub mod template;
pub mod text;
pub mod time;
pub mod verdict;
pub mod view;
