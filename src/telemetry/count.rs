//! An event as metrics. Counters move on confirmed facts only.

use crate::domain::event::{Event, PollOutcome, What};
use crate::domain::release::Release;
use crate::domain::time::{SignedDuration, seconds};
use crate::metrics::{Metrics, status_label, unix};

pub(super) fn count(metrics: &Metrics, event: &Event) {
    let account = event.account.as_str();
    match &event.what {
        What::Called { operation, status, took } => {
            metrics.provider_requests.with_label_values(&[account, operation.as_str(), status_label(status)]).inc();
            metrics.provider_request_duration.with_label_values(&[account, operation.as_str()]).observe(exact(*took));
        }
        What::Polled { outcome, at, rejected, .. } => {
            metrics.polls.with_label_values(&[account, outcome.as_str()]).inc();
            metrics.listing_rows_rejected.with_label_values(&[account]).inc_by(u64::try_from(*rejected).unwrap_or(u64::MAX));
            if *outcome == PollOutcome::Complete {
                metrics.poll_last_complete.with_label_values(&[account]).set(unix(*at));
            }
        }
        What::Skew { skew } => metrics.clock_skew.with_label_values(&[account]).set(exact(*skew)),
        What::Census(census) => metrics.census(&event.account, census),
        What::Heard { finding, .. } => metrics.evidence.with_label_values(&[account, finding.as_str()]).inc(),
        What::ShadowWouldRelease { policy, limit, .. } => {
            metrics.shadow_would_release.with_label_values(&[account, policy.as_str(), limit.as_str()]).inc();
        }
        What::TagUnreadable { policy, .. } => metrics.tags_unreadable.with_label_values(&[account, policy.as_str()]).inc(),
        What::WouldRelease { policy, limit, .. } => metrics.would_release.with_label_values(&[account, policy.as_str(), limit.as_str()]).inc(),
        // The intent of this one is on disk: the books take writes.
        What::Requesting { .. } => metrics.books_writable.set(1),
        What::Answered { outcome, overrun, .. } => {
            metrics.release_requests.with_label_values(&[account, outcome.as_str()]).inc();
            if let Some(overrun) = overrun {
                metrics.release_overrun.with_label_values(&[account]).observe(exact(*overrun));
            }
        }
        What::Confirmed { release, took } => {
            metrics.release_confirmation.with_label_values(&[account]).observe(exact(*took));
            saved(metrics, release);
        }
        What::Tripped { .. } => metrics.guardrail_tripped.with_label_values(&[account]).set(1),
        What::Untripped { .. } => metrics.guardrail_tripped.with_label_values(&[account]).set(0),
        What::BooksRefused { .. } => metrics.books_writable.set(0),
        What::Coming(_)
        | What::AlreadyEnded { .. }
        | What::Stuck { .. }
        | What::Failed { .. }
        | What::Refused { .. }
        | What::Silenced { .. }
        | What::TooManyGroups { .. }
        | What::Reappeared { .. } => {}
    }
}

fn saved(metrics: &Metrics, release: &Release) {
    let labels = [release.account.as_str(), release.provider.as_str(), release.policy.as_str(), release.limit.as_str()];
    metrics.sessions_released.with_label_values(&labels).inc();
    let runtime = release.saved_runtime.map_or(0.0, seconds);
    metrics.saved_runtime.with_label_values(&labels).inc_by(growth(runtime));
    let [account, provider, policy, limit] = labels;
    let cost = release.saved_cost.unwrap_or(0.0);
    metrics.saved_cost.with_label_values(&[account, provider, policy, limit, &release.currency]).inc_by(growth(cost));
}

/// A counter never falls: a session that ended after its own hard end has saved nothing.
fn growth(by: f64) -> f64 {
    if by.is_finite() { by.max(0.0) } else { 0.0 }
}

/// Seconds to the nanosecond: an overrun is often under a millisecond.
fn exact(duration: SignedDuration) -> f64 {
    duration.as_secs_f64()
}
