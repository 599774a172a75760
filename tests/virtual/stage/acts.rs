//! What people and fate do to a stage.

use std::sync::Arc;

use session_reaper::domain::event::Operation;
use session_reaper::domain::hold::{OperatorHold, Pause};
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::engine::{Input, Terms};
use session_reaper::simulator::{self, Cause, Extent, Fault, NewAgent, NewSession, NewTask, Target};

use super::Stage;

/// Where the process dies, at the next release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashPoint {
    /// The intent is in the books, the provider knows nothing.
    BeforeCall,
    /// The provider has done it, the answer never arrives.
    AfterCall,
}

/// A session that comes into the world.
#[derive(Clone, Debug)]
pub(crate) enum Newcomer {
    /// A session, or a browser without an agent.
    Session(Box<NewSession>),
    Agent(Box<NewAgent>),
}

impl From<NewSession> for Newcomer {
    fn from(new: NewSession) -> Self {
        Self::Session(Box::new(new))
    }
}

/// Something that happens because somebody wants it to.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Create {
        name: String,
        new: Newcomer,
    },
    OwnerEnds {
        name: String,
    },
    /// Another program with the same key asks for its release.
    SomebodyReleases {
        name: String,
    },
    /// An agent session is given another task, for which it opens a browser where it has none.
    GiveTask {
        name: String,
    },
    /// Somebody does something in a session.
    Use {
        name: String,
        act: simulator::Act,
    },
    Hold {
        name: String,
        length: SignedDuration,
        reason: String,
    },
    Lift {
        name: String,
    },
    Pause {
        reason: String,
    },
    Resume,
    Break {
        target: Target,
        on: Option<String>,
        fault: Fault,
        lasts: Lasts,
    },
    /// Listings show the session as running, whatever became of it.
    Haunt {
        name: String,
        length: SignedDuration,
    },
    Crash(CrashPoint),
    /// Killed, and started again after this long; our clock has been set by this much meanwhile.
    Kill {
        down: SignedDuration,
        clock_set: SignedDuration,
    },
    /// The process dies after so many more steps: a command, a write, a request that arrives, an answer that is heard.
    KillIn {
        steps: u32,
    },
    /// The books can't be written for this long.
    BooksRefuse {
        length: SignedDuration,
    },
    BooksTake,
    /// From now on each write takes so long.
    SlowDisk {
        latency: SignedDuration,
    },
    /// Every fault ends.
    FaultsCease,
    /// A process's disk is sound again, and nothing more is planned for it.
    Unharm,
    /// Every hold is lifted.
    LiftAll,
    /// From now on no release of this session succeeds.
    Poison {
        name: String,
    },
    Reload(Box<Terms>),
    Drain,
    Show {
        name: String,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Lasts {
    For(SignedDuration),
    Times(u32),
}

impl Stage {
    pub(super) fn act(&mut self, node: usize, act: Act) {
        self.transcript.act(self.now, &act);
        match act {
            Act::Create { name, new } => self.create(&name, new),
            Act::OwnerEnds { name } => {
                let (id, now) = (self.id(&name), self.now);
                self.world.with(|world| world.end(&id, Cause::Closed, world.time(now)));
            }
            Act::SomebodyReleases { name } => {
                let (id, now) = (self.id(&name), self.now);
                self.world.with(|world| world.release(&id, now));
            }
            Act::GiveTask { name } => {
                let (id, key, now) = (self.id(&name), self.face.key(), self.now);
                let browser = self.world.with(|world| {
                    world.give_task(key, &id, NewTask::default(), now).expect("an agent session of this world");
                    world.agent(&id).and_then(|agent| agent.browser.clone())
                });
                browser.into_iter().for_each(|id| self.name(format!("{name}.next"), id));
            }
            Act::Use { name, act } => {
                let (id, now) = (self.id(&name), self.now);
                self.world.with(|world| assert!(world.act(&id, act, now), "{name} is not there to be used"));
            }
            Act::Break { target, on, fault, lasts } => self.break_calls(target, on, fault, lasts),
            Act::Haunt { name, length } => self.haunt(&name, length),
            Act::FaultsCease => self.world.with(session_reaper::simulator::World::clear_faults),
            Act::Poison { name } => self.poison(&name),
            Act::Show { name } => self.show(&name),
            Act::Hold { .. } | Act::Lift { .. } | Act::LiftAll | Act::Pause { .. } | Act::Resume => self.order(node, act),
            Act::Reload(terms) => {
                self.nodes[node].reconfigure(*terms, self.now);
                self.carry_out(node);
            }
            Act::Drain => self.tell(node, Input::Drain),
            harm => self.harm(node, harm),
        }
    }

    /// What happens to one process or to its disk.
    fn harm(&mut self, node: usize, act: Act) {
        match act {
            Act::Crash(point) => self.crash = Some(point),
            Act::Kill { down, clock_set } => {
                self.nodes[node].set_clock(clock_set);
                self.die(node, down);
            }
            Act::KillIn { steps } => self.nodes[node].dies_in = Some(steps),
            Act::BooksRefuse { length } => {
                self.nodes[node].refuse_writes(true);
                self.plan_at(node, later(self.now, length), Act::BooksTake);
            }
            Act::BooksTake => self.nodes[node].refuse_writes(false),
            Act::Unharm => {
                self.crash = None;
                let node = &mut self.nodes[node];
                node.refuse_writes(false);
                (node.disk.latency, node.dies_in) = (SignedDuration::ZERO, None);
            }
            Act::SlowDisk { latency } => self.nodes[node].disk.latency = latency,
            _ => {}
        }
    }

    /// What an operator says.
    fn order(&mut self, node: usize, act: Act) {
        let now = self.nodes[node].ours(self.now);
        let session = match &act {
            Act::Hold { name, .. } | Act::Lift { name } => Some(self.id(name)),
            _ => None,
        };
        let (account, orders) = (self.nodes[node].terms.account.clone(), &mut self.nodes[node].orders);
        match (act, session) {
            (Act::Hold { length, reason, .. }, Some(session)) => {
                orders.holds.insert(session.clone(), OperatorHold { session, placed_at: now, until: later(now, length), reason });
            }
            (Act::Lift { .. }, Some(session)) => _ = orders.holds.remove(&session),
            (Act::LiftAll, _) => orders.holds.clear(),
            (Act::Pause { reason }, _) => orders.pauses = vec![Pause { account: None, placed_at: now, reason }],
            _ => {
                orders.pauses.clear();
                orders.resumed_at.insert(account, now);
            }
        }
        let said = self.nodes[node].sabotage.orders(&self.nodes[node].orders);
        self.tell(node, Input::Orders(Arc::new(said)));
    }

    fn id(&self, name: &str) -> SessionId {
        self.names.get(name).unwrap_or_else(|| panic!("no session is called {name}")).clone()
    }

    /// The provider's clock.
    fn theirs(&self) -> Timestamp {
        self.world.with(|world| world.time(self.now))
    }

    fn break_calls(&mut self, target: Target, on: Option<String>, fault: Fault, lasts: Lasts) {
        let target = Target { session: on.map(|name| self.id(&name)), ..target };
        let extent = match lasts {
            Lasts::For(length) => Extent::Until(later(self.theirs(), length)),
            Lasts::Times(times) => Extent::Times(times),
        };
        let key = self.face.key();
        self.requests.readings_lie |= target.operation == Operation::Read && matches!(fault, Fault::Status { code: 404, .. });
        self.world.with(|world| world.inject(target.key(key), fault, extent));
    }

    fn poison(&mut self, name: &str) {
        let (id, key) = (self.id(name), self.face.key());
        self.poisoned = Some(id.clone());
        let target = Target { session: Some(id), ..Target::from(Operation::Release) };
        self.world.with(|world| world.inject(target.key(key), Fault::status(500, "arranged"), Extent::Forever));
    }

    fn haunt(&mut self, name: &str, length: SignedDuration) {
        let id = self.id(name);
        self.nodes.iter_mut().for_each(|node| _ = node.watch.haunted.insert(id.clone()));
        let extent = Extent::Until(later(self.theirs(), length));
        self.world.with(|world| {
            let life = world.lives().find(|life| life.id == id).expect("a session of this world");
            let row = serde_json::json!({
                "id": life.id, "status": "RUNNING", "createdAt": life.created_at, "startedAt": life.started_at, "expiresAt": life.expires_at,
                "keepAlive": life.keep_alive, "region": &*life.region, "userMetadata": life.metadata,
            });
            world.inject(Target::from(Operation::List).status("RUNNING"), Fault::ExtraRow(row), extent);
        });
    }

    fn show(&mut self, name: &str) {
        let id = self.id(name);
        let node = &self.nodes[0];
        let views = node.life.as_ref().map(|life| life.engine.session_views(node.ours(self.now))).unwrap_or_default();
        let line = views.iter().find(|view| view.id == id).map_or("not listed".to_owned(), |view| match view.release {
            Some(outcome) => format!("{} ({}; its release: {outcome})", view.verdict, view.reason),
            None => format!("{} ({})", view.verdict, view.reason),
        });
        self.say(&format!("{name} is {line}"));
    }
}
