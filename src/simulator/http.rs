//! The world over HTTP, as each provider's API.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, Query as Parameters, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Ask, Delivery};
use super::connection::{Connection, CuttableListener};
use super::route::Misrouted;
use super::{SharedWorld, World, WorldClock, browser_use as api};
use crate::domain::name::ApiVersion;
use crate::domain::time::Timestamp;

/// Serves a world.
pub struct Simulator;

/// A server at work; dropping it stops it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl Simulator {
    /// Serves the world at this address (port 0: any free one) until stopped.
    pub async fn serve(listen: SocketAddr, world: SharedWorld, clock: WorldClock) -> io::Result<Running> {
        let listener = CuttableListener(TcpListener::bind(listen).await?);
        let address = listener.0.local_addr()?;
        let stop = CancellationToken::new();
        tokio::spawn(go_on(world.clone(), clock, stop.clone()));
        let service = router(Face { world, clock, stop: stop.clone() }).into_make_service_with_connect_info::<Connection>();
        let server = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        Ok(Running { address, stop, task: tokio::spawn(server.into_future()) })
    }
}

/// Lets the world go on while nobody asks, so that a fast one does not catch up on years at once.
async fn go_on(world: SharedWorld, clock: WorldClock, stop: CancellationToken) {
    let mut seconds = interval(Duration::from_secs(1));
    while stop.run_until_cancelled(seconds.tick()).await.is_some() {
        world.with(|world| world.advance(clock.now()));
    }
}

/// How long a stopping server lets answers that are on their way arrive.
const GOODBYE: Duration = Duration::from_secs(1);

impl Running {
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What a client takes as the provider's base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops listening and ends every connection.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if timeout(GOODBYE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[derive(Clone)]
struct Face {
    world: SharedWorld,
    clock: WorldClock,
    stop: CancellationToken,
}

/// One request, as far as every handler needs it.
type Caller = (HeaderMap, ConnectInfo<Connection>);

fn router(face: Face) -> Router {
    Router::new().route("/v1/{*path}", any(browserbase)).route("/api/{version}/{*path}", any(browser_use)).fallback(unknown_route).with_state(face)
}

async fn browserbase(
    State(face): State<Face>,
    caller: Caller,
    method: Method,
    Path(path): Path<String>,
    Parameters(query): Parameters<Vec<(String, String)>>,
    body: Bytes,
) -> Response {
    let path: Vec<&str> = path.split('/').collect();
    match Ask::of(method.as_str(), &path, &query, &body) {
        Ok(ask) => face.respond(caller, |world, headers, now| world.answer(key(headers, "x-bb-api-key"), ask, now)).await,
        Err(misrouted) => write(Answer::misrouted(misrouted, face.now())),
    }
}

async fn browser_use(
    State(face): State<Face>,
    caller: Caller,
    method: Method,
    Path((version, path)): Path<(String, String)>,
    Parameters(query): Parameters<Vec<(String, String)>>,
    body: Bytes,
) -> Response {
    let Some(version) = ApiVersion::from_word(&version) else {
        return write(Answer::json(404, api::detail("Not Found"), face.now()));
    };
    let segments = path.split('/').map(str::to_owned).collect();
    let call = api::ApiCall { version, method: method.to_string(), segments, query, body: body.to_vec(), purpose: None };
    let answer = |world: &mut World, headers: &HeaderMap, now| world.answer_browser_use(key(headers, "x-browser-use-api-key"), &call, now);
    face.respond(caller, answer).await
}

fn key<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn unknown_route(State(face): State<Face>) -> Response {
    write(Answer::misrouted(Misrouted::Route, face.now()))
}

impl Face {
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        self.world.with(|world| world.time(now))
    }

    async fn respond(
        &self,
        (headers, ConnectInfo(connection)): Caller,
        answer: impl FnOnce(&mut World, &HeaderMap, Timestamp) -> Answer,
    ) -> Response {
        let answer = self.world.with(|world| answer(world, &headers, self.clock.now()));
        tokio::select! {
            biased;
            () = hold_back(&answer) => {}
            () = self.stop.cancelled() => connection.cut(),
        }
        if answer.delivery == Delivery::Cut {
            connection.cut();
        }
        write(answer)
    }
}

async fn hold_back(answer: &Answer) {
    sleep(answer.delay.try_into().unwrap_or(Duration::ZERO)).await;
    if answer.delivery == Delivery::Never {
        pending::<()>().await;
    }
}

fn write(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers.into_iter().filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?)));
    response.headers_mut().extend(headers);
    if let Ok(date) = HeaderValue::try_from(http_date(answer.date)) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// An instant as HTTP writes it, cut to whole seconds.
fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
