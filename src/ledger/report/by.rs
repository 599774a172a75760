//! What the rows of a report stand for.

use std::fmt;
use std::str::FromStr;

/// What a report's rows stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    Account,
    Policy,
    Limit,
    Kind,
    /// Days in UTC.
    Day,
    /// A metadata key or dotted path.
    Metadata(String),
}

impl By {
    /// The metadata key, where the rows stand for one's values.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Metadata(key) => Some(key),
            _ => None,
        }
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "account" => Ok(Self::Account),
            "policy" => Ok(Self::Policy),
            "limit" => Ok(Self::Limit),
            "kind" => Ok(Self::Kind),
            "day" => Ok(Self::Day),
            _ => match text.strip_prefix("metadata.") {
                Some(key) if !key.is_empty() => Ok(Self::Metadata(key.to_owned())),
                _ => Err("expected account, policy, limit, kind, day or metadata.KEY".to_owned()),
            },
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("account"),
            Self::Policy => f.write_str("policy"),
            Self::Limit => f.write_str("limit"),
            Self::Kind => f.write_str("kind"),
            Self::Day => f.write_str("day"),
            Self::Metadata(key) => write!(f, "metadata.{key}"),
        }
    }
}
