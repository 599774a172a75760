//! What stood on the browsers of agent sessions. A browser that is over takes its tags out of the listing while its agent session goes on: what they
//! protected would be unprotected.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::domain::name::{Kind, SessionId};
use crate::domain::session::{Metadata, Session};

/// Where no listing is ever whole, no more than these are remembered beside those that were listed last.
const MOST_REMEMBERED: usize = 10_000;

/// The tags of each live agent session's last browser, from one listing to the next.
#[derive(Debug, Default)]
pub(super) struct BrowserTags(BTreeMap<SessionId, Map<String, Value>>);

impl BrowserTags {
    /// Gives each agent session without a browser the tags of the last one that it was seen with, and learns those of the others. `all`: nobody else lives.
    pub(super) fn apply<'a>(&mut self, sessions: impl Iterator<Item = &'a mut Session>, all: bool) {
        let mut listed = BTreeSet::new();
        for session in sessions.filter(|session| session.kind == Kind::Agent) {
            listed.insert(session.id.clone());
            match (&session.parts.browser, &session.metadata, self.0.get(&session.id)) {
                (Some(_), Metadata::Tags(tags), _) => drop(self.0.insert(session.id.clone(), tags.clone())),
                (None, Metadata::Tags(_) | Metadata::NotKept, Some(tags)) => session.metadata = Metadata::Tags(tags.clone()),
                _ => {}
            }
        }
        if all || self.0.len() > MOST_REMEMBERED {
            self.0.retain(|id, _| listed.contains(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::fixtures::session;
    use crate::domain::session::Parts;

    fn agent(browser: Option<&str>, metadata: Metadata) -> Session {
        let parts = Parts { browser: browser.map(Into::into), ..Parts::default() };
        Session { kind: Kind::Agent, parts, metadata, ..session("a", json!({})) }
    }

    fn applied(tags: &mut BrowserTags, mut session: Session) -> Metadata {
        tags.apply(std::iter::once(&mut session), true);
        session.metadata
    }

    #[test]
    fn the_tags_of_its_last_browser_stay_with_an_agent_session_while_it_lives() {
        let (mut tags, production) = (BrowserTags::default(), Metadata::from_json(Some(json!({ "env": "production" }))));
        assert_eq!(applied(&mut tags, agent(None, Metadata::NotKept)), Metadata::NotKept, "it has had none");
        applied(&mut tags, agent(Some("b"), production.clone()));
        for alone in [Metadata::NotKept, Metadata::default()] {
            assert_eq!(applied(&mut tags, agent(None, alone)), production);
        }
        let unlearnt = Metadata::Unlearnt { why: "the browsers could not be read" };
        assert_eq!(applied(&mut tags, agent(None, unlearnt.clone())), unlearnt, "it may have another one by now");
        let next = Metadata::from_json(Some(json!({ "env": "ci" })));
        assert_eq!(applied(&mut tags, agent(Some("c"), next.clone())), next, "the next one has its own");
        tags.apply(std::iter::empty(), false);
        assert_eq!(applied(&mut tags, agent(None, Metadata::NotKept)), next);
        tags.apply(std::iter::empty(), true);
        assert_eq!(applied(&mut tags, agent(None, Metadata::NotKept)), Metadata::NotKept, "it was over");
    }
}
