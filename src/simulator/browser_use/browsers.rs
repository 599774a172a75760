//! Browsers, which are the same under every version.

use serde_json::Value;

use super::desk::Desk;
use super::parameters::{Page, Parameters, demand, field, labels, object};
use super::{Refusal, Said, broken, detail, not_found, wire};
use crate::domain::time::SignedDuration;
use crate::simulator::life::{Life, NewSession};
use crate::simulator::wire::act;

/// No browser lives longer.
const LONGEST_MINUTES: i64 = 240;

impl Desk<'_> {
    pub(super) fn list_browsers(&self, query: &Parameters<'_>) -> Said {
        let wanted = query.word("filterBy", &["active", "stopped"])?;
        let labels: Vec<&str> = query.all("metadata").collect();
        let fits = |life: &&Life| {
            let shown = life.created_at <= self.at && wanted.is_none_or(|word| (word == "stopped") == life.ended(self.at).is_some());
            let owner = query.text("agentSessionId").is_none_or(|id| life.agent.as_ref().is_some_and(|agent| agent.as_str() == id));
            shown && owner && labels.iter().all(|label| has_label(life, label))
        };
        let mut lives: Vec<&Life> = self.world.lives().filter(|life| &*life.key == self.key).filter(fits).collect();
        lives.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok((200, Page::camel(lives.into_iter().map(|life| wire::browser(life, self.at)).collect(), query)?))
    }

    pub(super) fn create_browser(&mut self, body: &[u8]) -> Said {
        let body = object(body)?;
        let minutes = field(&body, "timeout", Value::as_i64)?.unwrap_or(wire::DEFAULT_TIMEOUT.as_mins());
        match minutes {
            1..=LONGEST_MINUTES => {}
            ..1 => return Err(Refusal(422, wire::invalid(&["body", "timeout"], "Input should be at least 1"))),
            _ => return Err(Refusal(403, detail("Maximum session timeout is 4 hours (240 minutes)."))),
        }
        let new = NewSession { metadata: labels(&body)?, timeout: SignedDuration::from_mins(minutes), ..NewSession::default() };
        let id = self.world.create(self.key, new, self.now).ok_or_else(broken)?;
        self.browser(id.as_str()).map(|(_, row)| (201, row))
    }

    pub(super) fn browser(&mut self, id: &str) -> Said {
        let at = self.at;
        self.world.life_mut(self.key, &id.into()).map(|life| (200, wire::browser(life, at))).ok_or_else(not_found)
    }

    /// A call of the simulator's own: somebody does something in the browser.
    pub(super) fn act(&mut self, id: &str, body: &[u8]) -> Said {
        let act = act(body).map_err(|why| Refusal(422, wire::invalid(&["body"], &why)))?;
        self.browser(id)?;
        if !self.world.act(&id.into(), act, self.now) {
            return Err(Refusal(400, detail("The browser is not running")));
        }
        self.browser(id)
    }

    pub(super) fn stop_browser(&mut self, id: &str, body: &[u8]) -> Said {
        demand(&object(body)?, "action", &["stop"])?;
        let (at, inert) = (self.at, self.inert);
        let life = self.world.life_mut(self.key, &id.into()).ok_or_else(not_found)?;
        if !inert {
            life.request_release(at);
        }
        self.browser(id)
    }
}

/// `key`, or `key=value`.
fn has_label(life: &Life, label: &str) -> bool {
    let (key, value) = label.split_once('=').map_or((label, None), |(key, value)| (key, Some(value)));
    let found = life.metadata.as_ref().and_then(|labels| labels.get(key));
    found.is_some_and(|found| value.is_none_or(|value| found == value))
}
