//! Browser Use's side of the seam, over real HTTP, in each version of its API.

mod evidence;

use std::collections::HashMap;

use serde_json::{Value, json};
use session_reaper::clock::Clock;
use session_reaper::config::AccountSettings;
use session_reaper::domain::event::Operation;
use session_reaper::domain::fault::{Fault, FaultKind};
use session_reaper::domain::listing::{Listing, Rows};
use session_reaper::domain::name::{ApiVersion, Kind, Provider, SessionId};
use session_reaper::domain::session::{Metadata, Parts, Phase, Session, Target};
use session_reaper::domain::time::SignedDuration;
use session_reaper::provider::{self, Connected, Exchange};

use super::server::{Reply, Server};
use super::{KEY, holds_no_secret, offline, statuses};

const BROWSERS: &str = include_str!("../../fixtures/browser-use/browsers.json");
const SESSIONS_V2: &str = include_str!("../../fixtures/browser-use/sessions-v2.json");
const SESSIONS_V3: &str = include_str!("../../fixtures/browser-use/sessions-v3.json");
const SESSIONS_V4: &str = include_str!("../../fixtures/browser-use/sessions-v4.json");
const TASKS_V2: &str = include_str!("../../fixtures/browser-use/tasks-v2.json");

const ALL: [ApiVersion; 3] = [ApiVersion::V2, ApiVersion::V3, ApiVersion::V4];
/// What every id of the fixtures begins with.
const BEGIN: &str = "0e7a2c41-6b1d-4c1e-9f10-5d2f8a0000";
const EMPTY: &str = r#"{"items":[],"sessions":[],"totalItems":0,"total":0,"hasMore":false,"nextCursor":null}"#;

fn account(server: &Server, version: ApiVersion) -> Connected {
    let base_url = format!("{}/api/{version}", server.url);
    let settings = AccountSettings { provider: Provider::BrowserUse, base_url, api_version: Some(version), ..offline() };
    provider::connect(&settings, KEY.into(), Clock::start()).expect("an account")
}

/// The calls of an inventory, page by page, as they must be.
fn lines(version: ApiVersion, inventory: &str) -> [String; 3] {
    let line = |number: usize| match (inventory, version) {
        ("browsers", _) | (_, ApiVersion::V2) if inventory != "tasks" => format!("{inventory}?filterBy=active&pageSize=100&pageNumber={number}"),
        ("tasks", _) => format!("tasks?pageSize=100&pageNumber={number}&after=2026-11-20T11%3A29%3A00.500Z"),
        (_, ApiVersion::V4) => ["sessions?limit=100", "sessions?limit=100&cursor=c1", "sessions?limit=100&cursor=c2"][number - 1].to_owned(),
        _ => format!("sessions?page={number}&page_size=100"),
    };
    [1, 2, 3].map(|number| format!("GET /api/{version}/{}", line(number)))
}

fn sessions_of(version: ApiVersion) -> &'static str {
    match version {
        ApiVersion::V2 => SESSIONS_V2,
        ApiVersion::V3 => SESSIONS_V3,
        ApiVersion::V4 => SESSIONS_V4,
    }
}

/// What is asked of the session whose own row is not seen: it may have tasks that are older than its browser.
const TASKS_OF_A2: &str = "GET /api/v2/tasks?pageSize=100&pageNumber=1&sessionId=0e7a2c41-6b1d-4c1e-9f10-5d2f8a0000a2";

/// A provider that answers every page of every inventory.
fn whole(version: ApiVersion) -> HashMap<String, Reply> {
    let mut replies = HashMap::from([(TASKS_OF_A2.to_owned(), Reply::json(EMPTY))]);
    for (inventory, fixture) in [("browsers", BROWSERS), ("sessions", sessions_of(version)), ("tasks", TASKS_V2)] {
        let pages: Vec<Value> = serde_json::from_str(fixture).expect("pages");
        replies.extend(lines(version, inventory).into_iter().zip(pages.iter().map(|page| Reply::json(&page.to_string()))));
    }
    replies
}

/// The same with one page answered in another way.
fn but(version: ApiVersion, inventory: &str, page: usize, reply: Reply) -> HashMap<String, Reply> {
    let mut replies = whole(version);
    replies.insert(lines(version, inventory)[page - 1].clone(), reply);
    replies
}

async fn listed(version: ApiVersion, replies: HashMap<String, Reply>) -> (Exchange<Listing>, Vec<String>) {
    let server = Server::answering(replies).await;
    let exchange = account(&server, version).lister.list().await;
    holds_no_secret(&format!("{exchange:?}"));
    (exchange, asked(&server))
}

/// Each request line, without its version.
fn asked(server: &Server) -> Vec<String> {
    server.asked().iter().map(|request| request.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned()).collect()
}

fn partial(exchange: Exchange<Listing>) -> (Rows, Option<(Vec<Kind>, Rows)>, Fault) {
    match exchange.result {
        Ok(Listing::Partial { rows, whole, why }) => (rows, whole.map(|whole| (whole.kinds().to_vec(), whole.rows().clone())), why),
        other => panic!("{other:?}"),
    }
}

/// Each session as `end of id: own browser run`.
fn shown(rows: &Rows) -> Vec<String> {
    let short = |id: &SessionId| id.as_str().trim_start_matches(BEGIN).to_owned();
    let part = |id: &Option<SessionId>| id.as_ref().map(|id| format!(" {}", short(id))).unwrap_or_default();
    let one = |session: &Session| {
        let Parts { own, browser, run } = &session.parts;
        format!("{}:{}{}{}", short(&session.id), if *own { " own" } else { "" }, part(browser), part(run))
    };
    rows.sessions.iter().map(one).collect()
}

fn rejected(rows: &Rows) -> Vec<&str> {
    rows.rejected.iter().map(|row| row.id.as_ref().map_or("", |id| id.as_str().trim_start_matches(BEGIN))).collect()
}

fn fault(status: u16) -> Reply {
    Reply::status(status, "", r#"{"detail":"API key is missing required scope: own-k3y-of-this-account"}"#)
}

fn parts(own: bool, browser: Option<&str>, run: Option<&str>) -> Parts {
    Parts { own, browser: browser.map(SessionId::from), run: run.map(SessionId::from) }
}

#[tokio::test]
async fn a_listing_is_every_page_of_both_inventories_in_the_versions_own_words() {
    for version in ALL {
        let (exchange, asked) = listed(version, whole(version)).await;
        let inventories: &[&str] = if version == ApiVersion::V2 { &["browsers", "sessions", "tasks"] } else { &["browsers", "sessions"] };
        let mut expected: Vec<String> = inventories.iter().flat_map(|inventory| lines(version, inventory)).collect();
        if version == ApiVersion::V2 {
            expected.insert(6, TASKS_OF_A2.to_owned());
        }
        assert_eq!(asked, expected);
        assert_eq!(statuses(&exchange), vec!["200"; expected.len()]);
        assert!(exchange.requests.iter().all(|request| request.operation == Operation::List));
        let Ok(Listing::Complete(complete)) = exchange.result else { panic!("{exchange:?}") };
        let expected = match version {
            ApiVersion::V4 => ["b2: own", "a1: b1 e1", "a2: b3", "a3: e3"],
            ApiVersion::V2 | ApiVersion::V3 => ["b2: own", "a1: own b1", "a2: b3", "a3: own"],
        };
        assert_eq!((shown(complete.rows()), rejected(complete.rows())), (expected.map(str::to_owned).to_vec(), vec!["a5", "a6"]), "{version}");
    }
}

#[tokio::test]
async fn the_tags_of_tasks_are_added_to_those_of_browsers() {
    let (exchange, _) = listed(ApiVersion::V2, whole(ApiVersion::V2)).await;
    let Ok(Listing::Complete(complete)) = exchange.result else { panic!("{exchange:?}") };
    let tags: Vec<Value> = complete.rows().sessions.iter().map(|session| session.metadata.to_json()).collect();
    let expected = [json!({ "team": "research" }), json!({ "team": "growth", "env": "production" }), json!({}), json!({ "env": "ci", "ticket": 7 })];
    assert_eq!(tags, expected);
}

#[tokio::test]
async fn tasks_are_asked_for_where_an_agent_session_lives_and_then_only_for_new_ones() {
    let server = Server::answering(HashMap::from([
        ("GET /api/v2/browsers?filterBy=active&pageSize=100&pageNumber=1".to_owned(), Reply::json(EMPTY)),
        ("GET /api/v2/sessions?filterBy=active&pageSize=100&pageNumber=1".to_owned(), Reply::json(EMPTY)),
    ]))
    .await;
    let exchange = account(&server, ApiVersion::V2).lister.list().await;
    assert!(matches!(exchange.result, Ok(Listing::Complete(_))), "{exchange:?}");
    assert_eq!(server.asked().len(), 2);

    let mut replies = whole(ApiVersion::V2);
    replies.insert("GET /api/v2/tasks?pageSize=100&pageNumber=1&after=2026-11-20T12%3A08%3A01.000Z".to_owned(), Reply::json(EMPTY));
    let server = Server::answering(replies).await;
    let lister = account(&server, ApiVersion::V2).lister;
    for _ in 0..2 {
        let exchange = lister.list().await;
        let Ok(Listing::Complete(complete)) = &exchange.result else { panic!("{exchange:?}") };
        assert_eq!(complete.rows().sessions[3].metadata.get("env"), Some(&json!("ci")));
    }
    assert_eq!(server.asked().len(), 10 + 7);
}

#[tokio::test]
async fn without_the_right_to_agent_sessions_browsers_are_still_known() {
    for version in ALL {
        let (exchange, _) = listed(version, but(version, "sessions", 1, fault(403))).await;
        let (rows, whole, why) = partial(exchange);
        let (kinds, sure) = whole.expect("browsers alone are whole");
        assert_eq!((kinds, shown(&sure), why.status), (vec![Kind::Browser], vec!["b2: own".to_owned()], Some(403)));
        assert_eq!((shown(&rows), rejected(&rows)), (vec!["a1: b1".to_owned(), "a2: b3".to_owned()], vec!["a5"]));
    }
}

#[tokio::test]
async fn agent_sessions_that_cannot_be_read_for_a_while_are_not_taken_for_ended() {
    for version in ALL {
        for reply in [Reply::status(500, "", ""), Reply::json("<html>"), Reply::Reset] {
            let (exchange, _) = listed(version, but(version, "sessions", 1, reply)).await;
            let (rows, whole, _) = partial(exchange);
            assert_eq!((shown(&rows).len(), whole.map(|(kinds, _)| kinds)), (0, Some(vec![Kind::Browser])));
            assert_eq!(rejected(&rows), ["a1", "a2", "a5"], "they are known to be there by their browsers");
        }
    }
}

#[tokio::test]
async fn without_the_browsers_agent_sessions_are_shown_and_not_judged_by_their_tags() {
    for version in ALL {
        for status in [403, 500] {
            let (exchange, _) = listed(version, but(version, "browsers", 1, fault(status))).await;
            let (rows, whole, why) = partial(exchange);
            assert_eq!((whole, why.status), (None, Some(status)));
            let expected = if version == ApiVersion::V4 { ["a1: e1", "a3: e3", "a5: e5"] } else { ["a1: own", "a3: own", "a5: own"] };
            // What the key has no right to is never known; what fails for a while is waited for.
            let (judged, waiting) =
                if status == 403 { (expected.map(str::to_owned).to_vec(), vec!["a6"]) } else { (vec![], vec!["a1", "a3", "a5", "a6"]) };
            assert_eq!((shown(&rows), rejected(&rows)), (judged, waiting));
            assert!(rows.sessions.iter().all(|session| matches!(session.metadata, Metadata::Unlearnt { .. })));
        }
    }
}

#[tokio::test]
async fn without_the_tasks_all_are_known_to_be_there_and_agents_tags_are_not() {
    let not_adding_up = Reply::json(r#"{"items":[],"totalItems":7}"#);
    for reply in [fault(403), Reply::status(500, "", ""), Reply::status(429, "retry-after: 5\r\n", ""), not_adding_up] {
        let (exchange, _) = listed(ApiVersion::V2, but(ApiVersion::V2, "tasks", 1, reply)).await;
        let (rows, whole, _) = partial(exchange);
        let (kinds, sure) = whole.expect("presence is whole");
        assert_eq!((kinds, rows, sure.sessions.len()), (Kind::ALL.to_vec(), Rows::default(), 4));
        let unlearnt: Vec<bool> = sure.sessions.iter().map(|session| matches!(session.metadata, Metadata::Unlearnt { .. })).collect();
        assert_eq!(unlearnt, [false, true, true, true]);
    }
}

#[tokio::test]
async fn tasks_older_than_the_browser_count_where_the_agent_session_is_not_seen() {
    let mut replies = whole(ApiVersion::V2);
    let task = json!({ "id": "t-0", "sessionId": "0e7a2c41-6b1d-4c1e-9f10-5d2f8a0000a2", "createdAt": "2026-11-19T08:00:00", "metadata": { "env": "production" } });
    replies.insert(TASKS_OF_A2.to_owned(), Reply::json(&json!({ "items": [task], "totalItems": 1 }).to_string()));
    let (exchange, _) = listed(ApiVersion::V2, replies.clone()).await;
    let Ok(Listing::Complete(complete)) = exchange.result else { panic!("{exchange:?}") };
    let orphan = complete.rows().sessions.iter().find(|session| session.kind == Kind::Agent && !session.parts.own).expect("one left behind");
    assert_eq!(orphan.metadata.get("env"), Some(&json!("production")));

    replies.insert(TASKS_OF_A2.to_owned(), fault(500));
    let (exchange, _) = listed(ApiVersion::V2, replies).await;
    let (_, whole, _) = partial(exchange);
    assert!(whole.is_some_and(|(_, rows)| rows.sessions.iter().any(|session| matches!(session.metadata, Metadata::Unlearnt { .. }))));
}

#[tokio::test]
async fn where_there_are_no_tasks_under_the_address_nobody_could_tag_one() {
    let (exchange, _) = listed(ApiVersion::V2, but(ApiVersion::V2, "tasks", 1, fault(404))).await;
    let Ok(Listing::Complete(complete)) = exchange.result else { panic!("{exchange:?}") };
    assert!(complete.rows().sessions.iter().all(|session| matches!(session.metadata, Metadata::Tags(_))));
}

#[tokio::test]
async fn tasks_that_want_silence_are_heard_over_a_list_that_does_not_add_up() {
    let mut replies = but(ApiVersion::V2, "sessions", 3, last_page(SESSIONS_V2, json!({ "totalItems": 4 })));
    replies.insert(lines(ApiVersion::V2, "tasks")[0].clone(), Reply::status(429, "retry-after: 5\r\n", ""));
    let (exchange, _) = listed(ApiVersion::V2, replies).await;
    assert_eq!(partial(exchange).2.kind, FaultKind::Throttled);
}

#[tokio::test]
async fn a_refused_key_asks_nothing_more() {
    for version in ALL {
        let (exchange, asked) = listed(version, but(version, "browsers", 1, fault(401))).await;
        assert_eq!((exchange.result.expect_err("a fault").kind, asked.len()), (FaultKind::Unauthorized, 1));
        let (exchange, asked) = listed(version, but(version, "browsers", 2, fault(401))).await;
        assert_eq!((exchange.result.expect_err("a fault").kind, asked.len()), (FaultKind::Unauthorized, 2));
        let (exchange, asked) = listed(version, but(version, "sessions", 1, fault(401))).await;
        let (_, whole, why) = partial(exchange);
        assert_eq!((why.kind, whole.map(|(kinds, _)| kinds), asked.len()), (FaultKind::Unauthorized, Some(vec![Kind::Browser]), 4));
    }
}

#[tokio::test]
async fn both_inventories_failing_is_no_listing() {
    for version in ALL {
        let mut replies = but(version, "browsers", 1, Reply::status(500, "", ""));
        replies.insert(lines(version, "sessions")[0].clone(), fault(403));
        let (exchange, asked) = listed(version, replies).await;
        assert_eq!((exchange.result.expect_err("a fault").kind, asked.len()), (FaultKind::Forbidden, 2));
    }
}

#[tokio::test]
async fn a_rate_limit_silences_the_key_and_a_full_house_does_not() {
    let limited = r#"{"error":"rate_limited","limit_rps":25,"retry_after_seconds":5}"#;
    let full = r#"{"detail":"Too many concurrent active sessions. Please wait for one to finish, kill one, or upgrade your plan."}"#;
    let cases = [
        ("", limited, FaultKind::Throttled, Some(5)),
        ("retry-after: 300\r\n", limited, FaultKind::Throttled, Some(300)),
        ("retry-after: 300\r\n", full, FaultKind::Throttled, Some(300)),
        ("x-ratelimit-reset: 3\r\n", "slow down", FaultKind::Throttled, Some(3)),
        ("x-ratelimit-reset: 3\r\n", full, FaultKind::AtCapacity, None),
        ("", full, FaultKind::AtCapacity, None),
    ];
    for (headers, body, kind, seconds) in cases {
        let (exchange, asked) = listed(ApiVersion::V3, but(ApiVersion::V3, "browsers", 1, Reply::status(429, headers, body))).await;
        let why = match exchange.result {
            Err(fault) => fault,
            Ok(Listing::Partial { why, .. }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!((why.kind, why.retry_after), (kind, seconds.map(SignedDuration::from_secs)), "{headers}{body}");
        assert_eq!(asked.len(), if kind == FaultKind::Throttled { 1 } else { 4 });
    }
}

/// The last page of a fixture with some of its fields replaced.
fn last_page(fixture: &str, fields: Value) -> Reply {
    let mut pages: Vec<Value> = serde_json::from_str(fixture).expect("pages");
    let page = pages.last_mut().expect("a page");
    for (name, value) in fields.as_object().expect("an object") {
        page[name] = value.clone();
    }
    Reply::json(&page.to_string())
}

#[tokio::test]
async fn browsers_that_do_not_add_up_are_told_with_their_figures_and_nobody_is_gone() {
    for version in ALL {
        let page = last_page(BROWSERS, json!({ "totalItems": 4 }));
        let (exchange, _) = listed(version, but(version, "browsers", 3, page)).await;
        let (rows, whole, why) = partial(exchange);
        assert_eq!((whole, why.to_string()), (None, "the list of browsers does not add up: its count went from 5 to 4 between two pages".to_owned()));
        assert_eq!(shown(&rows).len() + rejected(&rows).len(), 6, "what was read is there");
    }
}

#[tokio::test]
async fn agent_sessions_that_do_not_add_up_leave_the_browsers_alone_whole() {
    let repeated: Vec<Value> = serde_json::from_str(SESSIONS_V2).expect("pages");
    let twice = json!({ "items": [repeated[0]["items"][0]] });
    for (version, fields, why_not) in [
        (ApiVersion::V2, twice, "it counts 5 and has 4"),
        (ApiVersion::V3, json!({ "total": 2 }), "its count went from 5 to 2 between two pages"),
        (ApiVersion::V4, json!({ "hasMore": true }), "page 3 says that there is more, and not where"),
    ] {
        let (exchange, _) = listed(version, but(version, "sessions", 3, last_page(sessions_of(version), fields))).await;
        let (_, whole, why) = partial(exchange);
        assert_eq!(whole.map(|(kinds, _)| kinds), Some(vec![Kind::Browser]));
        assert_eq!(why.to_string(), format!("the list of agent sessions does not add up: {why_not}"));
    }
}

#[tokio::test]
async fn the_key_goes_out_in_its_own_header_alone() {
    let server = Server::answering(whole(ApiVersion::V4)).await;
    account(&server, ApiVersion::V4).lister.list().await.result.expect("a listing");
    for request in server.asked() {
        let holding: Vec<&str> = request.lines().filter(|line| line.contains(KEY)).collect();
        assert_eq!(holding, [format!("x-browser-use-api-key: {KEY}")]);
    }
}

#[tokio::test]
async fn an_account_without_a_version_speaks_the_second() {
    let server = Server::start([]).await;
    let settings = AccountSettings { provider: Provider::BrowserUse, base_url: server.url.clone(), ..offline() };
    let releaser = provider::releaser(&settings, KEY.into(), Clock::start()).expect("a releaser");
    let target = Target { id: "a".into(), kind: Kind::Agent, parts: Parts::default() };
    assert_eq!(releaser.release(&target).await.result.expect_err("a fault").kind, FaultKind::NotFound);
    assert_eq!(asked(&server), ["PATCH /sessions/a"]);
}

#[tokio::test]
async fn a_release_is_exactly_the_calls_that_end_what_is_meant() {
    use ApiVersion::{V2, V3, V4};
    let stop = r#"{"action":"stop"}"#;
    let agent = |own, browser, run| (Kind::Agent, parts(own, browser, run));
    let cases = [
        (V2, (Kind::Browser, Parts::default()), vec![("PATCH /api/v2/browsers/x", stop)]),
        (V3, (Kind::Browser, Parts::default()), vec![("PATCH /api/v3/browsers/x", stop)]),
        (V4, (Kind::Browser, Parts::default()), vec![("PATCH /api/v4/browsers/x", stop)]),
        (V2, agent(true, None, None), vec![("PATCH /api/v2/sessions/x", stop)]),
        (V2, agent(true, Some("b"), None), vec![("PATCH /api/v2/sessions/x", stop)]),
        (V3, agent(true, Some("b"), None), vec![("POST /api/v3/sessions/x/stop", r#"{"strategy":"session"}"#)]),
        (V2, agent(false, Some("b"), None), vec![("PATCH /api/v2/browsers/b", stop)]),
        (V3, agent(false, Some("b"), None), vec![("PATCH /api/v3/browsers/b", stop)]),
        (V4, agent(false, Some("b"), None), vec![("PATCH /api/v4/browsers/b", stop)]),
        (V4, agent(false, Some("b"), Some("r")), vec![("POST /api/v4/runs/r/cancel", ""), ("PATCH /api/v4/browsers/b", stop)]),
        (V4, agent(false, None, Some("r")), vec![("POST /api/v4/runs/r/cancel", "")]),
        (V4, agent(true, Some("b"), None), vec![("PATCH /api/v4/browsers/b", stop)]),
    ];
    for (version, (kind, parts), expected) in cases {
        let server = Server::answering(expected.iter().map(|(line, _)| ((*line).to_owned(), Reply::json("{}"))).collect()).await;
        let target = Target { id: "x".into(), kind, parts };
        let exchange = account(&server, version).releaser.release(&target).await;
        assert_eq!((exchange.result, exchange.requests.len()), (Ok(None), expected.len()));
        assert!(exchange.requests.iter().all(|request| request.operation == Operation::Release));
        let bodies: Vec<String> = server.asked().iter().map(|request| request.split("\r\n\r\n").nth(1).expect("a body").to_owned()).collect();
        let found: Vec<(String, String)> = asked(&server).into_iter().zip(bodies).collect();
        assert_eq!(found, expected.iter().map(|(line, body)| ((*line).to_owned(), (*body).to_owned())).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn nothing_ever_deletes_purges_or_renames() {
    let every = [(true, None, None), (true, Some("b"), None), (false, Some("b"), None), (true, Some("b"), Some("r")), (false, None, Some("r"))];
    for version in ALL {
        for kind in [Kind::Agent, Kind::Browser, Kind::Session] {
            for (own, browser, run) in every {
                let server = Server::start([]).await;
                let (account, target) = (account(&server, version), Target { id: "x".into(), kind, parts: parts(own, browser, run) });
                account.releaser.release(&target).await.result.expect_err("404");
                account.lister.read(&target).await.result.expect_err("404");
                for line in asked(&server) {
                    assert!(!line.starts_with("DELETE") && !line.contains("purge"), "{line}");
                    assert!(version != ApiVersion::V4 || !line.starts_with("PATCH /api/v4/sessions"), "{line}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_session_is_read_and_released_without_its_credentials() {
    let pages: Vec<Value> = serde_json::from_str(BROWSERS).expect("pages");
    let mut browser = pages[0]["items"][1].clone();
    browser["status"] = json!("stopped");
    browser["finishedAt"] = json!("2026-11-20T12:30:00.5Z");
    browser["recordingUrl"] = json!("https://recording.example.com/s3cret");
    let id = format!("{BEGIN}b2");
    let target = Target { id: id.as_str().into(), kind: Kind::Browser, parts: Parts::default() };
    for version in ALL {
        let replies = ["GET", "PATCH"].map(|method| (format!("{method} /api/{version}/browsers/{id}"), Reply::json(&browser.to_string())));
        let server = Server::answering(replies.into()).await;
        let account = account(&server, version);
        let (read, released) = (account.lister.read(&target).await, account.releaser.release(&target).await);
        holds_no_secret(&format!("{read:?}{released:?}"));
        let session = read.result.expect("a session");
        assert_eq!((session.status.phase, session.ended_at.map(|at| at.to_string())), (Phase::Completed, Some("2026-11-20T12:30:00.5Z".to_owned())));
        assert_eq!(released.result, Ok(Some(session)));
    }
}
