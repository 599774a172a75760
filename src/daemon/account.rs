//! The loop of one account: engine and executor, side by side with every other account's and touched by none of them.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::daemon::pulse::{LONGEST_SLEEP, Pulse};
use crate::domain::hold::{OperatorHold, Orders};
use crate::domain::name::SessionId;
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::domain::view::{AccountView, BudgetView, Explanation, SessionView};
use crate::engine::{Engine, Input, Runtime, Terms};
use crate::executor::{Call, Executor};
use crate::policy::Policy;

/// A loop sleeps at least this long, whatever it is told: a mistake in an alarm costs a millisecond, not a core.
const SHORTEST_SLEEP: SignedDuration = SignedDuration::from_millis(1);

/// What the rest of the daemon may ask of an account's loop.
pub enum Control {
    View(Depth, oneshot::Sender<View>),
    /// One session's; nothing where the account has none of that id.
    Explain(SessionId, oneshot::Sender<Option<Box<Explanation>>>),
    Reconfigure {
        terms: Box<Terms>,
        runtime: Box<Runtime>,
        executor: Box<Executor>,
        new_credential: bool,
    },
    /// Ask for nothing new, and end once everything is settled.
    Drain,
    /// The account is wanted again after all. Answered by a loop that has not ended meanwhile.
    Stay(oneshot::Sender<()>),
}

/// How much of an account somebody wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Neither its sessions nor its budgets, which may be many.
    Outline,
    Whole,
}

/// One account at one moment.
pub struct View {
    pub account: AccountView,
    pub sessions: Vec<SessionView>,
    pub budgets: Vec<BudgetView>,
    /// What it judges by.
    pub policies: Arc<[Policy]>,
}

/// Everything one loop needs.
pub struct AccountLoop {
    pub engine: Engine,
    pub executor: Executor,
    pub clock: Clock,
    pub orders: watch::Receiver<Arc<Orders>>,
    pub control: mpsc::Receiver<Control>,
    pub pulse: Arc<Pulse>,
}

impl AccountLoop {
    /// Runs until drained, or, with an engine that makes one pass, until that is over. Gives the engine back, for its last word.
    pub async fn run(mut self) -> Engine {
        let mut calls: FuturesUnordered<Call> = FuturesUnordered::new();
        let mut draining = false;
        loop {
            self.pulse.beat(&self.clock);
            self.pulse.introduce(self.engine.is_introduced());
            while let Some(command) = self.engine.next_command() {
                calls.extend(self.executor.carry_out(command));
            }
            if (draining && self.engine.is_settled()) || self.engine.is_over() {
                return self.engine;
            }
            let now = self.clock.now();
            let alarm = self.engine.poll_timeout(now).unwrap_or(Timestamp::MAX);
            let wake = alarm.clamp(later(now, SHORTEST_SLEEP), later(now, LONGEST_SLEEP));
            let input = tokio::select! {
                Some(input) = calls.next() => input,
                Ok(()) = self.orders.changed() => self.hear_orders(),
                Some(control) = self.control.recv() => match control {
                    Control::Drain => {
                        draining = true;
                        Input::Drain
                    }
                    Control::Stay(reply) => {
                        // Whoever asked has given up: so nobody will say what the account now is.
                        draining &= reply.send(()).is_err();
                        Input::Tick
                    }
                    other => self.obey(other),
                },
                () = sleep_until(Instant::from_std(self.clock.instant(wake))) => Input::Tick,
            };
            self.engine.handle(input, self.clock.now());
        }
    }

    fn view(&self, depth: Depth, now: Timestamp) -> View {
        let (account, policies) = (self.engine.account_view(now), self.engine.policies());
        match depth {
            Depth::Outline => View { account, sessions: Vec::new(), budgets: Vec::new(), policies },
            Depth::Whole => View { account, sessions: self.engine.session_views(now), budgets: self.engine.budget_views(now), policies },
        }
    }

    fn hear_orders(&mut self) -> Input {
        let orders = self.orders.borrow_and_update().clone();
        Input::Orders(Arc::new(in_our_time(&orders, &self.clock)))
    }

    /// Whoever asked may have gone away meanwhile; that is their affair.
    fn obey(&mut self, control: Control) -> Input {
        let now = self.clock.now();
        match control {
            Control::View(depth, reply) => {
                answer(reply, || self.view(depth, now));
                Input::Tick
            }
            Control::Explain(id, reply) => {
                answer(reply, || self.engine.explain(&id, now).map(Box::new));
                Input::Tick
            }
            Control::Reconfigure { terms, runtime, executor, new_credential } => {
                self.executor = *executor;
                Input::Reconfigured { terms, runtime, new_credential }
            }
            Control::Drain => Input::Drain,
            Control::Stay(_) => Input::Tick,
        }
    }
}

/// Nothing is made for those who have gone away: after a loop has hung, everybody has.
fn answer<T>(reply: oneshot::Sender<T>, make: impl FnOnce() -> T) {
    if !reply.is_closed() {
        drop(reply.send(make()));
    }
}

/// Operators write by the wall clock; an engine runs on ours.
pub fn in_our_time(orders: &Orders, clock: &Clock) -> Orders {
    let hold = |hold: &OperatorHold| OperatorHold { placed_at: clock.from_wall(hold.placed_at), until: clock.from_wall(hold.until), ..hold.clone() };
    Orders {
        holds: orders.holds.iter().map(|(id, placed)| (id.clone(), hold(placed))).collect(),
        pauses: orders.pauses.clone(),
        resumed_at: orders.resumed_at.iter().map(|(account, at)| (account.clone(), clock.from_wall(*at))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_for_whoever_has_gone_away() {
        let (mut made, (gone, inbox)) = (0, oneshot::channel());
        drop(inbox);
        answer(gone, || made += 1);
        assert_eq!(made, 0);
        let (waits, mut inbox) = oneshot::channel();
        answer(waits, || made += 1);
        assert!(inbox.try_recv().is_ok() && made == 1);
    }
}
