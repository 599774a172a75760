//! Several calls that make up one exchange.

use crate::domain::fault::Fault;
use crate::domain::listing::ClockReading;
use crate::domain::time::Timestamp;
use crate::provider::{Exchange, RequestTrace};

/// What the calls so far showed on the way.
#[derive(Default)]
pub(super) struct Trail {
    sent_at: Option<Timestamp>,
    clock: Option<ClockReading>,
    requests: Vec<RequestTrace>,
}

impl Trail {
    /// Keeps what a call showed, of two clock readings the tighter, and gives its result.
    pub(super) fn take<T>(&mut self, exchange: Exchange<T>) -> Result<T, Fault> {
        self.sent_at.get_or_insert(exchange.sent_at);
        self.clock = [self.clock, exchange.clock].into_iter().flatten().min_by_key(|reading| reading.received.duration_since(reading.sent));
        self.requests.extend(exchange.requests);
        exchange.result
    }

    /// The exchange that they were. At least one was made.
    pub(super) fn end<T>(self, result: Result<T, Fault>) -> Exchange<T> {
        Exchange { result, sent_at: self.sent_at.unwrap_or_default(), clock: self.clock, requests: self.requests }
    }
}
