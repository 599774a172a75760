//! Receivers inside this process, where the hour of a digest can be seconds away, and ten thousand things can happen at once.

use std::collections::BTreeMap;
use std::time::Duration;

use session_reaper::clock::Clock;
use session_reaper::config::{self, NotificationSettings, Secrets, Source, StorePath};
use session_reaper::domain::event::{Event, What};
use session_reaper::domain::name::{Kind, Provider};
use session_reaper::domain::record::Record;
use session_reaper::domain::release::{Outcome, Release};
use session_reaper::domain::session::Parts;
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::domain::verdict::Limit;
use session_reaper::ledger::{Ledger, OpenOptions};
use session_reaper::metrics::Metrics;
use session_reaper::notify::{Ground, Notifier, Receivers};

use super::super::stage::{Hook, Manner};
use crate::support::eventually;

const CONFIGURATION: &str = r#"
[[accounts]]
name = "growth"
provider = "browserbase"
api_key_env = "NONE"

[[notifications]]
name = "ops"
kind = "webhook"
url_env = "NONE"
on = ["guardrail", "digest"]
batch_within = "0s"
"#;

/// The receiver of the configuration, with its digest at this instant's time of day.
fn receiver(at: Timestamp) -> NotificationSettings {
    let credentials = config::Credentials::Skip;
    let source = Source { text: Some(CONFIGURATION.to_owned()), credentials, ..Source::default() };
    let settings = config::load(&source).expect("a valid configuration").config.notifications.remove(0);
    NotificationSettings { digest_at: at.to_zoned(jiff::tz::TimeZone::UTC).time(), ..settings }
}

fn confirmed(id: &str, account: &str, at: Timestamp) -> Record {
    Record::Release(Box::new(Release {
        account: account.into(),
        provider: Provider::Browserbase,
        id: id.into(),
        kind: Kind::Session,
        parts: Parts::default(),
        life: None,
        region: None,
        policy: "ci".into(),
        limit: Limit::MaxAge,
        deadline: at,
        requested_at: at,
        asked_at: Some(at),
        accepted_at: Some(at),
        confirmed_at: Some(at),
        ended_at: Some(at),
        expires_at: Some(at),
        outcome: Outcome::Confirmed,
        attempts: 1,
        overrun: SignedDuration::ZERO,
        saved_runtime: Some(SignedDuration::from_mins(30)),
        saved_cost: Some(0.06),
        currency: "USD".to_owned(),
        reason: "older than 20m".to_owned(),
        fault: None,
        metadata: serde_json::Value::Null,
    }))
}

struct Office {
    metrics: Metrics,
    receivers: Receivers,
    notifier: Notifier,
}

async fn office(ledger: &Ledger, hook: &Hook, digest_at: Timestamp) -> Office {
    let metrics = Metrics::new("0", "0").expect("sound metrics");
    let ground = Ground { clock: Clock::start(), ledger: ledger.clone(), metrics: metrics.clone() };
    let notifier = Notifier::default();
    let mut receivers = Receivers::new(ground, notifier.clone());
    let secrets = BTreeMap::from([("ops".into(), Secrets { url: hook.address().into(), signing: None })]);
    receivers.follow(&[receiver(digest_at)], &secrets).await.expect("it can be reached");
    Office { metrics, receivers, notifier }
}

#[test]
fn a_digest_is_told_at_its_hour_and_once_over_restarts() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (hook, clock) = (Hook::that(Manner::Takes), Clock::start());
    let ledger = Ledger::open(&StorePath::Memory, OpenOptions { retention: SignedDuration::ZERO, now: clock.now() }).expect("books");
    let ago = |hours| later(clock.now(), -SignedDuration::from_hours(hours));
    for (id, account, hours) in [("a", "growth", 1), ("b", "growth", 20), ("c", "research", 2), ("too old", "growth", 26)] {
        ledger.record(confirmed(id, account, ago(hours)));
    }
    let digest_at = later(clock.now(), SignedDuration::from_secs(2));
    runtime.block_on(async {
        let office = office(&ledger, &hook, digest_at).await;
        let digest = tokio::task::block_in_place(|| hook.takes(1, "digest")).remove(0);
        assert!(clock.now() >= digest_at);
        assert_eq!((&digest["data"]["total"]["released"], &digest["data"]["total"]["saved_runtime_seconds"]), (&3.into(), &5400.0.into()));
        let text = digest["text"].as_str().expect("a text");
        assert!(text.contains("3 released, 1h 30m and 0.1800 USD saved"), "{text}");
        assert!(text.contains("\naccount growth: 2 released") && text.contains("\naccount research: 1 released"), "{text}");
        assert!(text.ends_with("\npolicy ci: 3 released, 1h 30m, 0.1800 USD saved, 0 stuck, 0 failed"), "{text}");
        assert!(office.receivers.end(Duration::from_secs(10)).await);
    });
    runtime.block_on(async {
        let office = office(&ledger, &hook, digest_at).await;
        office.notifier.tell(&Event { account: "growth".into(), what: What::Tripped { at: clock.now(), requested: 6, live: 12 } });
        tokio::task::block_in_place(|| hook.takes(1, "guardrail"));
        assert!(office.receivers.end(Duration::from_secs(10)).await);
    });
    assert_eq!(hook.taken("digest").len(), 1);
}

/// More than may wait, with what is being tried.
const TOO_MANY: usize = 10_000 + 100 + 50;

#[test]
fn past_the_bound_the_oldest_are_given_up_and_counted_and_the_rest_is_told_in_order() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (hook, clock) = (Hook::that(Manner::Answers(503)), Clock::start());
    let ledger = Ledger::open(&StorePath::Memory, OpenOptions { retention: SignedDuration::ZERO, now: clock.now() }).expect("books");
    runtime.block_on(async {
        let office = office(&ledger, &hook, later(clock.now(), SignedDuration::from_hours(1))).await;
        let outcome = |word: &str| office.metrics.notifications.with_label_values(&["ops", word]).get();
        let tell = |number: usize| {
            let at = later(Timestamp::UNIX_EPOCH, SignedDuration::from_millis(number as i64));
            office.notifier.tell(&Event { account: "growth".into(), what: What::Tripped { at, requested: number, live: 12 } });
        };
        tell(0);
        tokio::task::block_in_place(|| drop(hook.hears(1)));
        (1..TOO_MANY).for_each(tell);
        tokio::task::block_in_place(|| eventually("the oldest are given up", || (outcome("dropped") > 0).then_some(())));
        hook.becomes(Manner::Takes);
        tokio::task::block_in_place(|| eventually("all is settled", || (outcome("sent") + outcome("dropped") == TOO_MANY as u64).then_some(())));
        let told: Vec<u64> = hook.taken("guardrail").iter().map(|event| event["data"]["requested"].as_u64().expect("a number")).collect();
        assert_eq!(told.len() as u64, outcome("sent"));
        assert!(told.is_sorted() && told.last() == Some(&(TOO_MANY as u64 - 1)), "the latest are kept");
        assert!(outcome("dropped") < 200, "{} are given up", outcome("dropped"));
        assert!(office.receivers.end(Duration::from_secs(10)).await);
    });
}
