//! What governs a session: the first policy whose match fits, and the deadline that its limits give.
//!
//! Precedence, once and for all: a session that does not run is not judged by limits; among policies, the first that fits governs, and none after it is
//! asked; `protect` gives no deadline; of several limits the earliest deadline counts. A match that cannot be decided, because the session's metadata
//! cannot be read, ends the search: whatever comes after it could be wrong.

pub mod max_age;
pub mod selector;
pub mod subsume;

use crate::domain::name::{AccountName, PolicyName, Provider};
use crate::domain::session::{Metadata, Phase, Session};
use crate::domain::verdict::{Deadline, Verdict};
use max_age::{MaxAge, Reading};
use selector::{Fit, Selector};

/// A named rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub name: PolicyName,
    pub selector: Selector,
    pub rule: Rule,
}

/// What a policy says of the sessions that it governs.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    Protect,
    Limits(Limits),
}

/// The ways to outstay that a policy knows; at least one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pub max_age: Option<MaxAge>,
}

impl Limits {
    /// Why none of them counts: a tag may say otherwise, and the tags could not be asked for.
    fn hangs_on_unlearnt(&self, metadata: &Metadata) -> Option<String> {
        let Metadata::Unlearnt { why } = metadata else { return None };
        let tag = self.max_age.as_ref()?.tag.as_ref()?;
        Some(format!("its metadata is not known ({why}), and its tag {tag} may say otherwise"))
    }
}

/// Where a session belongs, beside what its row says.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    pub account: &'a AccountName,
    pub provider: Provider,
}

/// A verdict, and the tags that should have been durations and were not.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub unreadable_tag: Option<UnreadableTag>,
}

/// A tag that the governing policy reads as a duration, and that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableTag {
    pub policy: PolicyName,
    pub tag: String,
    pub found: String,
    pub why: String,
}

/// Judges one session. The verdict holds until the session's row or the policies change: a deadline in it says when it turns from keep to due.
pub fn judge(session: &Session, origin: Origin<'_>, policies: &[Policy]) -> Judgement {
    let plain = |verdict| Judgement { verdict, unreadable_tag: None };
    if session.status.phase == Phase::Unknown {
        return plain(Verdict::Unknown { policy: None, why: format!("the status {:?} is not known", session.status.word) });
    }
    for policy in policies {
        match policy.selector.fit(session, origin) {
            Fit::No => {}
            Fit::Yes => return govern(session, policy),
            Fit::Undecided { why } => return plain(Verdict::Unknown { policy: Some(policy.name.clone()), why }),
        }
    }
    plain(Verdict::Unmatched)
}

fn govern(session: &Session, policy: &Policy) -> Judgement {
    let name = &policy.name;
    let plain = |verdict| Judgement { verdict, unreadable_tag: None };
    match &policy.rule {
        Rule::Protect => plain(Verdict::Protected { policy: name.clone() }),
        Rule::Limits(_) if session.status.phase != Phase::Running => plain(Verdict::Keep { policy: name.clone() }),
        Rule::Limits(limits) if let Some(why) = limits.hangs_on_unlearnt(&session.metadata) => {
            plain(Verdict::Unknown { policy: Some(name.clone()), why })
        }
        Rule::Limits(limits) => {
            let reading = limits.max_age.as_ref().map(|limit| limit.read(session));
            let deadline = reading.as_ref().map(|reading| reading.deadline(name, session));
            Judgement {
                verdict: deadline.map_or_else(|| Verdict::Keep { policy: name.clone() }, Verdict::Until),
                unreadable_tag: reading.and_then(|reading| reading.unreadable(name)),
            }
        }
    }
}

impl Reading {
    fn deadline(&self, policy: &PolicyName, session: &Session) -> Deadline {
        let since = session.since();
        Deadline {
            policy: policy.clone(),
            limit: crate::domain::verdict::Limit::MaxAge,
            allowed: self.allowed,
            from: self.from.clone(),
            since,
            at: crate::domain::time::later(since, self.allowed),
        }
    }

    fn unreadable(self, policy: &PolicyName) -> Option<UnreadableTag> {
        self.unreadable.map(|(tag, found, why)| UnreadableTag { policy: policy.clone(), tag, found, why })
    }
}

#[cfg(test)]
mod tests;
