//! Carries the calls of the shipped providers into the world, in virtual time.

use std::future::ready;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Client;
use crate::domain::name::ApiVersion;
use crate::domain::time::{Timestamp, later};
use crate::provider::{Body, Call, Exchange, Transport};
use crate::simulator::answer::{Answer, Ask};
use crate::simulator::browser_use::ApiCall;
use crate::simulator::route::Misrouted;
use crate::simulator::{SharedWorld, World};

/// Whose API the calls are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Browserbase,
    BrowserUse(ApiVersion),
}

/// One account's way into the world. Each call is answered at once, and moves the carrier's clock by as long as it would have taken.
#[derive(Debug)]
pub struct Carrier {
    world: SharedWorld,
    client: Client,
    api: Api,
    now: Mutex<Timestamp>,
}

impl Carrier {
    /// The first call leaves at `start`, by the asker's clock.
    pub fn new(world: SharedWorld, client: Client, api: Api, start: Timestamp) -> Self {
        Self { world, client, api, now: Mutex::new(start) }
    }

    /// The next call leaves at this instant, by the asker's clock.
    pub fn leave_at(&self, now: Timestamp) {
        *self.clock() = now;
    }

    fn answer(&self, world: &mut World, call: &Call, now: Timestamp) -> Answer {
        let query = call.query.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let body = call.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let purpose = Some(call.operation);
        let (method, segments) = (call.method.to_string(), call.segments.clone());
        match self.api {
            Api::BrowserUse(version) => {
                world.answer_browser_use(Some(&self.client.key), &ApiCall { version, method, segments, query, body, purpose }, now)
            }
            Api::Browserbase => match asked(&method, &segments, &query, &body) {
                Ok(ask) => world.answer(Some(&self.client.key), ask, now),
                Err(misrouted) => Answer::misrouted(misrouted, world.time(now)),
            },
        }
    }

    fn clock(&self) -> MutexGuard<'_, Timestamp> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn asked(method: &str, segments: &[String], query: &[(String, String)], body: &[u8]) -> Result<Ask, Misrouted> {
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["v1", path @ ..] => Ask::of(method, path, query, body),
        _ => Err(Misrouted::Route),
    }
}

impl Transport for Carrier {
    fn send(&self, call: Call) -> Pin<Box<dyn Future<Output = Exchange<Body>> + Send + '_>> {
        let mut clock = self.clock();
        let answer = self.world.with(|world| self.answer(world, &call, *clock));
        let exchange = self.client.arrived(&call, answer, *clock);
        *clock = exchange.requests.iter().fold(*clock, |at, request| later(at, request.took));
        Box::pin(ready(exchange))
    }

    fn now(&self) -> Timestamp {
        *self.clock()
    }
}
