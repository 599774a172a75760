//! `/metrics`, health, the JSON API, and the page. Read-only: nothing over HTTP changes anything.
//!
//! What it shows comes through [`Source`], so that it knows neither the engine nor the ledger; what does not answer in time is an error, not a wait.

mod answers;
mod connections;
mod guard;
mod login;
mod pages;
mod query;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::config::ServerSettings;
use crate::domain::name::{AccountName, SessionId};
use crate::domain::release::{Release, Releases};
use crate::domain::time::Timestamp;
use crate::domain::view::{Explanation, Report, Snapshot};
use crate::metrics::Metrics;
use crate::page::assets;
use answers::Refusal;
use guard::Guard;

/// What a source gives: an error is a sentence for people, without secrets, and is answered with 503.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// Where the server's answers come from.
pub trait Source: Send + Sync + 'static {
    /// Our time, for `since=7d`.
    fn now(&self) -> Timestamp;

    fn snapshot(&self) -> Answer<Snapshot>;

    /// The same without its sessions and budgets, so that nothing is counted either: accounts and policies cost little.
    fn outline(&self) -> Answer<Snapshot>;

    /// Why a live session is what it is; nothing where the account has none of that id.
    fn explain(&self, account: AccountName, id: SessionId) -> Answer<Option<Box<Explanation>>>;

    /// Releases, newest first.
    fn releases(&self, wanted: Releases) -> Answer<Vec<Release>>;

    /// The releases of the session that has this id, or a part of this id, of every life and account.
    fn release(&self, id: SessionId) -> Answer<Vec<Release>>;

    /// The rows of a report, without what costs more to have, and as they were some moments ago where they are long to count. `until` is now; `by` is one
    /// of the words of [`Report::by`].
    fn report(&self, since: Timestamp, until: Timestamp, by: String) -> Answer<Report>;

    /// The same with those who left most behind and the forecast.
    fn savings(&self, since: Timestamp, until: Timestamp, by: String) -> Answer<Report>;

    /// Why the program is not healthy, where a loop has stalled. Must not wait.
    fn health(&self) -> Result<(), String>;

    /// Why the program is not ready, before each account's first listing and while draining. Must not wait.
    fn ready(&self) -> Result<(), String>;
}

/// The server before it serves.
#[derive(Debug)]
pub struct Server;

/// A server whose address is taken.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
    guard: Guard,
    open_metrics: bool,
}

/// The address could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("server.listen: cannot listen on {addr}: {why}; choose a free address of this machine")]
pub struct BindFault {
    pub addr: SocketAddr,
    pub why: std::io::Error,
}

impl Server {
    /// Takes the address, so that one in use is a plain error at the start. With a token, all but health wants it.
    pub async fn bind(settings: &ServerSettings, token: Option<SecretString>) -> Result<Bound, BindFault> {
        let fault = |why| BindFault { addr: settings.listen, why };
        let listener = TcpListener::bind(settings.listen).await.map_err(fault)?;
        let addr = listener.local_addr().map_err(fault)?;
        let guard = Guard::new(addr, &settings.hosts, token);
        Ok(Bound { listener, addr, guard, open_metrics: settings.open_metrics })
    }
}

impl Bound {
    /// The address with the port that was really taken.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown`, then lets answers under way finish.
    pub async fn serve(self, source: Arc<dyn Source>, metrics: Metrics, shutdown: CancellationToken) {
        let router = router(State { source, metrics, guard: Arc::new(self.guard) }, self.open_metrics);
        connections::serve(self.listener, router, shutdown).await;
    }
}

#[derive(Clone)]
struct State {
    source: Arc<dyn Source>,
    metrics: Metrics,
    guard: Arc<Guard>,
}

/// Only the form to sign in takes a body: a token, and where to go then.
const LONGEST_BODY: usize = 8 << 10;

fn router(state: State, open_metrics: bool) -> Router {
    let guard = state.guard.clone();
    let health = Router::new().route("/healthz", get(answers::healthz)).route("/readyz", get(answers::readyz));
    let mut metrics = Router::new().route("/metrics", get(answers::metrics));
    if !open_metrics {
        metrics = metrics.layer(from_fn_with_state(guard.clone(), guard::token));
    }
    let shown = Router::new()
        .route("/", get(pages::overview))
        .route("/releases", get(pages::releases))
        .route("/sessions/{account}/{id}", get(pages::session))
        .route("/api/v1/sessions", get(answers::sessions))
        .route("/api/v1/accounts", get(answers::accounts))
        .route("/api/v1/releases", get(answers::releases))
        .route("/api/v1/savings", get(answers::savings))
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "nothing is here; / is the first page, /api/v1/sessions the first of the API"))
        .layer(from_fn_with_state(guard.clone(), guard::signed_in));
    let assets = assets::ALL.into_iter().fold(Router::new(), |router, asset| router.route(asset.path, get(pages::asset(asset))));
    let door = Router::new().route("/login", get(login::form).post(login::sign_in)).route("/logout", post(login::sign_out));
    let ours = shown.merge(assets).merge(door).layer(from_fn_with_state(guard, guard::host));
    let all = health
        .merge(metrics)
        .merge(ours)
        .method_not_allowed_fallback(async || Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "read-only: only GET and HEAD are answered"))
        .with_state(state)
        .layer(CatchPanicLayer::custom(answers::panicked))
        .layer(from_fn(login::dressed))
        .layer(RequestBodyLimitLayer::new(LONGEST_BODY))
        .layer(CompressionLayer::new());
    secured(all)
}

const SECURITY: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What is the same for everybody says itself that it may be kept.
fn secured(router: Router) -> Router {
    let layer = |(name, value)| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    let unkept = SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    SECURITY.into_iter().fold(router, |router, header| router.layer(layer(header))).layer(unkept)
}
