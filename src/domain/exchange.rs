//! One exchange with a provider: what was asked for, and what it showed on the way.

use crate::domain::event::Operation;
use crate::domain::fault::Fault;
use crate::domain::listing::ClockReading;
use crate::domain::time::{SignedDuration, Timestamp};

/// What a call gave, and what it showed on the way.
#[derive(Clone, Debug)]
pub struct Exchange<T> {
    pub result: Result<T, Fault>,
    /// When the (first) request was sent, by our clock; where none was made, when the answer was found without.
    pub sent_at: Timestamp,
    /// The provider's clock, where an answer showed it.
    pub clock: Option<ClockReading>,
    /// Each HTTP request made, in order.
    pub requests: Vec<RequestTrace>,
}

impl<T> Exchange<T> {
    /// What can be answered at this instant without asking anybody.
    pub fn unasked(result: T, now: Timestamp) -> Self {
        Self { result: Ok(result), sent_at: now, clock: None, requests: Vec::new() }
    }

    /// The same exchange with its result read further.
    pub fn then<U>(self, read: impl FnOnce(Result<T, Fault>) -> Result<U, Fault>) -> Exchange<U> {
        Exchange { result: read(self.result), sent_at: self.sent_at, clock: self.clock, requests: self.requests }
    }
}

/// One HTTP request, for the metrics and for the pace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTrace {
    pub operation: Operation,
    /// The status code, or the fault's word where there was none.
    pub status: String,
    pub took: SignedDuration,
}
