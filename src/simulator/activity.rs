//! What is done in a session, and what there is to see of it. Each act shows in one kind of evidence, so that each can be tried alone; all of it is a
//! function of the instant asked about.

use super::life::Life;
use crate::domain::name::words;
use crate::domain::time::{SignedDuration, Timestamp, between, later};

/// From one command to the next while a session is worked.
pub const COMMAND_EVERY: SignedDuration = SignedDuration::from_secs(5);
/// Entries that a log keeps: the last ones.
pub const LOG_ENTRIES: usize = 3_000;

/// One act of somebody who uses a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A client says something to the browser, which its log keeps.
    Command,
    /// A page opens another, of which the log has nothing.
    Page,
    /// So many bytes go through the proxy.
    Bytes(u64),
}

words! {
    /// The kind of an act, as a client of the simulator names it.
    ActWord {
        Command = "command",
        Page = "page",
        Bytes = "bytes",
    }
}

impl ActWord {
    /// `bytes` counts for the one kind that is about them.
    pub(super) const fn act(self, bytes: u64) -> Act {
        match self {
            Self::Command => Act::Command,
            Self::Page => Act::Page,
            Self::Bytes => Act::Bytes(bytes),
        }
    }
}

/// An act and its instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deed {
    pub at: Timestamp,
    pub act: Act,
}

impl Life {
    /// When its clients spoke to the browser, in that order: all along the work, at its end, and by single acts. Nothing where it keeps no log.
    pub fn commands(&self, now: Timestamp) -> Vec<Timestamp> {
        if !self.logs {
            return Vec::new();
        }
        let single = self.deeds(now).filter(|deed| deed.act == Act::Command).map(|deed| deed.at);
        let mut all: Vec<Timestamp> = self.commands_of_work(now).chain(single).collect();
        all.sort();
        all.split_off(all.len().saturating_sub(LOG_ENTRIES))
    }

    fn commands_of_work(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let worked = between(self.started_at, self.worked_until);
        let whole = worked.as_millis() / COMMAND_EVERY.as_millis();
        let steps = (0..=whole as i32).map(|step| later(self.started_at, COMMAND_EVERY * step));
        let all = steps.filter(move |at| *at < self.worked_until).chain([self.worked_until]);
        all.filter(move |at| worked > SignedDuration::ZERO && self.is_up(*at) && *at <= now)
    }

    /// Bytes through the proxy until now: they rise while it is worked and by single acts, and stay from then on.
    pub fn proxy_bytes(&self, now: Timestamp) -> u64 {
        let until = now.min(self.worked_until).min(self.planned_end().at);
        let worked = between(self.started_at, until).max(SignedDuration::ZERO);
        let of_work = self.bytes_per_second.saturating_mul(worked.as_millis() as u64) / 1_000;
        self.deeds(now).fold(of_work, |sum, deed| match deed.act {
            Act::Bytes(bytes) => sum.saturating_add(bytes),
            Act::Command | Act::Page => sum,
        })
    }

    /// How many pages stand open: one from the start, and each that was opened since. None where it is not up.
    pub fn pages(&self, now: Timestamp) -> usize {
        if self.is_up(now) { 1 + self.deeds(now).filter(|deed| deed.act == Act::Page).count() } else { 0 }
    }

    /// The single acts until now; what comes before its start or after its end is none.
    fn deeds(&self, now: Timestamp) -> impl Iterator<Item = &Deed> {
        self.deeds.iter().filter(move |deed| deed.at <= now && self.is_up(deed.at))
    }

    /// Its browser is there.
    pub fn is_up(&self, now: Timestamp) -> bool {
        self.started_at <= now && now < self.planned_end().at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{NewSession, World};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("an instant")
    }

    /// A session that starts at second 1,000, and is worked and used like this.
    fn life(new: NewSession) -> Life {
        let mut world = World::new(1, at(1_000));
        let id = world.create("bb_demo_x", NewSession { timeout: SignedDuration::from_hours(6), ..new }, at(1_000)).expect("a session");
        world.lives().find(|life| life.id == id).expect("its life").clone()
    }

    fn worked(seconds: i64) -> NewSession {
        NewSession { worked_for: SignedDuration::from_secs(seconds), ..NewSession::default() }
    }

    fn acting(acts: &[(i64, Act)]) -> NewSession {
        NewSession { acts: acts.iter().map(|(second, act)| (SignedDuration::from_secs(*second), *act)).collect(), ..NewSession::default() }
    }

    #[test]
    fn work_is_a_command_every_few_seconds_and_one_as_it_ends() {
        let life = life(worked(12));
        assert_eq!(life.commands(at(1_006)), [1_000, 1_005].map(at));
        assert_eq!(life.commands(at(9_000)), [1_000, 1_005, 1_010, 1_012].map(at));
        assert_eq!(life.commands(at(999)), []);
    }

    #[test]
    fn a_session_that_nobody_works_has_an_empty_log_and_one_page() {
        let life = life(NewSession::default());
        assert_eq!((life.commands(at(5_000)), life.pages(at(5_000)), life.proxy_bytes(at(5_000))), (Vec::new(), 1, 0));
    }

    #[test]
    fn each_act_shows_in_one_kind_of_evidence_from_its_instant_on() {
        let life = life(acting(&[(60, Act::Command), (120, Act::Page), (180, Act::Bytes(700))]));
        let seen = |second| (life.commands(at(second)).len(), life.pages(at(second)), life.proxy_bytes(at(second)));
        assert_eq!([1_059, 1_060, 1_119, 1_120, 1_179, 1_180].map(seen), [(0, 1, 0), (1, 1, 0), (1, 1, 0), (1, 2, 0), (1, 2, 0), (1, 2, 700)]);
    }

    #[test]
    fn nothing_is_done_before_the_start_or_after_the_end() {
        let acts = [(1, Act::Command), (400, Act::Command), (400, Act::Page), (400, Act::Bytes(9))];
        let mut life = life(NewSession { pending_for: SignedDuration::from_secs(10), worked_for: SignedDuration::from_hours(1), ..acting(&acts) });
        life.release_latency = SignedDuration::ZERO;
        life.request_release(at(1_013));
        assert_eq!(life.commands(at(5_000)), [1_010].map(at));
        assert_eq!([1_005, 1_012, 5_000].map(|second| life.pages(at(second))), [0, 1, 0]);
        assert_eq!(life.proxy_bytes(at(5_000)), 0);
    }

    #[test]
    fn a_log_keeps_its_last_entries_and_some_sessions_keep_none() {
        let long = life(worked(21_600));
        let log = long.commands(at(20_000));
        assert_eq!((log.len(), log.last()), (LOG_ENTRIES, Some(&at(20_000))));
        assert!(log.is_sorted());
        assert_eq!(life(NewSession { logs: false, ..worked(60) }).commands(at(2_000)), []);
    }
}
