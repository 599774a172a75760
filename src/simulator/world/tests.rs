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
