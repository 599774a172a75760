//! The world: every project's sessions with their whole truth, the faults in force, and a journal of what was asked.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use fastrand::Rng;

use super::BROWSERBASE_KEY;
use super::answer::Asked;
use super::fault::{Extent, Fault, Faults, Target};
use super::life::{Cause, End, Life, NewSession};
use super::population::{Population, within};
use crate::domain::name::SessionId;
use crate::domain::time::{SignedDuration, Timestamp, between, floor_millis, later};

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
}

impl Settings {
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            population: Population::steady(),
            release_latency: SignedDuration::from_millis(150)..SignedDuration::from_millis(1_200),
            skew: SignedDuration::ZERO,
        }
    }
}

/// How long the world remembers a session that has ended, and a request: as long as Browserbase's shorter plans do.
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug)]
pub struct World {
    settings: Settings,
    now: Timestamp,
    tidied_at: Timestamp,
    projects: BTreeMap<Arc<str>, Project>,
    sessions: BTreeMap<SessionId, Life>,
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
            faults: Faults::default(),
            journal: Vec::new(),
        };
        world.open_live_project();
        world
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
        self.bear();
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

    /// Lets a session end by itself at this instant of the world's clock, whatever else was to become of it.
    pub fn end(&mut self, id: &SessionId, cause: Cause, at: Timestamp) {
        if let Some(life) = self.sessions.get_mut(id) {
            life.fate = Some(End { at: floor_millis(at), cause });
        }
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

    /// Every request received, in the order of arrival.
    pub fn journal(&self) -> &[Request] {
        &self.journal
    }

    /// The project behind a key, opened at its first use; nothing where the key is not one of this world's.
    pub fn project(&mut self, key: &str) -> Option<&Project> {
        if !key.starts_with(BROWSERBASE_KEY) {
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

    fn open_live_project(&mut self) {
        let mut project = Project::open(self.settings.seed, BROWSERBASE_KEY, self.now);
        let mut rng = stream(self.settings.seed, "births");
        let population = self.settings.population.clone();
        for _ in 0..population.already_leaked {
            let new = population.leaked(&mut rng);
            let created_at = later(self.now, -new.age);
            self.admit(life(BROWSERBASE_KEY, &project.id, new, created_at, &mut rng, &self.settings.release_latency));
        }
        project.births = Some(Births { rng, next_at: later(self.now, -population.warm_up) });
        self.projects.insert(BROWSERBASE_KEY.into(), project);
        self.bear();
    }

    fn bear(&mut self) {
        let Some(project) = self.projects.get_mut(BROWSERBASE_KEY) else { return };
        let Some(births) = &mut project.births else { return };
        let Settings { population, release_latency, .. } = &self.settings;
        while births.next_at <= self.now {
            let new = population.birth(&mut births.rng);
            let life = life(BROWSERBASE_KEY, &project.id, new, births.next_at, &mut births.rng, release_latency);
            births.next_at = later(births.next_at, population.gap(&mut births.rng));
            self.sessions.insert(life.id.clone(), life);
        }
    }

    fn admit(&mut self, life: Life) -> SessionId {
        let id = life.id.clone();
        self.sessions.insert(id.clone(), life);
        id
    }

    fn tidy(&mut self) {
        let oldest = later(self.now, -RETENTION);
        self.sessions.retain(|_, life| life.ended(oldest).is_none());
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

fn life(key: &str, project_id: &Arc<str>, new: NewSession, created_at: Timestamp, rng: &mut Rng, latency: &Range<SignedDuration>) -> Life {
    let started_at = later(created_at, new.pending_for);
    Life {
        id: uuid(rng).into(),
        key: key.into(),
        project_id: new.project_id.unwrap_or_else(|| project_id.clone()),
        metadata: new.metadata,
        keep_alive: new.keep_alive,
        region: new.region,
        created_at,
        started_at,
        expires_at: later(created_at, new.timeout),
        bytes_per_second: new.bytes_per_second,
        worked_until: later(started_at, new.worked_for),
        fate: new.fate.map(|(after, cause)| End { at: later(created_at, after), cause }),
        release_latency: new.release_latency.unwrap_or_else(|| within(rng, latency)),
        release: None,
        secret: format!("{:032x}", rng.u128(..)).into(),
    }
}

/// Random numbers of their own for one purpose.
fn stream(seed: u64, purpose: &str) -> Rng {
    // FNV-1a: each purpose far from the next, the same on every machine.
    let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash)
}

fn uuid(rng: &mut Rng) -> String {
    let hex = format!("{:032x}", rng.u128(..));
    // Version 4, variant 1, as clients that check the form expect.
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

#[cfg(test)]
mod tests;
