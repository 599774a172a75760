//! An event as a log line: one sentence, and its figures as fields. A session's metadata is not logged: what is in it is its owner's.

use tracing::{debug, error, info, warn};

use super::standing::News;
use crate::domain::event::{Coming, Event, PollOutcome, What};
use crate::domain::fault::Fault;
use crate::domain::name::AccountName;
use crate::domain::release::{Release, RequestOutcome};
use crate::domain::time::{SignedDuration, human, rfc3339};

pub(super) fn write(event: &Event, news: News) {
    let account = &event.account;
    match &event.what {
        What::Called { operation, status, took } => debug!(%account, %operation, %status, took = %human(*took), "called the provider"),
        What::Polled { outcome, live, rejected, fault, .. } => {
            polled(account, news, Poll { outcome: *outcome, live: *live, rejected: *rejected, fault })
        }
        What::Skew { skew } => skewed(account, *skew, news),
        What::Census(_) => {}
        What::Heard { id, finding } => debug!(%account, session = %id, %finding, "asked the provider about this session's activity"),
        What::TagUnreadable { id, policy, tag, found, why } => {
            warn!(%account, session = %id, %policy, %tag, %found, %why, "a tag is no duration; the policy's own limit holds");
        }
        What::WouldRelease { id, policy, limit, reason } => info!(%account, session = %id, %policy, %limit, %reason, "would release this session"),
        What::ShadowWouldRelease { id, policy, limit, reason } => {
            info!(%account, session = %id, %policy, %limit, %reason, "this shadow policy would release this session; nothing is done");
        }
        What::Coming(coming) => {
            let Coming { id, policy, limit, release_at, reason, .. } = &**coming;
            info!(%account, session = %id, %policy, %limit, release_at = %rfc3339(*release_at), %reason, "will release this session, unless it is held");
        }
        What::Refused { fault, again_at } => {
            error!(%account, %fault, again_at = %rfc3339(*again_at), "the provider refuses the account's credential; replace it or its rights");
        }
        What::Silenced { until } => warn!(%account, until = %rfc3339(*until), "the provider asked for silence; calling nothing until then"),
        What::Tripped { requested, live, .. } => {
            error!(
                %account, requested, live,
                "max_release_fraction reached; releasing nothing until the hour has rolled on, or `session-reaper resume`"
            );
        }
        What::Untripped { by_operator } => info!(%account, by_operator, "max_release_fraction holds the account back no longer"),
        What::TooManyGroups { most } => warn!(%account, most, "budgets have more groups than are counted; the runtime of those beyond is left out"),
        What::Reappeared { id } => warn!(%account, session = %id, "a session that had ended is listed as live again"),
        What::BooksRefused { id, why } if news == News::Same => debug!(%account, session = %id, %why, "nothing was sent, as before"),
        What::BooksRefused { id, why } => error!(%account, session = %id, %why, "the ledger could not be written; nothing was sent"),
        What::Requesting { .. }
        | What::Answered { .. }
        | What::Confirmed { .. }
        | What::AlreadyEnded { .. }
        | What::Stuck { .. }
        | What::Failed { .. } => released(account, &event.what),
    }
}

fn released(account: &AccountName, what: &What) {
    match what {
        What::Requesting { release } => {
            let Release { id, policy, limit, reason, attempts, .. } = &**release;
            info!(%account, session = %id, %policy, %limit, attempts, %reason, "releasing this session");
        }
        What::Answered { release, outcome, overrun, fault } => answered(account, release, *outcome, *overrun, fault.as_ref()),
        What::Confirmed { release, took } => {
            let Release { id, policy, limit, .. } = &**release;
            let saved = release.saved_runtime.map_or_else(|| "unknown".to_owned(), human);
            info!(%account, session = %id, %policy, %limit, %saved, took = %human(*took), "released: the provider confirms the end");
        }
        What::AlreadyEnded { release } => info!(%account, session = %release.id, "it had ended before our request; nothing saved"),
        What::Stuck { release } => {
            warn!(%account, session = %release.id, attempts = release.attempts, "not ended within confirm_within; trying again");
        }
        What::Failed { release } => {
            let fault = release.fault.as_deref().unwrap_or("no reason given");
            error!(%account, session = %release.id, outcome = %release.outcome, %fault, "the release failed");
        }
        _ => {}
    }
}

fn answered(account: &AccountName, release: &Release, outcome: RequestOutcome, overrun: Option<SignedDuration>, fault: Option<&Fault>) {
    let session = &release.id;
    let overrun = overrun.map(human);
    let fault = fault.map(tracing::field::display);
    match outcome {
        RequestOutcome::Accepted | RequestOutcome::AlreadyEnded => debug!(%account, %session, %outcome, overrun, fault, "the release was answered"),
        RequestOutcome::Throttled => warn!(%account, %session, overrun, fault, "the release was throttled; sent again later"),
        RequestOutcome::Denied => error!(%account, %session, overrun, fault, "the provider denies us the release"),
        RequestOutcome::Failed => warn!(%account, %session, overrun, fault, "the release request failed"),
    }
}

struct Poll<'a> {
    outcome: PollOutcome,
    live: usize,
    rejected: usize,
    fault: &'a Option<Fault>,
}

fn polled(account: &AccountName, news: News, poll: Poll<'_>) {
    let Poll { outcome, live, rejected, fault } = poll;
    let refused = fault.as_ref().is_some_and(Fault::is_refusal);
    let fault = fault.as_ref().map(tracing::field::display);
    match (news, outcome) {
        (News::Same, _) => debug!(%account, %outcome, live, rejected, fault, "listed again, as before"),
        (News::Recovered, _) => info!(%account, live, "the listing is whole again"),
        (News::New, PollOutcome::Complete) if rejected == 0 => info!(%account, live, "listed the live sessions"),
        (News::New, PollOutcome::Complete) => warn!(%account, live, rejected, "some rows of the listing could not be read"),
        (News::New, PollOutcome::Partial) if refused => {
            warn!(%account, live, rejected, fault, "the provider refuses a part of the listing, which is not watched; give the credential the right to it");
        }
        (News::New, _) => warn!(%account, %outcome, live, rejected, fault, "the listing is not complete; what it lacks does not count as gone"),
    }
}

fn skewed(account: &AccountName, skew: SignedDuration, news: News) {
    let skew = human(skew);
    match news {
        News::New => warn!(%account, %skew, "the provider's clock differs from ours and rules; check this machine's time"),
        News::Recovered => info!(%account, "the provider's clock agrees with ours again"),
        News::Same => debug!(%account, %skew, "the provider's clock against ours"),
    }
}
