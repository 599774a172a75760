//! The page: who sees it, and what is said where there is nothing to see.

use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use session_reaper::domain::name::{Kind, Provider};
use session_reaper::domain::verdict::VerdictWord;
use session_reaper::domain::view::SessionView;

use super::*;

/// One session is known: `a/b?c` on `growth`.
pub(super) fn explanation(account: &AccountName, id: &SessionId) -> Option<Explanation> {
    let known = account.as_str() == "growth" && id.as_str() == "a/b?c";
    known.then(|| Explanation {
        session: session(),
        policies: Vec::new(),
        limits: Vec::new(),
        evidence: Vec::new(),
        hold: None,
        holds: Vec::new(),
        release: None,
    })
}

fn session() -> SessionView {
    SessionView {
        account: "growth".into(),
        provider: Provider::Browserbase,
        id: "a/b?c".into(),
        kind: Kind::Session,
        browser: None,
        status: "RUNNING".to_owned(),
        region: None,
        keep_alive: None,
        metadata: json!({}),
        created_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        expires_at: None,
        age_seconds: 1.0,
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

async fn locked() -> Running {
    let running = start(settings(), Some("s3cret"), Mood::Well).await;
    Running { client: Client::builder().no_proxy().tls_certs_only([]).redirect(Policy::none()).build().expect("a client"), ..running }
}

impl Running {
    async fn sign_in(&self, form: &'static str) -> Response {
        let request = self.request(Method::POST, "/login").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.body(form).send().await.expect("an answer")
    }

    async fn with_cookie(&self, cookie: &str, path: &str) -> Response {
        self.request(Method::GET, path).header(COOKIE, cookie).send().await.expect("an answer")
    }
}

fn header(response: &Response, name: reqwest::header::HeaderName) -> String {
    response.headers().get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_page_that_is_refused_says_so_as_a_page_and_the_api_as_json() {
    let server = open(Mood::Well).await;
    for (path, status, expected) in [
        ("/nowhere", 404, "nothing is here"),
        ("/?sort=bogus", 400, "sort: found &#34;bogus&#34;, expected session or account"),
        ("/?limt=1", 400, "no such parameter"),
        ("/releases?outcome=gone", 400, "confirmed"),
        ("/sessions/growth/unknown", 404, "neither live on account growth nor in its books"),
        ("/sessions/growth/%3Cscript%3E", 404, "&#60;script&#62;"),
        ("/sessions/growth/a%2Fb%3Fc?x=1", 400, "no parameters"),
    ] {
        let answer = server.get(path).await;
        assert_eq!((answer.status().as_u16(), header(&answer, CONTENT_TYPE).as_str()), (status, "text/html; charset=utf-8"), "{path}");
        let text = answer.text().await.expect("text");
        assert!(text.contains(expected) && text.contains("<h1>"), "{path}: {text}");
    }
    assert_eq!(error_of(server.request(Method::GET, "/api/v1/nowhere").header(ACCEPT, "text/html").send().await.expect("an answer")).await.0, 404);
}

#[tokio::test]
async fn an_id_may_hold_anything_that_an_address_can_carry() {
    let page = open(Mood::Well).await.get("/sessions/growth/a%2Fb%3Fc").await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.expect("text").contains("no policy fits"));
}

#[tokio::test]
async fn a_page_without_its_source_says_why() {
    let stalled = open(Mood::Stalled).await.get("/").await;
    assert_eq!(stalled.status(), 503);
    assert!(stalled.text().await.expect("text").contains("no answer within 2s"));
    let panicked = open(Mood::Panicking).await.get("/").await;
    assert_eq!(panicked.status(), 500);
    assert!(!panicked.text().await.expect("text").contains("planted"));
}

#[tokio::test]
async fn the_files_of_a_page_may_be_kept_and_need_no_token() {
    let server = locked().await;
    for (path, kind) in [("/assets/page.css", "text/css"), ("/assets/page.js", "text/javascript"), ("/assets/icon.svg", "image/svg+xml")] {
        let answer = server.get(path).await;
        assert!(answer.status() == 200 && header(&answer, CONTENT_TYPE).starts_with(kind), "{path}");
        assert!(header(&answer, reqwest::header::CACHE_CONTROL).contains("immutable"), "{path}");
    }
}

#[tokio::test]
async fn without_the_token_a_page_is_the_form_that_asks_for_it_and_remembers_where_to() {
    let server = locked().await;
    let answer = server.get("/releases?outcome=confirmed&page=2").await;
    assert_eq!(answer.status(), 401);
    let form = answer.text().await.expect("text");
    assert!(form.contains("action=\"/login\"") && form.contains("value=\"/releases?outcome=confirmed&#38;page=2\""), "{form}");
    assert_eq!(error_of(server.get("/api/v1/sessions").await).await.0, 401, "a program gets no form");
}

#[tokio::test]
async fn whoever_writes_the_token_gets_a_strict_cookie_that_is_not_the_token() {
    let server = locked().await;
    let answer = server.sign_in("token=s3cret&next=%2Freleases%3Fpage%3D2").await;
    assert_eq!((answer.status().as_u16(), header(&answer, LOCATION).as_str()), (303, "/releases?page=2"));
    let cookie = header(&answer, SET_COOKIE);
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict") && !cookie.contains("s3cret"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a pair");
    for path in ["/", "/releases", "/api/v1/sessions"] {
        assert_eq!(server.with_cookie(cookie, path).await.status(), 200, "{path}");
    }
    let page = server.with_cookie(cookie, "/").await.text().await.expect("text");
    assert!(page.contains("action=\"/logout\""), "whoever signed in can sign out: {page}");
    assert_eq!(server.with_cookie(cookie, "/metrics").await.status(), 401, "it is for the page");
}

#[tokio::test]
async fn no_other_cookie_opens_the_page() {
    let server = locked().await;
    for wrong in ["session_reaper=", "session_reaper=s3cret", "session_reaper=AAAA", "other=1"] {
        assert_eq!(server.with_cookie(wrong, "/").await.status(), 401, "{wrong}");
    }
    for wrong in ["token=wrong&next=%2F", "token=&next=%2F", "next=%2F", ""] {
        let answer = server.sign_in(wrong).await;
        assert!(answer.status() == 401 && header(&answer, SET_COOKIE).is_empty(), "{wrong}");
        assert!(answer.text().await.expect("text").contains("That is not the token."), "{wrong}");
    }
    let empty = start(settings(), Some(""), Mood::Well).await;
    assert_eq!(empty.sign_in("token=&next=%2F").await.status(), 401);
}

#[tokio::test]
async fn signing_in_sends_nobody_to_another_site() {
    let server = locked().await;
    for form in ["token=s3cret&next=%2F%2Fevil.example", "token=s3cret&next=https%3A%2F%2Fevil.example", "token=s3cret"] {
        assert_eq!(header(&server.sign_in(form).await, LOCATION), "/", "{form}");
    }
}

#[tokio::test]
async fn signing_out_takes_the_cookie_away() {
    let answer = locked().await.request(Method::POST, "/logout").send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(&answer, LOCATION).as_str()), (303, "/login"));
    assert!(header(&answer, SET_COOKIE).contains("session_reaper=;") && header(&answer, SET_COOKIE).contains("Max-Age=0"));
}

#[tokio::test]
async fn where_no_token_is_wanted_there_is_nothing_to_sign_in_to() {
    let running = open(Mood::Well).await;
    let server = Running { client: Client::builder().no_proxy().tls_certs_only([]).redirect(Policy::none()).build().expect("a client"), ..running };
    assert_eq!(header(&server.get("/login").await, LOCATION), "/");
    assert_eq!(header(&server.sign_in("token=anything&next=%2Freleases").await, LOCATION), "/releases");
    assert!(!server.get("/").await.text().await.expect("text").contains("/logout"));
}

#[tokio::test]
async fn a_form_without_an_end_is_refused() {
    let server = locked().await;
    let request = server.request(Method::POST, "/login").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = request.body(format!("token={}", "x".repeat(64 << 10))).send().await.expect("an answer");
    assert_eq!(answer.status(), 413);
}
