//! A listing that is suddenly empty: who is called as a witness, when that one is read, and whose word it is.

use super::*;

fn young(id: &str, now: Timestamp) -> Session {
    Session { started_at: Some(now), ..session(id, json!({})) }
}

fn reads(commands: &[Command]) -> Vec<&str> {
    commands.iter().filter_map(|command| if let Command::Read { target } = command { Some(target.id.as_str()) } else { None }).collect()
}

#[test]
fn a_witness_is_read_as_soon_as_the_pace_allows() {
    let now = later(at(0), mins(1));
    let mut engine = Engine::new(Terms { requests_per_second: 2.0, ..terms() }, Recall::default(), Arc::default(), now);
    list(&mut engine, listing(vec![young("a", now)]), now);
    let page = crate::domain::exchange::RequestTrace { operation: crate::domain::event::Operation::List, status: "200".to_owned(), took: secs(0) };
    let empty = Exchange { requests: vec![page.clone(), page], ..exchange(Ok(listing(Vec::new())), now) };
    engine.handle(Input::Listed(empty), now);
    assert_eq!(reads(&drained(&mut engine)), [""; 0], "the pages took what there was");
    let free = later(now, SignedDuration::from_millis(500));
    assert_eq!(engine.poll_timeout(now), Some(free));
    assert_eq!(reads(&tick(&mut engine, free)), ["a"]);
    assert_ne!(engine.poll_timeout(free), Some(free), "it is being read");
}

#[test]
fn a_reading_of_a_witness_is_a_call_under_way_and_waits_for_its_place_among_them() {
    let now = later(at(0), mins(20));
    let mut engine = Engine::new(Terms { requests_per_second: 1_000.0, ..terms() }, Recall::default(), Arc::default(), now);
    let ids: Vec<String> = (0..MAX_CALLS_UNDER_WAY).map(|index| format!("s{index:03}")).collect();
    let rows = ids.iter().map(|id| session(id, json!({}))).chain([young("young", now)]).collect();
    assert_eq!(released(&list(&mut engine, listing(rows), now)).len(), MAX_CALLS_UNDER_WAY);
    let poll = later(now, secs(30));
    tick(&mut engine, poll);
    assert_eq!(reads(&list(&mut engine, listing(Vec::new()), poll)), [""; 0], "all places are taken");
    let ended = |id: &str| Session { ended_at: Some(poll), ..in_phase(Phase::Completed, session(id, json!({}))) };
    assert_eq!(reads(&answer(&mut engine, &ids[0], Ok(Some(ended(&ids[0]))), poll)), ["young"]);
    engine.handle(Input::Drain, poll);
    for id in &ids[1..] {
        answer(&mut engine, id, Ok(Some(ended(id))), poll);
    }
    assert!(!engine.is_settled(), "the witness has not answered");
    engine.handle(Input::Read { id: "young".into(), answer: exchange(Ok(young("young", now)), poll) }, poll);
    assert!(engine.is_settled());
}

#[test]
fn what_is_read_of_another_session_is_not_the_witnesss_word() {
    let now = later(at(0), mins(20));
    let mut engine = started(now);
    let rows = vec![session("a", json!({})), young("young", now)];
    assert_eq!(released(&list(&mut engine, listing(rows), now)), ["a"]);
    answer(&mut engine, "a", Ok(Some(session("a", json!({})))), now);
    let soon = later(now, secs(2));
    assert_eq!(reads(&list(&mut engine, listing(Vec::new()), soon)), ["young", "a"]);
    let ended = Session { ended_at: Some(later(now, secs(1))), ..in_phase(Phase::Completed, session("a", json!({}))) };
    engine.handle(Input::Read { id: "a".into(), answer: exchange(Ok(ended), soon) }, soon);
    let told = drained(&mut engine);
    assert!(told.iter().any(|command| matches!(command, Command::Tell(Event { what: What::Confirmed { .. }, .. }))));
    list(&mut engine, listing(Vec::new()), later(soon, secs(1)));
    assert_eq!(engine.session_views(soon).len(), 1, "the witness has yet to speak");
}
