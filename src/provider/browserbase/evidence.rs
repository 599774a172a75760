//! What Browserbase can tell of a session's activity: what its clients said to the browser, and which pages stand open. Both are read where they arrive, and
//! nothing of them is kept but an instant and a print.

mod logs;
mod pages;

use crate::domain::activity::{Evidence, Question};
use crate::domain::event::Operation;
use crate::domain::name::SessionId;
use crate::provider::http::{Call, Transport};
use crate::provider::testimony::evidence;
use crate::provider::trail::Trail;
use crate::provider::{Exchange, turns_us_away};

/// What is read of a session's log, which is given whole and cannot be asked for in part.
const LOG_CAP: usize = 16 << 20;
/// What is read of the pages: the addresses of their icons may be pictures.
const PAGES_CAP: usize = 16 << 20;

pub(super) async fn ask(transport: &dyn Transport, id: &SessionId) -> Exchange<Evidence> {
    let about = |what| Call::get(Operation::Evidence, &["v1", "sessions", id.as_str(), what]);
    let mut trail = Trail::default();
    let logs = match trail.take(transport.send(about("logs").cut(LOG_CAP)).await) {
        Err(fault) if turns_us_away(&fault) => return trail.end(Err(fault)),
        logs => logs.and_then(|body| logs::said(&body)),
    };
    let pages = trail.take(transport.send(about("debug").cap(PAGES_CAP)).await).and_then(|body| pages::said(&body));
    trail.end(Ok(evidence([(Question::Logs, logs), (Question::Pages, pages)])))
}
