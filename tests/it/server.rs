//! The server over real loopback connections, with a source that the tests hold in hand.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use session_reaper::config::ServerSettings;
use session_reaper::domain::name::{AccountName, SessionId};
use session_reaper::domain::release::{Release, Releases};
use session_reaper::domain::time::{SignedDuration, Timestamp};
use session_reaper::domain::view::{BudgetView, Explanation, Mode, Report, ReportRow, Snapshot};
use session_reaper::metrics::Metrics;
use session_reaper::server::{Answer, Server, Source};
use tokio_util::sync::CancellationToken;

mod pages;

const NOW: &str = "2026-11-20T12:00:00Z";

/// How the source behaves.
#[derive(Clone, Copy, Default, PartialEq)]
enum Mood {
    #[default]
    Well,
    /// Its loops have stalled: nothing is answered.
    Stalled,
    /// It answers with faults.
    Failing,
    Panicking,
}

struct Fake(Mood);

impl Fake {
    fn answer<T: Send + 'static>(&self, value: T) -> Answer<T> {
        match self.0 {
            Mood::Well => Box::pin(async { Ok(value) }),
            Mood::Stalled => Box::pin(std::future::pending()),
            Mood::Failing => Box::pin(async { Err("the ledger is locked".to_owned()) }),
            Mood::Panicking => panic!("a planted secret"),
        }
    }
}

impl Source for Fake {
    fn now(&self) -> Timestamp {
        NOW.parse().expect("an instant")
    }

    fn snapshot(&self) -> Answer<Snapshot> {
        let budget = BudgetView {
            account: "growth".into(),
            policy: "research".into(),
            shadow: false,
            per: Some("metadata.team".to_owned()),
            group: Some("ml".to_owned()),
            every: "week",
            from: self.now(),
            until: self.now(),
            allowed: SignedDuration::from_hours(50),
            spent: SignedDuration::from_mins(2_275),
            left: SignedDuration::from_mins(725),
            spent_at: None,
        };
        self.answer(Snapshot {
            at: self.now(),
            mode: Mode::Observe,
            accounts: Vec::new(),
            sessions: Vec::new(),
            budgets: vec![budget],
            policies: Vec::new(),
        })
    }

    fn outline(&self) -> Answer<Snapshot> {
        self.answer(Snapshot {
            at: self.now(),
            mode: Mode::Observe,
            accounts: Vec::new(),
            sessions: Vec::new(),
            budgets: Vec::new(),
            policies: Vec::new(),
        })
    }

    /// What it was asked comes back as an error, so that a test can see it.
    fn releases(&self, wanted: Releases) -> Answer<Vec<Release>> {
        let Releases { since, limit, .. } = wanted;
        match (since, self.0) {
            (None, Mood::Well) if limit <= 100 => self.answer(Vec::new()),
            _ => Box::pin(async move { Err(format!("since {since:?} limit {limit}")) }),
        }
    }

    fn explain(&self, account: AccountName, id: SessionId) -> Answer<Option<Box<Explanation>>> {
        self.answer(pages::explanation(&account, &id).map(Box::new))
    }

    fn release(&self, _id: SessionId) -> Answer<Vec<Release>> {
        self.answer(Vec::new())
    }

    fn report(&self, since: Timestamp, until: Timestamp, by: String) -> Answer<Report> {
        let total = ReportRow { saved_cost: None, ..ReportRow::default() };
        self.answer(Report { total, ..Report::empty(since, until, by) })
    }

    fn savings(&self, since: Timestamp, until: Timestamp, by: String) -> Answer<Report> {
        self.report(since, until, by)
    }

    fn health(&self) -> Result<(), String> {
        if self.0 == Mood::Stalled { Err("account growth has not ticked for 90s".to_owned()) } else { Ok(()) }
    }

    fn ready(&self) -> Result<(), String> {
        self.health()
    }
}

struct Running {
    addr: SocketAddr,
    client: Client,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

fn settings() -> ServerSettings {
    ServerSettings { listen: "127.0.0.1:0".parse().expect("an address"), token_file: None, open_metrics: false, hosts: vec!["Reaper.example".into()] }
}

async fn start(settings: ServerSettings, token: Option<&str>, mood: Mood) -> Running {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let bound = Server::bind(&settings, token.map(Into::into)).await.expect("a free port");
    let (addr, shutdown) = (bound.addr(), CancellationToken::new());
    let metrics = Metrics::new("0", "0").expect("metrics");
    let served = tokio::spawn(bound.serve(Arc::new(Fake(mood)), metrics, shutdown.clone()));
    let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
    Running { addr, client, shutdown, served }
}

async fn open(mood: Mood) -> Running {
    start(settings(), None, mood).await
}

impl Running {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.addr))
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.expect("an answer")
    }

    async fn status_as(&self, host: &str, path: &str) -> StatusCode {
        self.request(Method::GET, path).header("host", host).send().await.expect("an answer").status()
    }

    async fn status_with(&self, authorization: &str, path: &str) -> StatusCode {
        self.request(Method::GET, path).header("authorization", authorization).send().await.expect("an answer").status()
    }

    /// The first line of the answer to a request written by hand.
    async fn raw(&self, request: &'static str) -> String {
        let addr = self.addr;
        let exchange = move || {
            let mut stream = std::net::TcpStream::connect(addr)?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer.lines().next().unwrap_or_default().to_owned())
        };
        tokio::task::spawn_blocking(exchange).await.expect("no panic").expect("an answer")
    }
}

async fn error_of(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    (status, body["error"].as_str().expect("an error").to_owned())
}

#[tokio::test]
async fn every_path_answers() {
    let server = open(Mood::Well).await;
    for path in [
        "/",
        "/releases",
        "/assets/page.css",
        "/assets/page.js",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/sessions",
        "/api/v1/accounts",
        "/api/v1/releases",
        "/api/v1/savings",
    ] {
        assert_eq!(server.get(path).await.status(), 200, "{path}");
        let head = server.request(Method::HEAD, path).send().await.expect("an answer");
        assert_eq!(head.status(), 200, "{path}");
    }
    let accounts: Value = server.get("/api/v1/accounts").await.json().await.expect("JSON");
    assert_eq!(accounts, json!({ "accounts": [] }));
    let releases: Value = server.get("/api/v1/releases").await.json().await.expect("JSON");
    assert_eq!(releases, json!({ "releases": [] }));
    assert_eq!(error_of(server.get("/api/v1/nowhere").await).await.0, 404);
}

#[tokio::test]
async fn the_sessions_come_with_what_budgets_have_left() {
    let answer: Value = open(Mood::Well).await.get("/api/v1/sessions").await.json().await.expect("JSON");
    assert_eq!(answer["sessions"], json!([]));
    let budget = json!({
        "account": "growth", "policy": "research", "shadow": false, "per": "metadata.team", "group": "ml", "every": "week",
        "from": "2026-11-20T12:00:00.000Z", "until": "2026-11-20T12:00:00.000Z",
        "allowed_seconds": 180_000.0, "spent_seconds": 136_500.0, "left_seconds": 43_500.0, "spent_at": null,
    });
    assert_eq!(answer["budgets"], json!([budget]));
}

#[tokio::test]
async fn metrics_are_in_the_text_format() {
    let metrics = open(Mood::Well).await.get("/metrics").await;
    assert_eq!(metrics.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(metrics.text().await.expect("text").contains("session_reaper_build_info"));
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = open(Mood::Well).await;
    for path in ["/", "/login", "/?sort=bogus", "/metrics", "/healthz", "/api/v1/sessions", "/nowhere", "/api/v1/releases?limit=0"] {
        let answer = server.get(path).await;
        let header = |name: &str| answer.headers().get(name).unwrap_or_else(|| panic!("{path}: no {name}")).to_str().expect("text");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(
            (header("x-content-type-options"), header("x-frame-options"), header("referrer-policy"), header("cache-control")),
            ("nosniff", "DENY", "no-referrer", "no-store"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn nothing_but_reading_is_allowed() {
    let server = open(Mood::Well).await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for path in ["/", "/metrics", "/healthz", "/api/v1/sessions"] {
            let answer = server.request(method.clone(), path).send().await.expect("an answer");
            assert_eq!(answer.headers()["allow"], "GET,HEAD", "{method} {path}");
            assert_eq!(answer.status(), 405, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_not_ours_gets_no_page_and_no_api_but_metrics_and_health() {
    let server = open(Mood::Well).await;
    for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "evil.example:9753", "127.0.0.1.evil.example", "[::2]"] {
        for path in ["/", "/releases", "/login", "/assets/page.js", "/api/v1/sessions", "/nowhere"] {
            assert_eq!(server.status_as(host, path).await, 421, "{host} {path}");
        }
        for path in ["/metrics", "/healthz", "/readyz"] {
            assert_eq!(server.status_as(host, path).await, 200, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn loopback_names_and_configured_hosts_are_ours() {
    let server = open(Mood::Well).await;
    for host in ["localhost", "LOCALHOST:9753", "127.0.0.1", "127.8.9.10:1", "[::1]", "[::1]:9753", "reaper.example", "REAPER.example:443"] {
        assert_eq!(server.status_as(host, "/api/v1/sessions").await, 200, "{host}");
    }
}

#[tokio::test]
async fn a_request_must_name_one_host_and_no_stranger_beside_it() {
    let server = open(Mood::Well).await;
    let cases = [
        "GET /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        "GET http://evil.example/api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /api/v1/sessions HTTP/1.0\r\n\r\n",
    ];
    for request in cases {
        let answer = server.raw(request).await;
        assert!(answer.contains(" 421 "), "{request}: {answer}");
    }
    let answer = server.raw("GET /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains(" 200 "), "{answer}");
}

#[tokio::test]
async fn with_a_token_all_but_health_wants_it() {
    let server = start(settings(), Some("s3cret"), Mood::Well).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path).await.status(), 200, "{path}");
    }
    for path in ["/", "/releases", "/sessions/growth/a", "/metrics", "/api/v1/sessions", "/nowhere"] {
        let refused = server.get(path).await;
        assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"session-reaper\"", "{path}");
        assert_eq!(refused.status(), 401, "{path}");
        for wrong in ["Bearer s3cre", "Bearer s3cret2", "Bearer ", "Bearer", "Basic s3cret", "s3cret", ""] {
            assert_eq!(server.status_with(wrong, path).await, 401, "{wrong:?} {path}");
        }
    }
    for right in ["Bearer s3cret", "bearer s3cret"] {
        for path in ["/", "/releases", "/metrics", "/api/v1/sessions"] {
            assert_eq!(server.status_with(right, path).await, 200, "{right:?} {path}");
        }
    }
}

#[tokio::test]
async fn an_empty_token_admits_nobody() {
    let server = start(settings(), Some(""), Mood::Well).await;
    for empty in ["Bearer ", "Bearer  "] {
        assert_eq!(server.status_with(empty, "/api/v1/sessions").await, 401);
    }
}

#[tokio::test]
async fn open_metrics_want_no_token() {
    let server = start(ServerSettings { open_metrics: true, ..settings() }, Some("s3cret"), Mood::Well).await;
    assert_eq!(server.get("/metrics").await.status(), 200);
    assert_eq!(server.get("/api/v1/sessions").await.status(), 401);
}

#[tokio::test]
async fn a_bad_query_is_refused_by_name() {
    let server = open(Mood::Well).await;
    let cases = [
        ("/api/v1/releases?limit=0", "limit", "1 to 1000"),
        ("/api/v1/releases?limit=1001", "limit", "1 to 1000"),
        ("/api/v1/releases?limit=ten", "limit", "\"ten\""),
        ("/api/v1/releases?since=7", "since", "7d"),
        ("/api/v1/releases?since=-7d", "since", "7d"),
        ("/api/v1/releases?since=2027-01-01T00:00:00Z", "since", "past"),
        ("/api/v1/savings?by=team", "by", "metadata.KEY"),
        ("/api/v1/savings?by=metadata.", "by", "metadata.KEY"),
        ("/api/v1/releases?limt=5", "\"limt\"", "limit"),
        ("/api/v1/sessions?limit=5", "\"limit\"", "no parameters"),
    ];
    for (path, parameter, expected) in cases {
        let (status, error) = error_of(server.get(path).await).await;
        assert_eq!(status, 400, "{path}");
        assert!(error.starts_with(parameter) && error.contains(expected), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_query_reaches_the_source_as_it_was_meant() {
    let server = open(Mood::Well).await;
    for since in ["1d", "2026-11-19T12:00:00Z", "2026-11-19T13:00:00%2B01:00"] {
        let (_, asked) = error_of(server.get(&format!("/api/v1/releases?limit=1000&since={since}")).await).await;
        assert_eq!(asked, "since Some(2026-11-19T12:00:00Z) limit 1000");
    }
    let report: Value = server.get("/api/v1/savings?by=metadata.team&since=1d").await.json().await.expect("JSON");
    assert_eq!((&report["by"], &report["since"]), (&json!("metadata.team"), &json!("2026-11-19T12:00:00.000Z")));
    let report: Value = server.get("/api/v1/savings").await.json().await.expect("JSON");
    assert_eq!(
        (&report["by"], &report["since"], &report["until"]),
        (&json!("policy"), &json!("2026-11-13T12:00:00.000Z"), &json!("2026-11-20T12:00:00.000Z"))
    );
}

#[tokio::test]
async fn a_stalled_source_is_an_error_and_not_a_wait() {
    let server = open(Mood::Stalled).await;
    let patience = Duration::from_secs(10);
    let stalled = tokio::time::timeout(patience, server.get("/api/v1/sessions")).await.expect("an answer in time");
    assert_eq!(error_of(stalled).await, (503, "no answer within 2s; see /healthz".to_owned()));
    let health = error_of(server.get("/healthz").await).await;
    assert_eq!(health, (503, "account growth has not ticked for 90s".to_owned()));
    assert_eq!(server.get("/readyz").await.status(), 503);
    let metrics = server.get("/metrics").await;
    assert_eq!(metrics.status(), 200);
    let text = metrics.text().await.expect("a text");
    assert!(text.contains("\nsession_reaper_healthy 0\n"), "what does not look at /healthz sees it too:\n{text}");
}

#[tokio::test]
async fn a_request_without_an_end_is_refused() {
    let server = open(Mood::Well).await;
    let with = |length: usize| server.request(Method::GET, "/healthz").header("x-long", "x".repeat(length)).send();
    assert_eq!(with(16 << 10).await.expect("an answer").status(), 200);
    assert_eq!(with(64 << 10).await.expect("an answer").status(), 431);
}

#[tokio::test]
async fn a_failing_source_says_why() {
    let failed = open(Mood::Failing).await.get("/api/v1/savings").await;
    assert_eq!(error_of(failed).await, (503, "the ledger is locked".to_owned()));
}

#[tokio::test]
async fn a_panic_is_one_failed_answer_and_its_text_stays_here() {
    let server = open(Mood::Panicking).await;
    let (status, error) = error_of(server.get("/api/v1/sessions").await).await;
    assert!(status == 500 && !error.contains("planted"), "{status} {error}");
    assert_eq!(server.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn answers_are_compressed_when_asked() {
    let server = open(Mood::Well).await;
    let plain = Client::builder().no_proxy().no_gzip().tls_certs_only([]).build().expect("a client");
    let metrics = plain.get(format!("http://{}/metrics", server.addr)).header("accept-encoding", "gzip").send().await.expect("an answer");
    assert_eq!(metrics.headers()["content-encoding"], "gzip");
}

#[tokio::test]
async fn an_address_in_use_is_said_with_the_key_to_change() {
    let server = open(Mood::Well).await;
    let fault = Server::bind(&ServerSettings { listen: server.addr, ..settings() }, None).await.expect_err("the address is in use");
    let said = fault.to_string();
    assert!(said.starts_with(&format!("server.listen: cannot listen on {}", server.addr)), "{said}");
}

#[tokio::test]
async fn a_shutdown_ends_idle_connections_and_frees_the_address() {
    let server = open(Mood::Well).await;
    assert_eq!(server.get("/healthz").await.status(), 200);
    server.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), server.served).await.expect("in time").expect("no panic");
    assert!(server.client.get(format!("http://{}/healthz", server.addr)).send().await.is_err());
}
