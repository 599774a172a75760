//! What may be broken on purpose, to see that the stage notices.

use session_reaper::domain::exchange::Exchange;
use session_reaper::domain::fault::Fault;
use session_reaper::domain::hold::Orders;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::record::{Recall, Record};
use session_reaper::domain::release::Outcome;
use session_reaper::domain::session::{Phase, Session, Status};
use session_reaper::domain::time::{SignedDuration, later};
use session_reaper::engine::{Input, Terms};
use session_reaper::policy::{Policy, Rule};

/// One guard that does not work; the default breaks nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sabotage {
    #[default]
    Nothing,
    /// Every limit on age is half of what is configured.
    HalvedAges,
    /// Idle after half the time.
    HalvedIdleness,
    /// `protect` protects nobody.
    NobodyProtected,
    /// Shadow policies govern.
    ShadowsGovern,
    /// Holds and pauses are not heard.
    DeafToOperators,
    NoMinAge,
    NoFraction,
    NoAllowance,
    /// Observe mode releases.
    AlwaysEnforcing,
    /// Ten times as many requests a second.
    Unpaced,
    /// `Retry-After` is not heard.
    DeafToRetryAfter,
    /// A start knows nothing of what came before it.
    Forgetful,
    /// Requests leave before their intent is on the disk.
    CallsBeforeIntents,
    /// Sessions are believed to have ended as soon as they are read.
    Credulous,
    /// Ends are read a second late.
    LateEnds,
    /// A confirmed release is written twice.
    CountsTwice,
    /// What was confirmed is not written.
    LosesConfirmations,
    /// One release in three is never sent.
    DropsReleases,
    /// While one session's release fails, no other is sent.
    Starving,
}

impl Sabotage {
    pub(crate) const ALL: [Self; 19] = [
        Self::HalvedAges,
        Self::HalvedIdleness,
        Self::NobodyProtected,
        Self::ShadowsGovern,
        Self::DeafToOperators,
        Self::NoMinAge,
        Self::NoFraction,
        Self::NoAllowance,
        Self::AlwaysEnforcing,
        Self::Unpaced,
        Self::DeafToRetryAfter,
        Self::Forgetful,
        Self::CallsBeforeIntents,
        Self::Credulous,
        Self::LateEnds,
        Self::CountsTwice,
        Self::LosesConfirmations,
        Self::DropsReleases,
        Self::Starving,
    ];

    /// What the engine is told of the configuration.
    pub(super) fn terms(self, terms: &Terms) -> Terms {
        let mut told = terms.clone();
        match self {
            Self::NoMinAge => told.guardrails.min_age = SignedDuration::ZERO,
            Self::NoFraction => told.guardrails.max_release_fraction = 1.0,
            Self::NoAllowance => told.guardrails.max_releases_per_poll = u32::MAX,
            Self::AlwaysEnforcing => told.mode = session_reaper::domain::view::Mode::Enforce,
            Self::Unpaced => told.requests_per_second *= 10.0,
            Self::NobodyProtected => told.policies = terms.policies.iter().filter(|policy| policy.rule != Rule::Protect).cloned().collect(),
            Self::HalvedAges | Self::HalvedIdleness | Self::ShadowsGovern => {
                told.policies = terms.policies.iter().cloned().map(|policy| self.policy(policy)).collect();
            }
            _ => {}
        }
        told
    }

    fn policy(self, mut policy: Policy) -> Policy {
        match (self, &mut policy.rule) {
            (Self::ShadowsGovern, _) => policy.shadow = false,
            (Self::HalvedAges, Rule::Limits(limits)) => {
                if let Some(age) = &mut limits.max_age {
                    age.limit /= 2;
                }
            }
            (Self::HalvedIdleness, Rule::Limits(limits)) => {
                if let Some(idle) = &mut limits.idle {
                    idle.limit /= 2;
                }
            }
            _ => {}
        }
        policy
    }

    /// Whether intents go to other books than those that are read.
    pub(super) fn writes_elsewhere(self) -> bool {
        self == Self::CallsBeforeIntents
    }

    pub(super) fn orders(self, orders: &Orders) -> Orders {
        if self == Self::DeafToOperators { Orders::default() } else { orders.clone() }
    }

    pub(super) fn recall(self, recall: Recall) -> Recall {
        if self == Self::Forgetful { Recall::default() } else { recall }
    }

    /// What is written instead of this record.
    pub(super) fn records(self, record: Record) -> Vec<Record> {
        let Record::Release(row) = &record else { return vec![record] };
        match self {
            Self::LosesConfirmations if row.outcome == Outcome::Confirmed => Vec::new(),
            Self::CountsTwice if row.outcome == Outcome::Confirmed => {
                let mut again = row.clone();
                again.life = Some("again".into());
                vec![record, Record::Release(again)]
            }
            _ => vec![record],
        }
    }

    /// Whether a release of this session is never sent.
    pub(super) fn drops(self, id: &SessionId, poisoned: Option<&SessionId>) -> bool {
        match self {
            Self::DropsReleases => id.as_str().bytes().map(u32::from).sum::<u32>().is_multiple_of(3),
            Self::Starving => poisoned.is_some_and(|poisoned| poisoned != id),
            _ => false,
        }
    }

    /// What the engine hears instead of this answer.
    pub(super) fn heard(self, input: Input) -> Input {
        match (self, input) {
            (Self::DeafToRetryAfter, Input::Listed(answer)) => Input::Listed(unheard(answer)),
            (Self::DeafToRetryAfter, Input::Read { id, answer }) => Input::Read { id, answer: unheard(answer) },
            (Self::DeafToRetryAfter, Input::Evidence { id, answer }) => Input::Evidence { id, answer: unheard(answer) },
            (Self::DeafToRetryAfter, Input::Answered { id, answer }) => Input::Answered { id, answer: unheard(answer) },
            (Self::Credulous, Input::Read { id, answer }) => {
                let at = answer.clock.map(|clock| clock.date);
                Input::Read { id, answer: answer.then(|read| read.map(|session| ended(session, at))) }
            }
            (Self::LateEnds, Input::Read { id, answer }) => Input::Read { id, answer: answer.then(|read| read.map(late)) },
            (_, input) => input,
        }
    }
}

fn unheard<T>(answer: Exchange<T>) -> Exchange<T> {
    answer.then(|result| result.map_err(|fault| Fault { retry_after: fault.retry_after.map(|_| SignedDuration::ZERO), ..fault }))
}

fn ended(session: Session, at: Option<session_reaper::domain::time::Timestamp>) -> Session {
    Session { status: Status::new("COMPLETED", Phase::Completed), ended_at: session.ended_at.or(at), ..session }
}

fn late(session: Session) -> Session {
    Session { ended_at: session.ended_at.map(|at| later(at, SignedDuration::from_secs(1))), ..session }
}
