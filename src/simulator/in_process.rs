//! The world in process, for virtual time: what a client of the provider would make of each answer, without a socket or a clock.

mod carrier;

use serde_json::Value;

use super::answer::{Answer, Delivery};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::listing::ClockReading;
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::provider::{Body, Call, Exchange, RequestTrace, fault_kind};

pub use carrier::{Api, Carrier};

/// A client of one account. Its calls return at once; how long each would have taken is in the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub key: String,
    /// How long it waits for one answer.
    pub request_timeout: SignedDuration,
}

impl Client {
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), request_timeout: SignedDuration::from_secs(10) }
    }

    /// What arrives of an answer to a call that was sent now.
    fn arrived(&self, call: &Call, answer: Answer, now: Timestamp) -> Exchange<Body> {
        let arrived = self.arrival(&answer);
        let took = match &arrived {
            Err(fault) if fault.kind == FaultKind::TimedOut => self.request_timeout,
            _ => answer.delay,
        };
        let clock = arrived.is_ok().then(|| ClockReading { date: whole_seconds(answer.date), sent: now, received: later(now, took) });
        let status = match &arrived {
            Err(fault) => fault.kind.to_string(),
            Ok(()) => answer.status.to_string(),
        };
        let result = arrived.and_then(|()| open(answer, call));
        Exchange { result, sent_at: now, clock, requests: vec![RequestTrace { operation: call.operation, status, took }] }
    }

    /// Whether anything of the answer arrives in time.
    fn arrival(&self, answer: &Answer) -> Result<(), Fault> {
        match answer.delivery {
            Delivery::Cut => Err(Fault::new(FaultKind::Disconnected, "the connection was reset")),
            Delivery::Whole if answer.delay < self.request_timeout => Ok(()),
            Delivery::Whole | Delivery::Never => Err(Fault::new(FaultKind::TimedOut, "no answer in time")),
        }
    }
}

/// The body of an answer that says yes. One that is too large is cut where the call says so, else it is a fault.
fn open(answer: Answer, call: &Call) -> Result<Body, Fault> {
    if !(200..300).contains(&answer.status) {
        return Err(refusal(&answer));
    }
    let mut body = answer.body.into_bytes();
    if body.len() <= call.cap {
        return Ok(Body::whole(body));
    }
    if !call.may_be_cut {
        return Err(Fault { status: Some(answer.status), ..Fault::new(FaultKind::TooLarge, "the answer is larger than what is read") });
    }
    body.truncate(call.cap);
    Ok(Body::cut(body))
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_millisecond().div_euclid(1_000)).unwrap_or(at)
}

fn refusal(answer: &Answer) -> Fault {
    let body = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
    let message = ["message", "detail"].into_iter().find_map(|key| body.get(key)?.as_str().map(str::to_owned));
    let retry_after = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after")).and_then(|(_, value)| value.parse().ok());
    Fault {
        kind: fault_kind(answer.status),
        status: Some(answer.status),
        detail: message.unwrap_or_else(|| "refused".to_owned()),
        retry_after: retry_after.map(SignedDuration::from_secs),
    }
}

#[cfg(test)]
mod tests;
