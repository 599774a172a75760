//! A listing that is suddenly empty: one of the sessions that it lacks is read, and while that one lives the listing is not believed.

use crate::domain::event::Operation;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::listing::Complete;
use crate::domain::name::{Kind, SessionId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::engine::roster::Tracked;
use crate::engine::{Command, Engine};

/// One session that an empty listing lacks, and what it has told us.
#[derive(Debug)]
pub struct Doubt {
    witness: SessionId,
    kind: Kind,
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
    /// An empty listing is believed at once only where every end is explained: by a release of ours, or by the session's own hard end.
    pub(super) fn doubtful(&mut self, complete: &Complete, now: Timestamp) -> Option<Fault> {
        let empty = complete.rows().sessions.is_empty() && complete.rows().rejected.is_empty();
        let hearing = self.polling.doubt.as_ref().map(|doubt| doubt.hearing);
        if !empty || hearing == Some(Hearing::Gone) {
            return None;
        }
        let theirs = self.moment(now).theirs;
        let unexplained = |tracked: &&Tracked| {
            let ended_itself = tracked.session.expires_at.is_some_and(|end| end <= theirs);
            !ended_itself && !self.flights.contains_key(&tracked.session.id)
        };
        let missing = &self.roster.iter().find(unexplained)?.session;
        if matches!(hearing, None | Some(Hearing::Alive)) {
            self.polling.doubt = Some(Doubt { witness: missing.id.clone(), kind: missing.kind, hearing: Hearing::Called });
        }
        Some(Fault::new(FaultKind::Unreadable, "the listing is suddenly empty: not believed while a session that it lacks may still run"))
    }

    /// A witness waits to be read.
    pub(super) fn has_called_witness(&self) -> bool {
        self.polling.doubt.as_ref().is_some_and(|doubt| doubt.hearing == Hearing::Called)
    }

    pub(super) fn plan_witness(&mut self, now: Timestamp) {
        if self.under_way >= self.most_under_way() || self.pace.next_at(Operation::Read, now) > now {
            return;
        }
        let Some(doubt) = self.polling.doubt.as_mut().filter(|doubt| doubt.hearing == Hearing::Called) else { return };
        doubt.hearing = Hearing::Reading;
        let (id, kind) = (doubt.witness.clone(), doubt.kind);
        self.pace.leave(Operation::Read, now);
        self.under_way += 1;
        self.outbox.push_back(Command::Read { id, kind });
    }

    /// What the witness says of an empty listing. Gives whether the reading was that.
    pub(super) fn hear_witness(&mut self, id: &SessionId, answer: &Result<Session, Fault>, now: Timestamp) -> bool {
        let Some(doubt) = self.polling.doubt.as_mut().filter(|doubt| doubt.hearing == Hearing::Reading && doubt.witness == *id) else { return false };
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
