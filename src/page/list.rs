//! The table of live sessions: which rows, in which order, and what each says.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use super::ask::{Asked, Sort, encoded};
use super::words::{self, Tags, When};
use crate::domain::hold::Hold;
use crate::domain::name::AccountName;
use crate::domain::time::{SignedDuration, Timestamp, human, seconds};
use crate::domain::verdict::VerdictWord;
use crate::domain::view::{SessionView, Snapshot};

/// Rows of one page.
pub const PER_PAGE: usize = 50;

/// One page of the sessions that fit.
#[derive(Clone, Debug)]
pub struct List {
    pub asked: Asked,
    pub columns: Vec<Heading>,
    pub rows: Vec<Row>,
    /// Sessions that fit, on every page.
    pub fitting: usize,
    pub live: usize,
    /// The first and the last row shown, counted from 1.
    pub first: usize,
    pub last: usize,
    pub previous: Option<String>,
    pub next: Option<String>,
    pub accounts: Vec<Choice>,
    pub policies: Vec<Choice>,
    pub verdicts: Vec<Choice>,
    pub holds: Vec<Choice>,
    pub clear: String,
}

/// A heading that sorts.
#[derive(Clone, Debug)]
pub struct Heading {
    pub label: &'static str,
    pub href: String,
    /// `ascending` or `descending` where the rows are ordered by it.
    pub sorted: Option<&'static str>,
}

/// One value of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub chosen: bool,
}

/// One session.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: String,
    pub href: String,
    pub account: String,
    /// What else is known of it at a glance: `browser-use agent, RUNNING, us-west-2`.
    pub about: String,
    pub age: String,
    pub tags: Tags,
    pub policy: Option<String>,
    pub limit: Option<&'static str>,
    pub verdict: &'static str,
    pub reason: String,
    pub hold: Option<&'static str>,
    pub release: Option<&'static str>,
    pub deadline: Option<When>,
    pub left: Option<Left>,
}

/// How long there is until a deadline.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// Negative once it has passed.
    pub seconds: f64,
    /// `in 4m 10s`, `12s ago`.
    pub shown: String,
}

impl Left {
    pub fn of(left: SignedDuration) -> Self {
        let whole = SignedDuration::from_secs(left.as_secs());
        let shown = if left.is_negative() { format!("{} ago", human(-whole)) } else { format!("in {}", human(whole)) };
        Self { seconds: seconds(left), shown }
    }
}

/// What each account's provider says the time is, against ours.
pub type Skews = BTreeMap<AccountName, SignedDuration>;

pub fn skews(snapshot: &Snapshot) -> Skews {
    let skew = |seconds: f64| SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
    snapshot.accounts.iter().map(|account| (account.name.clone(), skew(account.clock_skew_seconds))).collect()
}

impl List {
    pub fn new(snapshot: &Snapshot, asked: Asked) -> Self {
        let mut fitting: Vec<&SessionView> = snapshot.sessions.iter().filter(fits(&asked)).collect();
        fitting.sort_unstable_by(|a, b| order(asked.sort, asked.descending, a, b));
        let pages = fitting.len().div_ceil(PER_PAGE).max(1);
        // Sessions end while somebody turns the pages: the last one there is, then.
        let asked = Asked { page: asked.page.min(pages), ..asked };
        let skipped = (asked.page - 1) * PER_PAGE;
        let shown = fitting.iter().skip(skipped).take(PER_PAGE);
        let skews = skews(snapshot);
        let rows: Vec<Row> = shown.map(|session| row(session, snapshot.at, &skews)).collect();
        let on = |page: usize| Asked { page, ..asked.clone() }.href();
        Self {
            columns: Sort::ALL.iter().map(|sort| heading(&asked, *sort)).collect(),
            fitting: fitting.len(),
            live: snapshot.sessions.len(),
            first: skipped + usize::from(!rows.is_empty()),
            last: skipped + rows.len(),
            previous: (asked.page > 1).then(|| on(asked.page - 1)),
            next: (asked.page < pages).then(|| on(asked.page + 1)),
            accounts: choices(snapshot.accounts.iter().map(|account| account.name.as_str()), asked.account.as_deref()),
            policies: choices(snapshot.policies.iter().filter(|policy| !policy.shadow).map(|policy| policy.name.as_str()), asked.policy.as_deref()),
            verdicts: choices(VerdictWord::ALL.iter().map(|word| word.as_str()), asked.verdict.map(VerdictWord::as_str)),
            holds: choices(Hold::ALL.iter().map(|word| word.as_str()), asked.hold.map(Hold::as_str)),
            clear: asked.unfiltered().href(),
            rows,
            asked,
        }
    }
}

/// What is chosen has a place even where it is none of the known: an address may be older than the configuration.
pub fn choices<'a>(known: impl Iterator<Item = &'a str>, chosen: Option<&'a str>) -> Vec<Choice> {
    let mut values: Vec<&str> = known.collect();
    values.extend(chosen.filter(|chosen| !values.contains(chosen)));
    values.into_iter().map(|value| Choice { value: value.to_owned(), chosen: chosen == Some(value) }).collect()
}

fn heading(asked: &Asked, sort: Sort) -> Heading {
    let label = match sort {
        Sort::Session => "Session",
        Sort::Account => "Account",
        Sort::Age => "Age",
        Sort::Policy => "Policy",
        Sort::Limit => "Limit",
        Sort::Verdict => "Verdict",
        Sort::Deadline => "Deadline",
        Sort::Hold => "Hold",
    };
    let sorted = (asked.sort == sort).then_some(if asked.descending { "descending" } else { "ascending" });
    Heading { label, href: asked.sorted(sort).href(), sorted }
}

fn fits(asked: &Asked) -> impl Fn(&&SessionView) -> bool {
    let q = asked.q.to_lowercase();
    move |session| {
        let named = |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| found == Some(wanted));
        named(&asked.account, Some(session.account.as_str()))
            && named(&asked.policy, session.policy.as_ref().map(|policy| policy.as_str()))
            && asked.verdict.is_none_or(|wanted| session.verdict == wanted)
            && asked.hold.is_none_or(|wanted| session.hold == Some(wanted))
            && (q.is_empty() || mentions(session, &q))
    }
}

/// Whether an id, a word or a tag (`team=research`) of it contains the text, which is in lower case.
fn mentions(session: &SessionView, q: &str) -> bool {
    let within = |text: &str| text.to_lowercase().contains(q);
    let browser = session.browser.as_ref().map_or("", |browser| browser.as_str());
    let policy = session.policy.as_ref().map_or("", |policy| policy.as_str());
    let region = session.region.as_deref().unwrap_or_default();
    let words = [session.id.as_str(), browser, session.account.as_str(), policy, region, &session.status, session.kind.as_str()];
    words.into_iter().any(within) || has_tag(&session.metadata, &within)
}

fn has_tag(metadata: &Value, within: &dyn Fn(&str) -> bool) -> bool {
    let mut found = false;
    if let Value::Object(tags) = metadata {
        words::each(tags, &mut |key, value| found = found || within(&format!("{key}={value}")));
    }
    found
}

/// What has no value comes last, whichever way round; what is equal comes oldest first.
fn order(sort: Sort, descending: bool, a: &SessionView, b: &SessionView) -> Ordering {
    let by = match sort {
        Sort::Deadline => maybe(a.deadline, b.deadline, descending),
        Sort::Session => turned(a.id.cmp(&b.id), descending),
        Sort::Account => turned(a.account.cmp(&b.account), descending),
        Sort::Age => turned(a.age_seconds.total_cmp(&b.age_seconds), descending),
        Sort::Policy => maybe(a.policy.as_ref(), b.policy.as_ref(), descending),
        Sort::Limit => maybe(a.limit, b.limit, descending),
        Sort::Verdict => turned(urgency(a.verdict).cmp(&urgency(b.verdict)), descending),
        Sort::Hold => maybe(a.hold, b.hold, descending),
    };
    by.then_with(|| b.age_seconds.total_cmp(&a.age_seconds)).then_with(|| a.id.cmp(&b.id))
}

fn turned(order: Ordering, descending: bool) -> Ordering {
    if descending { order.reverse() } else { order }
}

fn maybe<T: Ord>(a: Option<T>, b: Option<T>, descending: bool) -> Ordering {
    match (&a, &b) {
        (Some(_), Some(_)) => turned(a.cmp(&b), descending),
        _ => a.is_none().cmp(&b.is_none()),
    }
}

const fn urgency(verdict: VerdictWord) -> u8 {
    match verdict {
        VerdictWord::Due => 0,
        VerdictWord::Unknown => 1,
        VerdictWord::Keep => 2,
        VerdictWord::Protected => 3,
        VerdictWord::Unmatched => 4,
    }
}

/// Where one session's own view is.
pub fn href(account: &str, id: &str) -> String {
    format!("/sessions/{}/{}", encoded(account), encoded(id))
}

/// How long there is until a deadline, which is in the provider's time.
pub fn left(session: &SessionView, now: Timestamp, skews: &Skews) -> Option<Left> {
    let skew = skews.get(&session.account).copied().unwrap_or_default();
    Some(Left::of(session.deadline?.duration_since(now).saturating_sub(skew)))
}

fn row(session: &SessionView, now: Timestamp, skews: &Skews) -> Row {
    let about = [Some(session.provider.as_str()), Some(session.kind.as_str()), Some(session.status.as_str()), session.region.as_deref()];
    Row {
        id: session.id.to_string(),
        href: href(session.account.as_str(), session.id.as_str()),
        account: session.account.to_string(),
        about: words::cut(&about.into_iter().flatten().collect::<Vec<_>>().join(" · "), 80),
        age: words::length(session.age_seconds),
        tags: Tags::of(&session.metadata),
        policy: session.policy.as_ref().map(ToString::to_string),
        limit: session.limit.map(|limit| limit.as_str()),
        verdict: session.verdict.as_str(),
        reason: words::cut(&session.reason, 160),
        hold: session.hold.map(Hold::as_str),
        release: session.release.map(|outcome| outcome.as_str()),
        deadline: When::maybe(session.deadline, now),
        left: left(session, now, skews),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::fixtures::{at, session_view, snapshot};
    use crate::domain::verdict::Limit;

    fn ids(sessions: Vec<SessionView>, asked: Asked) -> String {
        List::new(&snapshot(sessions), asked).rows.into_iter().map(|row| row.id).collect()
    }

    fn three() -> Vec<SessionView> {
        let due = |id: &str, deadline, age_seconds| SessionView { deadline: Some(at(deadline)), age_seconds, ..session_view(id) };
        vec![session_view("c"), due("b", 2_000, 10.0), due("a", 1_000, 20.0)]
    }

    #[test]
    fn what_has_no_deadline_comes_last_whichever_way_round() {
        assert_eq!(ids(three(), Asked::default()), "abc");
        assert_eq!(ids(three(), Asked { descending: true, ..Asked::default() }), "bac");
        assert_eq!(ids(three(), Asked::default().sorted(Sort::Age)), "cab");
        assert_eq!(ids(three(), Asked::default().sorted(Sort::Session)), "abc");
    }

    #[test]
    fn every_heading_sorts_by_what_it_says() {
        let low = SessionView {
            account: "a".into(),
            policy: Some("a".into()),
            limit: Some(Limit::MaxAge),
            hold: Some(Hold::Operator),
            verdict: VerdictWord::Due,
            ..session_view("z")
        };
        let high = SessionView {
            account: "b".into(),
            policy: Some("b".into()),
            limit: Some(Limit::Idle),
            hold: Some(Hold::Observe),
            verdict: VerdictWord::Keep,
            ..session_view("y")
        };
        for sort in [Sort::Account, Sort::Policy, Sort::Limit, Sort::Hold, Sort::Verdict] {
            let rows = || vec![high.clone(), low.clone()];
            assert_eq!(ids(rows(), Asked::default().sorted(sort)), "zy", "{sort:?}");
            assert_eq!(ids(rows(), Asked::default().sorted(sort).sorted(sort)), "yz", "{sort:?}");
        }
    }

    #[test]
    fn filters_leave_what_fits_all_of_them() {
        let sessions = || {
            vec![
                SessionView { account: "growth".into(), policy: Some("ci".into()), verdict: VerdictWord::Due, ..session_view("a") },
                SessionView { account: "growth".into(), hold: Some(Hold::Observe), ..session_view("b") },
                SessionView { metadata: json!({ "team": { "name": "Research" } }), browser: Some("browser-9".into()), ..session_view("c") },
            ]
        };
        let word = |text: &str| Some(text.to_owned());
        assert_eq!(ids(sessions(), Asked { account: word("growth"), ..Asked::default() }), "ab");
        assert_eq!(ids(sessions(), Asked { account: word("growth"), policy: word("ci"), ..Asked::default() }), "a");
        assert_eq!(ids(sessions(), Asked { verdict: Some(VerdictWord::Due), ..Asked::default() }), "a");
        assert_eq!(ids(sessions(), Asked { hold: Some(Hold::Observe), ..Asked::default() }), "b");
        for q in ["TEAM.name=rese", "Browser-9"] {
            assert_eq!(ids(sessions(), Asked { q: q.to_owned(), ..Asked::default() }), "c", "{q}");
        }
        assert_eq!(ids(sessions(), Asked { policy: word("gone"), ..Asked::default() }), "");
    }

    #[test]
    fn nobody_can_search_for_what_is_not_shown() {
        let session = SessionView { metadata: json!({ "url": "wss://me:sesame@host" }), ..session_view("a") };
        assert_eq!(ids(vec![session], Asked { q: "sesame".to_owned(), ..Asked::default() }), "");
    }

    #[test]
    fn long_lists_have_pages_and_one_beyond_the_end_is_the_last() {
        let many = |count: usize| snapshot((0..count).map(|n| session_view(&format!("{n:05}"))).collect());
        let page = |page| List::new(&many(120), Asked { page, ..Asked::default() });
        let second = page(2);
        assert_eq!((second.first, second.last, second.fitting), (51, 100, 120));
        assert_eq!((second.previous.as_deref(), second.next.as_deref()), (Some("/"), Some("/?page=3")));
        assert_eq!((page(99).first, page(99).last, page(99).next), (101, 120, None));
        let none = List::new(&many(0), Asked::default());
        assert_eq!((none.first, none.last, none.next, none.previous), (0, 0, None, None));
    }

    #[test]
    fn a_countdown_runs_on_the_providers_clock() {
        let session = SessionView { deadline: Some(at(10_000)), ..session_view("a") };
        let ahead = Skews::from([("agents".into(), SignedDuration::from_secs(4))]);
        assert_eq!(left(&session, at(0), &ahead), Some(Left { seconds: 6.0, shown: "in 6s".to_owned() }));
        assert_eq!(left(&session, at(130_500), &Skews::new()).map(|left| left.shown).as_deref(), Some("2m ago"));
    }

    #[test]
    fn a_choice_that_is_gone_is_still_the_one_chosen() {
        let choices = choices(["ci"].into_iter(), Some("old"));
        let expected = [Choice { value: "ci".to_owned(), chosen: false }, Choice { value: "old".to_owned(), chosen: true }];
        assert_eq!(choices, expected);
    }
}
