//! What owners write on tasks, under v2: agent sessions have no tags of their own there, and their tasks do. The newest task is a sign of activity besides.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::items::{Owner, Task};
use super::paging::Read;
use crate::domain::activity::Sign;
use crate::domain::fault::Fault;
use crate::domain::name::SessionId;
use crate::domain::session::{Metadata, Session};
use crate::domain::time::{SignedDuration, Timestamp, later};
use crate::provider::unread;

/// A task may be a little older than the session that was opened for it, and may show up a little later than a younger one.
const OVERLAP: SignedDuration = SignedDuration::from_mins(1);

/// Keys that the tasks of one session may have between them; with more its tags are not known.
const MOST_KEYS: usize = 1_000;
/// Where tasks are never read to their end, the tasks of no more sessions than these are remembered beside those that live.
const MOST_REMEMBERED: usize = 10_000;

/// The tags of the tasks of sessions that live, from one listing to the next.
#[derive(Debug, Default)]
pub(super) struct TaskTags {
    /// The newest task seen.
    newest: Option<Timestamp>,
    /// Each session whose tasks were all read.
    sessions: BTreeMap<SessionId, Tags>,
}

/// One session's.
#[derive(Debug, Default)]
struct Tags {
    /// By key: when its task was created, and what it says.
    found: BTreeMap<String, (Timestamp, Value)>,
    /// What stands instead, where a task could not be read.
    spoilt: Option<Metadata>,
    /// When its newest task was created.
    newest: Option<Timestamp>,
}

impl TaskTags {
    /// From when on tasks are to be asked for; nothing where no session lives.
    pub(super) fn after<'a>(&self, live: impl Iterator<Item = &'a Session>) -> Option<Timestamp> {
        let since = |session: &Session| match self.newest.filter(|_| self.sessions.contains_key(&session.id)) {
            Some(newest) => newest,
            None => session.since(),
        };
        live.map(since).min().map(|earliest| later(earliest, -OVERLAP))
    }

    /// Takes in what was asked for. Fails where a tag may be missing, and then has learnt nothing.
    pub(super) fn learn<'a>(&mut self, live: impl Iterator<Item = &'a Session>, read: Read<Task>) -> Result<(), Fault> {
        if let Some(fault) = read.lack {
            return Err(fault);
        }
        if let Some(row) = read.rejected.iter().find(|row| row.owner == Owner::Unknown) {
            return Err(unread(&format!("a task cannot be read: {}", row.why)));
        }
        let live: BTreeSet<&SessionId> = live.map(|session| &session.id).collect();
        self.sessions.retain(|id, _| live.contains(id));
        for id in live {
            self.sessions.entry(id.clone()).or_default();
        }
        for row in read.rejected {
            if let Owner::Agent(id) = row.owner {
                self.spoil(&id, Metadata::Unlearnt { why: "one of its tasks could not be read" });
            }
        }
        read.rows.into_iter().for_each(|task| self.add(task));
        Ok(())
    }

    /// Those of which no task has been asked for yet, and whose beginning is not known: their own rows were not seen, and their tasks may be older than
    /// their browsers.
    pub(super) fn strangers<'a>(&mut self, live: impl Iterator<Item = &'a Session>) -> Vec<SessionId> {
        let live: BTreeMap<&SessionId, &Session> = live.map(|session| (&session.id, session)).collect();
        if self.sessions.len() > live.len() + MOST_REMEMBERED {
            self.sessions.retain(|id, _| live.contains_key(id));
        }
        let is_stranger = |session: &&Session| !session.parts.own && !self.sessions.contains_key(&session.id);
        live.into_values().filter(is_stranger).map(|session| session.id.clone()).collect()
    }

    /// Takes in all tasks of one session. Fails as [`Self::learn`] does.
    pub(super) fn learn_of(&mut self, id: &SessionId, read: Read<Task>) -> Result<(), Fault> {
        if let Some(fault) = read.lack {
            return Err(fault);
        }
        if let Some(row) = read.rejected.first() {
            return Err(unread(&format!("a task cannot be read: {}", row.why)));
        }
        self.sessions.entry(id.clone()).or_default();
        // Of other sessions' tasks these say nothing, be they as new as they may.
        let newest = self.newest;
        read.rows.into_iter().filter(|task| task.agent == *id).for_each(|task| self.add(task));
        self.newest = newest;
        Ok(())
    }

    fn spoil(&mut self, id: &SessionId, instead: Metadata) {
        if let Some(tags) = self.sessions.get_mut(id) {
            tags.spoilt = Some(instead);
        }
    }

    fn add(&mut self, task: Task) {
        self.newest = self.newest.max(Some(task.created_at));
        let Some(tags) = self.sessions.get_mut(&task.agent) else { return };
        tags.newest = tags.newest.max(Some(task.created_at));
        let Metadata::Tags(found) = task.metadata else { return tags.spoilt = Some(task.metadata) };
        for (key, value) in found {
            if tags.found.get(&key).is_none_or(|(at, _)| *at < task.created_at) {
                tags.found.insert(key, (task.created_at, value));
            }
        }
        if tags.found.len() > MOST_KEYS {
            tags.found.clear();
            tags.spoilt = Some(Metadata::Unlearnt { why: "its tasks have more tags than are kept" });
        }
    }

    /// Adds to a session's own tags those of its tasks, its own have the first word; and when its newest task was given.
    pub(super) fn apply(&self, session: &mut Session) {
        let (Metadata::Tags(own), Some(tags)) = (&mut session.metadata, self.sessions.get(&session.id)) else { return };
        session.sign = tags.newest.map_or(session.sign, Sign::At);
        for (key, (_, value)) in &tags.found {
            own.entry(key.clone()).or_insert_with(|| value.clone());
        }
        if let Some(instead) = &tags.spoilt {
            session.metadata = instead.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::fault::FaultKind;
    use crate::domain::fixtures::{at, mins, session};
    use crate::provider::browser_use::items::Rejected;

    fn task(id: &str, agent: &str, minute: i64, metadata: Value) -> Task {
        let metadata = Metadata::from_json(Some(metadata));
        Task { id: id.into(), agent: agent.into(), created_at: later(at(0), mins(minute)), metadata }
    }

    fn read(rows: Vec<Task>) -> Read<Task> {
        Read { rows, rejected: Vec::new(), lack: None }
    }

    fn rejected(owner: Owner) -> Read<Task> {
        Read { rejected: vec![Rejected { id: Some("t".into()), owner, why: "`createdAt` is missing".to_owned() }], ..read(Vec::new()) }
    }

    /// Live since this minute, without tags of its own.
    fn live(id: &str, minute: i64) -> Session {
        Session { started_at: Some(later(at(0), mins(minute))), ..session(id, json!({})) }
    }

    fn learnt(live: &[Session], tasks: Vec<Task>) -> TaskTags {
        let mut tags = TaskTags::default();
        tags.learn(live.iter(), read(tasks)).expect("learnt");
        tags
    }

    fn applied(tags: &TaskTags, mut session: Session) -> Metadata {
        tags.apply(&mut session);
        session.metadata
    }

    fn after(tags: &TaskTags, live: &[Session]) -> Option<i64> {
        tags.after(live.iter()).map(|after| after.duration_since(at(0)).as_mins())
    }

    #[test]
    fn the_newest_task_wins_per_key_and_the_sessions_own_tags_over_all() {
        let tasks = vec![
            task("t2", "a", 2, json!({ "env": "new", "own": "task" })),
            task("t1", "a", 1, json!({ "env": "old", "ticket": 7 })),
            task("t3", "b", 3, json!({ "env": "other" })),
        ];
        let own = session("a", json!({ "own": "browser" }));
        let tags = learnt(&[own.clone(), live("b", 0)], tasks);
        assert_eq!(applied(&tags, own), Metadata::from_json(Some(json!({ "env": "new", "own": "browser", "ticket": 7 }))));
    }

    #[test]
    fn the_first_asking_reaches_back_to_the_oldest_session_and_the_next_only_to_the_newest_task() {
        let (old, young) = (live("a", 10), live("b", 20));
        let mut tags = TaskTags::default();
        assert_eq!(after(&tags, &[young.clone(), old.clone()]), Some(9));
        tags.learn([&old, &young].into_iter(), read(vec![task("t", "a", 30, json!({ "env": "ci" }))])).expect("learnt");
        assert_eq!(after(&tags, &[old.clone(), young.clone()]), Some(29));
        assert_eq!(after(&tags, &[old.clone(), young, live("c", 5)]), Some(4), "a session that is new here is asked about from its start");
        tags.learn([&old].into_iter(), read(Vec::new())).expect("learnt");
        assert_eq!(applied(&tags, old).get("env"), Some(&json!("ci")), "what was learnt before stays");
    }

    #[test]
    fn the_newest_task_is_a_sign_of_activity_whatever_stands_on_it() {
        let sign = |tags: &TaskTags, mut session: Session| {
            tags.apply(&mut session);
            session.sign
        };
        let tasks = vec![task("t1", "a", 12, json!({})), task("t2", "a", 15, json!("strange")), task("t3", "a", 11, json!({}))];
        let mut tags = learnt(&[live("a", 10), live("b", 10)], tasks);
        assert_eq!(sign(&tags, live("a", 10)), Sign::At(later(at(0), mins(15))));
        assert_eq!(sign(&tags, live("b", 10)), Sign::Nothing, "it has no task");
        tags.learn([&live("a", 10), &live("b", 10)].into_iter(), read(vec![task("t4", "b", 20, json!({}))])).expect("learnt");
        assert_eq!(sign(&tags, live("a", 10)), Sign::At(later(at(0), mins(15))), "it stays while nothing newer is listed");
        assert_eq!(sign(&tags, live("b", 10)), Sign::At(later(at(0), mins(20))));
    }

    #[test]
    fn nothing_is_asked_where_no_session_lives_and_what_no_longer_lives_is_forgotten() {
        let mut tags = learnt(&[live("a", 10)], vec![task("t", "a", 30, json!({ "env": "ci" }))]);
        assert_eq!(after(&tags, &[]), None);
        tags.learn([&live("b", 20)].into_iter(), read(Vec::new())).expect("learnt");
        assert_eq!(applied(&tags, live("a", 10)), Metadata::default());
        assert_eq!(after(&tags, &[live("a", 10)]), Some(9));
    }

    #[test]
    fn a_session_whose_own_row_was_not_seen_is_a_stranger_until_all_its_tasks_were_read() {
        let mut orphan = live("o", 20);
        orphan.parts.own = false;
        let mut tags = TaskTags::default();
        assert_eq!(tags.strangers([&orphan, &live("a", 10)].into_iter()), ["o".into()]);
        tags.learn_of(&orphan.id, read(vec![task("t", "o", 1, json!({ "env": "production" }))])).expect("learnt");
        assert_eq!(tags.strangers([&orphan].into_iter()), []);
        assert_eq!(after(&tags, &[orphan.clone()]), Some(19), "of others nothing is known");
        assert_eq!(applied(&tags, orphan.clone()).get("env"), Some(&json!("production")));
        for spoilt in [rejected(Owner::Unknown), rejected(Owner::Agent("o".into()))] {
            TaskTags::default().learn_of(&orphan.id, spoilt).expect_err("a fault");
        }
    }

    #[test]
    fn a_session_whose_tasks_have_more_tags_than_are_kept_has_no_known_tags() {
        let tags_of = |from: usize, to: usize| Value::Object((from..to).map(|n| (format!("k{n}"), json!(n))).collect());
        let known = |tags: &TaskTags| matches!(applied(tags, live("a", 10)), Metadata::Tags(found) if found.len() == MOST_KEYS);
        let mut tags = learnt(&[live("a", 10)], vec![task("t1", "a", 11, tags_of(0, MOST_KEYS))]);
        assert!(known(&tags));
        tags.learn([&live("a", 10)].into_iter(), read(vec![task("t2", "a", 12, tags_of(MOST_KEYS, MOST_KEYS + 1))])).expect("learnt");
        assert!(matches!(applied(&tags, live("a", 10)), Metadata::Unlearnt { .. }));
        tags.learn([&live("a", 10)].into_iter(), read(vec![task("t3", "a", 13, json!({ "env": "ci" }))])).expect("learnt");
        assert!(matches!(applied(&tags, live("a", 10)), Metadata::Unlearnt { .. }), "what it had before stays unknown");
    }

    #[test]
    fn where_tasks_are_never_read_to_their_end_those_of_sessions_that_are_over_are_forgotten_in_time() {
        let mut tags = TaskTags::default();
        let stranger = |n: usize| {
            let mut session = live(&format!("o{n}"), 20);
            session.parts.own = false;
            session
        };
        for n in 0..=MOST_REMEMBERED + 1 {
            tags.learn_of(&stranger(n).id, read(Vec::new())).expect("learnt");
        }
        assert_eq!(tags.strangers([&stranger(0)].into_iter()), []);
        assert_eq!(tags.sessions.len(), 1, "those that live are known still");
        assert_eq!(tags.strangers([&stranger(1)].into_iter()), [stranger(1).id]);
    }

    #[test]
    fn where_a_tag_may_be_missing_nothing_is_learnt() {
        let mut tags = TaskTags::default();
        let lack = Read { lack: Some(Fault::new(FaultKind::Unreadable, "does not add up")), ..read(vec![task("t", "a", 30, json!({}))]) };
        for tasks in [lack, rejected(Owner::Unknown)] {
            tags.learn([&live("a", 10)].into_iter(), tasks).expect_err("a fault");
            assert_eq!(after(&tags, &[live("a", 10)]), Some(9), "asked for again from the start");
        }
    }

    #[test]
    fn a_task_that_cannot_be_read_leaves_its_session_without_known_tags() {
        let mut tags = TaskTags::default();
        tags.learn([&live("a", 10), &live("b", 10)].into_iter(), rejected(Owner::Agent("a".into()))).expect("learnt");
        assert!(matches!(applied(&tags, live("a", 10)), Metadata::Unlearnt { .. }));
        assert_eq!(applied(&tags, live("b", 10)), Metadata::default());
        let strange = learnt(&[live("a", 10)], vec![task("t", "a", 30, json!("env=ci"))]);
        assert_eq!(applied(&strange, live("a", 10)), Metadata::Unreadable { found: "a text" });
    }
}
