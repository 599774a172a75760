//! The order of precedence to its end: whatever a policy says, against every combination of what may hold a session back.

use super::*;
use crate::domain::activity::{Activity, Evidence, Finding, Heard, Question, Said as Answer, Testimony};
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::Order;
use crate::policy::idle::{Idle, WithoutEvidence};
use crate::policy::max_running::MaxRunning;

/// What the policies come to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Unmatched,
    Protected,
    Pending,
    Unknown,
    Keep,
    Due(Limit),
    /// Due by a tag that asks for less than the policy's length.
    DueByTag,
    /// Kept by a tag that asks for more.
    KeptByTag,
}

const ALL_SAID: [Said; 11] = [
    Said::Unmatched,
    Said::Protected,
    Said::Pending,
    Said::Unknown,
    Said::Keep,
    Said::Due(Limit::MaxAge),
    Said::Due(Limit::Idle),
    Said::Due(Limit::MaxRunning),
    Said::Due(Limit::Budget),
    Said::DueByTag,
    Said::KeptByTag,
];

/// Noon and a quarter, at which everything is listed for the second time.
fn now() -> Timestamp {
    later(at(0), mins(15))
}

fn limits(said: Said) -> Limits {
    let age = |minutes, tag: Option<&str>| Some(MaxAge { limit: mins(minutes), tag: tag.map(ToOwned::to_owned), ceiling: None });
    match said {
        Said::Due(Limit::Idle) => Limits { idle: Some(Idle { limit: mins(5), without_evidence: WithoutEvidence::Keep }), ..Limits::default() },
        Said::Due(Limit::MaxRunning) => Limits { max_running: Some(MaxRunning { count: 1, per: None, release: Order::Oldest }), ..Limits::default() },
        Said::Due(Limit::Budget) => {
            let budget = Budget { allowed: mins(10), per: None, every: Every::Day, time_zone: jiff::tz::TimeZone::UTC, release: Order::Oldest };
            Limits { budget: Some(budget), ..Limits::default() }
        }
        Said::DueByTag => Limits { max_age: age(60, Some("ttl")), ..Limits::default() },
        Said::KeptByTag => Limits { max_age: age(5, Some("ttl")), ..Limits::default() },
        Said::Keep => Limits { max_age: age(60, None), ..Limits::default() },
        _ => Limits { max_age: age(5, None), ..Limits::default() },
    }
}

fn policies(said: Said) -> Vec<Policy> {
    let rule = if said == Said::Protected { Rule::Protect } else { Rule::Limits(limits(said)) };
    let elsewhere = crate::policy::selector::Match { accounts: Some(vec!["elsewhere".into()]), ..Default::default() };
    let selector = if said == Said::Unmatched { Selector::Match(elsewhere) } else { Selector::All };
    vec![Policy { name: "p".into(), selector, rule, shadow: false }]
}

/// Which holds are on, one bit each in the order of precedence.
fn is_on(holds: u8, hold: Hold) -> bool {
    Hold::ALL.iter().position(|known| *known == hold).is_some_and(|bit| holds & (1 << bit) != 0)
}

fn subject(said: Said, holds: u8) -> Session {
    let ttl = match said {
        Said::DueByTag => json!({ "ttl": "5m" }),
        Said::KeptByTag => json!({ "ttl": "60m" }),
        _ => json!({}),
    };
    let phase = match said {
        Said::Pending => Phase::Pending,
        Said::Unknown => Phase::Unknown,
        _ => Phase::Running,
    };
    let end = later(now(), if is_on(holds, Hold::Expiring) { secs(30) } else { mins(60) });
    Session { expires_at: Some(end), ..in_phase(phase, session("a", ttl)) }
}

fn stage(said: Said, holds: u8) -> Engine {
    let on = |hold| is_on(holds, hold);
    let guardrails = Guardrails {
        max_releases_per_poll: if on(Hold::MaxReleasesPerPoll) { 0 } else { 100 },
        min_age: if on(Hold::MinAge) { mins(30) } else { SignedDuration::ZERO },
        skip_expiring_within: mins(1),
        ..terms().guardrails
    };
    let mode = if on(Hold::Observe) { Mode::Observe } else { Mode::Enforce };
    let terms = Terms { policies: policies(said).into(), guardrails, mode, ..terms() };
    // Evidence of a moment ago, as if an earlier life of the process had bought it.
    let heard = Heard { asked_at: later(now(), secs(-1)), finding: Finding::Quiet, failures: 0, testimonies: Vec::new() };
    let activity = Activity { first_seen: Some(at(0)), sightings: 2, last_active: Some(at(0)), heard: Some(heard), ..Activity::default() };
    let tripped_at = on(Hold::MaxReleaseFraction).then(|| later(now(), mins(-1)));
    let recall = Recall { activities: vec![("a".into(), activity)], tripped_at, ..Recall::default() };
    let hold = OperatorHold { session: "a".into(), placed_at: at(0), until: later(now(), mins(60)), reason: "debugging".to_owned() };
    let orders = Orders {
        holds: on(Hold::Operator).then(|| (SessionId::from("a"), hold)).into_iter().collect(),
        pauses: on(Hold::Paused).then(|| Pause { account: None, placed_at: at(0), reason: "incident".to_owned() }).into_iter().collect(),
        ..Orders::default()
    };
    Engine::new(terms, recall, Arc::new(orders), now())
}

/// The order as it is written down: what is due is released unless something holds it, and the first hold is the one shown.
fn written(said: Said, holds: u8) -> (&'static str, Option<Hold>, bool) {
    let word = match said {
        Said::Unmatched => "unmatched",
        Said::Protected => "protected",
        Said::Pending | Said::Keep | Said::KeptByTag => "keep",
        Said::Unknown => "unknown",
        Said::Due(_) | Said::DueByTag => "due",
    };
    let order = [Hold::Operator, Hold::Paused, Hold::Observe, Hold::MinAge, Hold::Expiring, Hold::MaxReleaseFraction, Hold::MaxReleasesPerPoll];
    let hold = order.into_iter().find(|hold| word == "due" && is_on(holds, *hold));
    (word, hold, word == "due" && hold.is_none())
}

#[test]
fn every_verdict_with_every_combination_of_holds() {
    let mut count = 0;
    for said in ALL_SAID {
        for holds in 0..1 << Hold::ALL.len() {
            let mut engine = stage(said, holds);
            let younger = Session { started_at: Some(at(60_000)), ..session("b", json!({ "ttl": "60m" })) };
            let also = if said == Said::Due(Limit::MaxRunning) { vec![younger] } else { Vec::new() };
            let rows = std::iter::once(subject(said, holds)).chain(also).collect();
            let mut commands = list(&mut engine, listing(rows), now());
            if commands.iter().any(|command| matches!(command, Command::Ask { .. })) {
                let quiet = Testimony { asked: Question::Logs, said: Answer::Last { at: at(0) } };
                let evidence = Evidence { testimonies: vec![quiet], fault: None };
                engine.handle(Input::Evidence { id: "a".into(), answer: exchange(Ok(evidence), now()) }, now());
                commands.extend(drained(&mut engine));
            }
            let released_now = released(&commands).contains(&"a");
            let view = engine.session_views(now()).into_iter().find(|view| view.id.as_str() == "a").expect("a live session");
            assert_eq!((view.verdict.as_str(), view.hold, released_now), written(said, holds), "{said:?} {holds:07b}: {}", view.reason);
            if let (Said::Due(limit), "due") = (said, view.verdict.as_str()) {
                assert_eq!(view.limit, Some(limit));
            }
            count += 1;
        }
    }
    assert_eq!(count, 11 * 128);
}
