//! What was done in a session, and when, as far as rows and answers show it. A rise or a change is activity; that nothing rose or changed is nothing.

use crate::domain::activity::{Activity, Evidence, Finding, Heard, Question, Said, Sign};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;

/// Listings that show a session are counted to here.
const SIGHTINGS_COUNTED: u8 = 2;

/// Takes in a session's row, listed at `now`, the provider's time. Gives whether it says anything new.
///
/// `complete_before`: when the last complete listing was asked for. Whoever was created since then had sent nothing yet, so that the first count is a rise
/// like any other; when an older session sent what it had sent before it was first seen, nobody can tell.
pub fn sight(activity: &mut Activity, session: &Session, complete_before: Option<Timestamp>, now: Timestamp) -> bool {
    let before = activity.clone();
    let is_new = complete_before.is_some_and(|at| at <= session.created_at) && activity.first_seen.is_none();
    activity.first_seen.get_or_insert(now);
    activity.sightings = activity.sightings.saturating_add(1).min(SIGHTINGS_COUNTED);
    if let Some(bytes) = session.proxy_bytes {
        if activity.proxy_bytes.or(is_new.then_some(0)).is_some_and(|known| bytes > known) {
            note(activity, now, now);
        }
        activity.proxy_bytes = Some(bytes);
    }
    match session.sign {
        Sign::Nothing => {}
        Sign::Busy => note(activity, now, now),
        Sign::At(at) => note(activity, at, now),
    }
    *activity != before
}

/// Takes in what was answered at `now` to what was asked at `asked_at`, both in the provider's time.
pub fn hear(activity: &mut Activity, evidence: Evidence, asked_at: Timestamp, now: Timestamp) -> Finding {
    let mut heard = Weighed::default();
    for testimony in &evidence.testimonies {
        heard.weigh(activity, testimony.asked, &testimony.said, now);
    }
    let finding = heard.finding();
    let failures = match (finding, &activity.heard) {
        (Finding::Failed, Some(before)) => before.failures.saturating_add(1),
        (Finding::Failed, None) => 1,
        _ => 0,
    };
    activity.heard = Some(Heard { asked_at, finding, failures, testimonies: evidence.testimonies });
    finding
}

/// What the answers so far come to.
#[derive(Default)]
struct Weighed {
    active: bool,
    quiet: bool,
    failed: bool,
}

impl Weighed {
    fn weigh(&mut self, activity: &mut Activity, asked: Question, said: &Said, now: Timestamp) {
        match said {
            Said::Nothing { .. } => {}
            Said::Busy => {
                self.active = true;
                note(activity, now, now);
            }
            Said::Last { at } => {
                self.quiet = true;
                note(activity, *at, now);
            }
            Said::AtLeast { at, .. } => {
                self.failed = true;
                note(activity, *at, now);
            }
            Said::Print { print } => {
                if activity.pages.replace(*print).is_some_and(|known| known != *print) {
                    self.active = true;
                    note(activity, now, now);
                }
            }
            // Pages can only add activity to what else is known: without them nothing is missing.
            Said::Failed { .. } => self.failed |= asked != Question::Pages,
        }
    }

    const fn finding(&self) -> Finding {
        if self.active {
            Finding::Active
        } else if self.failed {
            Finding::Failed
        } else if self.quiet {
            Finding::Quiet
        } else {
            Finding::Nothing
        }
    }
}

/// Nothing was done after the answer that speaks of it, whatever a client's clock says.
fn note(activity: &mut Activity, at: Timestamp, now: Timestamp) {
    activity.last_active = activity.last_active.max(Some(at.min(now)));
}

#[cfg(test)]
mod tests;
