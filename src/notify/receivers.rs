//! Every receiver that a configuration has: its task started, told of a new configuration, let go, and given its time at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::digest::Schedule;
use super::outbox::Outbox;
use super::post::Post;
use super::receiver::{Message, Receiver, Terms};
use super::{HANDOVER, Line, Notifier};
use crate::clock::Clock;
use crate::config::{NotificationSettings, Secrets};
use crate::domain::name::ReceiverName;
use crate::domain::notice::Topic;
use crate::domain::record::Untold;
use crate::domain::time::{SignedDuration, later};
use crate::ledger::Ledger;
use crate::metrics::Metrics;

/// How long it is heeded what a receiver was told, by which the same fact is known again.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What the tasks share.
#[derive(Clone)]
pub struct Ground {
    pub clock: Clock,
    pub ledger: Ledger,
    pub metrics: Metrics,
}

/// The tasks of all receivers.
pub struct Receivers {
    ground: Ground,
    notifier: Notifier,
    members: BTreeMap<ReceiverName, Member>,
}

struct Member {
    line: Line,
    task: JoinHandle<()>,
}

impl Receivers {
    /// From now on `notifier` hands over to these.
    pub fn new(ground: Ground, notifier: Notifier) -> Self {
        Self { ground, notifier, members: BTreeMap::new() }
    }

    /// Whether [`Self::follow`] would do it.
    pub fn check(&self, settings: &[NotificationSettings], secrets: &BTreeMap<ReceiverName, Secrets>) -> Result<(), String> {
        settings.iter().try_for_each(|one| self.terms(one, secrets).map(drop))
    }

    /// Makes them what a configuration says. Fails, with nothing changed, where one of them cannot be reached at all.
    pub async fn follow(&mut self, settings: &[NotificationSettings], secrets: &BTreeMap<ReceiverName, Secrets>) -> Result<(), String> {
        let terms = settings.iter().map(|one| self.terms(one, secrets)).collect::<Result<Vec<_>, String>>()?;
        self.members.retain(|name, _| settings.iter().any(|one| one.name == *name));
        for (one, terms) in settings.iter().zip(terms) {
            match self.members.get_mut(&one.name) {
                Some(member) => {
                    member.line.on = one.on.clone();
                    drop(member.line.notices.send(Message::Reconfigure(Box::new(terms))).await);
                }
                None => {
                    let member = self.start(one, terms).await;
                    self.members.insert(one.name.clone(), member);
                }
            }
        }
        self.ground.metrics.declare_receivers(&self.members.keys().map(ReceiverName::as_str).collect::<Vec<_>>());
        self.notifier.connect(self.members.values().map(|member| member.line.clone()).collect());
        Ok(())
    }

    /// Sends what waits, as far as the time allows; the books keep the rest. Gives whether there is no rest.
    pub async fn end(self, within: Duration) -> bool {
        self.notifier.connect(Vec::new());
        let ended = self.members.into_values().map(|Member { line, mut task }| async move {
            let ending = async {
                drop(line.notices.send(Message::End).await);
                drop((&mut task).await);
            };
            let is_over = tokio::time::timeout(within, ending).await.is_ok();
            task.abort();
            is_over
        });
        futures_util::future::join_all(ended).await.into_iter().all(|ended| ended)
    }

    fn terms(&self, settings: &NotificationSettings, secrets: &BTreeMap<ReceiverName, Secrets>) -> Result<Terms, String> {
        let place = |why: String| format!("notifications {}: {why}", settings.name);
        let secrets = secrets.get(&settings.name).cloned().ok_or_else(|| place("no address was read".to_owned()))?;
        let schedule = Schedule { at: settings.digest_at, zone: settings.time_zone.clone() };
        Ok(Terms {
            post: Post::new(settings, secrets, self.ground.clock).map_err(place)?,
            batch_within: settings.batch_within,
            digest: settings.on.contains(&Topic::Digest).then_some(schedule),
        })
    }

    async fn start(&self, settings: &NotificationSettings, terms: Terms) -> Member {
        let (name, now) = (&settings.name, self.ground.clock.now());
        let outbox = Outbox::new(name.clone(), terms.batch_within, terms.post.most_in_batch(), self.untold(name).await, now);
        let (notices, messages) = mpsc::channel(HANDOVER);
        let task = tokio::spawn(Receiver::new(name.clone(), self.ground.clone(), terms, outbox, messages).run());
        let lost = self.ground.metrics.notifications.clone();
        let ledger = self.ground.ledger.clone();
        let line =
            Line { receiver: name.clone(), ledger, on: settings.on.clone(), clock: self.ground.clock, notices, lost, overflowed: Default::default() };
        Member { line, task }
    }

    /// What the books have for it. Where they cannot be read it begins anew: that is said, and keeps nothing from being released.
    async fn untold(&self, receiver: &ReceiverName) -> Untold {
        let (reader, name) = (self.ground.ledger.reader(), receiver.clone());
        let since = later(self.ground.clock.now(), -KNOWN_FOR);
        match tokio::task::spawn_blocking(move || reader.untold(&name, since)).await {
            Ok(Ok(untold)) => untold,
            Ok(Err(fault)) => {
                tracing::warn!(%receiver, %fault, "what it was not told yet cannot be read; it is told of what happens from now on");
                Untold::default()
            }
            Err(_) => Untold::default(),
        }
    }
}
