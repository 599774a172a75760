//! What may go wrong between a client and the simulated provider, arranged at run time.

use std::sync::Arc;

use serde_json::Value;

use crate::domain::event::Operation;
use crate::domain::name::SessionId;
use crate::domain::time::{SignedDuration, Timestamp};

/// One way for a request to go wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Refused with this answer, and nothing is done.
    Status { code: u16, headers: Vec<(&'static str, String)>, body: String },
    /// No answer ever, and nothing is done.
    Hang,
    /// The connection is reset, and nothing is done.
    Reset,
    /// The right answer, cut in the middle of its JSON.
    TruncatedJson,
    /// 200 with a page for people.
    Html,
    /// 200 with `[]`, whatever there is.
    EmptyList,
    /// The count of a listing is off by this much.
    WrongTotal(i64),
    /// 302 to this address.
    Redirect { location: String },
    /// Every row of a listing twice.
    DuplicateRows,
    /// One row of a listing is spoilt: that of the target's session, else the first.
    BadRow(BadRow),
    /// A listing has this row too.
    ExtraRow(Value),
    /// A release is accepted with 200 and never happens.
    NeverEnding,
    /// What was asked is done, and the connection is cut before the answer.
    AppliedUnanswered,
    /// The `Date` header is off by this much, while the provider's own times are right. Goes along with any other fault.
    DateOff(SignedDuration),
    /// The answer comes this much later. Goes along with any other fault.
    Slow(SignedDuration),
    /// The right answer, followed by blanks up to this many bytes.
    HugeBody(usize),
}

/// How a row is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRow {
    NoId,
    /// `createdAt` and `proxyBytes` have types that nobody promised.
    WrongTypes,
    UnknownStatus,
}

impl Fault {
    /// A refusal with Browserbase's form of an error body.
    pub fn status(code: u16, message: &str) -> Self {
        let body = super::wire::error(code, message).to_string();
        Self::Status { code, headers: Vec::new(), body }
    }

    /// A refusal with Browser Use's form of an error body.
    pub fn detail(code: u16, sentence: &str) -> Self {
        Self::Status { code, headers: Vec::new(), body: super::browser_use::detail(sentence).to_string() }
    }

    /// 429 that asks for so many seconds of silence.
    pub fn throttled(retry_after_seconds: u32) -> Self {
        let body = super::wire::error(429, "Rate limit exceeded").to_string();
        Self::Status { code: 429, headers: vec![("retry-after", retry_after_seconds.to_string())], body }
    }
}

/// Which requests a fault strikes; what is `None` is any.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub operation: Operation,
    pub key: Option<Arc<str>>,
    /// Of Browserbase's listings, those with this status filter, of its evidence, `logs` or `debug`; at Browser Use, the calls to this inventory:
    /// `browsers`, `sessions`, `tasks`, `runs`.
    pub status: Option<Arc<str>>,
    /// Of all but listings, those about this session; of bad rows, the one to spoil.
    pub session: Option<SessionId>,
}

impl From<Operation> for Target {
    fn from(operation: Operation) -> Self {
        Self { operation, key: None, status: None, session: None }
    }
}

impl Target {
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.into());
        self
    }

    pub fn status(mut self, status: &str) -> Self {
        self.status = Some(status.into());
        self
    }

    pub fn session(mut self, id: SessionId) -> Self {
        self.session = Some(id);
        self
    }

    fn is_hit(&self, shot: &Shot<'_>) -> bool {
        self.operation == shot.operation
            && self.key.as_deref().is_none_or(|key| key == shot.key)
            && self.status.as_deref().is_none_or(|status| Some(status) == shot.status)
            && (self.operation == Operation::List || self.session.as_ref().is_none_or(|id| Some(id) == shot.session))
    }
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Times(u32),
    /// Until this instant of the world's clock.
    Until(Timestamp),
    /// Until [`Faults::clear`].
    Forever,
}

/// One request, as far as targets look at it.
#[derive(Clone, Copy, Debug)]
pub struct Shot<'a> {
    pub operation: Operation,
    pub key: &'a str,
    pub status: Option<&'a str>,
    pub session: Option<&'a SessionId>,
}

/// What strikes one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Struck {
    pub date_off: SignedDuration,
    pub delay: SignedDuration,
    pub fault: Option<(Fault, Option<SessionId>)>,
}

/// The faults in force, in the order in which they were arranged.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    target: Target,
    fault: Fault,
    extent: Extent,
}

impl Faults {
    pub fn inject(&mut self, target: Target, fault: Fault, extent: Extent) {
        self.rules.push(Rule { target, fault, extent });
    }

    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// What strikes this request: the first fault that fits, with whatever goes along. Uses up one of its times.
    pub fn strike(&mut self, shot: &Shot<'_>, now: Timestamp) -> Struck {
        self.rules.retain(|rule| !rule.extent.is_over(now));
        let mut struck = Struck::default();
        for rule in self.rules.iter_mut().filter(|rule| rule.target.is_hit(shot)) {
            match &rule.fault {
                Fault::DateOff(by) => struck.date_off += *by,
                Fault::Slow(by) => struck.delay += *by,
                _ if struck.fault.is_some() => continue,
                other => struck.fault = Some((other.clone(), rule.target.session.clone())),
            }
            rule.extent.use_up();
        }
        struck
    }
}

impl Extent {
    fn is_over(self, now: Timestamp) -> bool {
        match self {
            Self::Times(left) => left == 0,
            Self::Until(end) => end <= now,
            Self::Forever => false,
        }
    }

    fn use_up(&mut self) {
        if let Self::Times(left) = self {
            *left = left.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Shot<'_> = Shot { operation: Operation::List, key: "bb_demo_x", status: Some("RUNNING"), session: None };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("an instant")
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_was_told() {
        let mut faults = Faults::default();
        faults.inject(Operation::List.into(), Fault::Hang, Extent::Times(2));
        let struck: Vec<_> = (0..3).map(|_| faults.strike(&LIST, at(0)).fault.is_some()).collect();
        assert_eq!(struck, [true, true, false]);
    }

    #[test]
    fn a_fault_ends_at_its_instant() {
        let mut faults = Faults::default();
        faults.inject(Operation::List.into(), Fault::Hang, Extent::Until(at(10)));
        assert!(faults.strike(&LIST, at(9)).fault.is_some());
        assert!(faults.strike(&LIST, at(10)).fault.is_none());
    }

    #[test]
    fn a_fault_strikes_its_target_only() {
        let mut faults = Faults::default();
        faults.inject(Target::from(Operation::List).key("bb_demo_y"), Fault::Hang, Extent::Forever);
        faults.inject(Target::from(Operation::List).status("PENDING"), Fault::Hang, Extent::Forever);
        faults.inject(Operation::Release.into(), Fault::Hang, Extent::Forever);
        assert_eq!(faults.strike(&LIST, at(0)), Struck::default());
        assert!(faults.strike(&Shot { status: Some("PENDING"), ..LIST }, at(0)).fault.is_some());
        assert!(faults.strike(&Shot { key: "bb_demo_y", ..LIST }, at(0)).fault.is_some());
    }

    #[test]
    fn a_wrong_date_and_slowness_go_along_with_the_first_fault() {
        let mut faults = Faults::default();
        let hour = SignedDuration::from_hours(1);
        faults.inject(Operation::List.into(), Fault::DateOff(hour), Extent::Forever);
        faults.inject(Operation::List.into(), Fault::Html, Extent::Times(1));
        faults.inject(Operation::List.into(), Fault::Reset, Extent::Times(1));
        assert_eq!(faults.strike(&LIST, at(0)), Struck { date_off: hour, delay: SignedDuration::ZERO, fault: Some((Fault::Html, None)) });
        assert_eq!(faults.strike(&LIST, at(0)).fault, Some((Fault::Reset, None)));
    }
}
