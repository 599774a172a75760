//! An agent session of Browser Use from birth to end: its tasks, and the browser that it drives. Everything about it is a function of the instant asked
//! about, as with a [`Life`](super::life::Life). What v2 calls a task v4 calls a run; they are the same objects here.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::life::{Cause, End, NewSession};
use crate::domain::name::SessionId;
use crate::domain::time::{SignedDuration, Timestamp, later};

/// What an agent session is created with; the default is one without a browser that nobody gives a task.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAgent {
    /// The browser that it drives, with an age of its own.
    pub browser: Option<NewSession>,
    pub tasks: Vec<NewTask>,
    pub keep_alive: bool,
    pub age: SignedDuration,
    /// How it ends if nobody stops it: this long after its creation, and why. Its browser ends with it.
    pub fate: Option<(SignedDuration, Cause)>,
    /// It was stopped this long after its creation, and its browser was not.
    pub left_browser_after: Option<SignedDuration>,
    /// From a stop request to the end; drawn from the world's range where there is none.
    pub release_latency: Option<SignedDuration>,
}

impl Default for NewAgent {
    fn default() -> Self {
        Self {
            browser: None,
            tasks: Vec::new(),
            keep_alive: true,
            age: SignedDuration::ZERO,
            fate: None,
            left_browser_after: None,
            release_latency: None,
        }
    }
}

/// A task as it is given to an agent, when the agent session begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewTask {
    pub metadata: Map<String, Value>,
    /// How long it takes; for ever where there is none.
    pub takes: Option<SignedDuration>,
}

/// An agent session with its whole truth, its future included.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    pub id: SessionId,
    /// The key whose listing shows it.
    pub key: Arc<str>,
    pub created_at: Timestamp,
    pub keep_alive: bool,
    pub title: Option<String>,
    pub tasks: Vec<Task>,
    pub browser: Option<SessionId>,
    /// Its end if nobody stops it.
    pub fate: Option<End>,
    pub release_latency: SignedDuration,
    pub release: Option<End>,
    pub secret: Arc<str>,
}

/// A task, or a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub id: SessionId,
    pub created_at: Timestamp,
    pub finishes_at: Option<Timestamp>,
    pub stopped_at: Option<Timestamp>,
    pub metadata: Map<String, Value>,
    /// How long the browser is kept after it.
    pub keeps_browser: SignedDuration,
}

/// How a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Running,
    Finished,
    Stopped,
}

/// Something that an agent session says about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Somebody gave it.
    Given,
    /// The agent did something for it.
    Step,
    /// The agent is done with it.
    Finished,
}

/// From one step of a task to the next.
pub const STEP_EVERY: SignedDuration = SignedDuration::from_secs(30);

impl Agent {
    /// The end, where it has come.
    pub fn ended(&self, now: Timestamp) -> Option<End> {
        [self.fate, self.release].into_iter().flatten().min_by_key(|end| end.at).filter(|end| end.at <= now)
    }

    /// Asks for its end; nothing happens where it has ended, or where an earlier request is at work. Gives the end that this request leads to.
    pub fn request_release(&mut self, now: Timestamp) -> Option<End> {
        if self.ended(now).is_some() || self.release.is_some() {
            return None;
        }
        self.release = Some(End { at: later(now, self.release_latency), cause: Cause::Released { requested_at: now } });
        self.release
    }

    /// How a task of this agent is, and since when it is over.
    pub fn progress(&self, task: &Task, now: Timestamp) -> (Progress, Option<Timestamp>) {
        let stopped = task.stopped_at.into_iter().chain(self.ended(now).map(|end| end.at)).min().filter(|at| *at <= now);
        match (task.finishes_at.filter(|at| *at <= now), stopped) {
            (Some(finished), stopped) if stopped.is_none_or(|stopped| finished <= stopped) => (Progress::Finished, Some(finished)),
            (_, Some(stopped)) => (Progress::Stopped, Some(stopped)),
            _ => (Progress::Running, None),
        }
    }

    /// What is said of a task until now: as it is given, while it is worked on, and where it was finished, not where it was stopped.
    pub fn moments(&self, task: &Task, now: Timestamp) -> Vec<(Timestamp, Moment)> {
        let (progress, over) = self.progress(task, now);
        let until = over.unwrap_or(now);
        let steps = (1..).map(|step| later(task.created_at, STEP_EVERY * step)).take_while(|at| *at < until || (over.is_none() && *at == until));
        let finished = over.filter(|_| progress == Progress::Finished).map(|at| (at, Moment::Finished));
        std::iter::once((task.created_at, Moment::Given)).chain(steps.map(|at| (at, Moment::Step))).chain(finished).collect()
    }

    /// A task is at work.
    pub fn is_busy(&self, now: Timestamp) -> bool {
        self.tasks.iter().any(|task| self.progress(task, now).0 == Progress::Running)
    }

    pub fn latest(&self) -> Option<&Task> {
        self.tasks.iter().max_by_key(|task| (task.created_at, &task.id))
    }

    /// The last instant at which something about it changed.
    pub fn updated_at(&self, now: Timestamp) -> Timestamp {
        let tasks = self.tasks.iter().map(|task| self.progress(task, now).1.unwrap_or(task.created_at));
        tasks.chain(self.ended(now).map(|end| end.at)).max().unwrap_or(self.created_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("an instant")
    }

    fn task(finishes_at: Option<i64>) -> Task {
        Task {
            id: "t".into(),
            created_at: at(1_000),
            finishes_at: finishes_at.map(at),
            stopped_at: None,
            metadata: Map::new(),
            keeps_browser: SignedDuration::ZERO,
        }
    }

    fn agent(task: Task) -> Agent {
        Agent {
            id: "a".into(),
            key: "bu_demo_x".into(),
            created_at: at(1_000),
            keep_alive: true,
            title: None,
            tasks: vec![task],
            browser: None,
            fate: None,
            release_latency: SignedDuration::from_secs(1),
            release: None,
            secret: "s".into(),
        }
    }

    #[test]
    fn a_stop_takes_its_time_and_the_first_request_counts() {
        let mut agent = agent(task(None));
        let end = agent.request_release(at(2_000)).expect("an end to come");
        assert_eq!(end, End { at: at(2_001), cause: Cause::Released { requested_at: at(2_000) } });
        assert_eq!(agent.request_release(at(2_000)), None);
        assert_eq!([2_000, 2_001].map(|second| agent.ended(at(second)).is_some()), [false, true]);
    }

    #[test]
    fn a_task_is_spoken_of_as_it_is_given_at_every_step_and_when_it_is_finished() {
        let mut agent = agent(task(Some(1_070)));
        let told = |agent: &Agent, second| agent.moments(&agent.tasks[0], at(second));
        let given = (at(1_000), Moment::Given);
        assert_eq!(told(&agent, 1_029), [given]);
        assert_eq!(told(&agent, 1_030), [given, (at(1_030), Moment::Step)]);
        let whole = [given, (at(1_030), Moment::Step), (at(1_060), Moment::Step), (at(1_070), Moment::Finished)];
        assert_eq!(told(&agent, 9_000), whole);
        agent.tasks[0].stopped_at = Some(at(1_060));
        assert_eq!(told(&agent, 9_000), whole[..2]);
    }

    #[test]
    fn a_task_ends_with_its_agent_unless_it_had_finished() {
        let mut working = agent(task(None));
        working.request_release(at(2_000));
        assert_eq!(working.progress(&working.tasks[0], at(2_000)), (Progress::Running, None));
        assert_eq!(working.progress(&working.tasks[0], at(2_001)), (Progress::Stopped, Some(at(2_001))));
        let mut done = agent(task(Some(1_500)));
        done.request_release(at(2_000));
        assert_eq!(done.progress(&done.tasks[0], at(3_000)), (Progress::Finished, Some(at(1_500))));
        assert_eq!((done.is_busy(at(1_499)), done.is_busy(at(1_500))), (true, false));
    }
}
