//! One HTTP client per account. One call is one request: bounded in time and in size, never redirected, never repeated by itself (the engine owns the
//! pace), and nothing secret comes back out of it.

mod call;
mod detail;
mod redact;
mod retry_after;

use std::fmt;
use std::pin::Pin;
use std::sync::Once;
use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{ACCEPT, AGE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Certificate, Request, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::listing::ClockReading;
use crate::domain::time::{SignedDuration, Timestamp, between, human};
use crate::provider::{Exchange, RequestTrace};

pub use call::{Body, Call};
pub(super) use detail::unreadable;
use redact::Redactor;
pub use retry_after::asked as retry_after;

/// What is read of a listing: some 60,000 sessions.
pub(super) const LISTING_CAP: usize = 64 << 20;
/// What is read of any other answer.
pub(super) const ANSWER_CAP: usize = 1 << 20;
/// What is read of an error's body, of which 200 characters are shown.
const ERROR_CAP: usize = 64 << 10;
/// A connection that takes longer than this is none; a shorter `request_timeout` wins.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than the usual poll interval, so that a release finds a connection that is open.
const KEEP_WARM: Duration = Duration::from_secs(300);
/// How often an open connection is asked whether it still lives, and how long it may take to say so.
const PROBE: Duration = Duration::from_secs(30);
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client is made of.
pub(super) struct ClientSettings<'a> {
    pub(super) base_url: &'a str,
    /// The header in which the provider wants its key.
    pub(super) header_name: HeaderName,
    pub(super) key: SecretString,
    /// Bounds the whole request: connecting, asking, and the answer to its last byte.
    pub(super) timeout: SignedDuration,
    pub(super) clock: Clock,
}

/// What carries a call to a provider, and its answer back: the network, or a simulated world in the same process.
pub trait Transport: Send + Sync {
    /// Makes the request, once. The result is the body of a 2xx, whatever it holds; everything else is a fault.
    fn send(&self, call: Call) -> Pin<Box<dyn Future<Output = Exchange<Body>> + Send + '_>>;

    /// Our time, by the clock that says when each call was sent: for what is answered without a call.
    fn now(&self) -> Timestamp;
}

/// A client for one credential at one address.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    redactor: Redactor,
    timeout: Duration,
    clock: Clock,
}

impl Transport for Client {
    fn send(&self, call: Call) -> Pin<Box<dyn Future<Output = Exchange<Body>> + Send + '_>> {
        Box::pin(self.send(call))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// Fails with a sentence that holds neither the key nor the address, either of which may be a credential.
    pub(super) fn new(settings: ClientSettings<'_>) -> Result<Self, String> {
        let base = base(settings.base_url)?;
        let key = settings.key.expose_secret().trim();
        let timeout = Duration::try_from(settings.timeout).map_err(|_| "`request_timeout` is negative".to_owned())?;
        let http = builder(&base, timeout)
            .default_headers(headers(settings.header_name, key)?)
            .build()
            .map_err(|error| format!("no HTTP client can be made: {}", root_cause(&error.without_url())))?;
        Ok(Self { http, base, redactor: Redactor::new(key)?, timeout, clock: settings.clock })
    }

    /// Makes the request, once. The result is the body of a 2xx, whatever it holds; everything else is a fault.
    pub(super) async fn send(&self, call: Call) -> Exchange<Body> {
        let sent_at = self.clock.now();
        let request = match self.request(&call) {
            Ok(request) => request,
            Err(fault) => return Exchange { result: Err(fault), sent_at, clock: None, requests: Vec::new() },
        };
        let deadline = Instant::now() + self.timeout;
        let response = self.head(request, deadline).await;
        let received = self.clock.now();
        let (result, clock, status) = match response {
            Ok(response) => {
                let (clock, status) = (clock_reading(response.headers(), sent_at, received), response.status().as_u16().to_string());
                (self.body(response, &call, deadline, received).await, clock, status)
            }
            Err(fault) => {
                let status = fault.kind.to_string();
                (Err(fault), None, status)
            }
        };
        let took = between(sent_at, self.clock.now());
        Exchange { result, sent_at, clock, requests: vec![RequestTrace { operation: call.operation, status, took }] }
    }

    fn request(&self, call: &Call) -> Result<Request, Fault> {
        let mut request = Request::new(call.method.clone(), self.address(call)?);
        if let Some(body) = &call.body {
            *request.body_mut() = Some(body.to_string().into());
            request.headers_mut().insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }

    /// A segment that cannot be encoded as itself never leaves, it would make another request: `..` changes the path's depth, and tabs and line ends are
    /// dropped from addresses.
    fn address(&self, call: &Call) -> Result<Url, Fault> {
        let mut url = self.base.clone();
        if call.segments.iter().any(|segment| matches!(segment.as_str(), "" | "." | "..") || segment.contains(char::is_control)) {
            return Err(Fault::new(FaultKind::Rejected, "an id that cannot stand in an address; nothing was sent"));
        }
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&call.segments);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    /// The status line and the headers.
    async fn head(&self, request: Request, deadline: Instant) -> Result<Response, Fault> {
        match timeout_at(deadline, self.http.execute(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.broken(error)),
            Err(_) => Err(self.timed_out()),
        }
    }

    async fn body(&self, response: Response, call: &Call, deadline: Instant, received: Timestamp) -> Result<Body, Fault> {
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response, deadline, received).await);
        }
        let body = match self.read(response, call.cap, deadline).await {
            Ok(body) if body.is_cut && !call.may_be_cut => Err(too_large(call.cap)),
            read => read,
        };
        body.map_err(|fault| Fault { status: Some(status.as_u16()), ..fault })
    }

    /// Reads up to `cap` bytes as they come, after decompression, and stops there.
    async fn read(&self, mut response: Response, cap: usize, deadline: Instant) -> Result<Body, Fault> {
        let mut body = Vec::new();
        loop {
            match timeout_at(deadline, response.chunk()).await {
                Ok(Ok(Some(chunk))) if body.len() + chunk.len() > cap => {
                    body.extend_from_slice(&chunk[..cap - body.len()]);
                    return Ok(Body::cut(body));
                }
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(Body::whole(body)),
                Ok(Err(error)) => return Err(self.broken(error)),
                Err(_) => return Err(self.timed_out()),
            }
        }
    }

    /// The fault that a status other than 2xx stands for. The body is a help, not a need: where it cannot be read the status still speaks.
    async fn refusal(&self, response: Response, deadline: Instant, received: Timestamp) -> Fault {
        let (status, headers) = (response.status(), response.headers().clone());
        let by_status = fault_kind(status.as_u16());
        if by_status == FaultKind::Redirected {
            return self.fault(by_status, status, moved(&self.base, &headers), None);
        }
        let body = self.read(response, ERROR_CAP, deadline).await.ok().filter(|body| !body.is_cut).unwrap_or_default();
        let now = date(&headers).unwrap_or(received);
        let asked = retry_after::asked(&headers, &body, now);
        let at_capacity = by_status == FaultKind::Throttled && asked.is_none() && detail::speaks_of_concurrency(&body);
        let kind = if at_capacity { FaultKind::AtCapacity } else { by_status };
        self.fault(kind, status, detail::said(&body), asked.or_else(|| retry_after::reset(&headers, now).filter(|_| kind == FaultKind::Throttled)))
    }

    fn fault(&self, kind: FaultKind, status: StatusCode, said: Option<String>, retry_after: Option<SignedDuration>) -> Fault {
        let detail = said.map(|text| self.redactor.clean(&text)).filter(|text| !text.is_empty());
        Fault { kind, status: Some(status.as_u16()), detail: detail.unwrap_or_else(|| detail::silent(kind).to_owned()), retry_after }
    }

    fn timed_out(&self) -> Fault {
        let timeout = SignedDuration::try_from(self.timeout).unwrap_or(SignedDuration::MAX);
        Fault::new(FaultKind::TimedOut, format!("no whole answer within {}", human(timeout)))
    }

    fn broken(&self, error: reqwest::Error) -> Fault {
        let place = if error.is_connect() { "no connection" } else { "the connection broke before the answer was whole" };
        let cause = root_cause(&error.without_url());
        Fault::new(FaultKind::Disconnected, self.redactor.clean(&format!("{place}: {cause}")))
    }
}

fn too_large(cap: usize) -> Fault {
    Fault::new(FaultKind::TooLarge, format!("an answer beyond the {} KiB that are read", cap >> 10))
}

/// The address that the key may be sent to.
fn base(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`base_url` is not an address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("`base_url` must begin with https:// or http://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("`base_url` must hold no user, password, query or fragment".to_owned());
    }
    Ok(url)
}

fn headers(name: HeaderName, key: &str) -> Result<HeaderMap, String> {
    if key.is_empty() {
        return Err("the API key is empty".to_owned());
    }
    let mut value = HeaderValue::from_str(key).map_err(|_| "the API key holds characters that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(name, value), (ACCEPT, HeaderValue::from_static("application/json"))]))
}

/// A client for an address that is no provider's: as careful as theirs, and without a key.
pub fn plain_client(address: &Url, timeout: Duration) -> Result<reqwest::Client, String> {
    builder(address, timeout).build().map_err(|error| format!("no HTTP client can be made: {}", root_cause(&error.without_url())))
}

/// Why a request came to nothing, without its address.
pub fn why_broken(error: reqwest::Error) -> String {
    root_cause(&error.without_url())
}

/// The roots that are built in stand beside the system's, so that an image without a certificate store works.
fn builder(base: &Url, timeout: Duration) -> reqwest::ClientBuilder {
    install_crypto();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|root| Certificate::from_der(root).ok());
    let builder = reqwest::Client::builder()
        .user_agent(concat!("session-reaper/", env!("CARGO_PKG_VERSION")))
        .tls_certs_merge(roots)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .gzip(true)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .pool_idle_timeout(KEEP_WARM)
        .tcp_keepalive(PROBE)
        .http2_keep_alive_interval(PROBE)
        .http2_keep_alive_timeout(PROBE_TIMEOUT)
        .http2_keep_alive_while_idle(true);
    if is_loopback(base) { builder.no_proxy() } else { builder }
}

fn install_crypto() {
    static INSTALLED: Once = Once::new();
    // A provider that is installed already serves as well.
    INSTALLED.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What a status other than 2xx stands for.
pub fn fault_kind(status: u16) -> FaultKind {
    match status {
        401 => FaultKind::Unauthorized,
        402 => FaultKind::PaymentRequired,
        403 => FaultKind::Forbidden,
        404 | 410 => FaultKind::NotFound,
        429 => FaultKind::Throttled,
        408 | 500..=599 => FaultKind::Unavailable,
        400..=499 => FaultKind::Rejected,
        300..=399 => FaultKind::Redirected,
        _ => FaultKind::Unreadable,
    }
}

/// Where a redirect points, as far as a person needs it: scheme, host and port, nothing that could hold a credential.
fn moved(base: &Url, headers: &HeaderMap) -> Option<String> {
    let target = base.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    Some(format!("a redirect to {}, not followed: check `base_url`", target.origin().ascii_serialization()))
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(headers.get(DATE)?.to_str().ok()?).ok()
}

/// An answer with an age comes from a cache, and so does its date.
fn clock_reading(headers: &HeaderMap, sent: Timestamp, received: Timestamp) -> Option<ClockReading> {
    let fresh = headers.get(AGE).is_none_or(|age| age.as_bytes() == b"0");
    date(headers).filter(|_| fresh).map(|date| ClockReading { date, sent, received })
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
