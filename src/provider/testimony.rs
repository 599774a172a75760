//! What a provider answered about one session's activity, put together from its answers.

use crate::domain::activity::{Evidence, Question, Said, Testimony};
use crate::domain::fault::Fault;
use crate::domain::time::Timestamp;
use crate::provider::weightier;

/// Each question with its answer, in the order in which they were asked. One that failed is a testimony too, and the weightiest fault is kept beside them.
pub(super) fn evidence(answers: impl IntoIterator<Item = (Question, Result<Said, Fault>)>) -> Evidence {
    let mut evidence = Evidence::default();
    for (asked, answer) in answers {
        let said = answer.unwrap_or_else(|fault| {
            let said = Said::Failed { why: fault.to_string() };
            meet(&mut evidence.fault, fault);
            said
        });
        evidence.testimonies.push(Testimony { asked, said });
    }
    evidence
}

/// Keeps the weightier of a fault and the one that was met before.
pub(super) fn meet(met: &mut Option<Fault>, fault: Fault) {
    *met = Some(match met.take() {
        Some(first) => weightier(&first, &fault).clone(),
        None => fault,
    });
}

/// What the newest instant among the things that were read says. `lack`: why there may be a newer one; `none`: what it means that there is none at all.
pub(super) fn dated(newest: Option<Timestamp>, lack: Option<String>, none: &str) -> Said {
    match (newest, lack) {
        (Some(at), None) => Said::Last { at },
        (Some(at), Some(why)) => Said::AtLeast { at, why },
        (None, Some(why)) => Said::Failed { why },
        (None, None) => Said::Nothing { why: none.to_owned() },
    }
}
