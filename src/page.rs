//! What people look at: HTML made of the values that the API serves as JSON. Pure: everything that is shown comes in, the time too.
//!
//! Every page is whole without its script, which only fetches it anew and puts what has changed into what is shown. There is no script and no style in the
//! HTML itself, so that the header that forbids them can be strict. Whatever was written by somebody else is escaped by its template and set apart by `<bdi>`.

pub mod ask;
pub mod assets;
pub mod chart;
pub mod list;
pub mod mailed;
pub mod overview;
pub mod plain;
pub mod releases;
pub mod savings;
pub mod session;
pub mod words;

use crate::domain::time::Timestamp;
use crate::domain::view::Mode;
use words::When;

/// What stands around every page.
#[derive(Clone, Debug)]
pub struct Frame {
    pub mode: Mode,
    pub now: When,
    pub trouble: Option<Trouble>,
    /// There is a session to end: whoever looks has signed in by the form.
    pub signed_in: bool,
    pub version: &'static str,
    pub style: String,
    pub script: String,
    pub icon: String,
}

/// Why the program does not do its work, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A loop has stalled.
    NotHealthy(String),
    /// It begins, or it is about to end.
    NotReady(String),
}

impl Trouble {
    const fn word(&self) -> &'static str {
        match self {
            Self::NotHealthy(_) => "Not healthy",
            Self::NotReady(_) => "Not ready",
        }
    }

    fn why(&self) -> &str {
        match self {
            Self::NotHealthy(why) | Self::NotReady(why) => why,
        }
    }
}

impl Frame {
    pub fn new(mode: Mode, now: Timestamp, trouble: Option<Trouble>, signed_in: bool) -> Self {
        let (style, script, icon) = (assets::STYLE.address(), assets::SCRIPT.address(), assets::ICON.address());
        Self { mode, now: When::new(now, now), trouble, signed_in, version: env!("CARGO_PKG_VERSION"), style, script, icon }
    }

    /// What the mode means, for a reader who does not know the word.
    pub const fn meaning(&self) -> &'static str {
        match self.mode {
            Mode::Observe => "releases nothing",
            Mode::Enforce => "releases what is due",
        }
    }
}
