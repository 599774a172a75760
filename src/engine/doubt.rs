//! A listing in which every session of a kind is suddenly missing: one of them is read, and while that one lives the listing is not believed.

use std::collections::BTreeSet;

use crate::domain::event::Operation;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::listing::Complete;
use crate::domain::name::{Kind, SessionId};
use crate::domain::session::{Session, Target};
use crate::domain::time::Timestamp;
use crate::engine::roster::Tracked;
use crate::engine::{Command, Engine};

/// One session that an empty listing lacks, and what it has told us.
#[derive(Debug)]
pub struct Doubt {
    witness: Target,
    hearing: Hearing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    /// Waits for its turn to be read.
    Called,
    Reading,
    /// It lives, or nobody could say.
    Alive,
    Gone,
}

impl Engine {
    /// A listing without any session of a kind is believed at once only where every end is explained: by a release of ours, or by the session's own hard
    /// end. Each kind has an inventory of its own, which may fail on its own.
    pub(super) fn doubtful(&mut self, complete: &Complete, now: Timestamp) -> Option<Fault> {
        // Nobody is gone anyway where a row could be anybody's.
        if complete.rows().rejected.iter().any(|row| row.id.is_none()) {
            return None;
        }
        let there: BTreeSet<&SessionId> = complete.rows().there().collect();
        let empty = |kind: &&Kind| !complete.rows().sessions.iter().any(|session| session.kind == **kind);
        let doubted = complete.kinds().iter().filter(empty).filter(|kind| self.lacks_a_witness(**kind, &there, now)).count();
        let word = "the listing is suddenly empty: not believed while a session that it lacks may still run";
        (doubted > 0).then(|| Fault::new(FaultKind::Unreadable, word))
    }

    /// Whether a session of this kind is missing that may still run; calls it as a witness where none is called yet.
    fn lacks_a_witness(&mut self, kind: Kind, there: &BTreeSet<&SessionId>, now: Timestamp) -> bool {
        let hearing = self.polling.doubts.get(&kind).map(|doubt| doubt.hearing);
        if hearing == Some(Hearing::Gone) {
            return false;
        }
        let theirs = self.moment(now).theirs;
        let unexplained = |tracked: &&Tracked| {
            let ended_itself = tracked.session.expires_at.is_some_and(|end| end <= theirs);
            let id = &tracked.session.id;
            tracked.session.kind == kind && !ended_itself && !there.contains(id) && !self.flights.contains_key(id)
        };
        let Some(missing) = self.roster.iter().find(unexplained) else { return false };
        if matches!(hearing, None | Some(Hearing::Alive)) {
            let doubt = Doubt { witness: missing.session.target(), hearing: Hearing::Called };
            self.polling.doubts.insert(kind, doubt);
        }
        true
    }

    /// A witness waits to be read.
    pub(super) fn has_called_witness(&self) -> bool {
        self.polling.doubts.values().any(|doubt| doubt.hearing == Hearing::Called)
    }

    pub(super) fn plan_witness(&mut self, now: Timestamp) {
        while self.under_way < self.most_under_way()
            && self.pace.next_at(Operation::Read, now) <= now
            && let Some(doubt) = self.polling.doubts.values_mut().find(|doubt| doubt.hearing == Hearing::Called)
        {
            doubt.hearing = Hearing::Reading;
            let target = doubt.witness.clone();
            self.pace.leave(Operation::Read, now);
            self.under_way += 1;
            self.outbox.push_back(Command::Read { target });
        }
    }

    /// What the witness says of an empty listing. Gives whether the reading was that.
    pub(super) fn hear_witness(&mut self, id: &SessionId, answer: &Result<Session, Fault>, now: Timestamp) -> bool {
        let mut doubts = self.polling.doubts.values_mut();
        let Some(doubt) = doubts.find(|doubt| doubt.hearing == Hearing::Reading && doubt.witness.id == *id) else { return false };
        let gone = match answer {
            Ok(session) => session.status.phase.is_ended(),
            Err(fault) => fault.kind == FaultKind::NotFound,
        };
        doubt.hearing = if gone { Hearing::Gone } else { Hearing::Alive };
        if gone {
            self.polling.soon(now);
        }
        true
    }
}
