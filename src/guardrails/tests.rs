use serde_json::json;

use super::*;
use crate::domain::fixtures::{at, mins, moment, secs, session};
use crate::domain::hold::{OperatorHold, Pause};

const HOUR: i64 = 3_600_000;

/// Every guardrail off, so that a test turns on the one that it is about.
fn open() -> Guardrails {
    Guardrails {
        max_releases_per_poll: 1_000,
        max_release_fraction: 1.0,
        min_age: SignedDuration::ZERO,
        skip_expiring_within: SignedDuration::ZERO,
        confirm_within: mins(2),
    }
}

fn account() -> AccountName {
    "growth".into()
}

/// Asks for the session `a`, which runs since noon and ends at six, among so many live ones.
struct Question {
    session: Session,
    browser: Option<SessionId>,
    orders: Orders,
    mode: Mode,
    live: usize,
    again: bool,
}

impl Question {
    fn new() -> Self {
        Self { session: session("a", json!({})), browser: None, orders: Orders::default(), mode: Mode::Enforce, live: 1, again: false }
    }

    fn among(live: usize) -> Self {
        Self { live, ..Self::new() }
    }

    fn ask<T>(&self, put: impl FnOnce(&Ask<'_>) -> T) -> T {
        let Self { session, browser, orders, mode, live, again } = self;
        put(&Ask { account: &account(), session, browser: browser.as_ref(), mode: *mode, orders, live: *live, again: *again })
    }

    fn permit(&self, rails: &mut Rails, now: Timestamp) -> Result<Permit, Held> {
        self.ask(|ask| rails.permit(ask, moment(now)))
    }

    fn hold(&self, rails: &mut Rails, now: Timestamp) -> Option<Hold> {
        self.permit(rails, now).err().map(|held| held.hold)
    }

    fn holds(&self, rails: &Rails, now: Timestamp) -> Vec<Hold> {
        self.ask(|ask| rails.holds(ask, moment(now))).into_iter().map(|held| held.hold).collect()
    }
}

fn held_until(until: Timestamp) -> Orders {
    let hold = OperatorHold { session: "a".into(), placed_at: at(0), until, reason: "debugging".to_owned() };
    Orders { holds: [("a".into(), hold)].into(), ..Orders::default() }
}

fn paused(account: Option<&str>) -> Orders {
    let pause = Pause { account: account.map(Into::into), placed_at: at(0), reason: "freeze".to_owned() };
    Orders { pauses: vec![pause], ..Orders::default() }
}

fn resumed(at: Timestamp) -> Orders {
    Orders { resumed_at: [(account(), at)].into(), ..Orders::default() }
}

/// Asks so many times at one instant; gives how many permits there were.
fn permits(rails: &mut Rails, question: &Question, count: usize, now: Timestamp) -> usize {
    (0..count).filter(|_| question.permit(rails, now).is_ok()).count()
}

#[test]
fn a_permit_is_for_the_session_that_it_was_asked_for() {
    let permit = Question::new().permit(&mut Rails::new(open()), at(0)).expect("a permit");
    assert_eq!(permit.session(), &SessionId::from("a"));
}

#[test]
fn a_session_is_held_until_it_has_reached_min_age_exactly() {
    let mut rails = Rails::new(Guardrails { min_age: secs(60), ..open() });
    let held = Question::new().permit(&mut rails, at(59_999)).expect_err("too young");
    assert_eq!((held.hold, held.until), (Hold::MinAge, Some(at(60_000))));
    assert_eq!(held.reason, "younger than min_age = 1m");
    assert!(Question::new().permit(&mut rails, at(60_000)).is_ok());
}

#[test]
fn min_age_counts_in_the_providers_time_and_is_looked_at_again_in_ours() {
    let mut rails = Rails::new(Guardrails { min_age: secs(60), ..open() });
    let now = Moment { ours: at(HOUR), theirs: at(59_000) };
    let held = Question::new().ask(|ask| rails.permit(ask, now)).expect_err("too young");
    assert_eq!(held.until, Some(at(HOUR + 1_000)));
}

#[test]
fn a_session_that_soon_ends_by_itself_is_spared_until_it_should_have() {
    let mut rails = Rails::new(Guardrails { skip_expiring_within: secs(60), ..open() });
    let end = 6 * HOUR;
    let hold = |rails: &mut Rails, millis: i64| Question::new().hold(rails, at(end + millis));
    assert_eq!(hold(&mut rails, -60_001), None);
    assert_eq!(hold(&mut rails, -60_000), Some(Hold::Expiring));
    assert_eq!(hold(&mut rails, 0), Some(Hold::Expiring));
    assert_eq!(hold(&mut rails, 59_999), Some(Hold::Expiring));
    assert_eq!(hold(&mut rails, 60_000), None, "the provider should have ended it long since");
}

#[test]
fn without_a_hard_end_nothing_expires_and_zero_turns_both_margins_off() {
    let mut rails = Rails::new(Guardrails { skip_expiring_within: secs(60), ..open() });
    let mut endless = Question::new();
    endless.session.expires_at = None;
    assert_eq!(endless.hold(&mut rails, at(6 * HOUR)), None);
    let mut off = Rails::new(open());
    assert_eq!(Question::new().hold(&mut off, at(0)), None);
    assert_eq!(Question::new().hold(&mut off, at(6 * HOUR)), None);
}

#[test]
fn an_operators_hold_ends_at_its_instant() {
    let mut rails = Rails::new(open());
    let question = Question { orders: held_until(at(5_000)), ..Question::new() };
    let held = question.permit(&mut rails, at(4_999)).expect_err("held");
    assert_eq!((held.hold, held.until), (Hold::Operator, Some(at(5_000))));
    assert_eq!(held.reason, "held by an operator until 12:00:05: debugging");
    assert!(question.permit(&mut rails, at(5_000)).is_ok());
}

#[test]
fn a_hold_on_one_session_spares_no_other() {
    let mut question = Question { orders: held_until(at(5_000)), ..Question::new() };
    question.session.id = "b".into();
    assert_eq!(question.hold(&mut Rails::new(open()), at(0)), None);
}

#[test]
fn a_hold_on_its_browser_spares_the_session() {
    let mut question = Question { orders: held_until(at(5_000)), browser: Some("a".into()), ..Question::new() };
    question.session.id = "agent".into();
    let mut rails = Rails::new(open());
    assert_eq!(question.hold(&mut rails, at(4_999)), Some(Hold::Operator));
    assert_eq!(question.hold(&mut rails, at(5_000)), None);
    question.browser = Some("another".into());
    assert_eq!(question.hold(&mut rails, at(0)), None);
}

#[test]
fn of_the_holds_on_a_session_and_its_browser_the_longer_counts() {
    let (short, long) = (at(5_000), at(9_000));
    for (own, browsers) in [(short, long), (long, short)] {
        let mut orders = held_until(own);
        let on_browser = OperatorHold { session: "browser".into(), until: browsers, ..orders.holds[&"a".into()].clone() };
        orders.holds.insert("browser".into(), on_browser);
        let question = Question { orders, browser: Some("browser".into()), ..Question::new() };
        assert_eq!(question.permit(&mut Rails::new(open()), at(0)).map_err(|held| held.until).err(), Some(Some(long)));
    }
}

#[test]
fn a_pause_holds_its_account_or_every_account_and_no_other() {
    let hold = |account| Question { orders: paused(account), ..Question::new() }.hold(&mut Rails::new(open()), at(0));
    assert_eq!(hold(None), Some(Hold::Paused));
    assert_eq!(hold(Some("growth")), Some(Hold::Paused));
    assert_eq!(hold(Some("sales")), None);
}

#[test]
fn observing_holds_everything() {
    let question = Question { mode: Mode::Observe, ..Question::new() };
    assert_eq!(question.hold(&mut Rails::new(open()), at(0)), Some(Hold::Observe));
}

#[test]
fn where_several_holds_apply_all_are_given_in_order_of_precedence() {
    let settings = Guardrails {
        max_releases_per_poll: 0,
        max_release_fraction: 0.01,
        min_age: mins(600),
        skip_expiring_within: mins(600),
        confirm_within: mins(2),
    };
    let orders = Orders { holds: held_until(at(HOUR)).holds, ..paused(None) };
    let question = Question { orders, mode: Mode::Observe, live: 20, ..Question::new() };
    assert_eq!(question.holds(&Rails::new(settings), at(0)), Hold::ALL);
}

#[test]
fn a_poll_opens_an_allowance_and_a_repeated_request_takes_no_second_place() {
    let mut rails = Rails::new(Guardrails { max_releases_per_poll: 2, ..open() });
    assert_eq!(permits(&mut rails, &Question::new(), 5, at(0)), 2);
    assert_eq!(Question::new().hold(&mut rails, at(1)), Some(Hold::MaxReleasesPerPoll));
    assert!(Question { again: true, ..Question::new() }.permit(&mut rails, at(1)).is_ok());
    rails.open_allowance();
    assert_eq!(permits(&mut rails, &Question::new(), 5, at(2)), 2);
}

#[test]
fn a_request_that_was_never_sent_gives_its_place_back() {
    let mut rails = Rails::new(Guardrails { max_releases_per_poll: 1, ..open() });
    assert_eq!(permits(&mut rails, &Question::new(), 2, at(0)), 1);
    rails.unsent();
    assert_eq!(permits(&mut rails, &Question::new(), 2, at(0)), 1);
}

#[test]
fn the_fraction_guards_more_than_ten_sessions_and_stops_at_its_share() {
    let half = || Rails::new(Guardrails { max_release_fraction: 0.5, ..open() });
    assert_eq!(permits(&mut half(), &Question::among(10), 10, at(0)), 10);
    assert_eq!(permits(&mut half(), &Question::among(11), 11, at(0)), 5);
    assert_eq!(permits(&mut half(), &Question::among(20), 20, at(0)), 10);
}

#[test]
fn a_share_that_floats_cannot_hold_exactly_is_still_the_share() {
    for (fraction, live, allowed) in [(0.1, 30, 3), (0.29, 100, 29), (0.57, 100, 57), (1.0, 11, 11)] {
        let mut rails = Rails::new(Guardrails { max_release_fraction: fraction, ..open() });
        assert_eq!(permits(&mut rails, &Question::among(live), live, at(0)), allowed, "{fraction} of {live}");
    }
}

#[test]
fn sessions_that_have_departed_count_for_an_hour() {
    let mut rails = Rails::new(Guardrails { max_release_fraction: 0.5, ..open() });
    (0..10).for_each(|n| rails.left(format!("gone-{n}").as_str().into(), at(0)));
    assert_eq!(permits(&mut rails, &Question::among(10), 20, at(HOUR - 1)), 10, "20 were live within the hour");
    assert_eq!(Question::among(10).hold(&mut rails, at(HOUR)), None, "10 live are below the floor");
}

#[test]
fn a_session_that_comes_back_is_counted_once() {
    let mut rails = Rails::new(open());
    rails.left("a".into(), at(0));
    assert_eq!(rails.live_in_window(10), 11);
    rails.arrived(&"a".into());
    assert_eq!(rails.live_in_window(11), 11);
}

#[test]
fn requests_count_against_the_fraction_for_an_hour() {
    let mut rails = Rails::new(Guardrails { max_release_fraction: 0.5, ..open() });
    assert_eq!(permits(&mut rails, &Question::among(20), 10, at(0)), 10);
    assert_eq!(Question::among(20).hold(&mut rails, at(HOUR - 1)), Some(Hold::MaxReleaseFraction));
    assert_eq!(permits(&mut rails, &Question::among(20), 20, at(HOUR)), 10);
}

#[test]
fn once_tripped_the_fraction_holds_everything_for_an_hour_repeated_requests_too() {
    let mut rails = Rails::new(Guardrails { max_release_fraction: 0.5, ..open() });
    assert_eq!(rails.trip(None, moment(at(0))), Some(at(0)), "news");
    assert_eq!(rails.trip(None, moment(at(1))), None, "no news");
    let again = Question { again: true, ..Question::new() };
    let held = again.permit(&mut rails, at(HOUR - 1)).expect_err("tripped");
    assert_eq!((held.hold, held.until), (Hold::MaxReleaseFraction, Some(at(HOUR))));
    assert_eq!(held.reason, "max_release_fraction tripped at 12:00:00: held until 13:00:00 or `resume`");
    assert!(again.permit(&mut rails, at(HOUR)).is_ok());
}

#[test]
fn a_resume_lifts_an_earlier_trip_and_counts_anew() {
    let mut rails = Rails::new(Guardrails { max_release_fraction: 0.5, ..open() });
    assert_eq!(permits(&mut rails, &Question::among(20), 20, at(0)), 10);
    rails.trip(None, moment(at(10)));
    for not_later in [9, 10] {
        let too_early = Question { orders: resumed(at(not_later)), ..Question::among(20) };
        assert_eq!(too_early.hold(&mut rails, at(20)), Some(Hold::MaxReleaseFraction), "resumed at {not_later}");
    }
    let lifted = Question { orders: resumed(at(20)), ..Question::among(20) };
    assert_eq!(permits(&mut rails, &lifted, 20, at(20)), 10, "from the very instant on");
    assert_eq!(lifted.hold(&mut rails, at(30)), Some(Hold::MaxReleaseFraction));
}

#[test]
fn an_earlier_life_is_carried_on() {
    let mut rails = Rails::new(Guardrails { max_release_fraction: 0.5, max_releases_per_poll: 12, ..open() });
    let seen = (0..9).map(|n| (format!("gone-{n}").as_str().into(), at(0))).collect();
    rails.recall(vec![at(0); 8], seen, None, 10);
    assert_eq!(permits(&mut rails, &Question::among(11), 5, at(1)), 2, "10 of 20 are the half");
    assert_eq!(Question::among(11).holds(&rails, at(1)), [Hold::MaxReleaseFraction, Hold::MaxReleasesPerPoll]);
}

#[test]
fn a_trip_survives_a_restart() {
    let mut rails = Rails::new(open());
    rails.recall(Vec::new(), Vec::new(), Some(at(0)), 0);
    assert_eq!(Question::new().hold(&mut rails, at(HOUR - 1)), Some(Hold::MaxReleaseFraction));
    assert_eq!(Question::new().hold(&mut rails, at(HOUR)), None);
}

#[test]
fn what_an_hour_ago_asked_or_showed_counts_no_more() {
    let mut rails = Rails::new(Guardrails { max_release_fraction: 0.5, ..open() });
    rails.recall(vec![at(0); 3], vec![("gone".into(), at(0))], None, 0);
    assert_eq!(permits(&mut rails, &Question::among(20), 2, at(0)), 2);
    rails.roll(moment(at(HOUR - 1)));
    assert_eq!((rails.requested_since(None, moment(at(HOUR - 1))), rails.live_in_window(20)), (5, 21));
    rails.roll(moment(at(HOUR)));
    assert_eq!((rails.requested_since(None, moment(at(HOUR))), rails.live_in_window(20)), (0, 20));
    assert!(rails.recalled.is_empty() && rails.requested.is_empty() && rails.departed.is_empty());
}

#[test]
fn recalled_requests_are_counted_in_the_providers_time() {
    let mut rails = Rails::new(Guardrails { max_release_fraction: 0.5, ..open() });
    let ahead = |millis| Moment { ours: at(millis), theirs: at(millis + HOUR) };
    rails.recall(vec![at(HOUR); 10], Vec::new(), None, 0);
    assert_eq!(rails.requested_since(None, ahead(HOUR - 1)), 10);
    assert_eq!(rails.requested_since(None, ahead(HOUR)), 0);
    assert_eq!(rails.requested_since(Some(at(1)), ahead(1)), 0, "a resume starts anew");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_permit_while_anything_holds(
            now in 0..8 * HOUR,
            hold_until in proptest::option::of(0..8 * HOUR),
            pause in any::<bool>(),
            observe in any::<bool>(),
            tripped_at in proptest::option::of(0..8 * HOUR),
            min_age in 0..400_i64,
            margin in 0..400_i64,
        ) {
            let settings = Guardrails { min_age: mins(min_age), skip_expiring_within: mins(margin), ..open() };
            let mut rails = Rails::new(settings);
            let tripped = tripped_at.filter(|at| *at <= now);
            rails.recall(Vec::new(), Vec::new(), tripped.map(at), 0);
            let holds = hold_until.map(|until| held_until(at(until)).holds).unwrap_or_default();
            let orders = Orders { holds, ..if pause { paused(None) } else { Orders::default() } };
            let mode = if observe { Mode::Observe } else { Mode::Enforce };
            let allowed = Question { orders, mode, ..Question::new() }.permit(&mut rails, at(now)).is_ok();

            let held = hold_until.is_some_and(|until| now < until);
            let young = now < min_age * 60_000;
            let expiring = (now - 6 * HOUR).abs() <= margin * 60_000 && now - 6 * HOUR != margin * 60_000;
            let out = tripped.is_some_and(|at| now < at + HOUR);
            prop_assert_eq!(allowed, !(held || pause || observe || young || expiring || out));
        }

        #[test]
        fn never_more_than_the_share_of_an_hour(
            live in 11..60_usize,
            percent in 1..=100_u32,
            steps in proptest::collection::vec(0..900_000_i64, 1..120),
        ) {
            let fraction = f64::from(percent) / 100.0;
            let mut rails = Rails::new(Guardrails { max_release_fraction: fraction, ..open() });
            let mut now = 0;
            let mut sent: Vec<i64> = Vec::new();
            for step in steps {
                now += step;
                if Question::among(live).permit(&mut rails, at(now)).is_ok() {
                    sent.push(now);
                }
                let within = sent.iter().filter(|at| **at > now - HOUR).count();
                prop_assert!(within * 100 <= live * percent as usize, "{within} of {live} at {percent} %");
            }
        }
    }
}
