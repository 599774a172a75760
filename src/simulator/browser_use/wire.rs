//! Browser Use's wire forms: what its rows, bodies and errors look like, in each version.

use serde_json::{Value, json};

use crate::domain::time::{SignedDuration, Timestamp, between, rfc3339};
use crate::simulator::TYPED_SECRET;
use crate::simulator::agent::{Agent, Progress, Task};
use crate::simulator::life::{Cause, Life};
use crate::simulator::world::Project;

/// US dollars for one hour of a browser.
const PRICE_PER_HOUR: f64 = 0.02;

/// A browser as a listing and a GET show it: with the credentials to drive it, while it lives.
pub(super) fn browser(life: &Life, now: Timestamp) -> Value {
    let end = life.ended(now);
    let live = |url: String| end.is_none().then_some(url);
    json!({
        "id": life.id,
        "status": word(end.is_some()),
        "liveUrl": live(format!("https://live.simulator.invalid/{}", life.secret)),
        "cdpUrl": live(format!("wss://cdp.simulator.invalid/{}", life.secret)),
        "timeoutAt": rfc3339(life.expires_at),
        "startedAt": rfc3339(life.started_at),
        "finishedAt": end.map(|end| rfc3339(end.at)),
        "proxyUsedMb": megabytes(life.proxy_bytes(now)),
        "proxyCost": "0",
        "browserCost": format!("{:.6}", charged_minutes(life, now) as f64 / 60.0 * PRICE_PER_HOUR),
        "agentSessionId": life.agent,
        "recordingUrl": null,
        "metadata": life.metadata.clone().unwrap_or_else(|| json!({})),
    })
}

/// The whole timeout while it lives; what was used, the first minute at least, once it is over.
fn charged_minutes(life: &Life, now: Timestamp) -> i64 {
    let minutes = |until| (between(life.started_at, until).as_millis() as u64).div_ceil(60_000).max(1) as i64;
    life.ended(now).map_or_else(|| minutes(life.expires_at), |end| minutes(end.at))
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{:06}", bytes / 1_000_000, bytes % 1_000_000)
}

const fn word(ended: bool) -> &'static str {
    if ended { "stopped" } else { "active" }
}

/// A row of v2's sessions.
pub(super) fn session_v2(agent: &Agent, now: Timestamp) -> Value {
    let end = agent.ended(now);
    json!({
        "id": agent.id,
        "status": word(end.is_some()),
        "liveUrl": end.is_none().then(|| format!("https://live.simulator.invalid/{}", agent.secret)),
        "recordingUrl": null,
        "startedAt": rfc3339(agent.created_at),
        "finishedAt": end.map(|end| rfc3339(end.at)),
        "persistMemory": true,
        "keepAlive": agent.keep_alive,
        "proxyUsedMb": "0",
        "proxyCost": "0",
    })
}

/// One of v2's sessions, with its tasks.
pub(super) fn session_view_v2(agent: &Agent, now: Timestamp) -> Value {
    let mut view = session_v2(agent, now);
    view["tasks"] = agent.tasks.iter().map(|one| task(agent, one, now)).collect();
    view["publicShareUrl"] = Value::Null;
    view
}

pub(super) fn task(agent: &Agent, task: &Task, now: Timestamp) -> Value {
    let (progress, over) = agent.progress(task, now);
    json!({
        "id": task.id,
        "sessionId": agent.id,
        "llm": "browser-use-llm",
        "task": format!("look around as {TYPED_SECRET}"),
        "status": task_word(progress),
        "createdAt": rfc3339(task.created_at),
        "startedAt": rfc3339(task.created_at),
        "finishedAt": over.map(rfc3339),
        "metadata": task.metadata,
        "output": null,
        "isSuccess": null,
    })
}

pub(super) const TASK_WORDS: [&str; 5] = ["created", "started", "finished", "failed", "stopped"];

pub(super) const fn task_word(progress: Progress) -> &'static str {
    match progress {
        Progress::Running => "started",
        Progress::Finished => "finished",
        Progress::Stopped => "stopped",
    }
}

/// One of v2's tasks by itself.
pub(super) fn task_view(agent: &Agent, one: &Task, now: Timestamp) -> Value {
    let mut view = task(agent, one, now);
    view["steps"] = json!([]);
    view["outputFiles"] = json!([]);
    view
}

/// A session of v3, in listings and by itself.
pub(super) fn session_v3(agent: &Agent, now: Timestamp) -> Value {
    let status = match agent.ended(now).map(|end| end.cause) {
        Some(Cause::Released { .. } | Cause::Closed) => "stopped",
        Some(Cause::TimedOut) => "timed_out",
        Some(Cause::Crashed) => "error",
        None if agent.is_busy(now) => "running",
        None => "idle",
    };
    json!({
        "id": agent.id,
        "status": status,
        "model": "bu-mini",
        "title": agent.title,
        "stepCount": 0,
        "liveUrl": agent.ended(now).is_none().then(|| format!("https://live.simulator.invalid/{}", agent.secret)),
        "recordingUrls": [],
        "proxyUsedMb": "0",
        "llmCostUsd": "0",
        "proxyCostUsd": "0",
        "browserCostUsd": "0",
        "totalCostUsd": "0",
        "createdAt": rfc3339(agent.created_at),
        "updatedAt": rfc3339(agent.updated_at(now)),
    })
}

/// A conversation of v4, by its latest run; nothing for one without any.
pub(super) fn session_v4(agent: &Agent, now: Timestamp) -> Option<Value> {
    let latest = agent.latest()?;
    let (progress, over) = agent.progress(latest, now);
    Some(json!({
        "sessionId": agent.id,
        "workspaceId": null,
        "latestRunId": latest.id,
        "task": format!("look around as {TYPED_SECRET}"),
        "title": agent.title,
        "status": run_word(progress),
        "createdAt": rfc3339(latest.created_at),
        "updatedAt": rfc3339(over.unwrap_or(latest.created_at)),
    }))
}

pub(super) fn run(agent: &Agent, run: &Task, now: Timestamp) -> Value {
    let (progress, over) = agent.progress(run, now);
    json!({
        "id": run.id,
        "task": format!("look around as {TYPED_SECRET}"),
        "title": agent.title,
        "model": "minimax-m3",
        "contextLimit": 128_000,
        "status": run_word(progress),
        "result": null,
        "error": null,
        "sessionId": agent.id,
        "workspaceId": null,
        "totalInputTokens": 0,
        "totalOutputTokens": 0,
        "totalCostUsd": "0",
        "createdAt": rfc3339(run.created_at),
        "updatedAt": rfc3339(over.unwrap_or(run.created_at)),
    })
}

pub(super) const fn run_word(progress: Progress) -> &'static str {
    match progress {
        Progress::Running => "running",
        Progress::Finished => "completed",
        Progress::Stopped => "cancelled",
    }
}

pub(super) fn account(project: &Project, live: usize) -> Value {
    json!({
        "name": "simulated",
        "totalCreditsBalanceUsd": 100.0,
        "monthlyCreditsBalanceUsd": 0.0,
        "additionalCreditsBalanceUsd": 100.0,
        "rateLimit": 250,
        "concurrentSessionLimit": 250,
        "activeSessionCount": live,
        "planInfo": {
            "planName": "simulated",
            "subscriptionStatus": null,
            "subscriptionId": null,
            "subscriptionCurrentPeriodEnd": null,
            "subscriptionCanceledAt": null,
        },
        "isFreeTier": false,
        "projectId": &*project.id,
    })
}

/// An error's body.
pub(in crate::simulator) fn detail(sentence: &str) -> Value {
    json!({ "detail": sentence })
}

/// The body of a 422: what is wrong, and where.
pub(super) fn invalid(place: &[&str], why: &str) -> Value {
    json!({ "detail": [{ "loc": place, "msg": why, "type": "value_error" }] })
}

/// How long a browser lives that says nothing else.
pub(super) const DEFAULT_TIMEOUT: SignedDuration = SignedDuration::from_mins(60);
