//! The one place where an event becomes a log line and a metric, and is handed to those who tell people outside.

mod count;
mod line;
pub mod log;
mod standing;

use std::sync::{Mutex, PoisonError};

use crate::domain::event::Event;
use crate::domain::name::AccountName;
use crate::metrics::Metrics;
use crate::notify::Notifier;
use standing::Standings;

/// Tells what happened, to people and to Prometheus.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Metrics,
    /// How each account stood when last told, so that news is loud and the same again is quiet.
    standings: Mutex<Standings>,
    notifier: Notifier,
}

impl Telemetry {
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, standings: Mutex::default(), notifier: Notifier::default() }
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The hand that tells people outside.
    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// Forgets how the other accounts stood.
    pub fn forget_all_but(&self, stays: impl Fn(&AccountName) -> bool) {
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
        self.notifier.tell(event);
        self.metrics.log_lines_lost.inc_by(log::lost().saturating_sub(self.metrics.log_lines_lost.get()));
        let news = self.standings.lock().unwrap_or_else(PoisonError::into_inner).take_in(event);
        line::write(event, news);
    }
}

#[cfg(test)]
mod tests;
