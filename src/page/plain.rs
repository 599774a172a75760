//! Pages of a few words: a fault, and the form in which the token is written.

use askama::Template;

use super::assets;

/// Something that is not what was asked for.
#[derive(Clone, Debug, Template)]
#[template(path = "fault.html")]
pub struct Fault {
    title: String,
    why: String,
    style: String,
    icon: String,
}

impl Fault {
    pub fn new(title: &str, why: &str) -> Self {
        Self { title: title.to_owned(), why: why.to_owned(), style: assets::STYLE.address(), icon: assets::ICON.address() }
    }
}

/// The form. `next` is where whoever knows the token is sent.
#[derive(Clone, Debug, Template)]
#[template(path = "login.html")]
pub struct Login {
    next: String,
    /// What was written was not it.
    wrong: bool,
    style: String,
    icon: String,
}

impl Login {
    pub fn new(next: &str, wrong: bool) -> Self {
        Self { next: next.to_owned(), wrong, style: assets::STYLE.address(), icon: assets::ICON.address() }
    }
}
