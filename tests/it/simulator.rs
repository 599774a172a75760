//! The simulator over HTTP: Browserbase's wire form, and each fault as a client meets it.

mod browser_use;
mod evidence;

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use serde_json::{Value, json};
use session_reaper::clock::Clock;
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::{BadRow, Extent, Fault, NewSession, Running, SharedWorld, Simulator, Target, World, WorldClock};

use crate::support::{PATIENCE, Process, Simulate, session_reaper};

const KEY: &str = "bb_demo_http";

/// A served world and a client of it.
struct Provider {
    clock: WorldClock,
    world: SharedWorld,
    server: Running,
    http: Client,
}

impl Provider {
    async fn start() -> Self {
        // A second test that installs it finds it there, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = WorldClock::new(Clock::start(), 1.0);
        let world = SharedWorld::new(World::new(1, clock.now()));
        let server = Simulator::serve(([127, 0, 0, 1], 0).into(), world.clone(), clock).await.expect("loopback has a free port");
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(PATIENCE).build().expect("a client");
        Self { clock, world, server, http }
    }

    fn add(&self, new: NewSession) -> SessionId {
        self.world.with(|world| world.create(KEY, new, self.clock.now())).expect("the key is one of this world's")
    }

    fn inject(&self, target: impl Into<Target>, fault: Fault) {
        self.world.with(|world| world.inject(target, fault, Extent::Times(1)));
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.server.base_url())).header("X-BB-API-Key", KEY)
    }

    async fn get(&self, path: &str) -> reqwest::Result<Response> {
        self.request(Method::GET, path).send().await
    }

    async fn running(&self) -> reqwest::Result<Response> {
        self.get("/v1/sessions?status=RUNNING").await
    }

    async fn release(&self, id: &SessionId) -> reqwest::Result<Response> {
        self.request(Method::POST, &format!("/v1/sessions/{id}")).json(&json!({ "status": "REQUEST_RELEASE" })).send().await
    }

    async fn status_of(&self, id: &SessionId) -> Value {
        body(self.get(&format!("/v1/sessions/{id}")).await).await["status"].clone()
    }
}

async fn body(response: reqwest::Result<Response>) -> Value {
    response.expect("an answer").json().await.expect("JSON")
}

fn lasting(latency: SignedDuration) -> NewSession {
    NewSession { release_latency: Some(latency), ..NewSession::default() }
}

#[tokio::test]
async fn credentials_are_shown_by_create_and_read_while_it_runs_and_nowhere_else() {
    let provider = Provider::start().await;
    let created = body(provider.request(Method::POST, "/v1/sessions").json(&json!({})).send().await).await;
    let id = SessionId::from(created["id"].as_str().expect("an id"));
    let secret = created["signingKey"].as_str().expect("a credential").to_owned();
    assert!(provider.get(&format!("/v1/sessions/{id}")).await.expect("an answer").text().await.expect("a text").contains(&secret));

    let listing = provider.running().await.expect("an answer").text().await.expect("a text");
    let released = provider.release(&id).await.expect("an answer").text().await.expect("a text");
    assert!(listing.contains(id.as_str()) && released.contains(id.as_str()));
    assert!(!listing.contains(&secret) && !released.contains(&secret));

    let ended = provider.add(NewSession { age: SignedDuration::from_hours(2), ..NewSession::default() });
    let ended = body(provider.get(&format!("/v1/sessions/{ended}")).await).await;
    assert_eq!((&ended["status"], ended.get("connectUrl"), ended.get("signingKey")), (&json!("TIMED_OUT"), None, None));
    assert_eq!(ended["endedAt"], ended["expiresAt"]);
}

#[tokio::test]
async fn a_release_is_answered_while_the_session_still_runs() {
    let provider = Provider::start().await;
    let id = provider.add(lasting(SignedDuration::from_millis(300)));
    let accepted = provider.release(&id).await.expect("an answer");
    assert_eq!(accepted.status(), StatusCode::OK);
    assert_eq!(accepted.json::<Value>().await.expect("JSON")["status"], "RUNNING");
    let ended = async {
        while provider.status_of(&id).await != "COMPLETED" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
    assert_eq!(body(provider.running().await).await, json!([]));
}

#[tokio::test]
async fn requests_that_are_not_in_order_are_refused_in_the_providers_form() {
    let provider = Provider::start().await;
    let id = provider.add(NewSession::default());
    let anonymous = provider.http.get(format!("{}/v1/sessions", provider.server.base_url())).send().await.expect("an answer");
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(anonymous.json::<Value>().await.expect("JSON"), json!({ "error": "Unauthorized", "message": "Missing x-bb-api-key header" }));
    let session = format!("/v1/sessions/{id}");
    let cases = [
        (Method::GET, "/v1/sessions?status=running", json!(null), 400),
        (Method::GET, "/v1/sessions?q=env:ci", json!(null), 400),
        (Method::GET, "/v1/sessions/nobody", json!(null), 404),
        (Method::POST, "/v1/sessions/nobody", json!({ "status": "REQUEST_RELEASE" }), 404),
        (Method::POST, &session, json!({ "status": "COMPLETED" }), 400),
        (Method::POST, "/v1/sessions", json!({ "timeout": 59 }), 400),
        (Method::DELETE, &session, json!(null), 405),
        (Method::GET, "/v2/sessions", json!(null), 404),
    ];
    for (method, path, sent, status) in cases {
        let response = provider.request(method.clone(), path).json(&sent).send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        assert_eq!(response.json::<Value>().await.expect("JSON")["statusCode"], status, "{method} {path}");
    }
    assert_eq!(provider.status_of(&id).await, "RUNNING");
}

#[tokio::test]
async fn a_refusal_has_its_status_headers_and_body() {
    let provider = Provider::start().await;
    provider.inject(Operation::List, Fault::throttled(17));
    let response = provider.running().await.expect("an answer");
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"17".parse().expect("a header")));
    assert_eq!(response.json::<Value>().await.expect("JSON")["error"], "Too Many Requests");
    assert_eq!(provider.running().await.expect("an answer").status(), StatusCode::OK);
}

#[tokio::test]
async fn a_redirect_leads_elsewhere() {
    let provider = Provider::start().await;
    provider.inject(Operation::List, Fault::Redirect { location: "http://127.0.0.1:1/".to_owned() });
    let response = provider.running().await.expect("an answer");
    assert_eq!((response.status().as_u16(), &response.headers()["location"]), (302, &"http://127.0.0.1:1/".parse().expect("a header")));
}

#[tokio::test]
async fn a_body_may_be_cut_a_page_empty_or_huge() {
    let provider = Provider::start().await;
    provider.add(NewSession::default());
    let whole = provider.running().await.expect("an answer").text().await.expect("a text");
    let mut texts = Vec::new();
    for fault in [Fault::TruncatedJson, Fault::Html, Fault::EmptyList, Fault::HugeBody(6 << 20)] {
        provider.inject(Operation::List, fault);
        let response = provider.running().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        texts.push(response.text().await.expect("a text"));
    }
    assert_eq!(texts[0], whole[..whole.len() / 2]);
    assert!(texts[1].starts_with("<!doctype html>"));
    assert_eq!(texts[2], "[]");
    assert_eq!((texts[3].len(), texts[3].trim_end().len()), (6 << 20, whole.len()));
}

#[tokio::test]
async fn rows_may_be_doubled_or_spoilt() {
    let provider = Provider::start().await;
    let id = provider.add(NewSession::default());
    provider.inject(Operation::List, Fault::DuplicateRows);
    assert_eq!(body(provider.running().await).await.as_array().map(Vec::len), Some(2));
    provider.inject(Target::from(Operation::List).session(id), Fault::BadRow(BadRow::NoId));
    assert_eq!(body(provider.running().await).await[0].get("id"), None);
    provider.inject(Operation::List, Fault::ExtraRow(json!(7)));
    assert_eq!(body(provider.running().await).await[1], 7);
}

#[tokio::test]
async fn a_reset_ends_the_connection_and_does_nothing() {
    let provider = Provider::start().await;
    let id = provider.add(lasting(SignedDuration::ZERO));
    provider.inject(Operation::Release, Fault::Reset);
    let error = provider.release(&id).await.expect_err("no answer");
    assert!(!error.is_timeout() && error.status().is_none(), "{error:?}");
    assert_eq!(provider.status_of(&id).await, "RUNNING");
}

#[tokio::test]
async fn a_release_may_be_done_and_not_answered_or_answered_and_not_done() {
    let provider = Provider::start().await;
    let (cut, stuck) = (provider.add(lasting(SignedDuration::ZERO)), provider.add(lasting(SignedDuration::ZERO)));
    provider.inject(Operation::Release, Fault::AppliedUnanswered);
    provider.release(&cut).await.expect_err("no answer");
    assert_eq!(provider.status_of(&cut).await, "COMPLETED");
    provider.inject(Operation::Release, Fault::NeverEnding);
    assert_eq!(provider.release(&stuck).await.expect("an answer").status(), StatusCode::OK);
    assert_eq!(provider.status_of(&stuck).await, "RUNNING");
}

#[tokio::test]
async fn a_hang_lasts_until_the_server_stops() {
    let provider = Provider::start().await;
    provider.inject(Operation::List, Fault::Hang);
    let impatient = provider.request(Method::GET, "/v1/sessions").timeout(Duration::from_millis(200)).send().await;
    assert!(impatient.expect_err("no answer").is_timeout());
    provider.inject(Operation::List, Fault::Hang);
    let request = provider.request(Method::GET, "/v1/sessions").send();
    let hanging = tokio::spawn(request);
    tokio::time::timeout(PATIENCE, async {
        while provider.world.with(|world| world.journal().len()) < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the request arrives");
    provider.server.stop().await;
    assert!(!hanging.await.expect("no panic").expect_err("no answer").is_timeout());
}

#[tokio::test]
async fn the_date_is_the_worlds_and_may_be_wrong() {
    let provider = Provider::start().await;
    let date = |response: Response| {
        let text = response.headers()["date"].to_str().expect("a text").to_owned();
        assert!(text.ends_with(" GMT"), "{text}");
        jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.replace("GMT", "+0000")).expect("a date")
    };
    let before = provider.clock.now();
    let right = date(provider.running().await.expect("an answer"));
    assert!(right.duration_since(before) > SignedDuration::from_secs(-1) && right <= provider.clock.now(), "{right} after {before}");
    provider.inject(Operation::List, Fault::DateOff(SignedDuration::from_hours(1)));
    let wrong = date(provider.running().await.expect("an answer"));
    assert!(wrong.duration_since(right) >= SignedDuration::from_hours(1), "{wrong} after {right}");
}

#[tokio::test]
async fn a_slow_answer_comes_no_sooner() {
    let provider = Provider::start().await;
    provider.inject(Operation::List, Fault::Slow(SignedDuration::from_millis(250)));
    let before = provider.clock.now();
    assert_eq!(provider.running().await.expect("an answer").status(), StatusCode::OK);
    assert!(provider.clock.now().duration_since(before) >= SignedDuration::from_millis(250));
}

#[test]
fn simulate_says_where_it_is_and_ends_well_when_told() {
    for signal in ["TERM", "INT"] {
        let mut simulate = Simulate::start();
        assert!(simulate.process.line_with("bb_demo").ends_with("with the key bb_demo"));
        simulate.process.signal(signal);
        assert_eq!(simulate.process.ended().code(), Some(0), "after SIG{signal}");
    }
}

#[test]
fn simulate_ends_by_itself_when_its_time_is_over() {
    let mut process = Process::start(session_reaper(["simulate", "--listen", "127.0.0.1:0", "--for", "50ms", "--speed", "60", "--seed", "9"]));
    assert_eq!(process.line_with("seed"), "simulate: seed 9, speed 60; other keys that begin so start empty");
    assert_eq!(process.ended().code(), Some(0));
}

#[test]
fn simulate_refuses_what_it_should_not_do() {
    let cases =
        [("--listen", "0.0.0.0:0", "loopback only"), ("--speed", "0", "above 0"), ("--speed", "NaN", "above 0"), ("--for", "5", "without a unit")];
    for (flag, value, why) in cases {
        let mut process = Process::start(session_reaper(["simulate", flag, value]));
        process.line_with(why);
        assert_eq!(process.ended().code(), Some(2), "{flag} {value}");
    }
}

#[test]
fn simulate_says_when_its_address_is_taken() {
    let first = Simulate::start();
    let taken = first.base_url.trim_start_matches("http://");
    let mut second = Process::start(session_reaper(["simulate", "--listen", taken]));
    second.line_with("choose another address with --listen");
    assert_eq!(second.ended().code(), Some(1));
}
