//! The one place where an event becomes a log line and a metric.

mod count;
mod line;
pub mod log;
mod standing;

use std::sync::{Mutex, PoisonError};

use crate::domain::event::Event;
use crate::metrics::Metrics;
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

    pub fn tell(&self, event: &Event) {
        count::count(&self.metrics, event);
        let news = self.standings.lock().unwrap_or_else(PoisonError::into_inner).take_in(event);
        line::write(event, news);
    }
}

#[cfg(test)]
mod tests;
