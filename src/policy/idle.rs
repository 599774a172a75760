//! A session is idle if and only if the provider, asked no sooner than `idle` after the session's last activity, can tell that nothing was done since; or
//! has nothing that could tell, and the policy says in words that this means idle. One that was seen in a single listing is never idle.

use crate::domain::activity::{Activity, Finding, Heard, Said, Testimony};
use crate::domain::name::PolicyName;
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::domain::verdict::{Deadline, Limit, Source};
use crate::policy::Subject;

/// The limit as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    pub limit: SignedDuration,
    pub without_evidence: WithoutEvidence,
}

/// What `idle` means where the provider has nothing that could tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutEvidence {
    #[default]
    Keep,
    /// Idle since it was first seen, or since the last activity that is known.
    Release,
}

/// The limit as it holds for one session.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub state: State,
    /// When the session breaks it if nothing was done since the last activity that is known.
    pub deadline: Deadline,
    /// From then on its provider is worth asking (again).
    pub ask_at: Option<Timestamp>,
}

/// What is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has asked late enough to know.
    Open,
    /// Idle since the deadline.
    Proven,
    /// It was asked late enough, and the answer decides nothing.
    Unknown { why: String },
}

/// Times in a listing before which a session is not judged idle.
pub const ENOUGH_SIGHTINGS: u8 = 2;

/// An answer that was not acted on, as in observe mode, is not relied on for longer. It is the same for every limit: a longer one must not make an answer
/// last longer.
const STALE_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// An answer that decided nothing is asked for again after the limit's length, and no sooner than this.
const LEAST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// First wait after an asking that failed; it doubles up to the usual one.
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(5);

impl Idle {
    pub fn read(&self, subject: &Subject<'_>, policy: &PolicyName) -> Reading {
        let Subject { activity, session, occasion, .. } = subject;
        let since = activity.last_active.map_or(session.since(), |active| active.max(session.since()));
        let at = later(since, self.limit);
        if activity.sightings < ENOUGH_SIGHTINGS {
            return self.reading(policy, State::Open, since, None);
        }
        let Some(heard) = activity.heard.as_ref().filter(|heard| heard.asked_at >= at) else {
            return self.reading(policy, State::Open, since, Some(at));
        };
        let again_at = self.again_at(heard);
        let reading = self.hear(activity, heard, since, policy);
        let is_stale = again_at <= occasion.at;
        Reading { state: if is_stale { State::Open } else { reading.state }, ask_at: reading.ask_at.or(Some(again_at)), ..reading }
    }

    /// What an answer says that came late enough.
    fn hear(&self, activity: &Activity, heard: &Heard, since: Timestamp, policy: &PolicyName) -> Reading {
        match (heard.finding, self.without_evidence) {
            (Finding::Quiet, _) => self.reading(policy, State::Proven, since, None),
            // Something was done after all, as last time's answer did not have it: it was asked too early.
            (Finding::Active, _) => self.reading(policy, State::Open, since, None),
            (Finding::Nothing, WithoutEvidence::Release) => {
                let since = since.max(activity.first_seen.unwrap_or(heard.asked_at));
                let at = later(since, self.limit);
                if heard.asked_at >= at {
                    self.reading(policy, State::Proven, since, None)
                } else {
                    self.reading(policy, State::Open, since, Some(at))
                }
            }
            (Finding::Nothing, WithoutEvidence::Keep) | (Finding::Failed, _) => {
                self.reading(policy, State::Unknown { why: unknown(heard) }, since, None)
            }
        }
    }

    fn reading(&self, policy: &PolicyName, state: State, since: Timestamp, ask_at: Option<Timestamp>) -> Reading {
        Reading { state, deadline: self.deadline(policy, since), ask_at }
    }

    /// When an answer is worth asking for again.
    fn again_at(&self, heard: &Heard) -> Timestamp {
        let decides_nothing = self.limit.max(LEAST_WAIT);
        let wait = match (heard.finding, self.without_evidence) {
            (Finding::Failed, _) => (FIRST_RETRY * 2_i32.pow(heard.failures.saturating_sub(1).min(10))).min(decides_nothing),
            (Finding::Nothing, WithoutEvidence::Keep) => decides_nothing,
            (Finding::Nothing, WithoutEvidence::Release) | (Finding::Active | Finding::Quiet, _) => STALE_AFTER,
        };
        later(heard.asked_at, wait)
    }

    fn deadline(&self, policy: &PolicyName, since: Timestamp) -> Deadline {
        let at = later(since, self.limit);
        Deadline { policy: policy.clone(), limit: Limit::Idle, allowed: self.limit, from: Source::Policy, since, at, rank: (false, since) }
    }
}

impl Reading {
    /// The deadline, where the session is known to have broken it.
    pub fn proven(&self) -> Option<Deadline> {
        (self.state == State::Proven).then(|| self.deadline.clone())
    }

    /// When this reading changes by time alone.
    pub fn recheck(&self, now: Timestamp) -> Option<Timestamp> {
        self.ask_at.filter(|at| *at > now)
    }
}

/// Why an answer decided nothing.
fn unknown(heard: &Heard) -> String {
    let unread = |testimony: &Testimony| match &testimony.said {
        Said::Failed { why } | Said::AtLeast { why, .. } => Some(format!("its {} could not be read: {why}", testimony.asked)),
        _ => None,
    };
    let nothing = |testimony: &Testimony| if let Said::Nothing { why } = &testimony.said { Some(why.clone()) } else { None };
    let why = heard.testimonies.iter().find_map(unread).or_else(|| heard.testimonies.iter().find_map(nothing));
    format!("not known to be idle: {}", why.unwrap_or_else(|| "its provider has nothing that could tell".to_owned()))
}
