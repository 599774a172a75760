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
    /// The books can't be written for this long.
    BooksRefuse {
        length: SignedDuration,
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
    pub(super) fn act(&mut self, act: Act) {
        self.transcript.act(self.now, &act);
        match act {
            Act::Create { name, new } => self.create(&name, new),
            Act::OwnerEnds { name } => {
                let (id, now) = (self.id(&name), self.now);
                self.world.with(|world| world.end(&id, Cause::Closed, world.time(now)));
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
            Act::Hold { name, length, reason } => {
                let (session, now) = (self.id(&name), self.ours());
                self.orders.holds.insert(session.clone(), OperatorHold { session, placed_at: now, until: later(now, length), reason });
                self.ordered();
            }
            Act::Lift { name } => {
                self.orders.holds.remove(&self.id(&name));
                self.ordered();
            }
            Act::Pause { reason } => {
                self.orders.pauses = vec![Pause { account: None, placed_at: self.ours(), reason }];
                self.ordered();
            }
            Act::Resume => {
                self.orders.pauses.clear();
                self.orders.resumed_at.insert(self.terms.account.clone(), self.ours());
                self.ordered();
            }
            Act::Break { target, on, fault, lasts } => self.break_calls(target, on, fault, lasts),
            Act::Haunt { name, length } => self.haunt(&name, length),
            Act::Crash(point) => self.crash = Some(point),
            Act::Kill { down, clock_set } => {
                self.clock_off += clock_set;
                self.die(down);
            }
            Act::BooksRefuse { length } => self.books_refuse_until = Some(later(self.now, length)),
            Act::Reload(terms) => {
                self.terms = *terms.clone();
                let runtime = Box::new(self.books.runtime(&terms, self.ours()));
                self.tell_engine(Input::Reconfigured { terms, runtime, new_credential: false });
            }
            Act::Drain => self.tell_engine(Input::Drain),
            Act::Show { name } => self.show(&name),
        }
    }

    fn id(&self, name: &str) -> SessionId {
        self.names.get(name).unwrap_or_else(|| panic!("no session is called {name}")).clone()
    }

    /// The provider's clock.
    fn theirs(&self) -> Timestamp {
        self.world.with(|world| world.time(self.now))
    }

    fn ordered(&mut self) {
        self.tell_engine(Input::Orders(Arc::new(self.orders.clone())));
    }

    fn break_calls(&mut self, target: Target, on: Option<String>, fault: Fault, lasts: Lasts) {
        let target = Target { session: on.map(|name| self.id(&name)), ..target };
        let extent = match lasts {
            Lasts::For(length) => Extent::Until(later(self.theirs(), length)),
            Lasts::Times(times) => Extent::Times(times),
        };
        let key = self.face.key();
        self.world.with(|world| world.inject(target.key(key), fault, extent));
    }

    fn haunt(&mut self, name: &str, length: SignedDuration) {
        let id = self.id(name);
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
        let views = self.engine.as_ref().map(|engine| engine.session_views(self.ours())).unwrap_or_default();
        let line = views.iter().find(|view| view.id == id).map_or("not listed".to_owned(), |view| match view.release {
            Some(outcome) => format!("{} ({}; its release: {outcome})", view.verdict, view.reason),
            None => format!("{} ({})", view.verdict, view.reason),
        });
        self.say(&format!("{name} is {line}"));
    }
}
