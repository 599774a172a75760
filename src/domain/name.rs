//! Names: opaque text that is compared, printed and used as a label, each kind a type of its own.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// One credential at one provider, as named in the configuration.
    AccountName
}
name! {
    /// A policy, as named in the configuration.
    PolicyName
}
name! {
    /// Somebody who is told, as named in the configuration.
    ReceiverName
}
name! {
    /// A session's identifier at its provider: opaque, whatever it looks like.
    SessionId
}

/// An enum whose variants have one fixed word each, used in JSON, as a metric label and in sentences alike.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(input)?;
                Self::from_word(&word).ok_or_else(|| serde::de::Error::custom(format_args!("{word:?} is not a word of {}", stringify!($name))))
            }
        }
    };
}
pub(crate) use words;

words! {
    /// A provider of cloud browsers that the configuration may name.
    Provider {
        Browserbase = "browserbase",
        BrowserUse = "browser-use",
        SeleniumGrid = "selenium-grid",
    }
}

words! {
    /// A version of a provider's API, where it has several.
    ApiVersion {
        V2 = "v2",
        V3 = "v3",
        V4 = "v4",
    }
}

words! {
    /// What a row of a listing is: Browserbase has sessions, Browser Use agent sessions and browsers.
    Kind {
        Session = "session",
        Agent = "agent",
        Browser = "browser",
    }
}
