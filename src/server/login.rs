//! Signing in: a form in which the token is written, and a cookie that proves that it was.

use std::collections::BTreeMap;

use axum::extract::{Form, Request, State as Held};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::State;
use super::answers::Refusal;
use super::pages::html;
use crate::page::plain::{Fault, Login};

/// The cookie's name.
const NAME: &str = "session_reaper";
/// What is signed with the token: whoever has the cookie does not have the token.
const PURPOSE: &[u8] = b"session-reaper: has signed in to the page";

/// The cookie's value for this token. It is good for as long as the token is.
pub(super) fn proof(token: &SecretString) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.expose_secret().as_bytes()).ok()?;
    mac.update(PURPOSE);
    Some(BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The proof that a request brings, where it brings one.
pub(super) fn brought(headers: &HeaderMap) -> Option<&[u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| pair.strip_prefix(NAME.as_bytes())?.strip_prefix(b"="))
}

/// `/login`, to look at.
pub(super) async fn form(Held(state): Held<State>) -> Result<Response, Refusal> {
    if !state.guard.wants_token() {
        return Ok(Redirect::to("/").into_response());
    }
    html(&Login::new("/", false))
}

/// `/login`, filled in.
pub(super) async fn sign_in(Held(state): Held<State>, headers: HeaderMap, Form(filled): Form<BTreeMap<String, String>>) -> Result<Response, Refusal> {
    let text = |name: &str| filled.get(name).map_or("", String::as_str);
    let next = own_path(text("next"));
    if !state.guard.wants_token() {
        return Ok(Redirect::to(next).into_response());
    }
    let Some(proof) = state.guard.prove(text("token").trim()) else {
        return Ok((StatusCode::UNAUTHORIZED, html(&Login::new(next, true))?).into_response());
    };
    Ok(sent(next, &cookie(&proof, &headers)))
}

/// `/logout`.
pub(super) async fn sign_out(headers: HeaderMap) -> Response {
    sent("/login", &(cookie("", &headers) + "; Max-Age=0"))
}

fn sent(to: &str, cookie: &str) -> Response {
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, value(to)), (SET_COOKIE, value(cookie))]).into_response()
}

/// Strict: no other site's link or form brings it. Without an end: it goes with the browser's session.
fn cookie(value: &str, headers: &HeaderMap) -> String {
    let encrypted = headers.get(FORWARDED_PROTO).is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    format!("{NAME}={value}; Path=/; HttpOnly; SameSite=Strict{}", if encrypted { "; Secure" } else { "" })
}

/// What a proxy in front says of how it was asked.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A path of ours, or the first page: nobody is sent to another site.
fn own_path(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && next.bytes().all(|byte| byte.is_ascii_graphic());
    if own { next } else { "/" }
}

/// A refusal on the way to a page is a page: a person reads it. Who has to sign in gets the form.
pub(super) async fn dressed(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if ["/api/", "/metrics", "/healthz", "/readyz"].iter().any(|program| path.starts_with(program)) {
        return next.run(request).await;
    }
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let response = next.run(request).await;
    match response.extensions().get::<Refusal>().cloned() {
        Some(refusal) => dress(response, &refusal, &target),
        None => response,
    }
}

fn dress(refused: Response, refusal: &Refusal, target: &str) -> Response {
    let page = match refusal.status {
        StatusCode::UNAUTHORIZED => html(&Login::new(own_path(target), false)),
        status => html(&Fault::new(status.canonical_reason().unwrap_or("Refused"), &refusal.why)),
    };
    let Ok(page) = page else { return refused };
    let (mut parts, _) = refused.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Response::from_parts(parts, page.into_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for next in ["//evil.example", "https://evil.example", "/\\evil.example", "", "javascript:alert(1)", "/a\r\nSet-Cookie: x", "/ü"] {
            assert_eq!(own_path(next), "/", "{next:?}");
        }
        assert_eq!(own_path("/sessions/growth/a%2Fb?x=1"), "/sessions/growth/a%2Fb?x=1");
    }

    #[test]
    fn the_cookie_is_found_among_others_and_only_by_its_whole_name() {
        let brought = |text: &'static str| {
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(text))]);
            super::brought(&headers).map(<[u8]>::to_vec)
        };
        assert_eq!(brought("a=b; session_reaper=proof;c=d").as_deref(), Some(&b"proof"[..]));
        assert_eq!(brought("xsession_reaper=proof; session_reaper2=proof"), None);
    }

    #[test]
    fn the_proof_is_not_the_token_and_another_tokens_is_another() {
        let proof = |token: &str| proof(&SecretString::from(token)).expect("any token is a key");
        assert!(!proof("s3cret").contains("s3cret") && proof("s3cret") == proof("s3cret") && proof("s3cret") != proof("s3cret2"));
    }

    #[test]
    fn behind_a_proxy_that_encrypts_the_cookie_is_for_encrypted_requests_alone() {
        let https = HeaderMap::from_iter([(FORWARDED_PROTO, HeaderValue::from_static("https"))]);
        assert_eq!(cookie("p", &https), "session_reaper=p; Path=/; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(cookie("p", &HeaderMap::new()), "session_reaper=p; Path=/; HttpOnly; SameSite=Strict");
    }
}
