//! The shipped engine, executor and ledger against the simulated world, in virtual time: calls take a small latency, the disk as long as it is told,
//! and nothing waits. What must hold in every story is asserted on the way.

mod acts;
pub(crate) mod books;
mod face;
mod node;
mod outstaying;
mod requests;
pub(crate) mod sabotage;
pub(crate) mod transcript;
mod verdicts;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use session_reaper::domain::event::{Operation, What};
use session_reaper::domain::exchange::Exchange;
use session_reaper::domain::hold::Orders;
use session_reaper::domain::listing::ClockReading;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::record::Record;
use session_reaper::domain::release::Release;
use session_reaper::domain::session::Target;
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::engine::{Command, Input, Terms};
use session_reaper::executor::Call;
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::in_process::Carrier;
use session_reaper::simulator::{SharedWorld, World};

pub(crate) use acts::{Act, CrashPoint, Lasts, Newcomer};
use books::Books;
pub(crate) use face::Face;
use node::{Node, advance};
use requests::Requests;
use sabotage::Sabotage;
use transcript::Transcript;

/// From us to the provider, and back.
const LATENCY: SignedDuration = SignedDuration::from_millis(30);

/// From a crash to the next start.
const RESTART: SignedDuration = SignedDuration::from_secs(1);

/// Many more than an engine needs at one instant: it would turn over for ever.
const MOST_STEPS_AT_ONCE: usize = 10_000;

/// What is going to happen.
enum Happening {
    Act {
        node: usize,
        act: Act,
    },
    Start {
        node: usize,
    },
    /// The scribe has written.
    Turn {
        node: usize,
        life: usize,
    },
    /// A request reaches the provider.
    Arrival {
        node: usize,
        life: usize,
        sent: Box<Sent>,
    },
    /// Its answer reaches us.
    Answer {
        node: usize,
        life: usize,
        operation: Operation,
        input: Box<Input>,
    },
}

/// A call that has left, or waits for its intent to be written.
pub(crate) struct Sent {
    operation: Operation,
    at: Timestamp,
    call: Call,
    carrier: Arc<Carrier>,
    permitted: Option<Permitted>,
}

/// A release as it stood when the engine decided on it.
pub(crate) struct Permitted {
    row: Release,
    target: Target,
    terms: Terms,
    orders: Orders,
    at: Timestamp,
    ours: Timestamp,
    /// The listing whose allowance it is counted under, and since when the fraction was tripped.
    allowance: usize,
    tripped_at: Option<Timestamp>,
}

/// The daemons of one key, and everything around them.
pub(crate) struct Stage {
    pub world: SharedWorld,
    face: Face,
    pub transcript: Transcript,
    nodes: Vec<Node>,
    requests: Requests,
    now: Timestamp,
    crash: Option<CrashPoint>,
    names: BTreeMap<String, SessionId>,
    agenda: BTreeMap<(Timestamp, usize), Happening>,
    planned: usize,
    /// The session whose release always fails.
    poisoned: Option<SessionId>,
}

impl Stage {
    /// One daemon, which starts at once.
    pub(crate) fn new(terms: Terms, face: Face, world: World, start: Timestamp) -> Self {
        let mut stage = Self {
            world: SharedWorld::new(world),
            face,
            transcript: Transcript::new(start),
            nodes: Vec::new(),
            requests: Requests::default(),
            now: start,
            crash: None,
            names: BTreeMap::new(),
            agenda: BTreeMap::new(),
            planned: 0,
            poisoned: None,
        };
        stage.add_daemon(terms);
        stage
    }

    /// Another daemon on the same key, with books of its own.
    pub(crate) fn add_daemon(&mut self, terms: Terms) {
        self.nodes.push(Node::new(terms));
        self.at(self.now, Happening::Start { node: self.nodes.len() - 1 });
    }

    /// Breaks one guard of every daemon.
    pub(crate) fn sabotage(&mut self, sabotage: Sabotage) {
        self.nodes.iter_mut().for_each(|node| node.sabotage = sabotage);
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
        self.plan_at(0, at, act);
    }

    /// Something that happens to one of several daemons.
    pub(crate) fn plan_at(&mut self, node: usize, at: Timestamp, act: Act) {
        self.at(at, Happening::Act { node, act });
    }

    /// Lets everything happen up to this instant, and then checks the books against the world.
    pub(crate) fn run_until(&mut self, end: Timestamp) {
        self.go_on_until(end);
        self.check_books(end);
    }

    /// Lets everything happen up to this instant.
    pub(crate) fn go_on_until(&mut self, end: Timestamp) {
        let mut steps = (self.now, 0);
        while let Some((next, waking)) = self.next_at().filter(|(at, _)| *at <= end) {
            steps = if next > steps.0 { (next, 0) } else { (steps.0, steps.1 + 1) };
            assert!(steps.1 < MOST_STEPS_AT_ONCE, "the engine turns over for ever at {}", self.now);
            self.now = self.now.max(next);
            match self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now) {
                Some(entry) => {
                    let happening = entry.remove();
                    self.happen(happening);
                }
                None => self.tell(waking, Input::Tick),
            }
        }
        self.now = end;
        self.world.with(|world| world.advance(end));
    }

    /// Holds the books against the world, for all that ended up to `settled`.
    pub(crate) fn check_books(&mut self, settled: Timestamp) {
        let (now, face) = (self.now, self.face);
        for index in 0..self.nodes.len() {
            let books = self.nodes[index].books(now);
            let requests = &self.requests;
            self.world.with(|world| requests.assert_books_are_true(index, &books, world, face, (settled, now)));
        }
    }

    /// How long the books keep what is over, from the next start on; nobody wants the story.
    pub(crate) fn forgets(&mut self, retention: SignedDuration) {
        self.nodes.iter_mut().for_each(|node| node.disk.retention = retention);
        self.transcript.mute();
    }

    /// Forgets what the world has forgotten, so that what grows is not the stage.
    pub(crate) fn forget_what_is_over(&mut self) {
        let (world, names, requests) = (&self.world, &mut self.names, &mut self.requests);
        world.with(|world| {
            names.retain(|_, id| world.life(id).is_some());
            requests.forget(world);
        });
        self.nodes.iter_mut().for_each(|node| self.world.with(|world| node.watch.forget(world)));
        self.transcript.forget(&self.names);
    }

    /// How often the first daemon was started.
    pub(crate) fn starts(&self) -> usize {
        self.nodes[0].lives
    }

    /// How large the store is, with what stands beside it.
    pub(crate) fn books_bytes(&self) -> u64 {
        self.nodes[0].disk.bytes()
    }

    /// What the books of the first daemon say.
    pub(crate) fn books(&mut self) -> Books {
        let now = self.now;
        self.nodes[0].books(now)
    }

    /// The story, then its books beside the truth.
    pub(crate) fn told(&mut self) -> String {
        let books = self.books();
        self.world.with(|world| self.transcript.finish(&books, world))
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

    /// What happens next, and which daemon wakes then if nothing else happens first.
    fn next_at(&self) -> Option<(Timestamp, usize)> {
        let planned = self.agenda.first_key_value().map(|((at, _), _)| (*at, 0));
        let wanted = self.nodes.iter().enumerate().filter_map(|(index, node)| Some((node.wakes_at(self.now)?, index)));
        planned.into_iter().chain(wanted).min_by_key(|(at, _)| *at)
    }

    fn at(&mut self, at: Timestamp, happening: Happening) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Act { node, act } => self.act(node, act),
            Happening::Start { node } => self.start(node),
            Happening::Turn { node, life } if self.lives(node, life) => self.turn(node),
            Happening::Arrival { node, life, sent } => self.arrive(node, life, *sent),
            Happening::Answer { node, life, operation, input } if self.lives(node, life) => self.receive(node, operation, *input),
            Happening::Turn { .. } | Happening::Answer { .. } => {}
        }
    }

    fn lives(&self, node: usize, life: usize) -> bool {
        self.nodes[node].lives == life && self.nodes[node].life.is_some()
    }

    /// A second life beside the first is no life: the store has a lock.
    fn start(&mut self, node: usize) {
        if self.nodes[node].life.is_some() {
            return;
        }
        self.nodes[node].start(self.face, &self.world, self.now);
        self.say(if self.nodes[node].lives == 1 { "started" } else { "started again from the books" });
        self.carry_out(node);
    }

    fn die(&mut self, node: usize, down: SignedDuration) {
        self.nodes[node].dies();
        self.at(later(self.now, down), Happening::Start { node });
    }

    fn tell(&mut self, node: usize, input: Input) {
        let now = self.now;
        self.nodes[node].handle(input, now);
        self.carry_out(node);
    }

    fn carry_out(&mut self, node: usize) {
        while let Some(command) = self.nodes[node].next_command() {
            if self.nodes[node].steps() {
                self.say("killed");
                return self.die(node, RESTART);
            }
            self.carry(node, command);
        }
        let (latency, number) = (self.nodes[node].disk.latency, self.nodes[node].lives);
        if let Some(life) = &mut self.nodes[node].life
            && !std::mem::replace(&mut life.turning, true)
        {
            self.at(later(self.now, latency), Happening::Turn { node, life: number });
        }
    }

    fn carry(&mut self, node: usize, command: Command) {
        match command {
            Command::Write(record) => self.write(node, record),
            Command::Tell(event) => {
                if node == 0 {
                    self.transcript.tell(self.now, &event.what);
                }
                if let What::Confirmed { release, .. } = &event.what {
                    self.requests.told(node, self.nodes[node].lives, release);
                }
                self.hand_over(node, Command::Tell(event));
            }
            Command::Release { permit, row, target } => {
                assert_eq!(permit.session(), &row.id, "a permit is for its session");
                self.release(node, Command::Release { permit, row: row.clone(), target: target.clone() }, *row, target);
            }
            Command::List => self.send(node, Operation::List, Command::List),
            Command::Read { target } => self.send(node, Operation::Read, Command::Read { target }),
            Command::Ask { target } => self.send(node, Operation::Evidence, Command::Ask { target }),
        }
    }

    fn hand_over(&mut self, node: usize, command: Command) -> Option<Call> {
        self.nodes[node].life.as_ref().and_then(|life| life.executor.carry_out(command))
    }

    fn write(&mut self, node: usize, record: Record) {
        self.nodes[node].watch.writes(&record);
        for record in self.nodes[node].sabotage.records(record) {
            self.hand_over(node, Command::Write(record));
        }
    }

    fn sent(&mut self, node: usize, operation: Operation, command: Command, permitted: Option<Permitted>) -> Box<Sent> {
        let carrier = self.nodes[node].life.as_ref().expect("who sends lives").carrier.clone();
        let call = self.hand_over(node, command).expect("a call");
        Box::new(Sent { operation, at: self.now, call, carrier, permitted })
    }

    fn send(&mut self, node: usize, operation: Operation, command: Command) {
        let now = self.now;
        self.nodes[node].watch.leaves(operation, if operation == Operation::List { 2 } else { 1 }, now);
        let (sent, life) = (self.sent(node, operation, command, None), self.nodes[node].lives);
        self.at(later(self.now, LATENCY), Happening::Arrival { node, life, sent });
    }

    fn release(&mut self, node: usize, command: Command, row: Release, target: Target) {
        if self.nodes[node].sabotage.drops(&row.id, self.poisoned.as_ref()) {
            return;
        }
        if node == 0 && !self.nodes[0].disk.refuses {
            self.transcript.request(self.now, &row);
        }
        // What then waits for its intent to be written was let go here.
        let now = self.now;
        self.nodes[node].watch.leaves(Operation::Release, 1, now);
        let at = &self.nodes[node];
        let permitted = Permitted {
            row,
            target,
            terms: at.terms.clone(),
            orders: at.orders.clone(),
            at: self.now,
            ours: at.ours(self.now),
            allowance: at.watch.allowance,
            tripped_at: at.watch.tripped_at,
        };
        let mut sent = self.sent(node, Operation::Release, command, Some(permitted));
        // As far as the intent, which waits for the scribe.
        assert!(advance(&mut sent.call).is_none(), "the books answer before they are written");
        self.nodes[node].life.as_mut().expect("who releases lives").intended.push(*sent);
    }

    /// The scribe writes; what waited for that leaves.
    fn turn(&mut self, node: usize) {
        let now = self.now;
        if self.nodes[node].steps() {
            self.say("killed before a write");
            return self.die(node, RESTART);
        }
        self.nodes[node].turn(now);
        let Some(life) = &mut self.nodes[node].life else { return };
        life.turning = false;
        let intended = std::mem::take(&mut life.intended);
        let dies = self.nodes[node].steps();
        if dies || (!intended.is_empty() && self.crash == Some(CrashPoint::BeforeCall)) {
            self.crash = self.crash.filter(|_| dies);
            self.say("killed before the call");
            let at = self.world.with(|world| world.time(now));
            intended.iter().filter_map(|sent| sent.permitted.as_ref()).for_each(|permitted| self.requests.intended(node, permitted, at));
            return self.die(node, RESTART);
        }
        for sent in intended {
            let life = self.nodes[node].lives;
            self.at(later(now, LATENCY), Happening::Arrival { node, life, sent: Box::new(Sent { at: now, ..sent }) });
        }
    }

    fn arrive(&mut self, node: usize, life: usize, sent: Sent) {
        let Sent { operation, at, mut call, carrier, permitted } = sent;
        carrier.leave_at(self.now);
        let before = permitted.as_ref().map(|permitted| self.requests.before(&self.world, &permitted.target));
        let input = advance(&mut call).expect("what takes no time to carry is answered at once");
        let unsent = matches!(input, Input::NotWritten { .. } | Input::InBooks { .. });
        let (back_at, input) = if unsent { (self.now, input) } else { self.travelled(node, input, at) };
        if let (Some(permitted), false) = (&permitted, unsent) {
            let accepted = matches!(&input, Input::Answered { answer, .. } if answer.result.is_ok());
            let (now, requests) = ((self.now, accepted), &mut self.requests);
            self.world.with(|world| requests.sent(node, permitted, before.unwrap_or_default(), world, now));
            if !self.nodes[node].clock_off.is_zero() {
                self.requests.is_misdated(node, &permitted.row.id);
            }
            self.check_release(node, permitted);
        }
        self.at(back_at, Happening::Answer { node, life, operation, input: Box::new(input) });
        if self.lives(node, life) && (self.crash_after_call(operation) || self.nodes[node].steps()) {
            self.say("killed after the call");
            self.die(node, RESTART);
        }
    }

    fn crash_after_call(&mut self, operation: Operation) -> bool {
        let now = operation == Operation::Release && self.crash == Some(CrashPoint::AfterCall);
        self.crash = self.crash.filter(|_| !now);
        now
    }

    /// When an exchange is over, and what it looks like by our clock.
    fn travelled(&self, node: usize, input: Input, sent_at: Timestamp) -> (Timestamp, Input) {
        match input {
            Input::Listed(answer) => {
                let (back_at, answer) = self.shifted(node, answer, sent_at);
                (back_at, Input::Listed(answer))
            }
            Input::Read { id, answer } => {
                let (back_at, answer) = self.shifted(node, answer, sent_at);
                (back_at, Input::Read { id, answer })
            }
            Input::Evidence { id, answer } => {
                let (back_at, answer) = self.shifted(node, answer, sent_at);
                (back_at, Input::Evidence { id, answer })
            }
            Input::Answered { id, answer } => {
                let (back_at, answer) = self.shifted(node, answer, sent_at);
                (back_at, Input::Answered { id, answer })
            }
            other => (self.now, other),
        }
    }

    fn shifted<T>(&self, node: usize, answer: Exchange<T>, sent_at: Timestamp) -> (Timestamp, Exchange<T>) {
        let back_at = answer.requests.iter().fold(later(self.now, LATENCY), |at, request| later(at, request.took));
        let ours = |at| self.nodes[node].ours(at);
        let clock = answer.clock.map(|reading| ClockReading { sent: ours(sent_at), received: ours(back_at), ..reading });
        (back_at, Exchange { sent_at: ours(sent_at), clock, ..answer })
    }

    fn receive(&mut self, node: usize, operation: Operation, input: Input) {
        let now = self.now;
        let theirs = self.world.with(|world| world.time(now));
        self.nodes[node].watch.hears(operation, &input, now, theirs);
        if self.nodes[node].steps() {
            self.say("killed before it heard");
            return self.die(node, RESTART);
        }
        let heard = self.nodes[node].sabotage.heard(input);
        self.tell(node, heard);
    }

    fn say(&mut self, what: &str) {
        self.transcript.say(self.now, what);
    }
}
