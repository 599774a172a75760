//! Nothing that opens an account or a browser leaves the program: not by its log at its most talkative, not by an answer, not by its books.

use session_reaper::domain::event::Operation;
use session_reaper::domain::time::SignedDuration;
use session_reaper::simulator::{Extent, Fault, NewSession, Target};

use super::stage::{Daemon, Stage, ci, side_by_side};
use crate::support::eventually;

/// Every page that the daemon serves.
const PAGES: [&str; 6] = ["/", "/metrics", "/api/v1/sessions", "/api/v1/releases", "/api/v1/savings", "/api/v1/accounts"];

/// A session that is read while it still runs, so that the provider shows its credentials, and answers that repeat the key.
fn lives_through_everything(stage: &Stage, daemon: &Daemon) {
    let slow = stage.add(NewSession { release_latency: Some(SignedDuration::from_millis(2_500)), ..ci(-60_000) });
    daemon.comes_to(&slow, "confirmed");
    let echo = format!("the key {} has no right to this", stage.key("growth"));
    stage.world.with(|world| world.inject(Operation::List, Fault::status(500, &echo), Extent::Times(4)));
    eventually("the listing fails", || daemon.account("growth")["last_error"].is_string().then_some(()));
    let denied = stage.due_in(-60_000);
    stage.inject(Target::from(Operation::Release).session(denied.clone()), Fault::status(403, &echo));
    daemon.comes_to(&denied, "denied");
}

#[test]
fn no_credential_is_ever_said_served_or_written() {
    let cases = [("text", "trace"), ("json", "trace"), ("text", "trace,hyper=trace,hyper_util=trace,reqwest=trace")];
    side_by_side(cases, |(format, level)| {
        let stage = Stage::new();
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
        let mut secrets: Vec<String> = stage.world.with(|world| world.lives().map(|life| life.secret.as_ref().to_owned()).collect());
        secrets.extend([stage.key("growth"), "signingKey".to_owned(), "connectUrl".to_owned(), "seleniumRemoteUrl".to_owned()]);
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
