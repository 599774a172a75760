//! What must not be released now waits, in sight, with the reason beside it.

use session_reaper::domain::name::SessionId;
use session_reaper::domain::time::{SignedDuration, later};
use session_reaper::simulator::answer::Asked;
use session_reaper::simulator::{Cause, NewSession};

use super::stage::{Script, Stage, ci};
use crate::support::eventually;

const GROWTH: (&str, &str) = ("account", "growth");

#[test]
fn a_tripped_release_fraction_survives_a_restart_and_ends_by_an_operators_word() {
    let stage = Stage::playing(&Script { guardrails: &[("max_release_fraction", "0.5")], ..Script::default() });
    let ids: Vec<SessionId> = (1..=12).map(|n| stage.due_in(n * -1_000)).collect();
    let (spared, released) = ids.split_at(6);
    let daemon = stage.daemon();
    stage.all_end(released);
    daemon.process.line_with("max_release_fraction reached");
    assert_eq!(daemon.account("growth")["tripped"], true);
    assert_eq!(daemon.metric("session_reaper_guardrail_tripped", &[GROWTH]), 1.0);
    released.iter().for_each(|id| drop(daemon.comes_to(id, "confirmed")));
    daemon.dies();

    let daemon = stage.daemon();
    spared.iter().for_each(|id| drop(daemon.is_held(id, "max_release_fraction")));
    assert_eq!(daemon.account("growth")["tripped"], true);
    assert!(stage.requested().len() == 6 && !spared.iter().any(|id| stage.has_ended(id)));
    eventually("the holds are counted", || (daemon.metric("session_reaper_holds", &[GROWTH, ("hold", "max_release_fraction")]) == 6.0).then_some(()));

    stage.printed(["resume"]);
    stage.all_end(spared);
    eventually("it has tripped no longer", || (daemon.account("growth")["tripped"] == false).then_some(()));
}

#[test]
fn no_more_are_released_between_two_polls_than_allowed_and_the_most_overdue_go_first() {
    let stage = Stage::playing(&Script { guardrails: &[("max_releases_per_poll", "3")], ..Script::default() });
    let ids: Vec<SessionId> = (1..=8).map(|n| stage.due_in(n * -1_000)).collect();
    let daemon = stage.daemon();
    daemon.is_held(&ids[0], "max_releases_per_poll");
    stage.all_end(&ids);

    let mut batches: Vec<Vec<SessionId>> = vec![Vec::new()];
    for request in stage.journal() {
        match request.asked {
            Asked::List => batches.push(Vec::new()),
            Asked::Release => batches.last_mut().expect("never empty").extend(request.session),
            _ => {}
        }
    }
    batches.retain(|batch| !batch.is_empty());
    batches.iter_mut().for_each(|batch| batch.sort());
    let mut expected: Vec<Vec<SessionId>> = ids.rchunks(3).map(<[SessionId]>::to_vec).collect();
    expected.iter_mut().for_each(|batch| batch.sort());
    assert_eq!(batches, expected);
}

#[test]
fn what_is_younger_than_min_age_waits_until_it_is_old_enough() {
    let stage = Stage::playing(&Script { guardrails: &[("min_age", "\"21m\"")], ..Script::default() });
    let id = stage.due_in(-56_000);
    let daemon = stage.daemon();
    daemon.is_held(&id, "min_age");
    daemon.comes_to(&id, "confirmed");
    let old_enough = later(stage.truth(&id).started_at, SignedDuration::from_mins(21));
    assert!(stage.requests_for(&id)[0].at >= old_enough, "released before {old_enough}");
}

#[test]
fn what_ends_by_itself_soon_is_left_to() {
    let stage = Stage::playing(&Script { guardrails: &[("skip_expiring_within", "\"60s\"")], ..Script::default() });
    let age = SignedDuration::from_mins(21);
    let id = stage.add(NewSession { timeout: age + SignedDuration::from_secs(4), ..ci(-60_000) });
    let daemon = stage.daemon();
    daemon.is_held(&id, "expiring");
    eventually("it is gone", || daemon.session(&id).is_null().then_some(()));
    assert_eq!(stage.truth(&id).end.map(|end| end.cause), Some(Cause::TimedOut));
    assert!(stage.requested().is_empty() && daemon.release(&id).is_null());
}
