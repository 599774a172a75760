//! Each version's words for how a session is.

use crate::domain::session::{Phase, Status};
use crate::domain::time::Timestamp;

/// A browser that is stopped by nobody runs to its hard end, and the provider calls both the same.
pub(super) fn browser_status(word: &str, ended_at: Option<Timestamp>, expires_at: Option<Timestamp>) -> Status {
    let status = status_v2(word);
    let timed_out = status.phase == Phase::Completed && ended_at.zip(expires_at).is_some_and(|(end, hard_end)| end >= hard_end);
    if timed_out { Status { phase: Phase::TimedOut, ..status } } else { status }
}

pub(super) fn status_v2(word: &str) -> Status {
    let phase = match word {
        "active" => Phase::Running,
        "stopped" => Phase::Completed,
        _ => Phase::Unknown,
    };
    Status::new(word, phase)
}

pub(super) fn status_v3(word: &str) -> Status {
    let phase = match word {
        "created" => Phase::Pending,
        "idle" | "running" => Phase::Running,
        "stopped" => Phase::Completed,
        "timed_out" => Phase::TimedOut,
        "error" => Phase::Errored,
        _ => Phase::Unknown,
    };
    Status::new(word, phase)
}

pub(super) fn run_status(word: &str) -> Status {
    let phase = match word {
        "queued" | "dispatching" => Phase::Pending,
        "running" => Phase::Running,
        "completed" | "cancelled" => Phase::Completed,
        "failed" => Phase::Errored,
        _ => Phase::Unknown,
    };
    Status::new(word, phase)
}
