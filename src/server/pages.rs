//! The views that people look at, and the files that they need.

use askama::Template;
use axum::extract::{Path, State as Held};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use futures_util::future::{join, join3};

use super::State;
use super::answers::{Refusal, in_time};
use super::query::Params;
use crate::domain::name::{AccountName, SessionId};
use crate::domain::release::Releases;
use crate::domain::time::Timestamp;
use crate::domain::view::{Mode, Snapshot};
use crate::page::ask::{Asked, AskedReleases};
use crate::page::assets::Asset;
use crate::page::{Frame, Trouble, list, overview, releases, savings, session};

/// `/`.
pub(super) async fn overview(Held(state): Held<State>, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let asked = Asked::read(params.all()?).map_err(bad)?;
    let (snapshot, books) = join(in_time(state.source.snapshot()), books(&state, asked.days)).await;
    let snapshot = snapshot?;
    let frame = frame(&state, &headers, snapshot.mode, snapshot.at);
    html(&overview::View::new(frame, &snapshot, books.as_ref().map_err(Clone::clone), asked))
}

/// The books may be out of reach while the sessions are not.
async fn books(state: &State, days: usize) -> Result<overview::Books, String> {
    let now = state.source.now();
    let since = savings::since(now, days);
    let report = |by: &str| in_time(state.source.report(since, now, by.to_owned()));
    let releases = in_time(state.source.releases(Releases::latest(overview::RELEASES_SHOWN)));
    let (releases, by_day, by_policy) = join3(releases, report("day"), report("policy")).await;
    let said = |refusal: Refusal| refusal.why;
    Ok(overview::Books { releases: releases.map_err(said)?, by_day: by_day.map_err(said)?, by_policy: by_policy.map_err(said)? })
}

/// `/releases`.
pub(super) async fn releases(Held(state): Held<State>, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    let asked = AskedReleases::read(params.all()?).map_err(bad)?;
    let (outline, found) = join(in_time(state.source.outline()), in_time(state.source.releases(releases::wanted(&asked)))).await;
    let Snapshot { at, mode, accounts, policies, .. } = outline?;
    let accounts: Vec<String> = accounts.iter().map(|account| account.name.to_string()).collect();
    let policies: Vec<String> = policies.iter().filter(|policy| !policy.shadow).map(|policy| policy.name.to_string()).collect();
    html(&releases::View::new(frame(&state, &headers, mode, at), asked, &found?, &accounts, &policies, at))
}

/// `/sessions/ACCOUNT/ID`.
pub(super) async fn session(
    Held(state): Held<State>,
    headers: HeaderMap,
    Path((account, id)): Path<(String, String)>,
    params: Params,
) -> Result<Response, Refusal> {
    params.only(&[])?;
    let session = SessionId::from(id.as_str());
    let live = state.source.explain(AccountName::from(account.as_str()), session.clone());
    let (outline, live, rows) = join3(in_time(state.source.outline()), in_time(live), in_time(state.source.release(session))).await;
    let (outline, live) = (outline?, live?);
    let frame = frame(&state, &headers, outline.mode, outline.at);
    let view = session::View::new(frame, &account, &id, live.as_deref(), &rows?, &list::skews(&outline), outline.at);
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, format!("session {id} is neither live on account {account} nor in its books"));
    html(&view.ok_or_else(unknown)?)
}

/// One of the files that every page needs. Its address changes with it.
pub(super) fn asset(asset: Asset) -> impl Fn() -> std::future::Ready<Response> + Clone {
    move || {
        let headers = [(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
        std::future::ready((headers, asset.content).into_response())
    }
}

fn frame(state: &State, headers: &HeaderMap, mode: Mode, at: Timestamp) -> Frame {
    let not_healthy = state.source.health().err().map(Trouble::NotHealthy);
    let trouble = not_healthy.or_else(|| state.source.ready().err().map(Trouble::NotReady));
    Frame::new(mode, at, trouble, state.guard.has_signed_in(headers))
}

pub(super) fn html(view: &impl Template) -> Result<Response, Refusal> {
    let text = view.render().map_err(|fault| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the page cannot be written: {fault}")))?;
    Ok(Html(text).into_response())
}

fn bad(why: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, why)
}
