//! One function per path.

use std::any::Any;
use std::time::Duration;

use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::query::{self, Params};
use super::{Answer, State};
use crate::domain::release::Releases;
use crate::domain::time::{SignedDuration, later};
use crate::domain::view::{Report, Snapshot};

/// A loop that does not answer within this has stalled; a scraper or a page gives up not much later.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Without `since`, savings are those of a week.
const SAVINGS_OF: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An answer that is not what was asked for: `{"error": …}`, or a page that says it. It goes with its response, for whoever makes a page of it.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.why }))).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

pub(super) async fn metrics(Held(state): Held<State>) -> Result<impl IntoResponse, Refusal> {
    state.metrics.healthy.set(state.source.health().is_ok().into());
    let text = state.metrics.render().map_err(|fault| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, fault.to_string()))?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

pub(super) async fn healthz(Held(state): Held<State>) -> Result<Json<Value>, Refusal> {
    well(state.source.health())
}

pub(super) async fn readyz(Held(state): Held<State>) -> Result<Json<Value>, Refusal> {
    well(state.source.ready())
}

fn well(said: Result<(), String>) -> Result<Json<Value>, Refusal> {
    said.map(|()| Json(json!({ "status": "ok" }))).map_err(|why| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why))
}

pub(super) async fn sessions(Held(state): Held<State>, params: Params) -> Result<Json<Snapshot>, Refusal> {
    params.only(&[])?;
    in_time(state.source.snapshot()).await.map(Json)
}

pub(super) async fn accounts(Held(state): Held<State>, params: Params) -> Result<Json<Value>, Refusal> {
    params.only(&[])?;
    let outline = in_time(state.source.outline()).await?;
    Ok(Json(json!({ "accounts": outline.accounts })))
}

pub(super) async fn releases(Held(state): Held<State>, params: Params) -> Result<Json<Value>, Refusal> {
    params.only(&["limit", "since"])?;
    let (limit, since) = (params.limit()?, params.since(state.source.now())?);
    let releases = in_time(state.source.releases(Releases { since, limit, ..Releases::default() })).await?;
    Ok(Json(json!({ "releases": releases })))
}

pub(super) async fn savings(Held(state): Held<State>, params: Params) -> Result<Json<Report>, Refusal> {
    params.only(&["since", "by"])?;
    let now = state.source.now();
    let since = params.since(now)?.unwrap_or_else(|| later(now, -SAVINGS_OF));
    let by = params.by()?.unwrap_or(query::DEFAULT_BY).to_owned();
    in_time(state.source.savings(since, now, by)).await.map(Json)
}

pub(super) async fn in_time<T>(answer: Answer<T>) -> Result<T, Refusal> {
    let unavailable = |why: String| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why);
    match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(answer) => answer.map_err(unavailable),
        Err(_) => Err(unavailable(format!("no answer within {}s; see /healthz", ANSWER_WITHIN.as_secs()))),
    }
}

/// A panic is a defect of ours: its text goes to the log by the panic hook, not to the client.
pub(super) fn panicked(_payload: Box<dyn Any + Send>) -> Response {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "this answer failed; the log says why").into_response()
}
