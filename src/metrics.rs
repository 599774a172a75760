//! Every metric, declared once: its doc comment is its help text.
//!
//! Labels are bounded by construction: they come from the configuration and from closed enums, never from what a provider wrote. The one exception is
//! the group of a budget, which `census` bounds.

mod census;
mod family;
mod process;

use std::collections::{BTreeMap, BTreeSet};

use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, GaugeVec, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

use crate::config::AccountSettings;
use crate::domain::activity::Finding;
use crate::domain::event::{Operation, PollOutcome};
use crate::domain::fault::FaultKind;
use crate::domain::hold::Hold;
use crate::domain::name::PolicyName;
use crate::domain::release::RequestOutcome;
use crate::domain::time::{Timestamp, seconds};
use crate::domain::verdict::{Limit, VerdictWord};
use crate::domain::view::Change;
use family::{Family, Labels};

/// From an alarm's own precision to a guardrail's hour.
const OVERRUN_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3_600.0];
/// From a prompt answer to well beyond the default `confirm_within`.
const CONFIRMATION_BUCKETS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3_600.0];
/// From a provider next door to the longest sensible `request_timeout`.
const REQUEST_BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Policies that are gone and shown still.
const MOST_GONE_POLICIES: usize = 100;

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ty = $name:literal [$($label:literal),*] $($buckets:ident)?;)+) => {
        /// The program's metrics, in a registry of their own.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            registry: Registry,
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        impl Metrics {
            fn register(registry: Registry) -> prometheus::Result<Self> {
                $(
                    #[allow(unused_mut, unused_assignments, reason = "only histograms name their buckets")]
                    let mut buckets: &[f64] = &[];
                    $(buckets = $buckets;)?
                    let $field = <$kind as Family>::declare($name, concat!($($help),+).trim(), &[$($label),*], buckets)?;
                    registry.register(Box::new($field.clone()))?;
                )+
                Ok(Self { registry, $($field),+ })
            }

            /// Drops every series for which `keep` says no.
            fn prune(&self, keep: &dyn Fn(&Labels) -> bool) {
                $(self.$field.prune(keep);)+
            }
        }
    };
}

metrics! {
    /// Sessions that the provider says ended on our request.
    sessions_released: IntCounterVec = "session_reaper_sessions_released_total" ["account", "provider", "policy", "limit"];
    /// Runtime saved by confirmed releases: the provider's hard end minus its own end time.
    saved_runtime: CounterVec = "session_reaper_saved_runtime_seconds_total" ["account", "provider", "policy", "limit"];
    /// Saved runtime at the account's price, in units of the currency.
    saved_cost: CounterVec = "session_reaper_saved_cost_total" ["account", "provider", "policy", "limit", "currency"];
    /// Release requests by what they met.
    release_requests: IntCounterVec = "session_reaper_release_requests_total" ["account", "outcome"];
    /// Releases requested and not confirmed within confirm_within.
    releases_stuck: IntGaugeVec = "session_reaper_releases_stuck" ["account"];
    /// When the release that is stuck and was requested first was requested; 0 while none is stuck.
    release_stuck_oldest: GaugeVec = "session_reaper_release_stuck_oldest_timestamp_seconds" ["account"];
    /// From a session's deadline to the moment its first release request was sent.
    release_overrun: HistogramVec = "session_reaper_release_overrun_seconds" ["account"] OVERRUN_BUCKETS;
    /// From a session's first release request to the provider's word that it ended.
    release_confirmation: HistogramVec = "session_reaper_release_confirmation_seconds" ["account"] CONFIRMATION_BUCKETS;
    /// Sessions that observe mode would have released, each once per policy and limit.
    would_release: IntCounterVec = "session_reaper_would_release_total" ["account", "policy", "limit"];
    /// Live sessions by policy (empty where none governs) and verdict.
    sessions: IntGaugeVec = "session_reaper_sessions" ["account", "policy", "verdict"];
    /// Due sessions that are kept back, by what holds them.
    holds: IntGaugeVec = "session_reaper_holds" ["account", "hold"];
    /// Sessions that a shadow policy would have released, each once per policy and limit; none of them was.
    shadow_would_release: IntCounterVec = "session_reaper_shadow_would_release_total" ["account", "policy", "limit"];
    /// Live sessions for which a shadow policy, each by itself, would change what happens now.
    shadow_changes: IntGaugeVec = "session_reaper_shadow_changes" ["account", "policy", "change"];
    /// Runtime left of a budget in the period now running, for the groups that have the least left; group is empty where there is none.
    budget_left: GaugeVec = "session_reaper_budget_left_seconds" ["account", "policy", "group"];
    /// Askings about a session's activity, by what the answers said together.
    evidence: IntCounterVec = "session_reaper_evidence_total" ["account", "finding"];
    /// When the last complete listing was read, over restarts as far as the ledger knows; 0 before the first.
    poll_last_complete: GaugeVec = "session_reaper_poll_last_complete_timestamp_seconds" ["account"];
    /// The last listing in which the policy, shadow or not, governed a session, over restarts as far as the ledger's latest sessions tell; 0 before the first.
    policy_last_governed: GaugeVec = "session_reaper_policy_last_governed_timestamp_seconds" ["account", "policy"];
    /// When a session last fell due by this limit, be it held back, only observed or a shadow's, over restarts as far as the ledger knows; 0 before the first.
    limit_last_due: GaugeVec = "session_reaper_limit_last_due_timestamp_seconds" ["account", "policy", "limit"];
    /// Polls by how they went.
    polls: IntCounterVec = "session_reaper_polls_total" ["account", "outcome"];
    /// HTTP requests to the provider, by status code, or by the fault's word where there was none.
    provider_requests: IntCounterVec = "session_reaper_provider_requests_total" ["account", "operation", "status"];
    /// How long HTTP requests to the provider took.
    provider_request_duration: HistogramVec = "session_reaper_provider_request_duration_seconds" ["account", "operation"] REQUEST_BUCKETS;
    /// How often the account is listed, as configured: what the age of its last complete listing is measured by.
    poll_interval: GaugeVec = "session_reaper_poll_interval_seconds" ["account"];
    /// What an hour of one of the account's sessions costs, as configured, in units of the currency.
    price_per_hour: GaugeVec = "session_reaper_price_per_hour" ["account", "provider", "currency"];
    /// Rows of listings that could not be read.
    listing_rows_rejected: IntCounterVec = "session_reaper_listing_rows_rejected_total" ["account"];
    /// The provider's clock minus ours, 0 where the difference is too small to matter.
    clock_skew: GaugeVec = "session_reaper_clock_skew_seconds" ["account"];
    /// 1 while max_release_fraction holds the account back.
    guardrail_tripped: IntGaugeVec = "session_reaper_guardrail_tripped" ["account"];
    /// Tags that should be durations and are not, each once per session.
    tags_unreadable: IntCounterVec = "session_reaper_tags_unreadable_total" ["account", "policy"];
    /// 1 while /healthz answers 200; 0 when a loop has stalled.
    healthy: IntGauge = "session_reaper_healthy" [];
    /// 1 unless the last intent could not be written, so that nothing is released.
    books_writable: IntGauge = "session_reaper_books_writable" [];
    /// Notifications by what a try to send them met: sent, failed (and tried again) or dropped (given up).
    notifications: IntCounterVec = "session_reaper_notifications_total" ["receiver", "outcome"];
    /// Notifications that a receiver has not taken yet.
    notifications_queued: IntGaugeVec = "session_reaper_notifications_queued" ["receiver"];
    /// Log lines that were lost because whoever reads the log did not keep up.
    log_lines_lost: IntCounter = "session_reaper_log_lines_lost_total" [];
    /// 1 unless the last reload was refused and the configuration before it is still in force.
    config_last_reload_successful: IntGauge = "session_reaper_config_last_reload_successful" [];
    /// Always 1; what is running is in the labels.
    build_info: IntGaugeVec = "session_reaper_build_info" ["version", "commit"];
}

impl Metrics {
    /// Fails only where two declarations above contradict each other.
    pub fn new(version: &str, commit: &str) -> prometheus::Result<Self> {
        let metrics = Self::register(Registry::new())?;
        metrics.build_info.with_label_values(&[version, commit]).set(1);
        metrics.config_last_reload_successful.set(1);
        metrics.books_writable.set(1);
        metrics.healthy.set(1);
        Ok(metrics)
    }

    /// Shows every series that this configuration can have, at zero where it is new, and drops those of accounts that are no longer in it. What has
    /// been counted stays, also under policies that are gone.
    /// `policies`: each with the limits that it has.
    pub fn declare(&self, accounts: &[AccountSettings], policies: &BTreeMap<PolicyName, Vec<Limit>>) {
        self.prune(&|labels| labels.get("account").is_none_or(|name| accounts.iter().any(|account| account.name.as_str() == name)));
        self.forget_gone_policies(policies);
        // A price has its currency in its labels: beside a new one the old one would stand for ever.
        self.price_per_hour.prune(&|_| false);
        for account in accounts {
            self.declare_account(account.name.as_str());
            self.declare_settings(account);
            for (policy, limits) in policies {
                self.declare_policy(account, policy.as_str(), limits);
            }
        }
    }

    /// Shows the series of every receiver, and drops those of receivers that are gone.
    pub fn declare_receivers(&self, receivers: &[&str]) {
        self.prune(&|labels| labels.get("receiver").is_none_or(|name| receivers.contains(&name.as_str())));
        for receiver in receivers {
            for outcome in ["sent", "failed", "dropped"] {
                let _shown = self.notifications.with_label_values(&[receiver, outcome]);
            }
            let _shown = self.notifications_queued.with_label_values(&[receiver]);
        }
    }

    /// Of policies that are gone what was counted is shown still, while there are not too many: names that change with every reload would have no end.
    fn forget_gone_policies(&self, policies: &BTreeMap<PolicyName, Vec<Limit>>) {
        let known = |policy: &str| policy.is_empty() || policies.contains_key(&policy.into());
        let shown: BTreeSet<String> = family::series(&self.sessions).map(|labels| family::value(&labels, "policy").to_owned()).collect();
        if shown.iter().filter(|policy| !known(policy)).count() > MOST_GONE_POLICIES {
            self.prune(&|labels| known(family::value(labels, "policy")));
        }
    }

    fn declare_account(&self, account: &str) {
        for outcome in RequestOutcome::ALL {
            let _shown = self.release_requests.with_label_values(&[account, outcome.as_str()]);
        }
        for outcome in PollOutcome::ALL {
            let _shown = self.polls.with_label_values(&[account, outcome.as_str()]);
        }
        for hold in Hold::ALL {
            let _shown = self.holds.with_label_values(&[account, hold.as_str()]);
        }
        for finding in Finding::ALL {
            let _shown = self.evidence.with_label_values(&[account, finding.as_str()]);
        }
        for operation in Operation::ALL {
            let _shown = self.provider_requests.with_label_values(&[account, operation.as_str(), "200"]);
            let _shown = self.provider_request_duration.with_label_values(&[account, operation.as_str()]);
        }
        for verdict in [VerdictWord::Unmatched, VerdictWord::Unknown] {
            let _shown = self.sessions.with_label_values(&[account, "", verdict.as_str()]);
        }
        for gauge in [&self.releases_stuck, &self.guardrail_tripped] {
            let _shown = gauge.with_label_values(&[account]);
        }
        for gauge in [&self.poll_last_complete, &self.clock_skew, &self.release_stuck_oldest] {
            let _shown = gauge.with_label_values(&[account]);
        }
        for histogram in [&self.release_overrun, &self.release_confirmation] {
            let _shown = histogram.with_label_values(&[account]);
        }
        let _shown = self.listing_rows_rejected.with_label_values(&[account]);
    }

    fn declare_settings(&self, account: &AccountSettings) {
        let name = account.name.as_str();
        self.poll_interval.with_label_values(&[name]).set(seconds(account.poll_interval));
        self.price_per_hour.with_label_values(&[name, account.provider.as_str(), &account.currency]).set(account.price_per_hour);
    }

    fn declare_policy(&self, account: &AccountSettings, policy: &str, limits: &[Limit]) {
        let name = account.name.as_str();
        let _shown = self.policy_last_governed.with_label_values(&[name, policy]);
        for limit in limits {
            let _shown = self.limit_last_due.with_label_values(&[name, policy, limit.as_str()]);
        }
        for limit in Limit::ALL {
            let labels = [name, account.provider.as_str(), policy, limit.as_str()];
            let _shown = self.sessions_released.with_label_values(&labels);
            let _shown = self.saved_runtime.with_label_values(&labels);
            let _shown = self.saved_cost.with_label_values(&[name, account.provider.as_str(), policy, limit.as_str(), &account.currency]);
            for counter in [&self.would_release, &self.shadow_would_release] {
                let _shown = counter.with_label_values(&[name, policy, limit.as_str()]);
            }
        }
        for change in Change::ALL {
            let _shown = self.shadow_changes.with_label_values(&[name, policy, change.as_str()]);
        }
        for verdict in VerdictWord::ALL.iter().filter(|verdict| **verdict != VerdictWord::Unmatched) {
            let _shown = self.sessions.with_label_values(&[name, policy, verdict.as_str()]);
        }
        let _shown = self.tags_unreadable.with_label_values(&[name, policy]);
    }

    /// Everything, the process's own figures included.
    pub fn gather(&self) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        families.extend(process::gather());
        families
    }

    /// The text format, version 0.0.4.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.gather())
    }
}

/// The `status` label: a status code or a fault's word. Anything else is `other`, so that no text from outside becomes a label.
pub fn status_label(status: &str) -> &str {
    let code = status.parse::<u16>().is_ok_and(|code| (100..600).contains(&code)) && status.len() == 3;
    if code || FaultKind::from_word(status).is_some() { status } else { "other" }
}

/// An instant as gauges hold it.
pub fn unix(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1_000.0
}

/// A count as a gauge holds it.
pub fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
