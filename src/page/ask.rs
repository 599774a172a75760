//! What the address of a page asks for: which rows, in which order, which of their pages. The address is all that there is of a page's state.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::hold::Hold;
use crate::domain::release::Outcome;
use crate::domain::verdict::VerdictWord;

/// The parameters of an address, by name.
pub type Params = BTreeMap<String, String>;

/// What stands as it is in an address.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as one part of an address.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

/// What rows of sessions are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Deadline,
    Session,
    Account,
    Age,
    Policy,
    Limit,
    Verdict,
    Hold,
}

impl Sort {
    pub const ALL: [Self; 8] = [Self::Session, Self::Account, Self::Age, Self::Policy, Self::Limit, Self::Verdict, Self::Deadline, Self::Hold];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Session => "session",
            Self::Account => "account",
            Self::Age => "age",
            Self::Policy => "policy",
            Self::Limit => "limit",
            Self::Verdict => "verdict",
            Self::Hold => "hold",
        }
    }

    /// The end that people look for first: the oldest session, and else the beginning.
    pub const fn begins_descending(self) -> bool {
        matches!(self, Self::Age)
    }
}

/// Days that the charts show.
pub const PERIODS: [usize; 3] = [7, 30, 90];
const USUAL_DAYS: usize = 30;

/// What `/` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// A text that the session's ids, words or tags contain, in any case.
    pub q: String,
    pub account: Option<String>,
    pub policy: Option<String>,
    pub verdict: Option<VerdictWord>,
    pub hold: Option<Hold>,
    pub sort: Sort,
    pub descending: bool,
    /// From 1.
    pub page: usize,
    pub days: usize,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            q: String::new(),
            account: None,
            policy: None,
            verdict: None,
            hold: None,
            sort: Sort::default(),
            descending: false,
            page: 1,
            days: USUAL_DAYS,
        }
    }
}

impl Asked {
    /// The fault names the parameter, what was found and what was expected.
    pub fn read(params: &Params) -> Result<Self, String> {
        only(params, &["q", "account", "policy", "verdict", "hold", "sort", "order", "page", "days"])?;
        let sort = match given(params, "sort") {
            None => Sort::default(),
            Some(word) => one_of("sort", word, &Sort::ALL.map(|sort| (sort.as_str(), sort)))?,
        };
        let descending = match given(params, "order") {
            None => sort.begins_descending(),
            Some(word) => one_of("order", word, &[("asc", false), ("desc", true)])?,
        };
        let days = PERIODS.map(|days| (days.to_string(), days));
        Ok(Self {
            q: given(params, "q").unwrap_or_default().to_owned(),
            account: given(params, "account").map(str::to_owned),
            policy: given(params, "policy").map(str::to_owned),
            verdict: word(params, "verdict", VerdictWord::ALL, VerdictWord::as_str)?,
            hold: word(params, "hold", Hold::ALL, Hold::as_str)?,
            sort,
            descending,
            page: page(params)?,
            days: match given(params, "days") {
                None => USUAL_DAYS,
                Some(text) => one_of("days", text, &days.each_ref().map(|(text, days)| (text.as_str(), *days)))?,
            },
        })
    }

    /// The address that asks for this.
    pub fn href(&self) -> String {
        let usual = Self { sort: self.sort, descending: self.sort.begins_descending(), ..Self::default() };
        let order = if self.descending { "desc" } else { "asc" };
        address(
            "/",
            &[
                ("q", Some(self.q.as_str()).filter(|q| !q.is_empty())),
                ("account", self.account.as_deref()),
                ("policy", self.policy.as_deref()),
                ("verdict", self.verdict.map(VerdictWord::as_str)),
                ("hold", self.hold.map(Hold::as_str)),
                ("sort", (self.sort != Sort::default()).then(|| self.sort.as_str())),
                ("order", (self.descending != usual.descending).then_some(order)),
                ("page", (self.page > 1).then(|| self.page.to_string()).as_deref()),
                ("days", (self.days != usual.days).then(|| self.days.to_string()).as_deref()),
            ],
        )
    }

    /// Whether some sessions are left out.
    pub fn filters(&self) -> bool {
        !self.q.is_empty() || self.account.is_some() || self.policy.is_some() || self.verdict.is_some() || self.hold.is_some()
    }

    /// The same order, with every session.
    pub fn unfiltered(&self) -> Self {
        Self { sort: self.sort, descending: self.descending, days: self.days, ..Self::default() }
    }

    /// Ordered by this; by what it is ordered by already, the other way round.
    pub fn sorted(&self, sort: Sort) -> Self {
        let descending = if self.sort == sort { !self.descending } else { sort.begins_descending() };
        Self { sort, descending, page: 1, ..self.clone() }
    }
}

/// What `/releases` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedReleases {
    pub account: Option<String>,
    pub policy: Option<String>,
    pub outcome: Option<Outcome>,
    pub page: usize,
}

impl AskedReleases {
    pub fn read(params: &Params) -> Result<Self, String> {
        only(params, &["account", "policy", "outcome", "page"])?;
        Ok(Self {
            account: given(params, "account").map(str::to_owned),
            policy: given(params, "policy").map(str::to_owned),
            outcome: word(params, "outcome", Outcome::ALL, Outcome::as_str)?,
            page: page(params)?,
        })
    }

    pub fn href(&self) -> String {
        address(
            "/releases",
            &[
                ("account", self.account.as_deref()),
                ("policy", self.policy.as_deref()),
                ("outcome", self.outcome.map(Outcome::as_str)),
                ("page", (self.page > 1).then(|| self.page.to_string()).as_deref()),
            ],
        )
    }

    pub fn filters(&self) -> bool {
        self.account.is_some() || self.policy.is_some() || self.outcome.is_some()
    }

    pub fn on_page(&self, page: usize) -> Self {
        Self { page, ..self.clone() }
    }
}

fn address(path: &str, params: &[(&str, Option<&str>)]) -> String {
    let said: Vec<String> = params.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?)))).collect();
    if said.is_empty() { path.to_owned() } else { format!("{path}?{}", said.join("&")) }
}

/// A form sends what is left empty, too: that is as if it was not there.
fn given<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn only(params: &Params, known: &[&str]) -> Result<(), String> {
    match params.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(format!("{name:?}: no such parameter, expected {}", known.join(" or "))),
    }
}

fn one_of<T: Copy>(name: &str, found: &str, words: &[(&str, T)]) -> Result<T, String> {
    let expected = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ");
    words.iter().find(|(word, _)| *word == found).map(|(_, value)| *value).ok_or_else(|| format!("{name}: found {found:?}, expected {}", expected()))
}

fn word<T: Copy>(params: &Params, name: &str, all: &[T], as_str: impl Fn(T) -> &'static str) -> Result<Option<T>, String> {
    let words: Vec<(&str, T)> = all.iter().map(|value| (as_str(*value), *value)).collect();
    given(params, name).map(|found| one_of(name, found, &words)).transpose()
}

/// Far beyond any list, and far from overflow.
const LAST_PAGE: usize = 1_000_000;

fn page(params: &Params) -> Result<usize, String> {
    let Some(text) = given(params, "page") else { return Ok(1) };
    let page = text.parse().ok().filter(|page| (1..=LAST_PAGE).contains(page));
    page.ok_or_else(|| format!("page: found {text:?}, expected a whole number from 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_an_address_asks_for_is_what_the_address_of_that_says() {
        let asked = Asked {
            q: "a&b=ü /?".to_owned(),
            account: Some("growth".to_owned()),
            policy: Some("ci".to_owned()),
            verdict: Some(VerdictWord::Due),
            hold: Some(Hold::Observe),
            sort: Sort::Age,
            descending: false,
            page: 3,
            days: 7,
        };
        let href = asked.href();
        assert!(href.contains("q=a%26b%3D%C3%BC%20%2F%3F") && href.contains("order=asc"), "{href}");
        let pairs: Params = href
            .trim_start_matches("/?")
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned()))
            .collect();
        assert_eq!(Asked::read(&pairs), Ok(asked));
        assert_eq!(Asked::default().href(), "/");
    }

    #[test]
    fn what_a_form_leaves_empty_is_not_asked_for() {
        let read = Asked::read(&params(&[("q", " "), ("account", ""), ("verdict", ""), ("sort", "")]));
        assert_eq!(read, Ok(Asked::default()));
        assert!(!Asked::default().filters());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (name, value, expected) in [
            ("sort", "bogus", "deadline"),
            ("order", "up", "asc or desc"),
            ("verdict", "dead", "unmatched or protected"),
            ("hold", "x", "operator"),
            ("page", "0", "from 1"),
            ("page", "99999999999999999999", "from 1"),
            ("days", "8", "7 or 30 or 90"),
            ("limt", "1", "no such parameter"),
        ] {
            let fault = Asked::read(&params(&[(name, value)])).expect_err(name);
            assert!(fault.contains(name) && fault.contains(expected), "{fault}");
        }
        assert!(AskedReleases::read(&params(&[("outcome", "gone")])).is_err_and(|fault| fault.contains("confirmed")));
    }

    #[test]
    fn a_column_is_sorted_its_own_way_first_and_then_the_other() {
        let by_age = Asked { page: 4, ..Asked::default() }.sorted(Sort::Age);
        assert_eq!((by_age.descending, by_age.page, by_age.href().as_str()), (true, 1, "/?sort=age"));
        assert_eq!(by_age.sorted(Sort::Age).href(), "/?sort=age&order=asc");
        assert_eq!(Asked::default().sorted(Sort::Deadline).href(), "/?order=desc");
    }
}
