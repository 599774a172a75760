//! Carries the calls of the shipped Browser Use provider into the world, in virtual time.

use std::future::ready;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Client;
use crate::domain::name::ApiVersion;
use crate::domain::time::{Timestamp, later};
use crate::provider::{Body, Call, Exchange, Transport};
use crate::simulator::SharedWorld;
use crate::simulator::browser_use::ApiCall;

/// One account's way into the world. Each call is answered at once, and moves the carrier's clock by as long as it would have taken.
#[derive(Debug)]
pub struct Carrier {
    world: SharedWorld,
    client: Client,
    version: ApiVersion,
    now: Mutex<Timestamp>,
}

impl Carrier {
    /// The first call leaves at `start`, by the asker's clock.
    pub fn new(world: SharedWorld, client: Client, version: ApiVersion, start: Timestamp) -> Self {
        Self { world, client, version, now: Mutex::new(start) }
    }

    /// The next call leaves at this instant, by the asker's clock.
    pub fn leave_at(&self, now: Timestamp) {
        *self.clock() = now;
    }

    fn clock(&self) -> MutexGuard<'_, Timestamp> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Carrier {
    fn send(&self, call: Call) -> Pin<Box<dyn Future<Output = Exchange<Body>> + Send + '_>> {
        let mut clock = self.clock();
        let asked = ApiCall {
            version: self.version,
            method: call.method.to_string(),
            segments: call.segments,
            query: call.query.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            body: call.body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
        };
        let answer = self.world.with(|world| world.answer_browser_use(Some(&self.client.key), &asked, *clock));
        let exchange = self.client.arrived(call.operation, answer, *clock, call.may_be_cut);
        *clock = exchange.requests.iter().fold(*clock, |at, request| later(at, request.took));
        Box::pin(ready(exchange))
    }

    fn now(&self) -> Timestamp {
        *self.clock()
    }
}
