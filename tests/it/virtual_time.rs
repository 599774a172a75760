//! The shipped engine against the simulated world, in virtual time: its commands are carried out with a small latency, its books are a model, and
//! nothing waits. What must hold in every story is asserted on the way.

mod acts;
pub(crate) mod books;
mod face;
mod outstaying;
pub(crate) mod transcript;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use session_reaper::domain::event::Operation;
use session_reaper::domain::exchange::Exchange;
use session_reaper::domain::hold::Orders;
use session_reaper::domain::listing::ClockReading;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::release::Release;
use session_reaper::domain::session::Target;
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::engine::{Command, Engine, Input, Terms};
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::{SharedWorld, World};

pub(crate) use acts::{Act, CrashPoint, Lasts, Newcomer};
use books::Books;
pub(crate) use face::Face;
use outstaying::Truth;
use transcript::Transcript;
use watch::Watch;

/// From us to the provider, and back.
const LATENCY: SignedDuration = SignedDuration::from_millis(30);

/// From a crash to the next start.
const RESTART: SignedDuration = SignedDuration::from_secs(1);

/// Many more than an engine needs at one instant: it would turn over for ever.
const MOST_STEPS_AT_ONCE: usize = 10_000;

/// What is going to happen.
#[derive(Debug)]
enum Happening {
    Act(Act),
    /// A request reaches the provider.
    Arrival {
        life: usize,
        sent_at: Timestamp,
        call: Call,
    },
    /// Its answer reaches us.
    Answer {
        life: usize,
        operation: Operation,
        input: Box<Input>,
    },
    Start,
}

#[derive(Clone, Debug)]
enum Call {
    List,
    Read(Target),
    Evidence(Target),
    Release(Target),
}

/// One account's engine and everything around it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub world: SharedWorld,
    face: Face,
    pub books: Books,
    pub transcript: Transcript,
    terms: Terms,
    orders: Orders,
    engine: Option<Engine>,
    began: Timestamp,
    now: Timestamp,
    /// Our clock minus the true time.
    clock_off: SignedDuration,
    lives: usize,
    crash: Option<CrashPoint>,
    books_refuse_until: Option<Timestamp>,
    names: BTreeMap<String, SessionId>,
    agenda: BTreeMap<(Timestamp, usize), Happening>,
    planned: usize,
    watch: Watch,
}

impl Stage {
    /// The engine starts at once.
    pub(crate) fn new(terms: Terms, face: Face, world: World, start: Timestamp) -> Self {
        let mut stage = Self {
            world: SharedWorld::new(world),
            face,
            books: Books::default(),
            transcript: Transcript::new(start),
            terms,
            orders: Orders::default(),
            engine: None,
            began: start,
            now: start,
            clock_off: SignedDuration::ZERO,
            lives: 0,
            crash: None,
            books_refuse_until: None,
            names: BTreeMap::new(),
            agenda: BTreeMap::new(),
            planned: 0,
            watch: Watch::default(),
        };
        stage.at(start, Happening::Start);
        stage
    }

    pub(crate) fn create(&mut self, name: &str, new: impl Into<Newcomer>) {
        let (key, now) = (self.face.key(), self.now);
        let (id, browser) = self.world.with(|world| match new.into() {
            Newcomer::Session(new) => (world.create(key, *new, now), None),
            Newcomer::Agent(new) => {
                let id = world.create_agent(key, *new, now);
                let browser = world.lives().find(|life| life.agent.is_some() && life.agent == id).map(|life| life.id.clone());
                (id, browser)
            }
        });
        self.name(name.to_owned(), id.expect("the key is one of this world's"));
        browser.into_iter().for_each(|id| self.name(format!("{name}.browser"), id));
    }

    fn name(&mut self, name: String, id: SessionId) {
        self.transcript.name(&id, &name);
        self.names.insert(name, id);
    }

    pub(crate) fn plan(&mut self, at: Timestamp, act: Act) {
        self.at(at, Happening::Act(act));
    }

    /// Lets everything happen up to this instant, and then checks the books against the world.
    pub(crate) fn run_until(&mut self, end: Timestamp) {
        let mut steps = (self.now, 0);
        while let Some(next) = self.next_at().filter(|at| *at <= end) {
            steps = if next > steps.0 { (next, 0) } else { (steps.0, steps.1 + 1) };
            assert!(steps.1 < MOST_STEPS_AT_ONCE, "the engine turns over for ever at {}", self.now);
            self.now = self.now.max(next);
            match self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now) {
                Some(entry) => {
                    let happening = entry.remove();
                    self.happen(happening);
                }
                None => self.tell_engine(Input::Tick),
            }
        }
        self.now = end;
        self.world.with(|world| world.advance(end));
        self.watch.assert_paced(self.terms.requests_per_second, self.lives);
        self.world.with(|world| watch::assert_books_are_true(&self.books, world, &self.face, end));
    }

    /// How often each session's log was read, by the session's name, and how many requests for evidence there were in all.
    pub(crate) fn askings(&self) -> (BTreeMap<String, usize>, usize) {
        let names: BTreeMap<&SessionId, &String> = self.names.iter().map(|(name, id)| (id, name)).collect();
        self.world.with(|world| {
            let mut askings = BTreeMap::new();
            let about: Vec<_> = world.journal().iter().filter(|request| matches!(request.asked, Asked::Logs | Asked::Debug)).collect();
            let logs = about.iter().filter(|request| request.asked == Asked::Logs).filter_map(|request| names.get(request.session.as_ref()?));
            logs.for_each(|name| *askings.entry((*name).clone()).or_default() += 1);
            (askings, about.len())
        })
    }

    fn next_at(&self) -> Option<Timestamp> {
        let planned = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let wanted = self.engine.as_ref().and_then(|engine| engine.poll_timeout(self.ours())).map(|at| later(at, -self.clock_off));
        planned.into_iter().chain(wanted.map(|at| at.max(self.now))).min()
    }

    /// Our clock.
    fn ours(&self) -> Timestamp {
        later(self.now, self.clock_off)
    }

    fn at(&mut self, at: Timestamp, happening: Happening) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Act(act) => self.act(act),
            Happening::Start => self.start(),
            Happening::Arrival { life, sent_at, call } => self.arrive(life, sent_at, call),
            Happening::Answer { life, operation, input } if life == self.lives && self.engine.is_some() => self.receive(operation, *input),
            Happening::Answer { .. } => {}
        }
    }

    fn start(&mut self) {
        self.lives += 1;
        self.watch.restarts();
        self.face.restarts();
        self.say(if self.lives == 1 { "started" } else { "started again from the books" });
        let ours = self.ours();
        let mut engine = Engine::new(self.terms.clone(), self.books.recall(ours), Arc::new(self.orders.clone()), ours);
        engine.account_for(self.books.runtime(&self.terms, ours), ours);
        self.engine = Some(engine);
        self.carry_out();
    }

    fn die(&mut self, down: SignedDuration) {
        self.engine = None;
        self.at(later(self.now, down), Happening::Start);
    }

    fn tell_engine(&mut self, input: Input) {
        let ours = self.ours();
        if let Some(engine) = &mut self.engine {
            engine.handle(input, ours);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        while let Some(command) = self.engine.as_mut().and_then(Engine::next_command) {
            match command {
                Command::List => self.send(Operation::List, Call::List),
                Command::Read { target } => self.send(Operation::Read, Call::Read(target)),
                Command::Release { permit, row, target } => {
                    assert_eq!(permit.session(), &row.id, "a permit is for its session");
                    self.release(*row, target);
                }
                Command::Ask { target } => self.send(Operation::Evidence, Call::Evidence(target)),
                Command::Write(record) => self.books.write(record),
                Command::Tell(event) => self.transcript.tell(self.now, &event.what),
            }
        }
    }

    fn release(&mut self, row: Release, target: Target) {
        let id = row.id.clone();
        if self.books_refuse_until.is_some_and(|until| self.now < until) {
            let input = Input::NotWritten { id, why: "the disk is full".to_owned() };
            return self.at(self.now, Happening::Answer { life: self.lives, operation: Operation::Release, input: Box::new(input) });
        }
        let (ours, now) = (self.ours(), self.now);
        self.world.with(|world| {
            let session = self.face.as_running(&target, world);
            watch::assert_may_release(&session, &self.terms, &self.orders, ours, world.time(now));
            Truth { terms: &self.terms, face: &self.face, world, began: world.time(self.began), now: world.time(now) }
                .assert_outstayed(&row, &session);
        });
        watch::assert_within_guardrails(&row, &self.books, &self.terms, &self.orders, self.ours());
        self.transcript.request(self.now, &row);
        self.books.enter(row);
        match self.crash.take() {
            Some(CrashPoint::BeforeCall) => {
                self.say("killed before the call");
                self.die(RESTART);
            }
            crash => {
                self.crash = crash;
                self.send(Operation::Release, Call::Release(target));
            }
        }
    }

    fn send(&mut self, operation: Operation, call: Call) {
        self.watch.leaves(operation, if operation == Operation::List { 2 } else { 1 }, self.now);
        self.at(later(self.now, LATENCY), Happening::Arrival { life: self.lives, sent_at: self.now, call });
    }

    fn arrive(&mut self, life: usize, sent_at: Timestamp, call: Call) {
        let (operation, back_at, input) = match call {
            Call::List => {
                let answer = self.face.list(&self.world, self.now);
                let (back_at, answer) = self.travelled(answer, sent_at);
                (Operation::List, back_at, Input::Listed(answer))
            }
            Call::Read(target) => {
                let (id, answer) = (target.id.clone(), self.face.read(&self.world, &target, self.now));
                let (back_at, answer) = self.travelled(answer, sent_at);
                (Operation::Read, back_at, Input::Read { id, answer })
            }
            Call::Evidence(target) => {
                let (id, answer) = (target.id.clone(), self.face.evidence(&self.world, &target, self.now));
                let (back_at, answer) = self.travelled(answer, sent_at);
                (Operation::Evidence, back_at, Input::Evidence { id, answer })
            }
            Call::Release(target) => {
                let (id, answer) = (target.id.clone(), self.face.release(&self.world, &target, self.now));
                let (back_at, answer) = self.travelled(answer, sent_at);
                (Operation::Release, back_at, Input::Answered { id, answer })
            }
        };
        self.at(back_at, Happening::Answer { life, operation, input: Box::new(input) });
        if operation == Operation::Release && life == self.lives && self.crash == Some(CrashPoint::AfterCall) {
            self.crash = None;
            self.say("killed after the call");
            self.die(RESTART);
        }
    }

    /// When an exchange is over, and what it looks like by our clock.
    fn travelled<T>(&self, answer: Exchange<T>, sent_at: Timestamp) -> (Timestamp, Exchange<T>) {
        let back_at = answer.requests.iter().fold(later(self.now, LATENCY), |at, request| later(at, request.took));
        let ours = |at| later(at, self.clock_off);
        let clock = answer.clock.map(|reading| ClockReading { sent: ours(sent_at), received: ours(back_at), ..reading });
        (back_at, Exchange { sent_at: ours(sent_at), clock, ..answer })
    }

    fn receive(&mut self, operation: Operation, input: Input) {
        match &input {
            Input::Listed(answer) => self.watch.answered(operation, &answer.result, self.now),
            Input::Read { answer, .. } => self.watch.answered(operation, &answer.result, self.now),
            Input::Evidence { answer, .. } => self.watch.answered(operation, &answer.result, self.now),
            Input::Answered { answer, .. } => self.watch.answered(operation, &answer.result, self.now),
            _ => {}
        }
        self.tell_engine(input);
    }

    fn say(&mut self, what: &str) {
        self.transcript.say(self.now, what);
    }
}
