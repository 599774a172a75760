//! Values for tests: one session, one release, one clock.

use serde_json::Value;

use crate::domain::activity::Sign;
use crate::domain::name::{Kind, Provider};
use crate::domain::release::{Outcome, Release};
use crate::domain::session::{Metadata, Parts, Phase, Session, Status};
use crate::domain::time::{Moment, SignedDuration, Timestamp, later};
use crate::domain::verdict::{Limit, VerdictWord};
use crate::domain::view::{Mode, SessionView, Snapshot};

/// So many milliseconds after noon.
pub fn at(millis: i64) -> Timestamp {
    later("2026-11-20T12:00:00Z".parse().expect("an instant"), SignedDuration::from_millis(millis))
}

/// The moment at which both clocks show the same.
pub fn moment(now: Timestamp) -> Moment {
    Moment { ours: now, theirs: now }
}

pub fn secs(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

pub fn mins(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

/// Runs since noon, for six hours at most, with these tags.
pub fn session(id: &str, metadata: Value) -> Session {
    Session {
        id: id.into(),
        kind: Kind::Session,
        status: Status::new("RUNNING", Phase::Running),
        created_at: at(0),
        started_at: Some(at(0)),
        expires_at: Some(later(at(0), SignedDuration::from_hours(6))),
        ended_at: None,
        region: Some("us-west-2".into()),
        keep_alive: Some(true),
        keep_alive_unlearnt: false,
        project: None,
        proxy_bytes: None,
        sign: Sign::Nothing,
        metadata: Metadata::from_json(Some(metadata)),
        parts: Parts::default(),
    }
}

pub fn in_phase(phase: Phase, session: Session) -> Session {
    let word = match phase {
        Phase::Pending => "PENDING",
        Phase::Running => "RUNNING",
        Phase::Completed => "COMPLETED",
        Phase::TimedOut => "TIMED_OUT",
        Phase::Errored => "ERROR",
        Phase::Unknown => "HIBERNATING",
    };
    Session { status: Status::new(word, phase), ..session }
}

/// Asked for once at this instant, and not answered.
pub fn release(id: &str, asked_at: Timestamp) -> Release {
    Release {
        account: "growth".into(),
        provider: Provider::Browserbase,
        id: id.into(),
        kind: Kind::Session,
        parts: Parts::default(),
        life: None,
        region: None,
        policy: "ci".into(),
        limit: Limit::MaxAge,
        deadline: asked_at,
        requested_at: asked_at,
        asked_at: Some(asked_at),
        accepted_at: None,
        confirmed_at: None,
        ended_at: None,
        expires_at: Some(later(at(0), SignedDuration::from_hours(6))),
        outcome: Outcome::Requested,
        attempts: 1,
        overrun: SignedDuration::ZERO,
        saved_runtime: None,
        saved_cost: None,
        currency: "USD".to_owned(),
        reason: "older than 20m since 12:00:00".to_owned(),
        fault: None,
        metadata: Value::Null,
    }
}

/// Live for a minute and a half, and nobody's.
pub fn session_view(id: &str) -> SessionView {
    SessionView {
        account: "agents".into(),
        provider: Provider::BrowserUse,
        id: id.into(),
        kind: Kind::Agent,
        browser: None,
        status: "active".to_owned(),
        region: None,
        keep_alive: None,
        metadata: serde_json::json!({}),
        created_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        expires_at: None,
        age_seconds: 90.0,
        last_active_at: None,
        verdict: VerdictWord::Unmatched,
        policy: None,
        limit: None,
        deadline: None,
        hold: None,
        reason: "no policy fits: never touched".to_owned(),
        release: None,
        shadows: Vec::new(),
    }
}

/// Noon, with these sessions and nothing else.
pub fn snapshot(sessions: Vec<SessionView>) -> Snapshot {
    Snapshot { at: at(0), mode: Mode::Enforce, accounts: Vec::new(), sessions, budgets: Vec::new(), policies: Vec::new() }
}
