//! Inventories of several pages that shift under their reader: rows go while later pages are turned, and others come.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use session_reaper::domain::event::Operation;
use session_reaper::domain::name::{ApiVersion, SessionId};
use session_reaper::domain::time::{SignedDuration, later};
use session_reaper::simulator::{Cause, Fault, NewAgent, NewSession, Target};

use super::{MILLIONTH, MILLISECOND, given_back, is, tells_the_truth};
use crate::daemon::stage::{Api, Daemon, Script, Stage, linked, side_by_side};
use crate::support::eventually;

/// Three pages of browsers. More come later.
const BROWSERS: i64 = 250;
const LATECOMERS: i64 = 20;
/// From the start until the last of them falls due.
const SPREAD_MILLIS: i64 = 9_000;

/// What is in the account.
#[derive(Clone, Copy, Debug)]
struct Scene {
    version: ApiVersion,
    /// So many of the browsers are driven by agent sessions.
    pairs: i64,
    /// Agent sessions that ended long ago.
    history: usize,
}

struct Crowd {
    pairs: Vec<SessionId>,
    alone: Vec<SessionId>,
    /// Somebody else ends each before it falls due, most a moment before: whether a listing or our request finds that out is a matter of luck.
    outsiders: Vec<SessionId>,
}

impl Crowd {
    fn fill(stage: &Stage, scene: Scene) -> Self {
        let mut crowd = Self { pairs: Vec::new(), alone: Vec::new(), outsiders: Vec::new() };
        (0..BROWSERS).for_each(|n| crowd.come(stage, n < scene.pairs, n, due(n)));
        let over = NewAgent {
            age: SignedDuration::from_hours(2),
            fate: Some((SignedDuration::from_hours(1), Cause::Closed)),
            ..linked(NewSession { age: SignedDuration::from_hours(2), timeout: SignedDuration::from_hours(4), ..NewSession::default() })
        };
        (0..scene.history).for_each(|_| drop(stage.add_agent(over.clone())));
        crowd
    }

    fn come(&mut self, stage: &Stage, paired: bool, n: i64, millis: i64) {
        let id = if paired { stage.pair_due_in(millis) } else { stage.due_in(millis) };
        if n % 10 == 3 && millis > 1_000 {
            stage.closes_at(&id, later(stage.deadline(&id), SignedDuration::from_millis(-150)));
            self.outsiders.push(id);
        } else if paired {
            self.pairs.push(id);
        } else {
            self.alone.push(id);
        }
    }

    /// Somebody else ends what falls due last, now.
    fn is_thinned(&mut self, stage: &Stage) {
        let late = |id: &SessionId| stage.deadline(id) > later(stage.now(), SignedDuration::from_millis(SPREAD_MILLIS - 2_000));
        let ended: Vec<SessionId> = self.pairs.extract_if(.., |id| late(id)).chain(self.alone.extract_if(.., |id| late(id))).collect();
        ended.iter().for_each(|id| stage.closes_at(id, stage.now()));
        self.outsiders.extend(ended);
    }

    fn ours(&self) -> Vec<SessionId> {
        [self.pairs.clone(), self.alone.clone()].concat()
    }
}

/// In no order that any listing has; some are overdue from the start.
fn due(n: i64) -> i64 {
    (n * 97 % BROWSERS) * SPREAD_MILLIS / BROWSERS - 500
}

#[test]
fn nothing_is_missed_or_released_twice_while_pages_shift_under_their_reader() {
    let scene = |version, pairs, history| Scene { version, pairs, history };
    let scenes = [scene(ApiVersion::V2, 0, 0), scene(ApiVersion::V2, 120, 0), scene(ApiVersion::V3, 120, 150), scene(ApiVersion::V4, 120, 0)];
    side_by_side(scenes, |scene| {
        let script = Script { api: Api::BrowserUse(scene.version), top: "requests_per_second = 500", ..Script::default() };
        let stage = Stage::playing(&script);
        let mut crowd = Crowd::fill(&stage, scene);
        // So long does it take to turn a page that each reading spans many releases.
        stage.inject(Target::from(Operation::List), Fault::Slow(SignedDuration::from_millis(60)));
        let daemon = stage.daemon();
        daemon.reaches(1.0, "session_reaper_sessions_released_total", &[]);
        (0..LATECOMERS).for_each(|n| crowd.come(&stage, scene.pairs > n, n, 1_000 + n * 250));
        crowd.is_thinned(&stage);
        stage.all_end(&crowd.ours());
        eventually("every release is settled", || (!releases(&daemon).values().any(|row| row["outcome"] == "requested")).then_some(()));
        assert!(daemon.metric("session_reaper_polls_total", &[("outcome", "partial")]) > 0.0, "the pages shifted");
        each_is_asked_for_once(&stage, &crowd);
        the_books_are_true(&stage, &daemon, &crowd);
    });
}

fn each_is_asked_for_once(stage: &Stage, crowd: &Crowd) {
    let mut asked: BTreeMap<SessionId, usize> = BTreeMap::new();
    stage.requested().into_iter().filter_map(|request| request.session).for_each(|id| *asked.entry(id).or_default() += 1);
    for id in crowd.ours().iter().flat_map(|id| stage.asked_to_release(id)) {
        assert_eq!(asked.remove(&id), Some(1), "requests for {id}");
    }
    // A pair whose agent session ends between the two readings shows as a browser that it left behind.
    for id in &crowd.outsiders {
        let parts = stage.asked_to_release(id).into_iter().chain(stage.linked_browser(id));
        let times: Vec<usize> = parts.collect::<BTreeSet<_>>().iter().filter_map(|part| asked.remove(part)).collect();
        assert!(times.len() <= stage.asked_to_release(id).len() && times.iter().all(|times| *times == 1), "{id} was asked for again");
    }
    assert!(asked.is_empty(), "nothing else was asked for: {asked:?}");
}

/// The rows of the books.
fn releases(daemon: &Daemon) -> BTreeMap<String, Value> {
    let Value::Array(rows) = daemon.json("/api/v1/releases?limit=1000")["releases"].take() else { panic!("no rows") };
    rows.into_iter().map(|row| (row["id"].as_str().expect("an id").to_owned(), row)).collect()
}

fn the_books_are_true(stage: &Stage, daemon: &Daemon, crowd: &Crowd) {
    let (truths, rows) = (stage.truths(), releases(daemon));
    for id in &crowd.ours() {
        let row = rows.get(id.as_str()).unwrap_or_else(|| panic!("{id} is not in the books"));
        assert_eq!((&row["outcome"], &row["kind"]), (&json!("confirmed"), &json!(if crowd.alone.contains(id) { "browser" } else { "agent" })));
        tells_the_truth(row, &truths[id]);
    }
    let found_closed = crowd.outsiders.iter().filter_map(|id| rows.get(id.as_str()));
    let already_ended =
        found_closed.inspect(|row| assert!(row["outcome"] == "already_ended" && row["saved_runtime_seconds"].is_null(), "{row}")).count();
    assert_eq!(rows.len(), crowd.ours().len() + already_ended, "nothing else is in the books");

    let total = &stage.json(["report", "--format", "json", "--since", "1h"])["total"];
    assert_eq!((&total["released"], &total["already_ended"]), (&json!(crowd.ours().len()), &json!(already_ended)));
    assert_eq!((&total["failed"], &total["stuck"]), (&json!(0), &json!(0)));
    assert!(is(&total["saved_runtime_seconds"], stage.saved(&crowd.ours()), MILLISECOND), "{total}");
    assert!(is(&total["saved_cost"], crowd.ours().iter().map(|id| given_back(&truths[id])).sum(), MILLIONTH), "{total}");
}
