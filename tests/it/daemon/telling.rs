//! People are told what happened, each thing once and in order, however their receivers behave; and no release waits for that.

mod office;

use std::collections::BTreeSet;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{Timestamp, between, floor_millis};
use session_reaper::simulator::Fault;
use sha2::Sha256;

use super::stage::{Daemon, Hook, Manner, Script, Stage, side_by_side};
use crate::support::eventually;

const SECRET: &str = "whsec_c2lnbmluZy1zZWNyZXQ=";

const CI: &str = r#"
[[policies]]
name = "ci"
match = { metadata = { env = "ci" } }
max_age = "20m"
"#;

/// Everything is told at once.
const TELLING: &str = r#"
[[policies]]
name = "ci"
match = { metadata = { env = "ci" } }
max_age = "20m"

[[notifications]]
name = "ops"
kind = "webhook"
url_env = "HOOK"
secret_env = "HOOK_SECRET"
on = ["released", "stuck", "failed", "guardrail", "denied", "warning"]
batch_within = "0s"
templates = { released = "{id} of {metadata.env} is gone" }
"#;

fn stage() -> Stage {
    playing(TELLING)
}

fn playing(policies: &'static str) -> Stage {
    Stage::playing(&Script { policies, ..Script::default() })
}

fn command(stage: &Stage, hook: &Hook) -> Command {
    let mut command = stage.command(["run"]);
    command.env("HOOK", hook.address()).env("HOOK_SECRET", SECRET);
    command
}

fn daemon(stage: &Stage, hook: &Hook) -> Daemon {
    stage.daemon_with(command(stage, hook))
}

/// What `check` shows.
fn checked(stage: &Stage, hook: &Hook) -> String {
    let mut command = stage.command(["check"]);
    let output = command.env("HOOK", hook.address()).env("HOOK_SECRET", SECRET).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn ids_in(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["data"]["id"].as_str().expect("an id").to_owned()).collect()
}

/// Each of these was told once, under an id of its own, in the order in which it was found out.
fn told_once(events: &[Value], ids: &[SessionId]) {
    let told: BTreeSet<String> = ids_in(events).into_iter().collect();
    assert_eq!(told, ids.iter().map(|id| id.as_str().to_owned()).collect());
    let own: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().expect("an id")).collect();
    assert_eq!((events.len(), own.len()), (ids.len(), ids.len()), "{events:?}");
    let at: Vec<&str> = events.iter().map(|event| event["at"].as_str().expect("an instant")).collect();
    assert!(at.is_sorted(), "{at:?}");
}

fn metric(daemon: &Daemon, outcome: &str) -> f64 {
    daemon.metric("session_reaper_notifications_total", &[("receiver", "ops"), ("outcome", outcome)])
}

#[test]
fn a_receiver_that_misbehaves_delays_no_release_and_loses_nothing() {
    let manners = [Manner::Answers(500), Manner::Throttles(2), Manner::Hangs, Manner::HangsUp, Manner::TakesAfter(4_000), Manner::Answers(302)];
    side_by_side(manners, |manner| {
        let (stage, hook) = (stage(), Hook::that(manner));
        let ids: Vec<SessionId> = (0..12).map(|n| stage.due_in(3_000 + n * 250)).collect();
        let daemon = daemon(&stage, &hook);
        for id in &ids {
            let row = daemon.comes_to(id, "confirmed");
            let overrun = row["overrun_seconds"].as_f64().expect("a number");
            // Each of its answers would take longer, and there are twelve to be told.
            assert!(overrun < 3.0, "{id} left {overrun} s late");
        }
        hook.becomes(Manner::Takes);
        told_once(&hook.takes(12, "released"), &ids);
        eventually("all are counted", || (metric(&daemon, "sent") == 12.0).then_some(()));
        assert_eq!((metric(&daemon, "dropped"), daemon.metric("session_reaper_notifications_queued", &[("receiver", "ops")])), (0.0, 0.0));
        assert_eq!(metric(&daemon, "failed") > 0.0, manner != Manner::TakesAfter(4_000));
        assert_eq!(daemon.stops(), Some(0));
        told_once(&hook.taken("released"), &ids);
    });
}

#[test]
fn a_batch_is_tried_again_under_its_id_and_each_try_is_signed() {
    let (stage, hook) = (stage(), Hook::that(Manner::Answers(500)));
    let id = stage.due_in(-1_000);
    let daemon = daemon(&stage, &hook);
    hook.hears(3);
    hook.becomes(Manner::Takes);
    let events = hook.takes(1, "released");
    assert_eq!((&events[0]["data"]["policy"], &events[0]["data"]["outcome"]), (&"ci".into(), &"confirmed".into()));
    assert_eq!(events[0]["text"], format!("{id} of ci is gone"), "the template names a tag");
    let tries = hook.told();
    let ids: BTreeSet<&str> = tries.iter().map(|told| told.header("webhook-id")).collect();
    let bodies: BTreeSet<&str> = tries.iter().map(|told| told.text.as_str()).collect();
    assert_eq!((ids.len(), bodies.len()), (1, 1), "{ids:?}");
    for told in &tries {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"signing-secret").expect("a key");
        mac.update(format!("{}.{}.{}", told.header("webhook-id"), told.header("webhook-timestamp"), told.text).as_bytes());
        assert_eq!(told.header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    }
    let wait = tries[1].at.duration_since(tries[0].at).as_secs_f64();
    assert!(wait > 0.7, "tried again after {wait} s");
    daemon.process.line_with("notifications are taken again");
    assert_eq!(daemon.process.lines_with("notifications are not taken"), 1, "said once");
    let said = daemon.get("/metrics").1 + &daemon.get("/api/v1/accounts").1;
    assert!(!said.contains("hook-secret") && daemon.process.lines_with("hook-secret") == 0);
}

#[test]
fn what_is_not_told_yet_outlives_a_kill_and_is_told_once() {
    let (stage, hook) = (stage(), Hook::that(Manner::Answers(503)));
    let ids: Vec<SessionId> = (0..6).map(|n| stage.due_in(-1_000 - n)).collect();
    let first = daemon(&stage, &hook);
    first.reaches(6.0, "session_reaper_sessions_released_total", &[("policy", "ci"), ("limit", "max_age")]);
    ids.iter().for_each(|id| drop(first.comes_to(id, "confirmed")));
    first.dies();
    let second = daemon(&stage, &hook);
    hook.becomes(Manner::Takes);
    told_once(&hook.takes(6, "released"), &ids);
    eventually("the books know", || (metric(&second, "sent") == 6.0).then_some(()));
    assert_eq!(second.stops(), Some(0));
    // A third life tells what is new to it, and nothing again.
    let late = stage.due_in(-1_000);
    let third = daemon(&stage, &hook);
    let events = hook.takes(7, "released");
    assert_eq!(ids_in(&events).last().map(String::as_str), Some(late.as_str()));
    assert_eq!(third.stops(), Some(0));
    assert_eq!(hook.taken("released").len(), 7);
}

#[test]
fn killed_at_any_moment_every_release_is_told_and_never_under_two_ids() {
    let (stage, hook) = (stage(), Hook::that(Manner::Takes));
    let ids: Vec<SessionId> = (0..30).map(|n| stage.due_in(500 + n * 150)).collect();
    for life in 1..=5 {
        let daemon = daemon(&stage, &hook);
        eventually("some are requested", || (stage.requested().len() >= life * 5).then_some(()));
        daemon.dies();
    }
    let daemon = daemon(&stage, &hook);
    stage.all_end(&ids);
    eventually("every release is settled", || (daemon.json("/api/v1/savings")["total"]["released"] == 30).then_some(()));
    let events = eventually("every one is told", || {
        let events = hook.taken("released");
        let told: BTreeSet<String> = ids_in(&events).into_iter().collect();
        (told.len() == 30).then_some(events)
    });
    // Killed between the receiver's answer and the books, it is told twice, and by one id.
    let pairs: BTreeSet<(&str, &str)> =
        events.iter().map(|event| (event["data"]["id"].as_str().expect("an id"), event["id"].as_str().expect("an id"))).collect();
    assert_eq!(pairs.len(), 30, "{pairs:?}");
}

#[test]
fn a_stop_tells_what_waits_for_more() {
    let stage = playing(
        r#"
[[policies]]
name = "ci"
match = { metadata = { env = "ci" } }
max_age = "20m"
[[notifications]]
name = "ops"
kind = "slack"
url_env = "HOOK"
on = ["released"]
batch_within = "10m"
"#,
    );
    let hook = Hook::that(Manner::Takes);
    let ids = [stage.due_in(-2_000), stage.due_in(-1_000)];
    let daemon = daemon(&stage, &hook);
    ids.iter().for_each(|id| drop(daemon.comes_to(id, "confirmed")));
    daemon.reaches(2.0, "session_reaper_notifications_queued", &[("receiver", "ops")]);
    assert!(hook.told().is_empty());
    assert_eq!(daemon.stops(), Some(0));
    let [told] = &hook.told()[..] else { panic!("one message") };
    let text = told.body["text"].as_str().expect("a text");
    assert!(ids.iter().all(|id| text.contains(id.as_str())) && text.lines().count() == 2, "{text}");
    assert_eq!((told.header("webhook-signature"), told.body.as_object().map(serde_json::Map::len)), ("", Some(1)));
}

const WARNING: &str = r#"
[[policies]]
name = "ci"
match = { metadata = { env = "ci" } }
max_age = "20m"
warn_before = "4s"

[[notifications]]
name = "ops"
kind = "webhook"
url_env = "HOOK"
batch_within = "0s"
"#;

#[test]
fn a_coming_release_is_announced_in_time_with_the_command_that_holds_it() {
    let stage = Stage::playing(&Script { policies: WARNING, poll_interval: "1h", ..Script::default() });
    let hook = Hook::that(Manner::Takes);
    let (held, not_held) = (stage.due_in(8_000), stage.due_in(8_500));
    let daemon = daemon(&stage, &hook);
    let warnings = hook.takes(2, "warning");
    assert_eq!(ids_in(&warnings), [held.as_str(), not_held.as_str()]);
    assert!(stage.requested().is_empty(), "nothing has left yet");
    for (warning, id) in warnings.iter().zip([&held, &not_held]) {
        let instant = |name: &str| -> Timestamp { warning["data"][name].as_str().expect("an instant").parse().expect("an instant") };
        assert_eq!(floor_millis(stage.deadline(id)), instant("release_at"));
        let at: Timestamp = warning["at"].as_str().expect("an instant").parse().expect("an instant");
        let before = between(at, instant("release_at")).as_secs_f64();
        assert!((2.0..=4.01).contains(&before), "announced {before} s before, of 4");
    }
    let told = warnings[0]["data"]["command"].as_str().expect("a command");
    assert_eq!(told, format!("session-reaper hold {held} --for 30m --reason \"…\""));
    assert!(warnings[0]["text"].as_str().is_some_and(|text| text.contains(told)));
    stage.printed(["hold", held.as_str(), "--for", "30m", "--reason", "I need it"]);
    daemon.comes_to(&not_held, "confirmed");
    daemon.is_held(&held, "operator");
    assert_eq!(daemon.stops(), Some(0));
    assert!(!stage.has_ended(&held));
    assert_eq!((hook.taken("warning").len(), hook.taken("released").len()), (2, 0), "once each; releases are told to whoever asks for them");
}

#[test]
fn in_observe_mode_nothing_is_announced() {
    let stage = Stage::playing(&Script { policies: WARNING, mode: "observe", ..Script::default() });
    let hook = Hook::that(Manner::Takes);
    stage.due_in(2_000);
    let daemon = daemon(&stage, &hook);
    daemon.reaches(1.0, "session_reaper_would_release_total", &[("policy", "ci"), ("limit", "max_age")]);
    assert_eq!(daemon.stops(), Some(0));
    assert!(hook.told().is_empty());
}

#[test]
fn a_refused_credential_is_told_once_however_often_it_is_refused() {
    let stage = stage();
    let hook = Hook::that(Manner::Takes);
    stage.inject(Operation::List, Fault::status(401, "Unauthorized"));
    let daemon = daemon(&stage, &hook);
    let denied = hook.takes(1, "denied");
    assert_eq!((&denied[0]["data"]["account"], &denied[0]["data"]["status"]), (&"growth".into(), &401.into()));
    assert_eq!(daemon.stops(), Some(0));
    let daemon = self::daemon(&stage, &hook);
    daemon.process.line_with("refuses the account's credential");
    assert_eq!(daemon.stops(), Some(0));
    let hours: BTreeSet<String> = hook.taken("denied").iter().map(|event| event["at"].as_str().unwrap_or_default()[..13].to_owned()).collect();
    assert_eq!(hook.taken("denied").len(), hours.len(), "at most one in each hour");
}

#[test]
fn a_reload_adds_receivers_and_lets_others_go() {
    let (stage, hook, other) = (stage(), Hook::that(Manner::Takes), Hook::that(Manner::Takes));
    let daemon = daemon(&stage, &hook);
    std::fs::write(stage.path("other.url"), other.address()).expect("a writable folder");
    let text = std::fs::read_to_string(stage.path("session-reaper.toml")).expect("a configuration");
    let swapped = text.replace("name = \"ops\"", "name = \"others\"").replace("url_env = \"HOOK\"", "url_file = \"other.url\"");
    stage.write_text(&swapped);
    daemon.process.signal("HUP");
    daemon.process.line_with("the new configuration is in force");
    let shown = daemon.get("/metrics").1;
    assert!(shown.contains("notifications_queued{receiver=\"others\"}") && !shown.contains("receiver=\"ops\""), "{shown}");
    let id = stage.due_in(-1_000);
    daemon.comes_to(&id, "confirmed");
    assert_eq!(ids_in(&other.takes(1, "released")), [id.as_str()]);
    // One that cannot be read leaves everything as it is.
    std::fs::write(stage.path("other.url"), "no address").expect("a writable folder");
    daemon.process.signal("HUP");
    let refused = daemon.process.line_with("the new configuration was refused");
    assert!(refused.contains("notifications[0].url_file") && !refused.contains("no address\""), "{refused}");
    let id = stage.due_in(-1_000);
    daemon.comes_to(&id, "confirmed");
    other.takes(2, "released");
    assert!(hook.told().is_empty());
}

#[test]
fn an_address_and_a_secret_are_told_to_nobody() {
    side_by_side([Manner::Takes, Manner::Answers(404), Manner::HangsUp], |manner| {
        let (stage, hook) = (stage(), Hook::that(manner));
        let id = stage.due_in(-1_000);
        let mut command = stage.command(["--log-level", EVERYTHING, "run"]);
        command.env("HOOK", hook.address()).env("HOOK_SECRET", SECRET);
        let daemon = stage.daemon_with(command);
        daemon.comes_to(&id, "confirmed");
        let outcome = if manner == Manner::Takes { "sent" } else { "failed" };
        eventually("it was tried", || (metric(&daemon, outcome) >= 1.0).then_some(()));
        let shown: String = ["/metrics", "/api/v1/releases", "/api/v1/accounts"].map(|page| daemon.get(page).1).concat();
        daemon.process.signal("TERM");
        let said = daemon.process.last_words() + &shown + &checked(&stage, &hook);
        let books = std::fs::read(stage.path("books.db")).expect("the books");
        assert!(said.contains("called the provider"), "the log is not at its most talkative");
        for secret in ["hook-secret", "c2lnbmluZy1zZWNyZXQ", "signing-secret"] {
            let found = said.lines().find(|line| line.contains(secret));
            assert_eq!(found, None, "{manner:?}");
            assert!(!books.windows(secret.len()).any(|part| part == secret.as_bytes()), "{manner:?}: {secret} is in the books");
        }
    });
}

/// The log at its most talkative, with that of whatever carries our calls.
const EVERYTHING: &str = "trace,hyper=trace,hyper_util=trace,reqwest=trace";

#[test]
fn one_pass_tells_what_it_did() {
    let (stage, hook) = (stage(), Hook::that(Manner::Takes));
    let id = stage.due_in(-1_000);
    let mut command = stage.command(["run", "--once"]);
    command.env("HOOK", hook.address()).env("HOOK_SECRET", SECRET);
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(ids_in(&hook.taken("released")), [id.as_str()]);
}

#[test]
fn without_receivers_there_is_nothing_to_tell() {
    let stage = playing(CI);
    let id = stage.due_in(-1_000);
    let daemon = stage.daemon();
    daemon.comes_to(&id, "confirmed");
    assert!(!daemon.get("/metrics").1.contains("receiver="));
}
