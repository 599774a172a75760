use std::collections::BTreeSet;

use super::*;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::fixtures::{at, mins, release};
use crate::domain::name::{Kind, Provider};
use crate::domain::release::Outcome;
use crate::domain::template::METADATA;
use crate::domain::verdict::Limit;

fn coming(id: &str) -> What {
    What::Coming(Box::new(Coming {
        provider: Provider::Browserbase,
        id: id.into(),
        kind: Kind::Session,
        region: None,
        policy: "ci".into(),
        limit: Limit::MaxAge,
        deadline: at(0),
        release_at: at(0),
        reason: "older than 20m since 12:00:00".to_owned(),
        metadata: json!({ "team": "ml" }),
    }))
}

fn confirmed() -> Release {
    let saved = (Some(mins(40)), Some(0.08));
    Release { outcome: Outcome::Confirmed, saved_runtime: saved.0, saved_cost: saved.1, metadata: json!({ "team": "ml" }), ..release("s-1", at(0)) }
}

fn refused() -> What {
    What::Refused { fault: Fault::new(FaultKind::Unauthorized, "no such key"), again_at: at(30_000) }
}

fn told(what: What) -> Notice {
    told_at(what, at(0))
}

fn told_at(what: What, at: Timestamp) -> Notice {
    notice(&Event { account: "growth".into(), what }, at).expect("something to tell")
}

fn one_of_each() -> Vec<What> {
    let release = || Box::new(confirmed());
    vec![
        What::Confirmed { release: release(), took: mins(0) },
        What::Stuck { release: release() },
        What::Failed { release: release() },
        What::Tripped { at: at(0), requested: 6, live: 12 },
        refused(),
        coming("s-1"),
    ]
}

#[test]
fn every_place_that_a_text_may_have_is_filled_and_no_other() {
    for what in one_of_each() {
        let notice = told(what);
        let topic = notice.topic().expect("a topic");
        let places: BTreeSet<&str> = topic.places().iter().copied().filter(|place| *place != METADATA).collect();
        let filled: BTreeSet<&str> = notice.words.keys().map(String::as_str).collect();
        assert_eq!(filled, places, "{topic}");
    }
}

#[test]
fn programs_are_told_by_the_names_of_the_api_and_nothing_of_tags() {
    let notice = told(What::Confirmed { release: Box::new(confirmed()), took: mins(0) });
    assert_eq!(
        (&notice.data["id"], &notice.data["saved_runtime_seconds"], &notice.data["outcome"]),
        (&json!("s-1"), &json!(2400.0), &json!("confirmed"))
    );
    assert_eq!((notice.words["saved_runtime"].as_str(), notice.words["saved_cost"].as_str()), ("40m", "0.0800 USD"));
    for what in one_of_each() {
        let data = told(what).data.to_string();
        assert!(!data.contains("team") && !data.contains("metadata"), "{data}");
    }
}

#[test]
fn one_fact_has_one_id_whenever_it_is_told_and_another_has_another() {
    let later_on = |what| told_at(what, at(60_000)).id;
    let ids: Vec<String> = one_of_each().into_iter().map(|what| told(what).id).collect();
    assert_eq!(ids, one_of_each().into_iter().map(later_on).collect::<Vec<_>>());
    let again = Release { deadline: at(1), ..confirmed() };
    let other_life = Release { life: Some("b-2".into()), ..confirmed() };
    let others = [again, other_life].map(|release| told(What::Confirmed { release: Box::new(release), took: mins(0) }).id);
    assert_ne!(id(Topic::Stuck, &["ab", "c"]), id(Topic::Stuck, &["a", "bc"]));
    let all: BTreeSet<&String> = ids.iter().chain(&others).collect();
    assert_eq!(all.len(), 8);
    assert!(all.iter().all(|id| id.starts_with("evt_") && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))));
}

#[test]
fn a_refusal_that_lasts_is_told_once_an_hour() {
    let ids: BTreeSet<String> = [0, 30, 59].map(|minute| told_at(refused(), later(minute)).id).into();
    assert_eq!(ids.len(), 1);
    assert_ne!(told_at(refused(), later(60)).id, told_at(refused(), later(0)).id);
}

fn later(minutes: i64) -> Timestamp {
    crate::domain::time::later(at(0), mins(minutes))
}

#[test]
fn the_command_that_holds_a_session_can_be_pasted_whatever_its_id() {
    let command = |id| told(coming(id)).words["command"].clone();
    assert_eq!(command("3f1c0a52-0000"), "session-reaper hold 3f1c0a52-0000 --for 30m --reason \"…\"");
    assert_eq!(command("x; rm -rf ~"), "session-reaper hold 'x; rm -rf ~' --for 30m --reason \"…\"");
    assert_eq!(command("it's"), r#"session-reaper hold 'it'\''s' --for 30m --reason "…""#);
}

#[test]
fn what_happens_all_the_time_is_told_to_nobody() {
    for what in [
        What::Requesting { release: Box::new(confirmed()) },
        What::AlreadyEnded { release: Box::new(confirmed()) },
        What::Untripped { by_operator: true },
    ] {
        assert_eq!(notice(&Event { account: "growth".into(), what }, at(0)), None);
    }
}

#[test]
fn an_amount_is_told_as_people_read_it() {
    assert_eq!(cost(Some(0.0123), Some("USD")), "0.0123 USD");
    assert_eq!(cost(Some(12.345), Some("EUR")), "12.35 EUR");
    assert_eq!((cost(None, Some("USD")), cost(Some(0.0), None)), ("cost unknown".to_owned(), "0.0000".to_owned()));
}
