//! What governs a session: the first policy whose match fits, and the earliest deadline that its limits give.
//!
//! Precedence, once and for all; what holds a due session back stands in `guardrails`:
//!
//! 1. A session in a status that is not known is judged by nothing.
//! 2. Among policies, the first that fits governs, and none after it is asked. A match that cannot be decided ends the search: whatever comes after it could
//!    be wrong. Shadow policies are passed over.
//! 3. `protect` gives no deadline, and neither does anything to a session that does not run.
//! 4. A tag that may say otherwise and cannot be asked for leaves everything open.
//! 5. Of several limits the earliest deadline counts; at one instant the first in the order `max_age`, `idle`, `max_running`, `budget`. A limit that is
//!    not known to be broken (`idle` without evidence) breaks nothing, and keeps no other from being broken.

pub mod budget;
pub mod crowd;
pub mod idle;
pub mod max_age;
pub mod max_running;
pub mod per;
pub mod selector;
pub mod shown;
pub mod subsume;
pub mod window;

use crate::domain::activity::Activity;
use crate::domain::name::{AccountName, PolicyName, Provider};
use crate::domain::session::{Metadata, Phase, Session};
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::domain::verdict::{Deadline, Limit, Verdict};
use budget::Budget;
use crowd::Crowds;
use idle::{Idle, State};
use max_age::MaxAge;
use max_running::MaxRunning;
use selector::{Fit, Selector};

/// A named rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub name: PolicyName,
    pub selector: Selector,
    pub rule: Rule,
    /// It is judged beside the others, governs nothing, and releases nothing.
    pub shadow: bool,
}

/// What a policy says of the sessions that it governs.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    Protect,
    Limits(Limits),
}

impl Rule {
    /// The limits that there are.
    pub fn armed(&self) -> impl Iterator<Item = Limit> {
        let has = move |limit: &Limit| match (self, limit) {
            (Self::Protect, _) => false,
            (Self::Limits(limits), Limit::MaxAge) => limits.max_age.is_some(),
            (Self::Limits(limits), Limit::Idle) => limits.idle.is_some(),
            (Self::Limits(limits), Limit::MaxRunning) => limits.max_running.is_some(),
            (Self::Limits(limits), Limit::Budget) => limits.budget.is_some(),
        };
        Limit::ALL.iter().copied().filter(has)
    }
}

/// The ways to outstay that a policy knows; at least one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pub max_age: Option<MaxAge>,
    pub idle: Option<Idle>,
    pub max_running: Option<MaxRunning>,
    pub budget: Option<Budget>,
    /// A release by `max_age` is announced so long before.
    pub warn_before: Option<SignedDuration>,
}

impl Limits {
    /// Why none of them counts: a tag may say otherwise, and the tags could not be asked for.
    fn hangs_on_unlearnt(&self, metadata: &Metadata) -> Option<String> {
        let Metadata::Unlearnt { why } = metadata else { return None };
        let tag = self.max_age.as_ref()?.tag.as_ref()?;
        Some(format!("its metadata is not known ({why}), and its tag {tag} may say otherwise"))
    }
}

/// Where and when a session is judged, beside what its row says.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    pub account: &'a AccountName,
    pub provider: Provider,
    /// The provider's time.
    pub at: Timestamp,
}

/// A session with everything that a verdict on it hangs on.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub session: &'a Session,
    pub activity: &'a Activity,
    pub crowds: &'a Crowds,
    pub occasion: Occasion<'a>,
}

/// A verdict, how long it stands, and the tag that should have been a duration and was not.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// From then on evidence is wanted: the session may be idle, and only its provider can tell.
    pub ask_at: Option<Timestamp>,
    /// By time alone nothing of this changes before then; nothing where it never does.
    pub recheck: Option<Timestamp>,
    pub unreadable_tag: Option<UnreadableTag>,
}

impl Judgement {
    fn of(verdict: Verdict) -> Self {
        Self { verdict, ask_at: None, recheck: None, unreadable_tag: None }
    }
}

/// A tag that the governing policy reads as a duration, and that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableTag {
    pub policy: PolicyName,
    pub tag: String,
    pub found: String,
    pub why: String,
}

/// What the search for a governing policy came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Governed<'a> {
    ByNone,
    By(&'a Policy),
    Undecided { by: &'a Policy, why: String },
}

/// The first policy that fits. Of shadow policies only the one named by `beside` is asked, as if it governed like the others.
pub fn govern<'a>(session: &Session, occasion: Occasion<'_>, policies: &'a [Policy], beside: Option<&PolicyName>) -> Governed<'a> {
    for policy in in_force(policies, beside) {
        match policy.selector.fit(session, occasion) {
            Fit::No => {}
            Fit::Yes => return Governed::By(policy),
            Fit::Undecided { why } => return Governed::Undecided { by: policy, why },
        }
    }
    Governed::ByNone
}

fn in_force<'a>(policies: &'a [Policy], beside: Option<&PolicyName>) -> impl Iterator<Item = &'a Policy> {
    policies.iter().filter(move |policy| !policy.shadow || Some(&policy.name) == beside)
}

/// Judges one session by the policies in force, and by one shadow policy as if it were in force too. The judgement stands until the session's row, its
/// activity, the crowds or the policies change, and until its `recheck`.
pub fn judge(subject: &Subject<'_>, policies: &[Policy], beside: Option<&PolicyName>) -> Judgement {
    let Subject { session, occasion, .. } = *subject;
    if session.status.phase == Phase::Unknown {
        return Judgement::of(Verdict::Unknown { policy: None, why: format!("the status {:?} is not known", session.status.word) });
    }
    let governed = govern(session, occasion, policies, beside);
    let judgement = match &governed {
        Governed::ByNone => Judgement::of(Verdict::Unmatched),
        Governed::By(policy) => by_rule(subject, policy),
        Governed::Undecided { by, why } => Judgement::of(Verdict::Unknown { policy: Some(by.name.clone()), why: why.clone() }),
    };
    let last = match governed {
        Governed::ByNone => None,
        Governed::By(policy) | Governed::Undecided { by: policy, .. } => Some(&policy.name),
    };
    let windows = next_window_change(policies, beside, last, occasion.at);
    let verdict = not_before_it_governs(judgement.verdict, subject, policies, beside);
    Judgement { recheck: earliest([judgement.recheck, windows]), verdict, ..judgement }
}

/// A deadline that passed before the policy began to govern, because a window opened or closed, came when it did.
fn not_before_it_governs(verdict: Verdict, subject: &Subject<'_>, policies: &[Policy], beside: Option<&PolicyName>) -> Verdict {
    match verdict {
        Verdict::Until(deadline) if deadline.at <= subject.occasion.at => {
            let at = governs_since(&deadline, subject, policies, beside);
            Verdict::Until(Deadline { at, ..deadline })
        }
        verdict => verdict,
    }
}

/// Since when, but not before its deadline, the policy of this deadline has governed the session without a break.
fn governs_since(deadline: &Deadline, subject: &Subject<'_>, policies: &[Policy], beside: Option<&PolicyName>) -> Timestamp {
    let mut until = subject.occasion.at;
    for _ in 0..MOST_CHANGES {
        let Some(change) = last_window_change(policies, beside, until).filter(|change| *change > deadline.at) else { break };
        until = later(change, JUST_BEFORE);
        let before = Occasion { at: until, ..subject.occasion };
        if !matches!(govern(subject.session, before, policies, beside), Governed::By(policy) if policy.name == deadline.policy) {
            return change;
        }
    }
    deadline.at
}

/// Changes of windows that are looked back over: what has been due for longer has been so for long enough.
const MOST_CHANGES: usize = 100;

fn last_window_change(policies: &[Policy], beside: Option<&PolicyName>, until: Timestamp) -> Option<Timestamp> {
    in_force(policies, beside).filter_map(|policy| policy.selector.last_change(until)).max()
}

/// The smallest step of time.
const JUST_BEFORE: SignedDuration = SignedDuration::from_nanos(-1);

/// When a window of a policy that was asked opens or closes next: those after `last` were not.
fn next_window_change(policies: &[Policy], beside: Option<&PolicyName>, last: Option<&PolicyName>, at: Timestamp) -> Option<Timestamp> {
    let until = policies.iter().position(|policy| Some(&policy.name) == last).map_or(policies.len(), |last| last + 1);
    in_force(&policies[..until], beside).filter_map(|policy| policy.selector.next_change(at)).min()
}

fn earliest<const N: usize>(instants: [Option<Timestamp>; N]) -> Option<Timestamp> {
    instants.into_iter().flatten().min()
}

fn by_rule(subject: &Subject<'_>, policy: &Policy) -> Judgement {
    let name = &policy.name;
    match &policy.rule {
        Rule::Protect => Judgement::of(Verdict::Protected { policy: name.clone() }),
        Rule::Limits(_) if subject.session.status.phase != Phase::Running => Judgement::of(Verdict::Keep { policy: name.clone() }),
        Rule::Limits(limits) => match limits.hangs_on_unlearnt(&subject.session.metadata) {
            Some(why) => Judgement::of(Verdict::Unknown { policy: Some(name.clone()), why }),
            None => by_limits(subject, name, limits),
        },
    }
}

fn by_limits(subject: &Subject<'_>, policy: &PolicyName, limits: &Limits) -> Judgement {
    let now = subject.occasion.at;
    let age = limits.max_age.as_ref().map(|limit| limit.read(subject.session));
    let idle = limits.idle.as_ref().map(|limit| limit.read(subject, policy));
    let crowd = [
        limits.max_running.as_ref().and_then(|limit| limit.deadline(subject, policy)),
        limits.budget.as_ref().and_then(|limit| limit.deadline(subject, policy)),
    ];
    let aged = age.as_ref().map(|reading| reading.deadline(policy, subject.session));
    let proven = aged.into_iter().chain(idle.iter().filter_map(idle::Reading::proven)).chain(crowd.into_iter().flatten());
    let first = proven.min_by_key(|deadline| (deadline.at, deadline.limit));
    let is_due = first.as_ref().is_some_and(|first| first.at <= now);
    let ask_at = idle.as_ref().and_then(|reading| reading.ask_at).filter(|_| !is_due);
    let by_time = first.as_ref().map(|first| first.at).filter(|at| *at > now);
    let over = limits.budget.as_ref().and_then(|limit| limit.resets_at(subject, policy));
    Judgement {
        recheck: earliest([by_time, over, idle.as_ref().and_then(|reading| reading.recheck(now))]),
        verdict: verdict(policy, first, is_due, idle),
        ask_at,
        unreadable_tag: age.and_then(|reading| reading.unreadable(policy)),
    }
}

/// What the first deadline that comes by itself, and what is known of idleness, come to together.
fn verdict(policy: &PolicyName, first: Option<Deadline>, is_due: bool, idle: Option<idle::Reading>) -> Verdict {
    match idle.filter(|_| !is_due).map(|reading| (reading.state, reading.deadline)) {
        Some((State::Open, expected)) if first.as_ref().is_none_or(|first| expected.at < first.at) => Verdict::Watched { expected, by_itself: first },
        Some((State::Unknown { why }, _)) if first.is_none() => Verdict::Unknown { policy: Some(policy.clone()), why },
        _ => first.map_or_else(|| Verdict::Keep { policy: policy.clone() }, Verdict::Until),
    }
}

impl max_age::Reading {
    fn deadline(&self, policy: &PolicyName, session: &Session) -> Deadline {
        let since = session.since();
        Deadline {
            policy: policy.clone(),
            limit: Limit::MaxAge,
            allowed: self.allowed,
            from: self.from.clone(),
            since,
            at: later(since, self.allowed),
            rank: (false, since),
        }
    }

    fn unreadable(self, policy: &PolicyName) -> Option<UnreadableTag> {
        self.unreadable.map(|(tag, found, why)| UnreadableTag { policy: policy.clone(), tag, found, why })
    }
}

#[cfg(test)]
mod tests;
