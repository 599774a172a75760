//! The task of one receiver: what is handed over goes into the books and the outbox, and what the outbox lets go is sent. Never busy for longer than it
//! takes to queue something: the requests themselves are awaited beside everything else.

use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::digest::{self, Day, Schedule};
use super::outbox::{Answer, Outbox, Pushed, Settled};
use super::post::Post;
use super::receivers::Ground;
use crate::domain::name::ReceiverName;
use crate::domain::notice::Notice;
use crate::domain::record::Record;
use crate::domain::time::{SignedDuration, Timestamp, later};

/// A task looks up at least this often.
const LONGEST_SLEEP: SignedDuration = SignedDuration::from_mins(1);

/// A digest that the books could not give is asked for again after this.
const DIGEST_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// What a receiver's task is told.
#[derive(Debug)]
pub(super) enum Message {
    Tell(Box<Notice>),
    Reconfigure(Box<Terms>),
    /// The process ends: send what waits, and end.
    End,
}

/// What a configuration says of one receiver.
pub(super) struct Terms {
    pub(super) post: Post,
    pub(super) batch_within: SignedDuration,
    /// Nothing where no digest is wanted.
    pub(super) digest: Option<Schedule>,
}

impl std::fmt::Debug for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms").field("batch_within", &self.batch_within).finish_non_exhaustive()
    }
}

enum Done {
    Answered(Answer),
    Digested(Option<Box<Notice>>),
}

type Work = Pin<Box<dyn Future<Output = Done> + Send>>;

pub(super) struct Receiver {
    pub(super) name: ReceiverName,
    pub(super) ground: Ground,
    pub(super) terms: Terms,
    pub(super) outbox: Outbox,
    pub(super) messages: mpsc::Receiver<Message>,
    work: FuturesUnordered<Work>,
    digest_at: Option<Timestamp>,
    /// The receiver takes nothing, which has been said.
    troubled: bool,
    /// Something was given up, which has been said.
    lossy: bool,
}

impl Receiver {
    pub(super) fn new(name: ReceiverName, ground: Ground, terms: Terms, outbox: Outbox, messages: mpsc::Receiver<Message>) -> Self {
        Self { name, ground, terms, outbox, messages, work: FuturesUnordered::new(), digest_at: None, troubled: false, lossy: false }
    }

    /// Runs until nobody is left who could tell it anything, or until told to end.
    pub(super) async fn run(mut self) {
        self.schedule();
        loop {
            self.send_what_is_due();
            self.ground.metrics.notifications_queued.with_label_values(&[self.name.as_str()]).set(crate::metrics::whole(self.outbox.queued()));
            if self.outbox.is_over() {
                return;
            }
            let now = self.ground.clock.now();
            let wake = [self.outbox.next_at(), self.digest_at].into_iter().flatten().min().unwrap_or(Timestamp::MAX);
            let wake = Instant::from_std(self.ground.clock.instant(wake.clamp(now, later(now, LONGEST_SLEEP))));
            tokio::select! {
                message = self.messages.recv() => match message {
                    None => return,
                    Some(message) => self.hear(message),
                },
                Some(done) = self.work.next() => match done {
                    Done::Answered(answer) => self.answered(&answer),
                    Done::Digested(Some(notice)) => self.keep_digest(*notice),
                    Done::Digested(None) => self.digest_at = Some(later(self.ground.clock.now(), DIGEST_AGAIN)),
                },
                () = sleep_until(wake) => self.digest_if_due(),
            }
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Tell(notice) => self.keep(*notice),
            Message::Reconfigure(terms) => {
                self.outbox.reconfigure(terms.batch_within, terms.post.most_in_batch());
                self.terms = *terms;
                self.schedule();
            }
            Message::End => {
                self.outbox.end();
                self.digest_at = None;
            }
        }
    }

    fn keep(&mut self, notice: Notice) {
        if let Pushed::InPlaceOf(oldest) = self.outbox.push(notice, self.ground.clock.now()) {
            self.given_up(vec![oldest], "too much waits for it");
        }
    }

    fn keep_digest(&mut self, notice: Notice) {
        self.ground.ledger.record(Record::Notice { receiver: self.name.clone(), notice: Box::new(notice.clone()) });
        self.keep(notice);
    }

    fn send_what_is_due(&mut self) {
        let Some(batch) = self.outbox.take(self.ground.clock.now()) else { return };
        let (post, batch) = (self.terms.post.clone(), batch.clone());
        self.work.push(Box::pin(async move { Done::Answered(post.send(&batch).await) }));
    }

    fn answered(&mut self, answer: &Answer) {
        let settled = self.outbox.answered(answer, self.ground.clock.now(), fastrand::f64());
        if let Answer::Refused { why, .. } = answer
            && !std::mem::replace(&mut self.troubled, true)
        {
            tracing::warn!(receiver = %self.name, %why, "notifications are not taken; they are tried again");
        }
        match settled {
            None => {}
            Some(Settled::Again(count)) => self.count("failed", count),
            Some(Settled::Taken(ids)) => {
                self.count("sent", ids.len());
                self.told(ids);
                if std::mem::take(&mut self.troubled) {
                    tracing::info!(receiver = %self.name, "notifications are taken again");
                }
                self.lossy = false;
            }
            Some(Settled::GivenUp(ids)) => self.given_up(ids, "it has not taken them for a day"),
        }
    }

    fn given_up(&mut self, ids: Vec<String>, why: &str) {
        self.count("dropped", ids.len());
        self.told(ids);
        if !std::mem::replace(&mut self.lossy, true) {
            tracing::error!(receiver = %self.name, %why, "notifications are given up");
        }
    }

    fn told(&self, ids: Vec<String>) {
        self.ground.ledger.record(Record::Told { receiver: self.name.clone(), ids, at: self.ground.clock.now() });
    }

    fn count(&self, outcome: &str, count: usize) {
        let counted = self.ground.metrics.notifications.with_label_values(&[self.name.as_str(), outcome]);
        counted.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn schedule(&mut self) {
        let (now, outbox, name) = (self.ground.clock.now(), &self.outbox, &self.name);
        self.digest_at = self.terms.digest.as_ref().and_then(|schedule| schedule.first(now, |day| outbox.knows(&digest::digest_id(name, day))));
    }

    fn digest_if_due(&mut self) {
        let now = self.ground.clock.now();
        let Some(schedule) = self.terms.digest.clone().filter(|_| self.digest_at.is_some_and(|at| at <= now)) else { return };
        self.digest_at = schedule.next(now);
        if let Some(day) = schedule.last(now) {
            self.work.push(self.digest(day));
        }
    }

    fn digest(&self, day: Day) -> Work {
        let (name, books, now) = (self.name.clone(), self.ground.ledger.reader(), self.ground.clock.now());
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || digest::compose(&books, &name, day, now)).await;
            match read {
                Ok(Ok(notice)) => Done::Digested(Some(Box::new(notice))),
                Ok(Err(fault)) => {
                    tracing::warn!(%fault, "the books could not be read for a digest; it is tried again");
                    Done::Digested(None)
                }
                Err(_) => Done::Digested(None),
            }
        })
    }
}
