//! Evidence is bought late, once, and only where it can lead to a release; what it says decides.

use super::*;
use crate::domain::activity::{Evidence, Finding, Question, Said, Testimony};
use crate::policy::idle::{Idle, WithoutEvidence};

/// Everything that was quiet for five minutes goes.
fn idle_terms(without_evidence: WithoutEvidence) -> Terms {
    let limits = Limits { idle: Some(Idle { limit: mins(5), without_evidence }), ..Limits::default() };
    let all = Policy { name: "quiet".into(), selector: Selector::All, rule: Rule::Limits(limits), shadow: false };
    // A session stays in sight for as long as these stories last.
    Terms { policies: [all].into(), poll_interval: mins(20), ..terms() }
}

fn watching() -> Engine {
    Engine::new(idle_terms(WithoutEvidence::Keep), Recall::default(), Arc::default(), at(0))
}

fn minute(count: i64) -> Timestamp {
    later(at(0), mins(count))
}

fn asked(commands: &[Command]) -> Vec<&str> {
    commands.iter().filter_map(|command| if let Command::Ask { target } = command { Some(target.id.as_str()) } else { None }).collect()
}

fn one(id: &str) -> Listing {
    listing(vec![session(id, json!({}))])
}

/// The provider's answer arrives, to what was asked a tenth of a second ago.
fn hear(engine: &mut Engine, id: &str, said: Said, now: Timestamp) -> Vec<Command> {
    hear_result(engine, id, Ok(Evidence { testimonies: vec![Testimony { asked: Question::Logs, said }], fault: None }), now)
}

fn hear_result(engine: &mut Engine, id: &str, result: Result<Evidence, Fault>, now: Timestamp) -> Vec<Command> {
    let answer = exchange(result, later(now, SignedDuration::from_millis(-100)));
    engine.handle(Input::Evidence { id: id.into(), answer }, now);
    drained(engine)
}

fn last(minutes: i64) -> Said {
    Said::Last { at: minute(minutes) }
}

fn nothing() -> Said {
    Said::Nothing { why: "its log is empty".to_owned() }
}

fn failing() -> Said {
    Said::Failed { why: "503: no".to_owned() }
}

/// Session `a`, started at noon, seen twice, about which the provider has just been asked, six minutes past.
fn asking() -> Engine {
    asking_by(idle_terms(WithoutEvidence::Keep))
}

fn asking_by(terms: Terms) -> Engine {
    let mut engine = Engine::new(terms, Recall::default(), Arc::default(), at(0));
    list(&mut engine, one("a"), minute(0));
    assert_eq!(asked(&list(&mut engine, one("a"), minute(6))), ["a"]);
    engine
}

fn now() -> Timestamp {
    later(minute(6), secs(1))
}

#[test]
fn a_session_seen_once_is_never_idle() {
    let mut engine = watching();
    let hour = minute(60);
    assert_eq!(asked(&list(&mut engine, one("a"), hour)), [""; 0]);
    assert_eq!(asked(&tick(&mut engine, later(hour, mins(10)))), [""; 0]);
    assert_eq!(asked(&list(&mut engine, one("a"), later(hour, secs(30)))), ["a"]);
}

#[test]
fn evidence_is_bought_at_the_deadline_and_not_before() {
    let mut engine = watching();
    list(&mut engine, one("a"), minute(0));
    assert_eq!(asked(&list(&mut engine, one("a"), minute(1))), [""; 0]);
    assert_eq!(asked(&tick(&mut engine, later(minute(5), SignedDuration::from_millis(-1)))), [""; 0]);
    assert!(engine.poll_timeout(minute(4)).is_some_and(|at| at <= minute(5)), "an alarm");
    assert_eq!(asked(&tick(&mut engine, minute(5))), ["a"]);
    assert_eq!(asked(&tick(&mut engine, minute(6))), [""; 0], "once");
}

#[test]
fn a_quiet_session_is_released_on_the_answer() {
    let mut engine = asking();
    let commands = hear(&mut engine, "a", last(1), now());
    assert_eq!(released(&commands), ["a"]);
    let row = commands.iter().find_map(|command| if let Command::Release { row, .. } = command { Some(row) } else { None }).expect("a row");
    assert_eq!((row.limit, row.deadline), (Limit::Idle, minute(6)));
    assert_eq!(row.reason, "idle for 5m since 12:01:00");
}

#[test]
fn an_active_session_is_kept_and_asked_about_again_when_it_may_be_idle_next() {
    let mut engine = asking();
    assert_eq!(released(&hear(&mut engine, "a", last(2), now())), [""; 0]);
    let soon = later(minute(7), SignedDuration::from_millis(-1));
    assert_eq!(asked(&tick(&mut engine, soon)), [""; 0]);
    assert_eq!(asked(&tick(&mut engine, minute(7))), ["a"]);
    assert_eq!(released(&hear(&mut engine, "a", last(2), later(minute(7), secs(1)))), ["a"]);
}

#[test]
fn a_session_at_work_is_kept_for_as_long_again() {
    let mut engine = asking();
    assert_eq!(released(&hear(&mut engine, "a", Said::Busy, now())), [""; 0]);
    assert_eq!(asked(&tick(&mut engine, later(now(), mins(4)))), [""; 0]);
    assert_eq!(asked(&tick(&mut engine, later(now(), mins(5)))), ["a"]);
}

#[test]
fn evidence_that_is_empty_or_cannot_be_had_keeps_and_is_asked_for_again() {
    let cut = Said::AtLeast { at: minute(0), why: "too long".to_owned() };
    for (said, word, again) in [(nothing(), "unknown", mins(5)), (failing(), "unknown", secs(5)), (cut, "unknown", secs(5))] {
        let mut engine = asking();
        assert_eq!(released(&hear(&mut engine, "a", said.clone(), now())), [""; 0], "{said:?}");
        let view = engine.session_views(now()).remove(0);
        assert_eq!((view.verdict.as_str(), view.deadline), (word, None), "{said:?}");
        let asked_at = later(now(), SignedDuration::from_millis(-100));
        assert_eq!(asked(&tick(&mut engine, later(later(asked_at, again), SignedDuration::from_millis(-1)))), [""; 0], "{said:?}");
        assert_eq!(asked(&tick(&mut engine, later(asked_at, again))), ["a"], "{said:?}");
    }
}

#[test]
fn a_refused_or_broken_asking_keeps_as_well() {
    for kind in [FaultKind::Unauthorized, FaultKind::Forbidden, FaultKind::Throttled, FaultKind::TimedOut, FaultKind::NotFound] {
        let mut engine = asking();
        assert_eq!(released(&hear_result(&mut engine, "a", Err(Fault::new(kind, "no")), now())), [""; 0], "{kind}");
        assert_eq!(engine.session_views(now()).remove(0).verdict.as_str(), "unknown", "{kind}");
    }
}

#[test]
fn askings_that_go_on_failing_become_rare_and_no_rarer_than_the_limit() {
    let mut engine = asking();
    let (mut now, mut waits) = (now(), Vec::new());
    for _ in 0..9 {
        hear(&mut engine, "a", failing(), now);
        let start = now;
        while asked(&tick(&mut engine, now)).is_empty() {
            now = later(now, secs(1));
            assert!(now < later(start, mins(20)), "asked again some day");
        }
        waits.push(now.duration_since(start).as_secs());
    }
    assert!(waits[0] <= 5 && waits.windows(2).all(|pair| pair[0] <= pair[1]) && waits[8] <= 300, "{waits:?}");
}

#[test]
fn where_the_policy_says_so_no_evidence_means_idle_since_it_was_first_seen() {
    let terms = idle_terms(WithoutEvidence::Release);
    let mut engine = Engine::new(terms.clone(), Recall::default(), Arc::default(), at(0));
    list(&mut engine, one("a"), minute(3));
    assert_eq!(asked(&list(&mut engine, one("a"), minute(6))), ["a"], "started at noon, it may be idle already");
    assert_eq!(released(&hear(&mut engine, "a", nothing(), now())), [""; 0], "seen for three minutes only");
    assert_eq!(asked(&tick(&mut engine, minute(8))), ["a"]);
    assert_eq!(released(&hear(&mut engine, "a", nothing(), later(minute(8), secs(1)))), ["a"]);
}

#[test]
fn what_could_not_be_asked_is_no_absence_of_evidence() {
    for said in [failing(), Said::AtLeast { at: minute(0), why: "too long".to_owned() }] {
        let mut engine = asking_by(idle_terms(WithoutEvidence::Release));
        assert_eq!(released(&hear(&mut engine, "a", said.clone(), now())), [""; 0], "{said:?}");
    }
}

#[test]
fn known_activity_counts_where_the_rest_is_not_known() {
    let mut engine = Engine::new(idle_terms(WithoutEvidence::Release), Recall::default(), Arc::default(), at(0));
    let sending = |bytes| listing(vec![Session { proxy_bytes: Some(bytes), ..session("a", json!({})) }]);
    list(&mut engine, sending(1), minute(0));
    list(&mut engine, sending(2), minute(4));
    assert_eq!(asked(&tick(&mut engine, minute(8))), [""; 0]);
    assert_eq!(asked(&tick(&mut engine, minute(9))), ["a"]);
    assert_eq!(released(&hear(&mut engine, "a", nothing(), later(minute(9), secs(1)))), ["a"], "five minutes after the bytes rose");
}

#[test]
fn rising_bytes_keep_a_session_without_any_asking() {
    let mut engine = watching();
    for count in 0..40 {
        let rows = listing(vec![Session { proxy_bytes: Some(count), ..session("a", json!({})) }]);
        assert_eq!(asked(&list(&mut engine, rows, minute(count as i64))), [""; 0]);
    }
}

#[test]
fn the_last_activity_survives_a_restart() {
    let mut engine = watching();
    let sending = |bytes| listing(vec![Session { proxy_bytes: Some(bytes), ..session("a", json!({})) }]);
    list(&mut engine, sending(1), minute(0));
    let written = list(&mut engine, sending(2), minute(3));
    let activity = written
        .iter()
        .find_map(|command| if let Command::Write(Record::Seen(seen)) = command { Some(seen[0].activity.clone()) } else { None })
        .expect("activity goes to the books at once");
    let recall = Recall { activities: vec![("a".into(), activity)], ..Recall::default() };
    let mut engine = Engine::new(idle_terms(WithoutEvidence::Keep), recall, Arc::default(), minute(4));
    assert_eq!(asked(&list(&mut engine, sending(2), minute(4))), [""; 0]);
    assert_eq!(asked(&tick(&mut engine, minute(7))), [""; 0]);
    assert_eq!(asked(&tick(&mut engine, minute(8))), ["a"], "five minutes after the activity that an earlier life saw");
    let mut engine = Engine::new(
        idle_terms(WithoutEvidence::Keep),
        Recall { activities: vec![("a".into(), engine.session_activity("a"))], ..Recall::default() },
        Arc::default(),
        minute(9),
    );
    assert_eq!(asked(&list(&mut engine, sending(3), minute(20))), [""; 0], "it rose while nobody looked");
}

#[test]
fn what_is_held_back_is_not_asked_about() {
    let hold = OperatorHold { session: "a".into(), placed_at: at(0), until: minute(10), reason: "debugging".to_owned() };
    let pause = Pause { account: None, placed_at: at(0), reason: "incident".to_owned() };
    let held = Orders { holds: [("a".into(), hold)].into(), ..Orders::default() };
    let paused = Orders { pauses: vec![pause], ..Orders::default() };
    for orders in [held, paused] {
        let mut engine = watching();
        engine.handle(Input::Orders(Arc::new(orders)), at(0));
        list(&mut engine, one("a"), minute(0));
        assert_eq!(asked(&list(&mut engine, one("a"), minute(6))), [""; 0]);
        engine.handle(Input::Orders(Arc::default()), minute(7));
        assert_eq!(asked(&drained(&mut engine)), ["a"], "once nothing holds it");
    }
    let young = Terms { guardrails: Guardrails { min_age: mins(9), ..terms().guardrails }, ..idle_terms(WithoutEvidence::Keep) };
    let mut engine = Engine::new(young, Recall::default(), Arc::default(), at(0));
    list(&mut engine, one("a"), minute(0));
    assert_eq!(asked(&list(&mut engine, one("a"), minute(8))), [""; 0]);
    assert_eq!(asked(&tick(&mut engine, minute(9))), ["a"]);
}

#[test]
fn no_more_is_asked_than_may_be_released() {
    let few = Terms { guardrails: Guardrails { max_releases_per_poll: 2, ..terms().guardrails }, ..idle_terms(WithoutEvidence::Keep) };
    let mut engine = Engine::new(few, Recall::default(), Arc::default(), at(0));
    let all = || listing(["a", "b", "c", "d"].map(|id| session(id, json!({}))).to_vec());
    list(&mut engine, all(), minute(0));
    assert_eq!(asked(&list(&mut engine, all(), minute(6))), ["a", "b"]);
    assert_eq!(released(&hear(&mut engine, "a", last(0), now())), ["a"]);
    assert_eq!(asked(&hear(&mut engine, "b", last(5), now())), ["c"], "b stays, so that one more may go");
}

#[test]
fn whoever_is_due_already_comes_first_when_few_may_go() {
    let limits = Limits {
        max_age: Some(MaxAge { limit: mins(30), tag: None, ceiling: None }),
        idle: Some(Idle { limit: mins(5), without_evidence: WithoutEvidence::Keep }),
        ..Limits::default()
    };
    let all = Policy { name: "both".into(), selector: Selector::All, rule: Rule::Limits(limits), shadow: false };
    let guardrails = Guardrails { max_releases_per_poll: 2, ..terms().guardrails };
    let few = Terms { policies: [all].into(), poll_interval: mins(20), guardrails, ..terms() };
    let mut engine = Engine::new(few, Recall::default(), Arc::default(), at(0));
    let rows = || {
        let started = |id, minutes| Session { started_at: Some(minute(minutes)), ..session(id, json!({})) };
        listing(vec![started("oldest", -26), started("old", -25), started("quiet", 0)])
    };
    list(&mut engine, rows(), at(0));
    assert_eq!(released(&list(&mut engine, rows(), later(minute(4), secs(50)))), ["oldest"]);
    answer(&mut engine, "oldest", Err(Fault::new(FaultKind::Forbidden, "no")), later(minute(4), secs(50)));
    let commands = tick(&mut engine, minute(5));
    assert_eq!(
        (released(&commands), asked(&commands)),
        (vec![], vec![]),
        "one more may go, and that is the old one, once releasing is granted again"
    );
}

#[test]
fn a_tripped_fraction_makes_questions_idle_and_one_that_would_trip_is_found_by_a_release() {
    let rows = || listing((0..12).map(|index| session(&format!("s{index:02}"), json!({}))).collect());
    let careful = || Terms { guardrails: Guardrails { max_release_fraction: 0.01, ..terms().guardrails }, ..idle_terms(WithoutEvidence::Keep) };
    let recall = Recall { tripped_at: Some(minute(5)), ..Recall::default() };
    let mut tripped = Engine::new(careful(), recall, Arc::default(), minute(5));
    list(&mut tripped, rows(), minute(5));
    assert_eq!(asked(&list(&mut tripped, rows(), minute(6))), [""; 0]);
    let mut engine = Engine::new(careful(), Recall::default(), Arc::default(), at(0));
    list(&mut engine, rows(), minute(0));
    assert!(asked(&list(&mut engine, rows(), minute(6))).contains(&"s00"));
    let commands = hear(&mut engine, "s00", last(0), now());
    let tripped = commands.iter().any(|command| matches!(command, Command::Tell(Event { what: What::Tripped { .. }, .. })));
    assert!(tripped && released(&commands).is_empty(), "{commands:?}");
}

#[test]
fn a_single_pass_waits_a_little_for_its_turn_to_ask_and_not_for_long() {
    for (per_second, waits) in [(1.0 / 29.0, true), (1.0 / 30.0, false), (1.0 / 60.0, false)] {
        let once = Terms { pass: Pass::Once, requests_per_second: per_second, ..idle_terms(WithoutEvidence::Keep) };
        let seen = Activity { first_seen: Some(at(0)), sightings: 1, ..Activity::default() };
        let recall = Recall { activities: vec![("a".into(), seen)], ..Recall::default() };
        let mut engine = Engine::new(once, recall, Arc::default(), minute(6));
        drained(&mut engine);
        assert_eq!(asked(&list(&mut engine, one("a"), minute(6))), [""; 0], "the listing took what there was");
        assert_eq!(engine.is_over(), !waits, "{per_second}");
    }
}

#[test]
fn an_asking_under_way_is_a_call_under_way() {
    let mut engine = asking_by(Terms { pass: Pass::Once, ..idle_terms(WithoutEvidence::Keep) });
    assert!(!engine.is_settled() && !engine.is_over(), "its answer may lead to a release");
    hear(&mut engine, "a", last(5), now());
    assert!(engine.is_settled());
    let many = Terms { evidence_per_minute: 1_000, ..idle_terms(WithoutEvidence::Keep) };
    let mut engine = Engine::new(many, Recall::default(), Arc::default(), at(0));
    let crowd = || listing((0..MAX_CALLS_UNDER_WAY + 6).map(|index| session(&format!("s{index:03}"), json!({}))).collect());
    list(&mut engine, crowd(), minute(0));
    assert_eq!(asked(&list(&mut engine, crowd(), minute(6))).len(), MAX_CALLS_UNDER_WAY);
}

#[test]
fn evidence_is_fresh_for_less_than_ten_seconds() {
    for (waited, asked_again) in [(9_999, false), (10_000, true)] {
        let mut engine = asking();
        let until = later(now(), SignedDuration::from_millis(waited));
        let hold = OperatorHold { session: "a".into(), placed_at: at(0), until, reason: "debugging".to_owned() };
        engine.handle(Input::Orders(Arc::new(Orders { holds: [("a".into(), hold)].into(), ..Orders::default() })), now());
        hear(&mut engine, "a", last(0), now());
        let commands = tick(&mut engine, until);
        assert_eq!((asked(&commands).len(), released(&commands).len()), if asked_again { (1, 0) } else { (0, 1) }, "{waited}");
    }
}

#[test]
fn askings_keep_to_their_minute() {
    let few = Terms { evidence_per_minute: 5, ..idle_terms(WithoutEvidence::Keep) };
    let mut engine = Engine::new(few, Recall::default(), Arc::default(), at(0));
    let all = || listing(["a", "b", "c", "d"].map(|id| session(id, json!({}))).to_vec());
    list(&mut engine, all(), minute(0));
    assert_eq!(asked(&list(&mut engine, all(), minute(6))), ["a", "b"], "two requests each");
    assert!(engine.poll_timeout(minute(6)).is_some_and(|at| at <= minute(7)));
    assert_eq!(asked(&tick(&mut engine, minute(7))), ["c", "d"]);
}

#[test]
fn a_session_over_another_limit_needs_no_evidence() {
    let limits = Limits {
        max_age: Some(MaxAge { limit: mins(4), tag: None, ceiling: None }),
        idle: Some(Idle { limit: mins(5), without_evidence: WithoutEvidence::Keep }),
        ..Limits::default()
    };
    let all = Policy { name: "both".into(), selector: Selector::All, rule: Rule::Limits(limits), shadow: false };
    let mut engine = Engine::new(Terms { policies: [all].into(), ..terms() }, Recall::default(), Arc::default(), at(0));
    list(&mut engine, one("a"), minute(0));
    let commands = list(&mut engine, one("a"), minute(6));
    assert_eq!((released(&commands), asked(&commands)), (vec!["a"], vec![]));
}

#[test]
fn a_release_that_had_to_wait_rests_on_new_evidence() {
    let slow = Terms { requests_per_second: 1.0, ..idle_terms(WithoutEvidence::Keep) };
    let mut engine = asking_by(slow);
    let pause = Pause { account: None, placed_at: at(0), reason: "incident".to_owned() };
    engine.handle(Input::Orders(Arc::new(Orders { pauses: vec![pause], ..Orders::default() })), now());
    assert_eq!(released(&hear(&mut engine, "a", last(1), now())), [""; 0]);
    let resumed = later(now(), mins(2));
    engine.handle(Input::Orders(Arc::default()), resumed);
    let commands = drained(&mut engine);
    assert_eq!((released(&commands), asked(&commands)), (vec![], vec!["a"]));
    assert_eq!(released(&hear(&mut engine, "a", last(7), later(resumed, secs(1)))), [""; 0], "it was used meanwhile");
}

#[test]
fn how_fresh_an_answer_is_does_not_hang_on_the_providers_clock() {
    for set in [secs(-40), secs(40), SignedDuration::ZERO] {
        let mut engine = asking();
        let hold = OperatorHold { session: "a".into(), placed_at: at(0), until: later(now(), secs(5)), reason: "debugging".to_owned() };
        engine.handle(Input::Orders(Arc::new(Orders { holds: [("a".into(), hold)].into(), ..Orders::default() })), now());
        hear(&mut engine, "a", last(-60), now());
        // Two readings, so that a clock that jumped ahead is believed.
        for step in [1, 2] {
            engine.handle(clocked(one("a"), set, later(now(), secs(step))), later(now(), secs(step)));
        }
        drained(&mut engine);
        let commands = tick(&mut engine, later(now(), secs(5)));
        assert_eq!((asked(&commands).len(), released(&commands).len()), (0, 1), "{set:#}");
    }
}

#[test]
fn an_answer_that_was_long_under_way_is_acted_on() {
    let mut engine = asking();
    let answer = exchange(Ok(Evidence { testimonies: vec![Testimony { asked: Question::Logs, said: last(0) }], fault: None }), minute(6));
    let late = later(minute(6), secs(35));
    engine.handle(Input::Evidence { id: "a".into(), answer }, late);
    assert_eq!(released(&drained(&mut engine)), ["a"]);
}

#[test]
fn what_was_done_just_now_is_not_long_ago_because_a_clock_is_not_believed_yet() {
    let ahead_by = mins(60);
    let shown = |now| ahead(now, ahead_by);
    let said = |minutes| Evidence { testimonies: vec![Testimony { asked: Question::Logs, said: last(minutes) }], fault: None };
    // The provider's clock is an hour ahead of ours; its session acted a minute ago by its own clock.
    let mut engine = Engine::new(idle_terms(WithoutEvidence::Keep), Recall::default(), Arc::default(), minute(6));
    let row = || listing(vec![session("a", json!({}))]);
    list(&mut engine, row(), minute(6));
    assert_eq!(asked(&list(&mut engine, row(), minute(6))), ["a"]);
    let answer = Exchange { clock: Some(shown(minute(6))), ..exchange(Ok(said(65)), minute(6)) };
    engine.handle(Input::Evidence { id: "a".into(), answer }, minute(6));
    for step in [1, 2] {
        engine.handle(clocked(row(), ahead_by, later(minute(6), secs(step))), later(minute(6), secs(step)));
    }
    assert_eq!(released(&drained(&mut engine)), [""; 0], "it was used a minute ago");
}

#[test]
fn what_the_books_remember_of_others_is_forgotten_once_everything_was_listed() {
    let activity = Activity { sightings: 2, ..Activity::default() };
    let recall = Recall { activities: vec![("gone".into(), activity)], ..Recall::default() };
    let mut engine = Engine::new(idle_terms(WithoutEvidence::Keep), recall, Arc::default(), at(0));
    list(&mut engine, one("a"), minute(0));
    assert!(engine.remembered.is_empty());
}

#[test]
fn observe_mode_asks_as_well_and_counts_once() {
    let mut engine = asking_by(Terms { mode: Mode::Observe, ..idle_terms(WithoutEvidence::Keep) });
    let counted = |commands: &[Command]| {
        let counts = |command: &&Command| matches!(command, Command::Tell(Event { what: What::WouldRelease { limit: Limit::Idle, .. }, .. }));
        commands.iter().filter(counts).count()
    };
    assert_eq!(counted(&hear(&mut engine, "a", last(1), now())), 1);
    let view = engine.session_views(now()).remove(0);
    assert_eq!((view.verdict.as_str(), view.limit, view.hold), ("due", Some(Limit::Idle), Some(Hold::Observe)));
    assert_eq!(asked(&tick(&mut engine, later(now(), mins(14)))), [""; 0]);
    let again = tick(&mut engine, later(now(), mins(15)));
    assert_eq!(asked(&again), ["a"], "what was heard is not relied on for ever");
    assert_eq!(counted(&hear(&mut engine, "a", last(1), later(now(), mins(16)))), 0);
}

#[test]
fn what_the_provider_was_asked_is_explained() {
    let mut engine = asking();
    hear(&mut engine, "a", nothing(), now());
    let explained = engine.explain(&"a".into(), now()).expect("a live session");
    let evidence = &explained.evidence[0];
    assert_eq!((evidence.asked, evidence.answer, evidence.said.as_str()), (Question::Logs, Some("unknown"), "its log is empty"));
    assert_eq!(evidence.asked_at, Some(later(now(), SignedDuration::from_millis(-100))));
    assert_eq!(explained.limits[0].note.as_deref(), Some("not known to be idle: its log is empty"));
    assert_eq!(explained.session.reason, "kept: not known to be idle: its log is empty");
}

#[test]
fn each_answer_is_told() {
    let mut engine = asking();
    let commands = hear(&mut engine, "a", last(1), now());
    let told = commands.iter().any(|command| matches!(command, Command::Tell(Event { what: What::Heard { finding: Finding::Quiet, .. }, .. })));
    assert!(told, "{commands:?}");
}

impl Engine {
    fn session_activity(&self, id: &str) -> Activity {
        self.roster.get(&id.into()).map(|tracked| tracked.activity.clone()).unwrap_or_default()
    }
}
