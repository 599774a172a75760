//! Browser Use's JSON in its three versions, through the shipped parsing, paging and pairing.

use std::sync::Arc;

use session_reaper::domain::activity::{Evidence, MOST_QUESTIONS};
use session_reaper::domain::fault::Fault;
use session_reaper::domain::listing::{Listing, Rows};
use session_reaper::domain::name::{ApiVersion, Kind};
use session_reaper::domain::session::{Parts, Session, Target};
use session_reaper::provider::{self, Connected};

use super::browserbase::{each_id_once, shows_no_mark};
use super::dealt::{Dealer, Dealt, MOST_PAGES, Said, Script, at_once};
use super::planted;

/// Browsers, agent sessions, all tasks, and the tasks of a hundred agent sessions one by one.
const MOST_INVENTORIES: usize = 103;

/// What became of the same answers, asked each thing in turn: two listings of one life of the process, and each session that may be meant.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub lists: [Result<Listing, Fault>; 2],
    pub reads: Vec<Result<Session, Fault>>,
    pub releases: Vec<Result<Option<Session>, Fault>>,
    pub evidence: Vec<Result<Evidence, Fault>>,
}

/// The first line may say `v3` or `v4`; the others are answers, see [`Script`].
pub fn browser_use_wire(input: &[u8]) -> Outcome {
    let script = Script::read(input);
    let version = version(&script);
    let outcome = ask(&script.answers, version);
    if !planted::is_in(input) {
        let plain = ask(&planted::rewritten(&script.answers), version);
        let marked = ask(&planted::with_secrets(&script.answers), version);
        assert_eq!(plain, marked, "a secret was read");
        shows_no_mark(&marked);
        shows_no_mark(&ask(&planted::with_secrets_for_instants(&script.answers), version));
    }
    outcome
}

fn version(script: &Script<'_>) -> ApiVersion {
    match (script.says("v3"), script.says("v4")) {
        (true, _) => ApiVersion::V3,
        (_, true) => ApiVersion::V4,
        _ => ApiVersion::V2,
    }
}

fn ask(answers: &[Said], version: ApiVersion) -> Outcome {
    let dealer = Arc::new(Dealer::new(answers));
    let Connected { lister, releaser } = provider::browser_use_over(dealer.clone(), version);
    let lists = [(); 2].map(|()| {
        let listing = at_once(lister.list()).result;
        let dealt = dealer.deal_again();
        assert!(dealt.requests <= MOST_INVENTORIES * MOST_PAGES, "{} requests for one listing", dealt.requests);
        a_listing_is_of_pages_alone(&dealt, &listing);
        listing.iter().flat_map(all_rows).for_each(each_id_once);
        listing
    });
    let mut outcome = Outcome { lists, reads: Vec::new(), releases: Vec::new(), evidence: Vec::new() };
    for target in targets() {
        let read = at_once(lister.read(&target)).result;
        let release = at_once(releaser.release(&target)).result;
        dealer.deal_again();
        outcome.evidence.push(at_once(lister.evidence(&target)).result);
        assert!(dealer.deal_again().requests <= MOST_QUESTIONS, "more than {MOST_QUESTIONS} questions about {target:?}");
        read.iter().chain(release.iter().flatten()).for_each(|session| assert_eq!((&session.id, session.kind), (&target.id, target.kind)));
        outcome.reads.push(read);
        outcome.releases.push(release);
    }
    outcome
}

/// A browser, an agent session by itself, one with its browser, a browser that was left behind, and what v4 has: a run, and a run with its browser.
fn targets() -> [Target; 6] {
    let agent = |own, browser: bool, run: bool| {
        let parts = Parts { own, browser: browser.then(|| "b-1".into()), run: run.then(|| "r-1".into()) };
        Target { id: "a-1".into(), kind: Kind::Agent, parts }
    };
    let browser = Target { id: "b-1".into(), kind: Kind::Browser, parts: Parts::default() };
    [browser, agent(true, false, false), agent(true, true, false), agent(false, true, false), agent(false, false, true), agent(false, true, true)]
}

/// What is no page leaves the listing partial. That there are no tasks under this address is an answer.
fn a_listing_is_of_pages_alone(dealt: &Dealt, listing: &Result<Listing, Fault>) {
    let is_no_page = |(name, said): &(String, Said)| match said {
        Said::Body(body) => body.trim_ascii_start().first() != Some(&b'{'),
        Said::Cut(_) => true,
        Said::Refused(status, _) => name != "tasks" || !matches!(status, 404 | 410),
    };
    let lacking = dealt.listed.iter().find(|listed| is_no_page(listed));
    assert!(lacking.is_none() || !matches!(listing, Ok(Listing::Complete(_))), "a complete listing with {lacking:?}");
}

fn all_rows(listing: &Listing) -> Vec<&Rows> {
    match listing {
        Listing::Complete(complete) => vec![complete.rows()],
        Listing::Partial { rows, whole, .. } => std::iter::once(rows).chain(whole.as_ref().map(|whole| whole.rows())).collect(),
    }
}
