//! The one place where an event becomes a log line and a metric.

mod count;
mod line;
pub mod log;
mod standing;

use std::sync::{Mutex, PoisonError};

use crate::domain::event::Event;
use crate::metrics::{Metrics, whole};
use standing::Standings;

/// Tells what happened, to people and to Prometheus.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Metrics,
    /// How each account stood when last told, so that news is loud and the same again is quiet.
    standings: Mutex<Standings>,
}

impl Telemetry {
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, standings: Mutex::default() }
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Shows what this configuration can have, as [`Metrics::declare`] does, and forgets how accounts stood that are no longer in it.
    pub fn declare(&self, accounts: &[AccountSettings], policies: &BTreeMap<PolicyName, Vec<Limit>>) {
        self.metrics.declare(accounts, policies);
        let stays = |name: &AccountName| accounts.iter().any(|account| account.name == *name);
        self.standings.lock().unwrap_or_else(PoisonError::into_inner).forget_all_but(stays);
    }

    /// A reload was taken over whole, or refused: then the configuration before it stays in force.
    pub fn reloaded(&self, taken: Result<(), &str>) {
        self.metrics.config_last_reload_successful.set(taken.is_ok().into());
        match taken {
            Ok(()) => tracing::info!("the new configuration is in force"),
            Err(why) => tracing::error!(%why, "the new configuration was refused; the one before it stays in force"),
        }
    }

    /// Whether the books can be written; nothing is released while they cannot.
    pub fn books(&self, writable: Result<(), &str>) {
        self.metrics.books_writable.set(writable.is_ok().into());
        match writable {
            Ok(()) => tracing::info!("the books can be written"),
            Err(why) => tracing::error!(%why, "the books cannot be written: nothing is released until they can"),
        }
    }

    pub fn tell(&self, event: &Event) {
        count::count(&self.metrics, event);
        self.metrics.log_lines_lost.set(whole(log::lost()));
        let news = self.standings.lock().unwrap_or_else(PoisonError::into_inner).take_in(event);
        line::write(event, news);
    }
}

#[cfg(test)]
mod tests;
