//! Reports that were made lately. A page that is open in many windows asks for the same ones every few seconds, and the books may be large: what took
//! long is good for longer, one is made at a time, and while the next is being made the last one is shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, ready};

use crate::clock::Clock;
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::domain::view::Report;
use crate::server::Answer;

/// Since when a report is, and what its rows stand for.
pub type Key = (Timestamp, String);

/// A report is good for so many times as long as it took to make: a twentieth of one core goes into it at most.
const GOOD_FOR: i32 = 20;
/// How long whoever asks waits for a new one where there is an old one.
const PATIENCE: Duration = Duration::from_millis(500);
/// Reports that are remembered; a page asks for six, and for other ones after midnight.
const MOST: usize = 16;

type Making = Shared<BoxFuture<'static, Result<Arc<Report>, String>>>;

/// What was made, and what is being made.
#[derive(Debug)]
pub struct Shelf {
    places: Mutex<BTreeMap<Key, Place>>,
    patience: Duration,
}

#[derive(Debug, Default)]
struct Place {
    made: Option<Made>,
    making: Option<Making>,
}

#[derive(Debug)]
struct Made {
    report: Arc<Report>,
    good_until: Timestamp,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { places: Mutex::default(), patience: PATIENCE }
    }
}

impl Shelf {
    /// The report from the shelf where it is good, else one made by `make`, which may take its time.
    pub fn get(self: &Arc<Self>, key: Key, clock: Clock, make: impl FnOnce() -> Result<Report, String> + Send + 'static) -> Answer<Report> {
        let mut places = self.places();
        if places.len() >= MOST && !places.contains_key(&key) {
            places.retain(|_, place| place.making.is_some());
        }
        let place = places.entry(key.clone()).or_default();
        if let Some(good) = place.made.as_ref().filter(|made| clock.now() < made.good_until) {
            return Box::pin(ready(Ok(good.report.as_ref().clone())));
        }
        let making = place.making.get_or_insert_with(|| self.make(key, clock, make)).clone();
        let (last, patience) = (place.made.as_ref().map(|made| made.report.clone()), self.patience);
        Box::pin(async move {
            let made = match last {
                None => making.await,
                Some(last) => tokio::time::timeout(patience, making).await.unwrap_or(Ok(last)),
            };
            made.map(|report| report.as_ref().clone())
        })
    }

    /// In the background: whoever asked may go away, and the next one finds it.
    fn make(self: &Arc<Self>, key: Key, clock: Clock, make: impl FnOnce() -> Result<Report, String> + Send + 'static) -> Making {
        let shelf = self.clone();
        let made = tokio::spawn(async move {
            let began = clock.now();
            let made = tokio::task::spawn_blocking(make).await.map_err(|error| format!("the books could not be read: {error}"));
            let made = made.and_then(|made| made).map(Arc::new);
            shelf.put(key, made.as_ref().ok(), clock.now(), clock.now().duration_since(began));
            made
        });
        async move { made.await.unwrap_or_else(|error| Err(format!("the books could not be read: {error}"))) }.boxed().shared()
    }

    fn put(&self, key: Key, made: Option<&Arc<Report>>, now: Timestamp, took: SignedDuration) {
        let mut places = self.places();
        let place = places.entry(key).or_default();
        place.making = None;
        if let Some(report) = made {
            place.made = Some(Made { report: report.clone(), good_until: later(now, took.saturating_mul(GOOD_FOR)) });
        }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<Key, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::domain::fixtures::at;
    use crate::ledger::By;

    fn report(until: i64) -> Report {
        Report::empty(at(0), at(until), &By::Policy)
    }

    fn shelf(patience: Duration) -> Arc<Shelf> {
        Arc::new(Shelf { patience, ..Shelf::default() })
    }

    fn key() -> Key {
        (at(0), "policy".to_owned())
    }

    /// Asks for a report that is made once the sender says so, or is gone.
    fn ask(shelf: &Arc<Shelf>, until: i64) -> (Sender<()>, Answer<Report>) {
        let (go, wait) = channel();
        let make = move || {
            _ = wait.recv();
            Ok(report(until))
        };
        (go, shelf.get(key(), Clock::start(), make))
    }

    #[tokio::test]
    async fn of_many_who_ask_at_once_one_makes_it_for_all() {
        let shelf = shelf(PATIENCE);
        let (go, first) = ask(&shelf, 1);
        let (_, second) = ask(&shelf, 2);
        drop(go);
        assert_eq!((first.await.map(|made| made.until), second.await.map(|made| made.until)), (Ok(at(1)), Ok(at(1))));
    }

    #[tokio::test]
    async fn the_last_one_is_shown_while_the_next_is_made_and_only_then() {
        let shelf = shelf(Duration::ZERO);
        shelf.put(key(), Some(&Arc::new(report(1))), at(0), SignedDuration::ZERO);
        let (go, during) = ask(&shelf, 2);
        assert_eq!(during.await.map(|made| made.until), Ok(at(1)));
        let making = shelf.places().get(&key()).and_then(|place| place.making.clone()).expect("it is being made");
        drop(go);
        making.await.expect("a report");
        assert_eq!(shelf.places()[&key()].made.as_ref().map(|made| made.report.until), Some(at(2)));
    }

    #[tokio::test]
    async fn what_took_long_to_make_is_good_for_longer() {
        let (shelf, clock) = (shelf(PATIENCE), Clock::start());
        shelf.put(key(), Some(&Arc::new(report(1))), clock.now(), SignedDuration::from_mins(1));
        let made = shelf.get(key(), clock, || Ok(report(2))).await;
        assert_eq!(made.map(|made| made.until), Ok(at(1)));
        shelf.put(key(), Some(&Arc::new(report(1))), clock.now(), SignedDuration::ZERO);
        let made = shelf.get(key(), clock, || Ok(report(2))).await;
        assert_eq!(made.map(|made| made.until), Ok(at(2)));
    }

    #[tokio::test]
    async fn a_fault_is_told_and_not_kept() {
        let shelf = shelf(PATIENCE);
        let fault = shelf.get(key(), Clock::start(), || Err("the disk is gone".to_owned())).await;
        assert_eq!(fault.map(|made| made.until), Err("the disk is gone".to_owned()));
        let made = shelf.get(key(), Clock::start(), || Ok(report(2))).await;
        assert_eq!(made.map(|made| made.until), Ok(at(2)));
    }

    #[tokio::test]
    async fn no_more_is_remembered_than_there_is_room_for() {
        let shelf = shelf(PATIENCE);
        for n in 0..100 {
            let made = shelf.get((at(n), "policy".to_owned()), Clock::start(), || Ok(report(1))).await;
            assert!(made.is_ok() && shelf.places().len() <= MOST, "{n}");
        }
    }
}
