//! Browserbase's JSON, through the shipped parsing: listings, readings, releases' answers, and evidence.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use serde_json::Value;
use session_reaper::domain::activity::{Evidence, MOST_QUESTIONS};
use session_reaper::domain::fault::Fault;
use session_reaper::domain::listing::{Listing, Rows};
use session_reaper::domain::name::Kind;
use session_reaper::domain::session::{Parts, Session, Target};
use session_reaper::provider::{self, Connected};

use super::dealt::{Dealer, Said, Script, at_once};
use super::planted;

/// The session that is read and released.
const ASKED: &str = "s-1";
/// The project of an account that is limited to one.
const PROJECT: &str = "p-main";

/// What became of the same answers, asked each thing in turn.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub list: Result<Listing, Fault>,
    pub read: Result<Session, Fault>,
    pub release: Result<Option<Session>, Fault>,
    pub evidence: Result<Evidence, Fault>,
}

/// The first line may say `project`; the others are answers, see [`Script`].
pub fn browserbase_wire(input: &[u8]) -> Outcome {
    let script = Script::read(input);
    let project = script.says("project").then_some(PROJECT);
    let outcome = ask(&script.answers, project);
    a_listing_is_of_lists_alone(&script.answers, &outcome.list);
    a_session_is_the_one_asked_for(&outcome);
    let rewritten = planted::rewritten(&script.answers);
    let plain = ask(&rewritten, project);
    every_row_is_there(&rewritten, project, &plain.list);
    if !planted::is_in(input) {
        let marked = ask(&planted::with_secrets(&script.answers), project);
        assert_eq!((&plain.list, &plain.read, &plain.release), (&marked.list, &marked.read, &marked.release), "a secret was read");
        shows_no_mark(&marked);
        shows_no_mark(&ask(&planted::with_secrets_for_instants(&script.answers), project));
    }
    outcome
}

fn ask(answers: &[Said], project: Option<&str>) -> Outcome {
    let dealer = Arc::new(Dealer::new(answers));
    let Connected { lister, releaser } = provider::browserbase_over(dealer.clone(), project);
    let target = Target { id: ASKED.into(), kind: Kind::Session, parts: Parts::default() };
    let asked = |most: usize| assert!(dealer.deal_again().requests <= most, "more requests than {most}");
    let list = at_once(lister.list()).result;
    asked(2);
    let read = at_once(lister.read(&target)).result;
    asked(1);
    let release = at_once(releaser.release(&target)).result;
    asked(1);
    let evidence = at_once(lister.evidence(&target)).result;
    asked(MOST_QUESTIONS);
    Outcome { list, read, release, evidence }
}

/// PENDING is asked first, and RUNNING second.
fn of_statuses(answers: &[Said]) -> [&Said; 2] {
    [&answers[0], &answers[1 % answers.len()]]
}

/// What is no list is a fault, or leaves the listing partial; it is never an empty one.
fn a_listing_is_of_lists_alone(answers: &[Said], listing: &Result<Listing, Fault>) {
    let [pending, running] = of_statuses(answers).map(|said| said.json().is_some_and(|body| body.is_array()) || begins_a_list(said));
    assert!(running || listing.is_err(), "a listing without the running ones");
    assert!(pending || !matches!(listing, Ok(Listing::Complete(_))), "a complete listing without the pending ones");
}

/// Of what the reader of the test does not hold, a number beyond all bounds for instance, the first character alone is looked at.
fn begins_a_list(said: &Said) -> bool {
    matches!(said, Said::Body(body) if body.trim_ascii_start().first() == Some(&b'['))
}

fn a_session_is_the_one_asked_for(outcome: &Outcome) {
    let sessions = outcome.read.iter().chain(outcome.release.iter().flatten());
    sessions.for_each(|session| assert_eq!(session.id.as_str(), ASKED));
}

/// Each row is a session, or set aside and counted, or over, or another project's; and each id is there once. Of a list that breaks off, the rows before that
/// may be there too.
fn every_row_is_there(answers: &[Said], project: Option<&str>, listing: &Result<Listing, Fault>) {
    let Some(rows) = listing.as_ref().ok().map(rows) else { return };
    each_id_once(rows);
    let bodies = of_statuses(answers).map(|said| said.json().and_then(|body| body.as_array().cloned()));
    let [Some(pending), Some(running)] = bodies else { return };
    let (mut known, mut nameless) = (BTreeSet::new(), 0);
    for row in running.iter().chain(&pending) {
        match name(row) {
            None => nameless += 1,
            Some(id) if !known.insert(id) || may_be_left_out(row, project) => {}
            Some(id) => assert!(rows.there().any(|there| there.as_str() == id), "{row} is nowhere"),
        }
    }
    assert_eq!(rows.rejected.iter().filter(|row| row.id.is_none()).count(), nameless);
}

fn rows(listing: &Listing) -> &Rows {
    match listing {
        Listing::Complete(complete) => complete.rows(),
        Listing::Partial { rows, .. } => rows,
    }
}

fn name(row: &Value) -> Option<&str> {
    let id = row.get("id")?.as_str()?;
    let fits = id.chars().count() <= 256 && !id.chars().any(char::is_control) && !matches!(id.trim(), "" | "." | "..");
    fits.then_some(id)
}

fn may_be_left_out(row: &Value, project: Option<&str>) -> bool {
    let is_over = matches!(row["status"].as_str(), Some("COMPLETED" | "TIMED_OUT" | "ERROR"));
    is_over || project.is_some_and(|project| row["projectId"].as_str().is_some_and(|owner| owner != project))
}

pub(super) fn each_id_once(rows: &Rows) {
    let rejected = rows.rejected.iter().filter_map(|row| row.id.as_ref());
    let ids: Vec<_> = rows.sessions.iter().map(|session| &session.id).chain(rejected).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id twice: {ids:?}");
}

pub(super) fn shows_no_mark(outcome: &impl Debug) {
    let shown = format!("{outcome:?}");
    assert!(!shown.contains(planted::MARK), "{shown}");
}
