use super::*;

fn noon() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().expect("an instant")
}

fn after(seconds: i64) -> Timestamp {
    later(noon(), SignedDuration::from_secs(seconds))
}

#[test]
fn the_same_seed_gives_the_same_world_however_it_is_looked_at() {
    let mut at_once = World::new(7, noon());
    at_once.advance(after(3_600));
    let mut in_steps = World::new(7, noon());
    for second in (0..=3_600).step_by(7) {
        in_steps.advance(after(second));
        in_steps.create("bb_demo", NewSession::default(), after(second)).expect("a session");
    }
    in_steps.advance(after(3_600));
    let born: Vec<Truth> = at_once.truth();
    assert!(born.len() > 180, "{} sessions in an hour", born.len());
    assert!(born.iter().all(|one| in_steps.truth().contains(one)));
}

#[test]
fn another_seed_gives_another_world() {
    assert_ne!(World::new(1, noon()).truth(), World::new(2, noon()).truth());
}

#[test]
fn the_live_world_has_sessions_of_every_fate_and_expires_them_exactly() {
    let mut world = World::new(1, noon());
    world.advance(after(7 * 3_600));
    let ends: Vec<(Truth, End)> = world.truth().into_iter().filter_map(|one| one.end.map(|end| (one, end))).collect();
    for cause in [Cause::Closed, Cause::Crashed, Cause::TimedOut] {
        assert!(ends.iter().any(|(_, end)| end.cause == cause), "{cause:?}");
    }
    assert!(ends.iter().filter(|(_, end)| end.cause == Cause::TimedOut).all(|(one, end)| end.at == one.expires_at));
}

#[test]
fn a_brisk_world_has_leaks_from_the_start_that_are_worth_releasing() {
    let world = World::with(Settings { population: Population::brisk(), ..Settings::seeded(1) }, noon());
    let leaked = |life: &&Life| life.fate.is_none() && life.keep_alive && life.status(noon()) == "RUNNING";
    let left: Vec<SignedDuration> = world.lives().filter(leaked).map(|life| life.expires_at.duration_since(noon())).collect();
    assert!(left.len() >= 6, "{left:?}");
    assert!(left.iter().all(|left| *left > SignedDuration::from_mins(59)), "{left:?}");
}

#[test]
fn other_keys_start_empty_and_foreign_ones_open_nothing() {
    let mut world = World::new(1, noon());
    assert!(world.project("bb_demo_x").is_some());
    assert!(world.project("bb_live_abc").is_none());
    assert_eq!(world.create("bu_live_abc", NewSession::default(), noon()), None);
    assert!(world.lives().all(|life| ["bb_demo", "bu_demo"].contains(&&*life.key)));
}

#[test]
fn a_skewed_world_lives_in_its_own_time() {
    let skew = SignedDuration::from_hours(-1);
    let mut world = World::with(Settings { skew, ..Settings::seeded(1) }, noon());
    let id = world.create("bb_demo_x", NewSession::default(), noon()).expect("a session");
    let truth = world.truth().into_iter().find(|one| one.id == id).expect("its truth");
    assert_eq!(truth.created_at, later(noon(), skew));
}

#[test]
fn what_ended_a_week_ago_is_forgotten() {
    let mut world = World::new(1, noon());
    let new = NewSession { timeout: SignedDuration::from_mins(1), ..NewSession::default() };
    let id = world.create("bb_demo_x", new, noon()).expect("a session");
    world.advance(after(7 * 86_400));
    assert!(world.lives().any(|life| life.id == id));
    world.advance(after(7 * 86_400 + 3_660));
    assert!(world.lives().all(|life| life.id != id));
}

#[test]
fn in_the_live_world_the_forgotten_are_quiet_the_busy_act_and_some_keep_no_log() {
    let mut world = World::new(1, noon());
    let quiet = |world: &World, at: Timestamp| {
        let leaked = world.lives().filter(|life| &*life.key == BROWSERBASE_KEY && life.created_at < later(noon(), -SignedDuration::from_mins(21)));
        leaked.map(|life| (life.commands(at).last().copied(), life.proxy_bytes(at), life.pages(at))).collect::<Vec<_>>()
    };
    let leaked = quiet(&world, noon());
    assert!(leaked.len() > 2 && leaked.iter().any(|(last, bytes, _)| last.is_some() && *bytes > 0), "{leaked:?}");
    assert_eq!(quiet(&world, after(60)), leaked);

    world.advance(after(3_600));
    let at_work: Vec<&Life> = world.lives().filter(|life| life.is_up(after(3_600)) && life.worked_until > after(3_660)).collect();
    let acts = |life: &&Life| life.commands(after(3_600)) != life.commands(after(3_610));
    let silent = at_work.iter().filter(|life| !life.logs).count();
    assert_eq!((at_work.iter().filter(|life| acts(life)).count() + silent, silent > 0), (at_work.len(), true));
}

#[test]
fn a_session_can_be_used_while_its_browser_is_there() {
    let mut world = World::new(1, noon());
    let new = NewSession { pending_for: SignedDuration::from_secs(10), ..NewSession::default() };
    let id = world.create("bb_demo_x", new, noon()).expect("a session");
    assert_eq!([5, 10, 3_599, 3_600].map(|second| world.act(&id, Act::Command, after(second))), [false, true, true, false]);
    assert!(!world.act(&"nobody's".into(), Act::Command, after(10)));
    let life = world.lives().find(|life| life.id == id).expect("its life");
    assert_eq!(life.commands(after(9_000)), [10, 3_599].map(after));
}

#[test]
fn what_has_ended_stays_as_it_ended() {
    let mut world = World::new(1, noon());
    let id = world.create("bb_demo_x", NewSession::default(), noon()).expect("a session");
    world.end(&id, Cause::Crashed, after(60));
    world.end(&id, Cause::Closed, after(61));
    let end = |world: &World, id| world.life(id).and_then(|life| life.ended(after(100)));
    assert_eq!(end(&world, &id), Some(End { at: after(60), cause: Cause::Crashed }));
    world.advance(after(100));
    let released = world.create("bb_demo_x", NewSession::default(), after(100)).expect("a session");
    world.release(&released, after(110));
    world.end(&released, Cause::Closed, after(120));
    let cause = world.life(&released).and_then(|life| life.ended(after(120))).map(|end| end.cause);
    assert_eq!(cause, Some(Cause::Released { requested_at: after(110) }));
}
