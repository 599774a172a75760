//! One session from birth to end. Everything about it is a function of the instant asked about: nothing needs to be ticked.

use std::sync::Arc;

use serde_json::Value;

use super::activity::{Act, Deed};
use crate::domain::name::SessionId;
use crate::domain::time::{SignedDuration, Timestamp, later};

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for its release, at this instant.
    Released { requested_at: Timestamp },
    /// Its own client closed it.
    Closed,
    /// It reached its hard end.
    TimedOut,
    /// Its browser died.
    Crashed,
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub at: Timestamp,
    pub cause: Cause,
}

/// What a session is created with; the default is a running keep-alive session of an hour that nobody uses.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSession {
    /// The key's own project where there is none.
    pub project_id: Option<Arc<str>>,
    /// JSON of any shape, as a provider might show it; absent from the row where `None`.
    pub metadata: Option<Value>,
    pub keep_alive: bool,
    pub region: Arc<str>,
    /// From creation to the hard end.
    pub timeout: SignedDuration,
    /// How long ago it was created.
    pub age: SignedDuration,
    /// How long it waits for a browser after its creation.
    pub pending_for: SignedDuration,
    /// What it sends through the proxy while it is worked.
    pub bytes_per_second: u64,
    /// How long it is worked after its start.
    pub worked_for: SignedDuration,
    /// What is done in it beside that: each so long after its creation.
    pub acts: Vec<(SignedDuration, Act)>,
    /// Whether a log is kept of what its clients tell the browser.
    pub logs: bool,
    /// How it ends if nobody releases it: this long after its creation, and why.
    pub fate: Option<(SignedDuration, Cause)>,
    /// From a release request to the end; drawn from the world's range where there is none.
    pub release_latency: Option<SignedDuration>,
}

impl Default for NewSession {
    fn default() -> Self {
        Self {
            project_id: None,
            metadata: None,
            keep_alive: true,
            region: "us-west-2".into(),
            timeout: SignedDuration::from_hours(1),
            age: SignedDuration::ZERO,
            pending_for: SignedDuration::ZERO,
            bytes_per_second: 0,
            worked_for: SignedDuration::ZERO,
            acts: Vec::new(),
            logs: true,
            fate: None,
            release_latency: None,
        }
    }
}

/// A session with its whole truth, its future included.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    pub id: SessionId,
    /// The key whose listing shows it.
    pub key: Arc<str>,
    pub project_id: Arc<str>,
    pub metadata: Option<Value>,
    pub keep_alive: bool,
    pub region: Arc<str>,
    pub created_at: Timestamp,
    pub started_at: Timestamp,
    pub expires_at: Timestamp,
    pub bytes_per_second: u64,
    pub worked_until: Timestamp,
    pub deeds: Vec<Deed>,
    pub logs: bool,
    /// Its end if nobody releases it and it does not expire first.
    pub fate: Option<End>,
    pub release_latency: SignedDuration,
    /// The end that the first effective release request leads to.
    pub release: Option<End>,
    /// Part of every credential that the provider shows for it.
    pub secret: Arc<str>,
    /// The agent session that drives it, at Browser Use.
    pub agent: Option<SessionId>,
}

impl Life {
    /// The end as things stand: the earliest of its own, the hard one, and that of a release.
    pub(super) fn planned_end(&self) -> End {
        let hard = End { at: self.expires_at, cause: Cause::TimedOut };
        [self.fate, self.release].into_iter().flatten().fold(hard, |first, other| if other.at < first.at { other } else { first })
    }

    /// The end, where it has come.
    pub fn ended(&self, now: Timestamp) -> Option<End> {
        Some(self.planned_end()).filter(|end| end.at <= now)
    }

    /// Asks for its release; nothing happens where it has ended, or where an earlier request is at work.
    pub fn request_release(&mut self, now: Timestamp) {
        if self.ended(now).is_none() && self.release.is_none() {
            self.release = Some(End { at: later(now, self.release_latency), cause: Cause::Released { requested_at: now } });
        }
    }

    /// Browserbase's word for how it is.
    pub fn status(&self, now: Timestamp) -> &'static str {
        match self.ended(now).map(|end| end.cause) {
            Some(Cause::Released { .. } | Cause::Closed) => "COMPLETED",
            Some(Cause::TimedOut) => "TIMED_OUT",
            Some(Cause::Crashed) => "ERROR",
            None if now < self.started_at => "PENDING",
            None => "RUNNING",
        }
    }

    /// The last instant at which something about it changed.
    pub fn updated_at(&self, now: Timestamp) -> Timestamp {
        self.ended(now).map_or_else(|| self.started_at.min(now), |end| end.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("an instant")
    }

    fn life() -> Life {
        Life {
            id: "a".into(),
            key: "bb_demo_x".into(),
            project_id: "p".into(),
            metadata: None,
            keep_alive: true,
            region: "us-west-2".into(),
            created_at: at(1_000),
            started_at: at(1_002),
            expires_at: at(4_600),
            bytes_per_second: 100,
            worked_until: at(1_012),
            deeds: Vec::new(),
            logs: true,
            fate: None,
            release_latency: SignedDuration::from_millis(500),
            release: None,
            secret: "s".into(),
            agent: None,
        }
    }

    #[test]
    fn it_waits_runs_and_times_out_at_its_hard_end_exactly() {
        let life = life();
        assert_eq!([1_001, 1_002, 4_599, 4_600].map(|second| life.status(at(second))), ["PENDING", "RUNNING", "RUNNING", "TIMED_OUT"]);
        assert_eq!(life.ended(at(9_999)), Some(End { at: at(4_600), cause: Cause::TimedOut }));
    }

    #[test]
    fn a_release_takes_its_time_and_the_first_request_counts() {
        let mut life = life();
        life.request_release(at(2_000));
        life.request_release(later(at(2_000), SignedDuration::from_millis(300)));
        assert_eq!(life.status(at(2_000)), "RUNNING");
        let end = life.ended(at(2_001)).expect("an end");
        assert_eq!(end, End { at: later(at(2_000), SignedDuration::from_millis(500)), cause: Cause::Released { requested_at: at(2_000) } });
    }

    #[test]
    fn a_release_of_what_has_ended_changes_nothing() {
        let mut life = Life { fate: Some(End { at: at(1_500), cause: Cause::Crashed }), ..life() };
        life.request_release(at(1_500));
        assert_eq!((life.status(at(1_600)), life.release), ("ERROR", None));
    }

    #[test]
    fn a_client_that_closes_while_the_release_is_at_work_was_first() {
        let mut life = Life { fate: Some(End { at: later(at(2_000), SignedDuration::from_millis(100)), cause: Cause::Closed }), ..life() };
        life.request_release(at(2_000));
        assert_eq!(life.ended(at(2_002)).map(|end| end.cause), Some(Cause::Closed));
    }

    #[test]
    fn proxy_bytes_rise_only_while_it_is_worked() {
        let life = life();
        assert_eq!([1_001, 1_007, 1_012, 3_000].map(|second| life.proxy_bytes(at(second))), [0, 500, 1_000, 1_000]);
    }
}
