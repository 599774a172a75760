//! Killed at any moment, the books come out true.

use fastrand::Rng;
use session_reaper::domain::name::SessionId;
use session_reaper::simulator::Cause;
use session_reaper::simulator::answer::Asked;

use super::stage::Stage;
use crate::support::eventually;

#[test]
fn killed_eight_times_while_sixty_sessions_fall_due_the_books_count_each_exactly_once() {
    let stage = Stage::new();
    let mut rng = Rng::with_seed(11);
    let ids: Vec<SessionId> = (0..60).map(|_| stage.due_in(rng.i64(500..9_000))).collect();
    let spared = stage.due_in(3_600_000);
    for _ in 0..8 {
        let daemon = stage.daemon();
        // A seeded moment, told by what the provider has heard: before a call, under it, after it.
        let moment = stage.journal().len() + rng.usize(3..22);
        eventually("the moment comes", || (stage.journal().len() >= moment).then_some(()));
        daemon.dies();
    }
    let daemon = stage.daemon();
    stage.all_end(&ids);
    // What an earlier life confirmed is in the books, not in this one's counters.
    eventually("every release is settled", || (daemon.json("/api/v1/savings")["total"]["released"] == 60).then_some(()));
    assert_eq!(daemon.stops(), Some(0));
    let report = stage.json(["report", "--format", "json", "--since", "1h"]);
    assert_eq!(report["total"]["released"], 60);

    for id in &ids {
        let released = stage.truth(id).end.is_some_and(|end| matches!(end.cause, Cause::Released { .. }));
        assert!(released, "{id} ended otherwise");
        assert!(!was_requested_after_its_end_was_read(&stage, id), "{id} was requested again");
    }
    assert!(stage.requests_for(&spared).is_empty());
    let total = &report["total"];
    assert_eq!((&total["already_ended"], &total["failed"], &total["stuck"]), (&0.into(), &0.into(), &0.into()));
    let (booked, true_saving) = (total["saved_runtime_seconds"].as_f64().expect("a number"), stage.saved(&ids));
    assert!((booked - true_saving).abs() < 1.0, "{booked} s in the books, {true_saving} s in truth");
}

fn was_requested_after_its_end_was_read(stage: &Stage, id: &SessionId) -> bool {
    let end = stage.truth(id).end.expect("it has ended").at;
    let about: Vec<_> = stage.journal().into_iter().filter(|request| request.session.as_ref() == Some(id)).collect();
    let read = about.iter().position(|request| request.asked == Asked::Read && request.at >= end);
    read.is_some_and(|read| about[read..].iter().any(|request| request.asked == Asked::Release))
}
