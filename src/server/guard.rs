//! Who is answered: only requests that mean this host, and only those that know the token where there is one.
//!
//! A page of a stranger whose name is rebound to this address sends its own name as `Host`; refusing names that are not ours keeps it out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, HeaderValue, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::answers::Refusal;
use super::login;

/// The names that are ours, and the token.
#[derive(Debug)]
pub(super) struct Guard {
    listen: IpAddr,
    hosts: Vec<String>,
    token: Option<SecretString>,
}

impl Guard {
    pub(super) fn new(listen: SocketAddr, hosts: &[String], token: Option<SecretString>) -> Self {
        Self { listen: listen.ip(), hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(), token }
    }

    /// Every host that the request names, in its headers or its target, must be ours, and it must name one.
    fn knows(&self, request: &Request) -> bool {
        let target = request.uri().authority().cloned().map(Some);
        let headers = request.headers().get_all(HOST).iter().map(authority);
        let mut named = target.into_iter().chain(headers).peekable();
        named.peek().is_some() && named.all(|authority| authority.is_some_and(|authority| self.is_ours(authority.host())))
    }

    fn is_ours(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || ip == self.listen || self.hosts.iter().any(|known| known == bare),
            Err(_) => host.eq_ignore_ascii_case("localhost") || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)),
        }
    }

    /// Whether the request brings the token, or there is none to bring.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let shown = headers.get(AUTHORIZATION).and_then(bearer);
        shown.is_some_and(|shown| bool::from(shown.ct_eq(token.expose_secret().as_bytes())))
    }

    pub(super) fn wants_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether the request comes from somebody who has signed in by the form.
    pub(super) fn has_signed_in(&self, headers: &HeaderMap) -> bool {
        let known = self.token.as_ref().filter(|token| !token.expose_secret().is_empty()).and_then(login::proof);
        login::brought(headers).zip(known).is_some_and(|(brought, known)| bool::from(brought.ct_eq(known.as_bytes())))
    }

    /// The proof for whoever wrote the token into the form; nothing where that is not it.
    pub(super) fn prove(&self, written: &str) -> Option<String> {
        let token = self.token.as_ref().filter(|token| !token.expose_secret().is_empty())?;
        let right = bool::from(written.as_bytes().ct_eq(token.expose_secret().as_bytes()));
        login::proof(token).filter(|_| right)
    }
}

fn authority(value: &HeaderValue) -> Option<Authority> {
    Authority::try_from(value.as_bytes()).ok()
}

/// The credential of `Authorization: Bearer …`; the scheme's case does not matter.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, credential) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| credential.trim_ascii())
}

pub(super) async fn host(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    if guard.knows(&request) {
        return next.run(request).await;
    }
    Refusal::new(StatusCode::MISDIRECTED_REQUEST, "this host name is not known here; add it to server.hosts").into_response()
}

/// For people's pages and what they link to: the token, or the cookie that proves it.
pub(super) async fn signed_in(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    if guard.admits(request.headers()) || guard.has_signed_in(request.headers()) { next.run(request).await } else { unknown() }
}

/// For programs: the token alone.
pub(super) async fn token(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    if guard.admits(request.headers()) { next.run(request).await } else { unknown() }
}

fn unknown() -> Response {
    let mut refusal = Refusal::new(StatusCode::UNAUTHORIZED, "the token of server.token_file is needed, as Authorization: Bearer").into_response();
    refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"session-reaper\""));
    refusal
}
