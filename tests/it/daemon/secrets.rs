//! Nothing that opens an account or a browser leaves the program: not by its log at its most talkative, not by an answer, not by its books.

use serde_json::json;
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::ApiVersion;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::{Extent, Fault, NewAgent, NewSession, NewTask, TYPED_SECRET, Target};

use super::stage::{Api, Daemon, Script, Stage, ci, left, linked, side_by_side};
use crate::support::eventually;

/// Every page that the daemon serves.
const PAGES: [&str; 7] = ["/", "/releases", "/metrics", "/api/v1/sessions", "/api/v1/releases", "/api/v1/savings", "/api/v1/accounts"];

/// What the providers call the addresses and keys that open a browser.
const NAMES: [&str; 7] = ["signingKey", "connectUrl", "seleniumRemoteUrl", "cdpUrl", "liveUrl", "recordingUrl", "publicShareUrl"];

/// The log at its most talkative, with that of whatever carries our calls.
const EVERYTHING: &str = "trace,hyper=trace,hyper_util=trace,reqwest=trace";

const POLICIES: &str = r#"
[[policies]]
name = "ci"
match = { metadata = { env = "ci" } }
max_age = "20m"

[[policies]]
name = "quiet"
match = { metadata = { env = "quiet" } }
idle = "2s"
"#;

/// Sessions about whose activity the provider is asked, which answers with all that was typed there, whole or cut in its middle.
fn is_asked_about(stage: &Stage, daemon: &Daemon) {
    let add_left = || {
        let browser = NewSession { metadata: Some(json!({ "env": "quiet" })), ..left() };
        let tasks = vec![NewTask { takes: Some(browser.worked_for), ..NewTask::default() }];
        if stage.api == Api::Browserbase { stage.add(browser) } else { stage.add_agent(NewAgent { tasks, ..linked(browser) }) }
    };
    assert_eq!(daemon.comes_to(&add_left(), "confirmed")["limit"], "idle");
    // Under v2 what is asked is the listing of tasks, without which no tags are found and nothing is asked for.
    if stage.api != Api::BrowserUse(ApiVersion::V2) {
        stage.inject(Operation::Evidence, Fault::TruncatedJson);
        add_left();
        daemon.reaches(1.0, "session_reaper_evidence_total", &[("finding", "failed")]);
    }
}

/// Sessions that are read while they still run, so that the provider shows their credentials, and answers that repeat credentials.
fn lives_through_everything(stage: &Stage, daemon: &Daemon) {
    is_asked_about(stage, daemon);
    let slow = NewSession { release_latency: Some(SignedDuration::from_millis(2_500)), ..ci(-60_000) };
    let mut ids = vec![stage.add(slow.clone())];
    if stage.api != Api::Browserbase {
        ids.push(stage.add_agent(NewAgent { release_latency: slow.release_latency, ..linked(slow) }));
    }
    ids.iter().for_each(|id| drop(daemon.comes_to(id, "confirmed")));
    let secret = stage.world.with(|world| world.lives().next().map(|life| life.secret.clone())).expect("a session");
    let echo = format!("the key {} has no right to wss://cdp.simulator.invalid/{secret}", stage.key("growth"));
    stage.world.with(|world| world.inject(Operation::List, stage.api.refusal(500, &echo), Extent::Times(4)));
    eventually("the listing fails", || daemon.account("growth")["last_error"].is_string().then_some(()));
    let denied = stage.due_in(-60_000);
    stage.inject(Target::from(Operation::Release).session(denied.clone()), stage.api.refusal(403, &echo));
    daemon.comes_to(&denied, "denied");
}

/// Of every session that there was, and the account's own.
fn secrets(stage: &Stage) -> Vec<String> {
    let of_sessions = stage.world.with(|world| {
        let all = world.lives().map(|life| &life.secret).chain(world.agents().map(|agent| &agent.secret));
        all.map(|secret| secret.as_ref().to_owned()).collect::<Vec<_>>()
    });
    of_sessions.into_iter().chain(NAMES.map(str::to_owned)).chain([stage.key("growth"), TYPED_SECRET.to_owned()]).collect()
}

#[test]
fn no_credential_is_ever_said_served_or_written() {
    let formats = [("text", "trace"), ("json", "trace"), ("text", EVERYTHING)].map(|(format, level)| (Api::Browserbase, format, level));
    let versions = [ApiVersion::V2, ApiVersion::V3, ApiVersion::V4].map(|version| (Api::BrowserUse(version), "text", EVERYTHING));
    side_by_side(formats.into_iter().chain(versions), |(api, format, level)| {
        let stage = Stage::playing(&Script { api, policies: POLICIES, ..Script::default() });
        let daemon = stage.daemon_with(stage.command(["--log-format", format, "--log-level", level, "run"]));
        lives_through_everything(&stage, &daemon);
        let mut seen: Vec<(String, String)> = PAGES.iter().map(|page| ((*page).to_owned(), daemon.get(page).1)).collect();
        let books = |name: &str| (name.to_owned(), std::fs::read(stage.path(name)).map(|bytes| as_text(&bytes)).unwrap_or_default());
        seen.extend(["books.db", "books.db-wal"].map(books));
        daemon.process.signal("TERM");
        seen.push(("the log".to_owned(), daemon.process.last_words()));
        seen.push(("report".to_owned(), stage.printed(["report", "--format", "json"])));
        seen.push(books("books.db"));

        let (_, log) = &seen[PAGES.len() + 2];
        assert!(log.contains("called the provider"), "the log is at its most talkative");
        let secrets = secrets(&stage);
        for (place, text) in &seen {
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "{place} has {secret}");
            }
        }
    });
}

/// Bytes that are no text are left out: what is looked for is text.
fn as_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
