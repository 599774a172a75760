//! The kinds of metric that are declared, under one face.

use std::collections::HashMap;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Result};

/// The labels of one series.
pub(super) type Labels = HashMap<String, String>;

/// The value of one of them; empty where there is no such label.
pub(super) fn value<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

pub(super) trait Family: Sized {
    fn declare(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> Result<Self>;

    fn prune(&self, keep: &dyn Fn(&Labels) -> bool);
}

macro_rules! labelled {
    ($($kind:ty),+) => { $(
        impl Family for $kind {
            fn declare(name: &str, help: &str, labels: &[&str], _buckets: &[f64]) -> Result<Self> {
                <$kind>::new(Opts::new(name, help), labels)
            }

            fn prune(&self, keep: &dyn Fn(&Labels) -> bool) {
                prune(self, keep);
            }
        }
    )+ };
}
labelled!(IntCounterVec, CounterVec, IntGaugeVec, GaugeVec);

impl Family for HistogramVec {
    fn declare(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> Result<Self> {
        Self::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)
    }

    fn prune(&self, keep: &dyn Fn(&Labels) -> bool) {
        prune(self, keep);
    }
}

macro_rules! single {
    ($($kind:ty),+) => { $(
        impl Family for $kind {
            fn declare(name: &str, help: &str, _labels: &[&str], _buckets: &[f64]) -> Result<Self> {
                <$kind>::new(name, help)
            }

            fn prune(&self, _keep: &dyn Fn(&Labels) -> bool) {}
        }
    )+ };
}
single!(IntCounter, IntGauge);

fn prune<B: MetricVecBuilder>(family: &MetricVec<B>, keep: &dyn Fn(&Labels) -> bool) {
    for labels in series(family).filter(|labels| !keep(labels)) {
        let borrowed: HashMap<&str, &str> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // A series that another call has removed meanwhile is gone all the same.
        let _gone = family.remove(&borrowed);
    }
}

/// Sets the chosen series to zero.
pub(super) fn zero(family: &IntGaugeVec, chosen: &dyn Fn(&Labels) -> bool) {
    for labels in series(family).filter(|labels| chosen(labels)) {
        let borrowed: HashMap<&str, &str> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        family.with(&borrowed).set(0);
    }
}

pub(super) fn series<B: MetricVecBuilder>(family: &MetricVec<B>) -> impl Iterator<Item = Labels> {
    let metrics = Collector::collect(family).into_iter().flat_map(|mut family| family.take_metric());
    metrics.map(|metric| metric.get_label().iter().map(|pair| (pair.name().to_owned(), pair.value().to_owned())).collect())
}
