//! What a policy counts apart: the sessions of each value of an attribute, or of a tag.

use std::sync::Arc;

use crate::domain::session::{Metadata, Session, scalar_text};
use crate::policy::{Occasion, Subject};

/// By what sessions are counted apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Per {
    Provider,
    Kind,
    Region,
    KeepAlive,
    /// A metadata key, dotted paths too.
    Metadata(String),
}

/// Sessions that are counted together: those of one value, or, where there is none, those without it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(pub Option<Arc<str>>);

/// A tag with a longer value, in bytes, is no group: nobody knows where such a session counts.
const LONGEST_GROUP: usize = 256;

impl Per {
    /// Where a session counts; nothing where that is not known, because what it hangs on could not be read.
    pub fn group(&self, session: &Session, occasion: Occasion<'_>) -> Option<Group> {
        let value = match self {
            Self::Provider => Some(occasion.provider.as_str().into()),
            Self::Kind => Some(session.kind.as_str().into()),
            Self::Region => session.region.clone(),
            Self::KeepAlive if session.keep_alive_unlearnt => return None,
            Self::KeepAlive => session.keep_alive.map(|kept| if kept { "true" } else { "false" }.into()),
            Self::Metadata(key) => match &session.metadata {
                Metadata::Unreadable { .. } | Metadata::Unlearnt { .. } => return None,
                metadata => metadata.get(key).map(|value| scalar_text(value).map_or_else(|| value.to_string().into(), |text| text.as_ref().into())),
            },
        };
        let fits = value.as_ref().is_none_or(|value: &Arc<str>| value.len() <= LONGEST_GROUP);
        fits.then_some(Group(value))
    }
}

/// Where a session counts; without anything to count by, all count together.
pub fn group(per: Option<&Per>, session: &Session, occasion: Occasion<'_>) -> Option<Group> {
    per.map_or(Some(Group(None)), |per| per.group(session, occasion))
}

/// With whom a session is counted, for sentences: `metadata.team = ml`, `sessions without metadata.team`, nothing where all count together.
pub fn among(per: Option<&Per>, subject: &Subject<'_>) -> String {
    let Some((per, group)) = per.and_then(|per| Some((per, per.group(subject.session, subject.occasion)?))) else { return String::new() };
    match group.0 {
        Some(value) => format!("{per} = {value}"),
        None => format!("sessions without {per}"),
    }
}

impl std::fmt::Display for Per {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Provider => f.write_str("provider"),
            Self::Kind => f.write_str("kind"),
            Self::Region => f.write_str("region"),
            Self::KeepAlive => f.write_str("keep_alive"),
            Self::Metadata(key) => write!(f, "metadata.{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::fixtures::{at, session};
    use crate::domain::name::Provider;

    fn grouped(per: &Per, session: &Session) -> Option<Group> {
        per.group(session, Occasion { account: &"growth".into(), provider: Provider::BrowserUse, at: at(0) })
    }

    #[test]
    fn of_a_tag_that_is_too_long_for_a_group_it_is_not_known_where_it_counts() {
        let per = Per::Metadata("team".to_owned());
        let of = |length: usize| grouped(&per, &session("a", json!({ "team": "x".repeat(length) })));
        assert_eq!((of(LONGEST_GROUP).is_some(), of(LONGEST_GROUP + 1)), (true, None));
    }

    fn named(name: &str) -> Option<Group> {
        Some(Group(Some(name.into())))
    }

    fn team() -> Per {
        Per::Metadata("team".to_owned())
    }

    #[test]
    fn each_attribute_counts_by_its_word() {
        let one = session("a", json!({}));
        let groups = [Per::Provider, Per::Kind, Per::Region, Per::KeepAlive].map(|per| grouped(&per, &one));
        assert_eq!(groups, ["browser-use", "session", "us-west-2", "true"].map(named));
        assert_eq!(grouped(&Per::KeepAlive, &Session { keep_alive: Some(false), ..one }), named("false"));
    }

    #[test]
    fn a_number_and_its_text_are_one_value_and_what_is_neither_counts_by_its_json() {
        let of = |value: Value| grouped(&team(), &session("a", json!({ "team": value })));
        assert_eq!([of(json!(7)), of(json!("7"))], [named("7"), named("7")]);
        assert_eq!([of(json!(true)), of(json!("true"))], [named("true"), named("true")]);
        assert_eq!([of(json!(["a", 1])), of(json!(null))], [named("[\"a\",1]"), named("null")]);
        assert_eq!(of(json!("")), named(""), "an empty text is a value");
    }

    #[test]
    fn a_dotted_path_is_read_as_everywhere() {
        let per = Per::Metadata("owner.team".to_owned());
        assert_eq!(grouped(&per, &session("a", json!({ "owner": { "team": "ml" } }))), named("ml"));
        assert_eq!(grouped(&per, &session("a", json!({ "owner.team": "web", "owner": { "team": "ml" } }))), named("web"));
    }

    #[test]
    fn sessions_without_a_value_are_a_group_of_their_own() {
        let bare = Session { region: None, keep_alive: None, ..session("a", json!({})) };
        let untaggable = Session { metadata: Metadata::NotKept, ..bare.clone() };
        for found in [grouped(&team(), &bare), grouped(&team(), &untaggable), grouped(&Per::Region, &bare), grouped(&Per::KeepAlive, &bare)] {
            assert_eq!(found, Some(Group(None)));
        }
    }

    #[test]
    fn what_could_not_be_read_counts_nowhere() {
        let one = session("a", json!({}));
        let unreadable = Session { metadata: Metadata::Unreadable { found: "a list" }, ..one.clone() };
        let unlearnt = Session { metadata: Metadata::Unlearnt { why: "not asked" }, keep_alive: None, keep_alive_unlearnt: true, ..one };
        assert_eq!([grouped(&team(), &unreadable), grouped(&team(), &unlearnt), grouped(&Per::KeepAlive, &unlearnt)], [None, None, None]);
        assert_eq!(grouped(&Per::Kind, &unreadable), named("session"), "nothing hangs on its tags");
        let occasion = Occasion { account: &"growth".into(), provider: Provider::Browserbase, at: at(0) };
        assert_eq!(group(None, &unreadable, occasion), Some(Group(None)), "all count together");
    }
}
