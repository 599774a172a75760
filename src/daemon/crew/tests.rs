//! Who is watched after a reload, and by how many.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use tokio::net::TcpListener;

use super::*;
use crate::config::{self, Credentials, Source, StorePath};
use crate::domain::activity::Activity;
use crate::domain::name::SessionId;
use crate::domain::release::{Outcome, Release};
use crate::domain::time::{SignedDuration, Timestamp};
use crate::domain::verdict::Limit;
use crate::ledger::OpenOptions;
use crate::metrics::Metrics;

/// One account at this address, polled without a pause.
fn setup(base_url: &str) -> Setup {
    let text = format!(
        "mode = \"enforce\"\n[[accounts]]\nname = \"a\"\nprovider = \"browserbase\"\napi_key_env = \"KEY\"\nbase_url = \"{base_url}\"\n\
         [[policies]]\nname = \"all\"\nmatch = \"all\"\nmax_age = \"1h\"\n"
    );
    let source = Source { text: Some(text), credentials: Credentials::Skip, ..Source::default() };
    let mut config = config::load(&source).unwrap().config;
    config.accounts.iter_mut().for_each(|account| {
        account.poll_interval = SignedDuration::from_millis(20);
        account.requests_per_second = 1_000.0;
    });
    let keys = config.accounts.iter().map(|account| (account.name.clone(), SecretString::from("k"))).collect();
    Setup { config, keys, secrets: BTreeMap::new() }
}

fn nobody(setup: &Setup) -> Setup {
    let mut setup = setup.clone();
    setup.config.accounts.clear();
    setup
}

fn crew() -> Crew {
    let clock = Clock::start();
    let options = OpenOptions { retention: SignedDuration::ZERO, now: clock.now() };
    let ledger = Ledger::open(&StorePath::Memory, options).unwrap();
    let telemetry = Arc::new(Telemetry::new(Metrics::new("test", "test").unwrap()));
    Crew::new(Ground { clock, ledger, telemetry, pulse: Arc::new(Pulse::new(&clock)) }, Pass::Daemon)
}

/// A provider that takes connections and never answers.
async fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

/// A provider without a session; counts its listings.
async fn empty() -> (String, Arc<AtomicUsize>) {
    let (listener, address) = silent().await;
    let listings = Arc::new(AtomicUsize::new(0));
    let counted = listings.clone();
    let list = async move || {
        counted.fetch_add(1, Ordering::Relaxed);
        "[]"
    };
    let router = Router::new().route("/v1/sessions", get(list)).route("/v1/sessions/{id}", get(async |Path(_): Path<String>| StatusCode::NOT_FOUND));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, listings)
}

fn accepted(crew: &Crew) -> Release {
    let at = crate::domain::time::floor_millis(crew.ground.clock.now());
    Release { account: "a".into(), accepted_at: Some(at), expires_at: None, ..crate::domain::fixtures::release("s", at) }
}

async fn outcome(crew: &Crew) -> Outcome {
    assert!(crew.ground.ledger.flush(Duration::from_secs(30)).await);
    crew.ground.ledger.reader().release(&SessionId::from("s")).unwrap().remove(0).outcome
}

/// After this many listings whatever could be settled by listings is.
async fn listed(listings: &AtomicUsize, times: usize) {
    let enough = async {
        while listings.load(Ordering::Relaxed) < times {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), enough).await.unwrap();
}

#[tokio::test]
async fn an_account_that_comes_back_while_it_settles_keeps_its_loop() {
    let ((_provider, address), mut crew) = (silent().await, crew());
    let setup = setup(&address);
    crew.follow(&setup).await.unwrap();
    crew.follow(&nobody(&setup)).await.unwrap();
    crew.follow(&setup).await.unwrap();
    assert_eq!(crew.tasks.len(), 1, "two loops of one account would release and count everything twice");
    assert!(crew.leaving.is_empty() && crew.members.contains_key(&AccountName::from("a")));
}

#[tokio::test]
async fn an_account_that_came_back_is_watched_again() {
    let ((address, listings), mut crew) = (empty().await, crew());
    let setup = setup(&address);
    crew.follow(&setup).await.unwrap();
    crew.follow(&nobody(&setup)).await.unwrap();
    crew.follow(&setup).await.unwrap();
    listed(&listings, listings.load(Ordering::Relaxed) + 8).await;
}

#[tokio::test]
async fn a_release_of_a_session_elsewhere_is_not_settled_by_the_address_that_the_account_has_now() {
    let ((_provider, before), (after, listings), mut crew) = (silent().await, empty().await, crew());
    let row = accepted(&crew);
    crew.ground.ledger.record(Record::Release(Box::new(row)));
    crew.follow(&setup(&before)).await.unwrap();
    crew.follow(&setup(&after)).await.unwrap();
    listed(&listings, 12).await;
    assert_eq!(outcome(&crew).await, Outcome::Requested, "what another address does not know has not ended");
}

#[tokio::test]
async fn a_release_of_a_session_elsewhere_is_not_settled_after_a_restart_either() {
    let ((_provider, before), (after, listings), mut earlier) = (silent().await, empty().await, crew());
    let row = accepted(&earlier);
    earlier.ground.ledger.record(Record::Release(Box::new(row)));
    earlier.follow(&setup(&before)).await.unwrap();
    let mut crew = Crew::new(earlier.ground.clone(), Pass::Daemon);
    earlier.tasks.shutdown().await;
    crew.follow(&setup(&after)).await.unwrap();
    listed(&listings, 12).await;
    assert_eq!(outcome(&crew).await, Outcome::Requested, "what another address does not know has not ended");
}

#[tokio::test]
async fn a_release_of_the_same_address_is_settled_by_it() {
    let ((address, listings), mut crew) = (empty().await, crew());
    let row = accepted(&crew);
    crew.ground.ledger.record(Record::Release(Box::new(row)));
    crew.follow(&setup(&address)).await.unwrap();
    listed(&listings, 12).await;
    assert_eq!(outcome(&crew).await, Outcome::Confirmed);
}

#[tokio::test]
async fn back_at_its_old_address_an_account_finds_its_old_loop() {
    let ((_one, here), (_other, there), mut crew) = (silent().await, silent().await, crew());
    for address in [&here, &there, &here] {
        crew.follow(&setup(address)).await.unwrap();
    }
    assert_eq!((crew.tasks.len(), crew.leaving.len()), (2, 1));
    assert!(crew.members.values().next().unwrap().home.0.contains(&here));
}

#[test]
fn what_was_learnt_elsewhere_is_not_recalled_and_what_is_held_back_is() {
    let settings = setup("https://example.test").config.accounts.remove(0);
    let learnt = Recall {
        releases: vec![crate::domain::fixtures::release("s", Timestamp::UNIX_EPOCH)],
        seen: vec![("s".into(), Timestamp::UNIX_EPOCH)],
        activities: vec![("s".into(), Activity::default())],
        home: Some(Home::of(&settings).0),
        tripped_at: Some(Timestamp::UNIX_EPOCH),
        last_complete_at: Some(Timestamp::UNIX_EPOCH),
        fell_due: vec![("ci".into(), Limit::MaxAge, Timestamp::UNIX_EPOCH)],
        ..Recall::default()
    };
    assert_eq!(recall_at_home(learnt.clone(), &settings), learnt);
    let home = Some("browserbase https://elsewhere.test".to_owned());
    let expected = Recall { home: home.clone(), tripped_at: learnt.tripped_at, ..Recall::default() };
    assert_eq!(recall_at_home(Recall { home, ..learnt }, &settings), expected);
}
