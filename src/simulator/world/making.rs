//! How what lives in the world is made: ids, secrets and instants, from seeded random numbers.

use std::ops::Range;
use std::sync::Arc;

use fastrand::Rng;

use super::Project;
use crate::domain::name::SessionId;
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::simulator::activity::Deed;
use crate::simulator::agent::{Agent, NewAgent, NewTask, Task};
use crate::simulator::life::{Cause, End, Life, NewSession};
use crate::simulator::population::within;

pub(super) fn life(key: &str, project_id: &Arc<str>, new: NewSession, created_at: Timestamp, rng: &mut Rng, latency: &Range<SignedDuration>) -> Life {
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
        deeds: new.acts.into_iter().map(|(after, act)| Deed { at: later(created_at, after), act }).collect(),
        logs: new.logs,
        fate: new.fate.map(|(after, cause)| End { at: later(created_at, after), cause }),
        release_latency: new.release_latency.unwrap_or_else(|| within(rng, latency)),
        release: None,
        secret: format!("{:032x}", rng.u128(..)).into(),
        agent: None,
    }
}

pub(super) fn agent(key: &str, project: &mut Project, new: NewAgent, at: Timestamp, latency: &Range<SignedDuration>) -> (Agent, Option<Life>) {
    let id = project.id.clone();
    agent_from(key, &id, new, at, &mut project.rng, latency)
}

/// An agent session, and the browser that it drives.
pub(super) fn agent_from(
    key: &str,
    project_id: &Arc<str>,
    new: NewAgent,
    at: Timestamp,
    rng: &mut Rng,
    latency: &Range<SignedDuration>,
) -> (Agent, Option<Life>) {
    let created_at = later(at, -new.age);
    let id: SessionId = uuid(rng).into();
    let tasks: Vec<Task> = new.tasks.into_iter().map(|new| task(new, created_at, rng)).collect();
    let worked = tasks.iter().map(|task| task.finishes_at).max().flatten().filter(|_| !new.keep_alive);
    let fate = new.fate.map(|(after, cause)| End { at: later(created_at, after), cause });
    let ends = fate.or(worked.map(|at| End { at, cause: Cause::Closed }));
    let release_latency = new.release_latency.unwrap_or_else(|| within(rng, latency));
    let browser = new.browser.map(|new| {
        let latency = new.release_latency.unwrap_or(release_latency);
        let life = life(key, project_id, NewSession { release_latency: Some(latency), ..new.clone() }, later(at, -new.age), rng, &(latency..latency));
        Life { agent: Some(id.clone()), fate: life.fate.or(ends), ..life }
    });
    let left = new.left_browser_after.map(|after| End { at: later(created_at, after), cause: Cause::Closed });
    let agent = Agent {
        id,
        key: key.into(),
        created_at,
        keep_alive: new.keep_alive,
        title: None,
        tasks,
        browser: browser.as_ref().filter(|_| left.is_none()).map(|life| life.id.clone()),
        fate: left.or(ends),
        release_latency,
        release: None,
        secret: format!("{:032x}", rng.u128(..)).into(),
    };
    (agent, browser)
}

pub(super) fn task(new: NewTask, created_at: Timestamp, rng: &mut Rng) -> Task {
    Task {
        id: uuid(rng).into(),
        created_at,
        finishes_at: new.takes.map(|takes| later(created_at, takes)),
        stopped_at: None,
        metadata: new.metadata,
        keeps_browser: SignedDuration::from_secs(120),
    }
}

/// Random numbers of their own for one purpose.
pub(super) fn stream(seed: u64, purpose: &str) -> Rng {
    // FNV-1a: each purpose far from the next, the same on every machine.
    let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash)
}

pub(super) fn uuid(rng: &mut Rng) -> String {
    let hex = format!("{:032x}", rng.u128(..));
    // Version 4, variant 1, as clients that check the form expect.
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
