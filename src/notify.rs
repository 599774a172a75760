//! Telling people outside: of what happened, each receiver what it wants to hear, in its words, without ever being waited for.
//!
//! [`Notifier::tell`] hands over and returns. Each receiver has a task of its own with an [`outbox`], which decides what leaves when; the books keep what
//! is still to be told, so that neither a kill nor a receiver that is down loses it.

mod body;
mod compose;
mod digest;
mod outbox;
mod post;
mod receiver;
mod receivers;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use prometheus::IntCounterVec;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::domain::event::Event;
use crate::domain::name::ReceiverName;
use crate::domain::notice::{Notice, Topic};
use crate::domain::record::Record;
use crate::ledger::Ledger;
use receiver::Message;
pub use receivers::{Ground, Receivers};

/// Notices that may wait for a receiver's task to look up; it never waits for the receiver itself.
const HANDOVER: usize = 10_000;

/// Hands over what happened; cheap to clone. Without receivers it does nothing.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    lines: Arc<RwLock<Vec<Line>>>,
}

/// How to reach one receiver's task.
#[derive(Clone)]
struct Line {
    receiver: ReceiverName,
    ledger: Ledger,
    on: BTreeSet<Topic>,
    clock: Clock,
    notices: mpsc::Sender<Message>,
    /// Its `dropped`.
    lost: IntCounterVec,
    /// Something was lost, which has been said.
    overflowed: Arc<AtomicBool>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("receiver", &self.receiver).field("on", &self.on).finish_non_exhaustive()
    }
}

impl Notifier {
    /// Hands an event over to everybody who wants to hear of it. Waits for nobody.
    pub fn tell(&self, event: &Event) {
        let Some(topic) = compose::topic(event) else { return };
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        for line in lines.iter().filter(|line| line.on.contains(&topic)) {
            if let Some(notice) = compose::notice(event, line.clock.now()) {
                line.hand_over(Box::new(notice));
            }
        }
    }

    fn connect(&self, lines: Vec<Line>) {
        *self.lines.write().unwrap_or_else(PoisonError::into_inner) = lines;
    }
}

impl Line {
    /// The books hear of it at once, before whatever follows from it is written: what they have is told in this life or in a later one.
    fn hand_over(&self, notice: Box<Notice>) {
        self.ledger.record(Record::Notice { receiver: self.receiver.clone(), notice: notice.clone() });
        if self.notices.try_send(Message::Tell(notice)).is_ok() {
            self.overflowed.store(false, Ordering::Relaxed);
            return;
        }
        self.lost.with_label_values(&[self.receiver.as_str(), "dropped"]).inc();
        if !self.overflowed.swap(true, Ordering::Relaxed) {
            tracing::error!(receiver = %self.receiver, "more happens than can be handed over: some is told after the next start only");
        }
    }
}
