//! Intent before act: without it in the books nothing is sent.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::config::StorePath;
use crate::domain::activity::Evidence;
use crate::domain::exchange::Exchange;
use crate::domain::fixtures::{at, mins, release, session};
use crate::domain::listing::{Listing, Rows};
use crate::domain::name::Provider;
use crate::domain::record::{Recall, Record};
use crate::domain::release::{Outcome, Release};
use crate::domain::session::{Session, Target};
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::domain::view::Mode;
use crate::engine::{Engine, Pass, Terms};
use crate::guardrails::Guardrails;
use crate::ledger::OpenOptions;
use crate::metrics::Metrics;
use crate::policy::max_age::MaxAge;
use crate::policy::selector::Selector;
use crate::policy::{Limits, Policy, Rule};
use crate::provider::Answer;

/// Answers everything with nothing, and counts the releases.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Lister for Counting {
    fn list(&self) -> Answer<Listing> {
        Box::pin(std::future::pending())
    }

    fn read(&self, _target: &Target) -> Answer<Session> {
        Box::pin(std::future::pending())
    }

    fn evidence(&self, _target: &Target) -> Answer<Evidence> {
        Box::pin(std::future::pending())
    }
}

impl Releaser for Counting {
    fn release(&self, _target: &Target) -> Answer<Option<Session>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { exchange(None) })
    }
}

fn exchange<T>(result: T) -> Exchange<T> {
    Exchange { result: Ok(result), sent_at: at(0), clock: None, requests: Vec::new() }
}

/// The command with which an engine asks for the release of session `a`; only a permit of the guardrails makes one.
fn release_command(now: Timestamp) -> Command {
    let max_age = Some(MaxAge { limit: mins(20), tag: None, ceiling: None });
    let terms = Terms {
        account: "growth".into(),
        provider: Provider::Browserbase,
        mode: Mode::Enforce,
        poll_interval: mins(1),
        requests_per_second: 20.0,
        evidence_per_minute: 60,
        tariff: crate::domain::tariff::Tariff { price_per_hour: 0.12, refunded_by: crate::domain::time::SignedDuration::ZERO },
        currency: "USD".to_owned(),
        policies: [Policy {
            name: "all".into(),
            selector: Selector::All,
            rule: Rule::Limits(Limits { max_age, ..Limits::default() }),
            shadow: false,
        }]
        .into(),
        guardrails: Guardrails {
            max_releases_per_poll: 1,
            max_release_fraction: 1.0,
            min_age: SignedDuration::ZERO,
            skip_expiring_within: SignedDuration::ZERO,
            confirm_within: mins(2),
        },
        pass: Pass::Daemon,
    };
    let mut engine = Engine::new(terms, Recall::default(), Arc::default(), now);
    let rows = Rows { sessions: vec![session("a", serde_json::json!({}))], rejected: Vec::new() };
    engine.handle(Input::Listed(exchange(Listing::complete(rows))), now);
    std::iter::from_fn(|| engine.next_command()).find(|command| matches!(command, Command::Release { .. })).unwrap()
}

fn executor(provider: &Arc<Counting>, enforcing: bool) -> Executor {
    let options = OpenOptions { retention: SignedDuration::ZERO, now: at(0) };
    Executor {
        account: "growth".into(),
        lister: provider.clone(),
        releaser: enforcing.then(|| provider.clone() as Arc<dyn Releaser>),
        ledger: Ledger::open(&StorePath::Memory, options).unwrap(),
        telemetry: Arc::new(Telemetry::new(Metrics::new("test", "test").unwrap())),
    }
}

#[tokio::test]
async fn a_request_goes_out_with_its_intent_in_the_books() {
    let provider = Arc::new(Counting::default());
    let executor = executor(&provider, true);
    let input = executor.carry_out(release_command(later(at(0), mins(20)))).unwrap().await;
    assert!(matches!(input, Input::Answered { .. }), "{input:?}");
    assert_eq!(provider.0.load(Ordering::Relaxed), 1);
    assert_eq!(executor.ledger.reader().release(&"a".into()).unwrap()[0].outcome, Outcome::Requested);
}

#[tokio::test]
async fn what_the_books_have_ended_is_not_asked_for() {
    let provider = Arc::new(Counting::default());
    let executor = executor(&provider, true);
    let ended = Release { outcome: Outcome::Confirmed, confirmed_at: Some(at(1)), ..release("a", at(0)) };
    executor.ledger.record(Record::Release(Box::new(ended)));
    let input = executor.carry_out(release_command(later(at(0), mins(20)))).unwrap().await;
    assert!(matches!(input, Input::InBooks { .. }), "{input:?}");
    assert_eq!(provider.0.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn who_holds_no_releaser_sends_nothing_and_writes_no_intent() {
    let provider = Arc::new(Counting::default());
    let executor = executor(&provider, false);
    let input = executor.carry_out(release_command(later(at(0), mins(20)))).unwrap().await;
    assert!(matches!(input, Input::NotWritten { .. }), "{input:?}");
    assert!(executor.ledger.reader().release(&"a".into()).unwrap().is_empty());
}
