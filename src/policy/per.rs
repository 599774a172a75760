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
        Some(Group(value))
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
