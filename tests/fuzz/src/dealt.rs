//! A provider that answers with the fuzzer's bytes, without a network.

use std::collections::BTreeMap;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use serde_json::Value;
use session_reaper::domain::event::Operation;
use session_reaper::domain::fault::{Fault, FaultKind};
use session_reaper::domain::listing::ClockReading;
use session_reaper::domain::time::{SignedDuration, Timestamp};
use session_reaper::provider::{Body, Call, Exchange, RequestTrace, Transport, fault_kind};

/// Pages of one inventory that are read at most, as the house bounds them.
pub(super) const MOST_PAGES: usize = 100;

/// An input of a wire oracle: its first line says how to ask, each other line is an answer.
///
/// A line is the body of a 2xx; `!503 7` is another status, with the seconds of a `Retry-After` where there is a second number; `~` before a body says that
/// there was more of it than is read. Where they are used up they come again from the first, for ever.
pub(super) struct Script<'a> {
    pub(super) how: &'a [u8],
    pub(super) answers: Vec<Said>,
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Body(Vec<u8>),
    Cut(Vec<u8>),
    Refused(u16, Option<u16>),
}

impl<'a> Script<'a> {
    pub(super) fn read(input: &'a [u8]) -> Self {
        let mut lines = input.split(|byte| *byte == b'\n');
        let how = lines.next().unwrap_or_default();
        let mut answers: Vec<Said> = lines.map(Said::read).collect();
        if answers.is_empty() {
            answers.push(Said::Body(Vec::new()));
        }
        Self { how, answers }
    }

    pub(super) fn says(&self, word: &str) -> bool {
        self.how.windows(word.len()).any(|part| part == word.as_bytes())
    }
}

impl Said {
    fn read(line: &[u8]) -> Self {
        match line.split_first() {
            Some((b'!', rest)) => Self::refused(rest),
            Some((b'~', rest)) => Self::Cut(rest.to_vec()),
            _ => Self::Body(line.to_vec()),
        }
    }

    fn refused(text: &[u8]) -> Self {
        let mut numbers = text.split(|byte| *byte == b' ').map(|word| std::str::from_utf8(word).ok()?.parse::<u16>().ok());
        // A 2xx is no refusal.
        let status = numbers.next().flatten().filter(|status| !(200..300).contains(status)).unwrap_or(503);
        Self::Refused(status, numbers.next().flatten())
    }

    pub(super) fn json(&self) -> Option<Value> {
        let Self::Body(body) = self else { return None };
        serde_json::from_slice(body).ok()
    }

    /// What arrives of it.
    fn arrived(&self, call: &Call) -> Result<Body, Fault> {
        match self {
            Self::Body(body) if body.len() <= call.cap => Ok(Body::whole(body.clone())),
            Self::Cut(body) if call.may_be_cut => Ok(Body::cut(body.clone())),
            Self::Body(_) | Self::Cut(_) => Err(Fault { status: Some(200), ..Fault::new(FaultKind::TooLarge, "an answer beyond what is read") }),
            Self::Refused(status, wait) => {
                let retry_after = wait.map(|seconds| SignedDuration::from_secs(seconds.into()));
                Err(Fault { status: Some(*status), retry_after, ..Fault::new(fault_kind(*status), "no") })
            }
        }
    }
}

/// Deals the answers in their order, and counts what it is asked.
pub(super) struct Dealer {
    answers: Vec<Said>,
    dealt: Mutex<Dealt>,
}

/// What was asked since the first answer was dealt.
#[derive(Clone, Debug, Default)]
pub(super) struct Dealt {
    pub(super) requests: usize,
    /// Requests for the pages of one inventory.
    pages: BTreeMap<String, usize>,
    /// The answers that listings were given, with the name of what was listed.
    pub(super) listed: Vec<(String, Said)>,
}

impl Dealer {
    pub(super) fn new(answers: &[Said]) -> Self {
        Self { answers: answers.to_vec(), dealt: Mutex::default() }
    }

    /// From the first answer on.
    pub(super) fn deal_again(&self) -> Dealt {
        std::mem::take(&mut self.dealt())
    }

    fn dealt(&self) -> MutexGuard<'_, Dealt> {
        self.dealt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, call: &Call) -> Said {
        let mut dealt = self.dealt();
        let said = self.answers[dealt.requests % self.answers.len()].clone();
        dealt.requests += 1;
        if call.operation == Operation::List {
            dealt.listed.push((call.segments.concat(), said.clone()));
        }
        let pages = dealt.pages.entry(inventory(call)).or_default();
        *pages += 1;
        assert!(*pages <= MOST_PAGES, "page {pages} of {}", inventory(call));
        said
    }
}

/// A call without its place among the pages.
fn inventory(call: &Call) -> String {
    let of_page = |name: &str| matches!(name, "page" | "pageNumber" | "cursor");
    let query: Vec<&(&str, String)> = call.query.iter().filter(|(name, _)| !of_page(name)).collect();
    format!("{} {:?} {query:?}", call.method, call.segments)
}

impl Transport for Dealer {
    fn send(&self, call: Call) -> Pin<Box<dyn Future<Output = Exchange<Body>> + Send + '_>> {
        let result = self.next(&call).arrived(&call);
        let status = result.as_ref().map_or_else(|fault| fault.kind.to_string(), |_| "200".to_owned());
        let clock = result.is_ok().then(|| ClockReading { date: noon(), sent: noon(), received: noon() });
        let requests = vec![RequestTrace { operation: call.operation, status, took: SignedDuration::ZERO }];
        Box::pin(ready(Exchange { result, sent_at: noon(), clock, requests }))
    }

    fn now(&self) -> Timestamp {
        noon()
    }
}

/// When everything is asked, by both clocks: an hour after the noon of the fixtures.
pub fn noon() -> Timestamp {
    Timestamp::from_second(1_795_179_600).expect("an instant")
}

pub(super) fn at_once<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("what is dealt is answered at once")
}
