//! A provider by script, and what is made of its answers.

use std::collections::VecDeque;
use std::pin::Pin;

use super::*;
use crate::domain::exchange::RequestTrace;
use crate::domain::time::{SignedDuration, Timestamp};
use crate::provider::Exchange;
use crate::provider::http::Call;

pub(super) const NOW: &str = "2026-11-20T12:00:00Z";

pub(super) fn now() -> Timestamp {
    NOW.parse().expect("an instant")
}

/// Answers each call with what stands first for it, and remembers what it was asked.
#[derive(Default)]
pub(super) struct Script {
    in_order: Mutex<VecDeque<Result<String, Fault>>>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    pub(super) fn in_order(answers: Vec<Result<String, Fault>>) -> Self {
        Self { in_order: Mutex::new(answers.into()), asked: Mutex::default() }
    }

    /// Each call as `METHOD path?query body`.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a lock").clone()
    }
}

impl Transport for Script {
    fn send(&self, call: Call) -> Pin<Box<dyn Future<Output = Exchange<Vec<u8>>> + Send + '_>> {
        let query: Vec<String> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let body = call.body.map(|body| format!(" {body}")).unwrap_or_default();
        self.asked.lock().expect("a lock").push(format!("{} {}{query}{body}", call.method, call.segments.join("/")));
        let unknown = || Err(Fault { status: Some(404), ..Fault::new(FaultKind::NotFound, "not in the script") });
        let answer = self.in_order.lock().expect("a lock").pop_front().unwrap_or_else(unknown);
        let trace = RequestTrace { operation: call.operation, status: "200".to_owned(), took: SignedDuration::ZERO };
        let exchange = Exchange { result: answer.map(String::into_bytes), sent_at: now(), clock: None, requests: vec![trace] };
        Box::pin(async move { exchange })
    }
}
