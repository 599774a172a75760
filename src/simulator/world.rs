//! The world: every project's sessions with their whole truth, the faults in force, and a journal of what was asked.

mod making;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use fastrand::Rng;

use super::activity::{Act, Deed};
use super::agent::{Agent, NewAgent, NewTask};
use super::answer::Asked;
use super::fault::{Extent, Fault, Faults, Target};
use super::life::{Cause, End, Life, NewSession};
use super::population::{Birth, Population};
use super::{BROWSER_USE_KEY, BROWSERBASE_KEY};
use crate::domain::name::SessionId;
use crate::domain::time::{SignedDuration, Timestamp, between, floor_millis, later};
use making::{agent, agent_from, life, stream, task, uuid};

/// What a world is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The same seed gives the same world.
    pub seed: u64,
    pub population: Population,
    /// From a release request to the end of the session.
    pub release_latency: Range<SignedDuration>,
    /// The world's clock minus that of whoever asks: a provider whose clock is off, its sessions' times included.
    pub skew: SignedDuration,
    /// How long it remembers a session that has ended, and a request.
    pub remembers: SignedDuration,
}

impl Settings {
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            population: Population::steady(),
            release_latency: SignedDuration::from_millis(150)..SignedDuration::from_millis(1_200),
            skew: SignedDuration::ZERO,
            remembers: RETENTION,
        }
    }
}

/// As long as Browserbase's shorter plans remember.
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug)]
pub struct World {
    settings: Settings,
    now: Timestamp,
    tidied_at: Timestamp,
    projects: BTreeMap<Arc<str>, Project>,
    sessions: BTreeMap<SessionId, Life>,
    agents: BTreeMap<SessionId, Agent>,
    faults: Faults,
    journal: Vec<Request>,
}

/// What one key opens.
#[derive(Clone, Debug)]
pub struct Project {
    pub id: Arc<str>,
    pub created_at: Timestamp,
    /// For the sessions that clients create; births have their own, so that nobody's requests change who is born.
    rng: Rng,
    births: Option<Births>,
}

#[derive(Clone, Debug)]
struct Births {
    rng: Rng,
    next_at: Timestamp,
}

/// One request as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// By the world's clock.
    pub at: Timestamp,
    pub asked: Asked,
    /// The key, where it is one of this world's: any other might be somebody's real one.
    pub key: Option<Arc<str>>,
    pub session: Option<SessionId>,
    /// The status code of the answer, or what became of it: `hung`, `cut`.
    pub outcome: String,
    /// Method and path, for people.
    pub line: String,
}

/// The truth about one session as of one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    pub id: SessionId,
    pub key: Arc<str>,
    pub created_at: Timestamp,
    pub started_at: Timestamp,
    pub expires_at: Timestamp,
    pub end: Option<End>,
}

impl Truth {
    /// What releasing it saved: from its end to its hard end; zero where it ended otherwise or has not ended.
    pub fn saved(&self) -> SignedDuration {
        match self.end {
            Some(End { at, cause: Cause::Released { .. } }) => between(at, self.expires_at),
            _ => SignedDuration::ZERO,
        }
    }
}

impl World {
    /// A world with the default settings.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        Self::with(Settings::seeded(seed), now)
    }

    /// `now` is the asker's time; the world's own is ahead of it by the skew.
    pub fn with(settings: Settings, now: Timestamp) -> Self {
        let now = floor_millis(later(now, settings.skew));
        let mut world = Self {
            settings,
            now,
            tidied_at: now,
            projects: BTreeMap::new(),
            sessions: BTreeMap::new(),
            agents: BTreeMap::new(),
            faults: Faults::default(),
            journal: Vec::new(),
        };
        for key in LIVE {
            world.open_live_project(key);
        }
        world
    }

    /// The world's clock as it stands.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The instant of the world's clock at which it is `now` for the asker.
    pub fn time(&self, now: Timestamp) -> Timestamp {
        floor_millis(later(now, self.settings.skew))
    }

    /// Lets the world go on until `to`, by the asker's clock; never back.
    pub fn advance(&mut self, to: Timestamp) {
        let to = self.time(to);
        if to <= self.now {
            return;
        }
        self.now = to;
        LIVE.into_iter().for_each(|key| self.bear(key));
        if later(self.tidied_at, SignedDuration::from_hours(1)) <= to {
            self.tidy();
        }
    }

    /// Creates a session behind a key; nothing where the key is not one of this world's.
    pub fn create(&mut self, key: &str, new: NewSession, now: Timestamp) -> Option<SessionId> {
        self.advance(now);
        let created_at = later(self.time(now), -new.age);
        self.project(key)?;
        let project = self.projects.get_mut(key)?;
        let life = life(key, &project.id, new, created_at, &mut project.rng, &self.settings.release_latency);
        Some(self.admit(life))
    }

    /// Opens an agent session behind a key of Browser Use; nothing where the key is not one of this world's.
    pub fn create_agent(&mut self, key: &str, new: NewAgent, now: Timestamp) -> Option<SessionId> {
        self.advance(now);
        let at = self.time(now);
        self.project(key)?;
        let project = self.projects.get_mut(key)?;
        let (agent, browser) = agent(key, project, new, at, &self.settings.release_latency);
        self.sessions.extend(browser.map(|life| (life.id.clone(), life)));
        let id = agent.id.clone();
        self.agents.insert(id.clone(), agent);
        Some(id)
    }

    /// Gives an agent session another task. Where its browser is gone, it opens a new one.
    pub fn give_task(&mut self, key: &str, id: &SessionId, new: NewTask, now: Timestamp) -> Option<SessionId> {
        let at = self.time(now);
        let browser = self.agents.get(id)?.browser.as_ref().and_then(|browser| self.sessions.get(browser));
        let gone = browser.is_none_or(|life| life.ended(at).is_some());
        let project = self.projects.get_mut(key)?;
        let task = task(new, at, &mut project.rng);
        let opened = gone.then(|| {
            let life = life(key, &project.id, NewSession::default(), at, &mut project.rng, &self.settings.release_latency);
            Life { agent: Some(id.clone()), ..life }
        });
        let agent = self.agents.get_mut(id)?;
        let task_id = task.id.clone();
        agent.tasks.push(task);
        if let Some(life) = opened {
            agent.browser = Some(life.id.clone());
            self.sessions.insert(life.id.clone(), life);
        }
        Some(task_id)
    }

    /// Lets a session end by itself at this instant of the world's clock, whatever else was to become of it; an agent session with its browser. What has
    /// ended before stays as it ended.
    pub fn end(&mut self, id: &SessionId, cause: Cause, at: Timestamp) {
        let end = End { at: floor_millis(at), cause };
        let browser = self.agents.get_mut(id).and_then(|agent| {
            agent.fate = if agent.ended(at).is_some() { agent.fate } else { Some(end) };
            agent.browser.clone()
        });
        let id = browser.as_ref().unwrap_or(id);
        if let Some(life) = self.sessions.get_mut(id).filter(|life| life.ended(at).is_none()) {
            life.fate = Some(end);
        }
    }

    /// Lets something be done in a session now, by the asker's clock; says whether its browser is there for it.
    pub fn act(&mut self, id: &SessionId, act: Act, now: Timestamp) -> bool {
        self.advance(now);
        let at = self.time(now);
        let Some(life) = self.sessions.get_mut(id).filter(|life| life.is_up(at)) else { return false };
        life.deeds.push(Deed { at, act });
        true
    }

    /// From now on, requests that fit the target go wrong in this way.
    pub fn inject(&mut self, target: impl Into<Target>, fault: Fault, extent: Extent) {
        self.faults.inject(target.into(), fault, extent);
    }

    /// Ends every fault.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Every session with what became of it so far, in the order of creation.
    pub fn truth(&self) -> Vec<Truth> {
        let mut all: Vec<Truth> = self.sessions.values().filter(|life| life.created_at <= self.now).map(|life| life.truth(self.now)).collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        all
    }

    /// Every session with its future, in the order of the ids.
    pub fn lives(&self) -> impl Iterator<Item = &Life> {
        self.sessions.values()
    }

    pub fn life(&self, id: &SessionId) -> Option<&Life> {
        self.sessions.get(id)
    }

    /// Somebody asks for a session's release by other means than this API's client: its owner's dashboard, or another program with the same key.
    pub fn release(&mut self, id: &SessionId, now: Timestamp) {
        self.advance(now);
        let at = self.time(now);
        if let Some(life) = self.sessions.get_mut(id) {
            life.request_release(at);
        }
    }

    /// Every agent session with its future, in the order of the ids.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    pub fn agent(&self, id: &SessionId) -> Option<&Agent> {
        self.agents.get(id)
    }

    pub(super) fn agent_mut(&mut self, key: &str, id: &SessionId) -> Option<&mut Agent> {
        self.agents.get_mut(id).filter(|agent| &*agent.key == key)
    }

    /// Every request received, in the order of arrival.
    pub fn journal(&self) -> &[Request] {
        &self.journal
    }

    /// The project behind a key, opened at its first use; nothing where the key is not one of this world's.
    pub fn project(&mut self, key: &str) -> Option<&Project> {
        if !LIVE.iter().any(|live| key.starts_with(live)) {
            return None;
        }
        if !self.projects.contains_key(key) {
            let project = Project::open(self.settings.seed, key, self.now);
            self.projects.insert(key.into(), project);
        }
        self.projects.get(key)
    }

    pub(super) fn life_mut(&mut self, key: &str, id: &SessionId) -> Option<&mut Life> {
        self.sessions.get_mut(id).filter(|life| &*life.key == key)
    }

    pub(super) fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    pub(super) fn record(&mut self, request: Request) {
        self.journal.push(request);
    }

    fn open_live_project(&mut self, key: &'static str) {
        let mut project = Project::open(self.settings.seed, key, self.now);
        let mut rng = stream(self.settings.seed, births_of(key));
        let population = self.settings.population.clone();
        for _ in 0..population.already_leaked {
            let new = population.leaked(&mut rng);
            self.come(key, &project.id, new, self.now, &mut rng);
        }
        project.births = Some(Births { rng, next_at: later(self.now, -population.warm_up) });
        self.projects.insert(key.into(), project);
        self.bear(key);
    }

    fn bear(&mut self, key: &'static str) {
        let Some(project) = self.projects.get_mut(key) else { return };
        let (project_id, Some(mut births)) = (project.id.clone(), project.births.take()) else { return };
        let population = self.settings.population.clone();
        while births.next_at <= self.now {
            let new = population.birth(&mut births.rng);
            self.come(key, &project_id, new, births.next_at, &mut births.rng);
            births.next_at = later(births.next_at, population.gap(&mut births.rng));
        }
        if let Some(project) = self.projects.get_mut(key) {
            project.births = Some(births);
        }
    }

    /// A session comes into the live world, as one of its provider.
    fn come(&mut self, key: &str, project_id: &Arc<str>, new: NewSession, at: Timestamp, rng: &mut Rng) {
        let latency = &self.settings.release_latency;
        if key == BROWSERBASE_KEY {
            let created_at = later(at, -new.age);
            self.admit(life(key, project_id, new, created_at, rng, latency));
            return;
        }
        match Birth::at_browser_use(new, rng) {
            Birth::Browser(new) => {
                let created_at = later(at, -new.age);
                self.admit(life(key, project_id, *new, created_at, rng, latency));
            }
            Birth::Agent(new) => {
                let (agent, browser) = agent_from(key, project_id, *new, at, rng, latency);
                self.sessions.extend(browser.map(|life| (life.id.clone(), life)));
                self.agents.insert(agent.id.clone(), agent);
            }
        }
    }

    fn admit(&mut self, life: Life) -> SessionId {
        let id = life.id.clone();
        self.sessions.insert(id.clone(), life);
        id
    }

    fn tidy(&mut self) {
        let oldest = later(self.now, -self.settings.remembers);
        self.sessions.retain(|_, life| life.ended(oldest).is_none());
        self.agents.retain(|_, agent| agent.ended(oldest).is_none());
        self.journal.retain(|request| request.at > oldest);
        self.tidied_at = self.now;
    }
}

impl Project {
    fn open(seed: u64, key: &str, now: Timestamp) -> Self {
        let mut rng = stream(seed, key);
        Self { id: uuid(&mut rng).into(), created_at: now, rng, births: None }
    }
}

impl Life {
    fn truth(&self, now: Timestamp) -> Truth {
        Truth {
            id: self.id.clone(),
            key: self.key.clone(),
            created_at: self.created_at,
            started_at: self.started_at,
            expires_at: self.expires_at,
            end: self.ended(now),
        }
    }
}

/// The keys whose worlds are alive from the seed.
const LIVE: [&str; 2] = [BROWSERBASE_KEY, BROWSER_USE_KEY];

/// Whose births: each provider's have random numbers of their own.
fn births_of(key: &str) -> &'static str {
    if key == BROWSERBASE_KEY { "births" } else { "births at Browser Use" }
}

#[cfg(test)]
mod tests;
