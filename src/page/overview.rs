//! The first page: what is running, what it costs, what falls due when and why, what was saved, and whether the guard is well.

use std::collections::BTreeMap;

use askama::Template;

use super::Frame;
use super::ask::{Asked, PERIODS};
use super::list::{self, List, left, skews};
use super::releases;
use super::savings::Savings;
use super::words::{self, When};
use crate::domain::event::PollOutcome;
use crate::domain::release::Release;
use crate::domain::time::{human, seconds};
use crate::domain::verdict::VerdictWord;
use crate::domain::view::{AccountView, BudgetView, Change, PolicyView, Report, SessionView, Snapshot};

/// `/`.
#[derive(Clone, Debug, Template)]
#[template(path = "overview.html")]
pub struct View {
    frame: Frame,
    tiles: Tiles,
    list: List,
    releases: Vec<releases::Row>,
    savings: Option<Savings>,
    /// Why the books could not be read, where they could not.
    unread: Option<String>,
    periods: Vec<Period>,
    accounts: Vec<Account>,
    policies: Vec<Policy>,
    changes: Vec<Changed>,
    more_changes: usize,
    budgets: Vec<Budget>,
}

/// What the books say.
#[derive(Clone, Debug)]
pub struct Books {
    pub releases: Vec<Release>,
    pub by_day: Report,
    pub by_policy: Report,
}

/// Releases of the first page.
pub const RELEASES_SHOWN: usize = 10;
/// Sessions that shadow policies would change.
const CHANGES_SHOWN: usize = 10;

#[derive(Clone, Debug)]
struct Tiles {
    live: usize,
    /// One for each currency.
    costs: Vec<String>,
    due: usize,
    held: usize,
    unknown: usize,
    /// Of those that are not due yet.
    next: Option<Next>,
}

#[derive(Clone, Debug)]
struct Next {
    left: list::Left,
    id: String,
    href: String,
}

#[derive(Clone, Debug)]
struct Period {
    days: usize,
    href: String,
    chosen: bool,
}

#[derive(Clone, Debug)]
struct Account {
    name: String,
    href: String,
    provider: &'static str,
    live: usize,
    cost: Option<String>,
    /// `well`, or what is wrong in a word.
    health: &'static str,
    well: bool,
    last_complete: Option<When>,
    skew: Option<String>,
    rejected: usize,
    notes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Policy {
    name: String,
    href: Option<String>,
    does: String,
    sessions: usize,
    due: usize,
    shadow: bool,
    would_release: usize,
    would_spare: usize,
}

#[derive(Clone, Debug)]
struct Changed {
    policy: String,
    change: &'static str,
    id: String,
    href: String,
    account: String,
    reason: String,
}

#[derive(Clone, Debug)]
struct Budget {
    policy: String,
    account: String,
    group: String,
    every: &'static str,
    allowed: String,
    spent: String,
    left: String,
    spent_at: Option<When>,
    until: When,
    shadow: bool,
}

impl View {
    pub fn new(frame: Frame, snapshot: &Snapshot, books: Result<&Books, String>, asked: Asked) -> Self {
        let changed = || snapshot.sessions.iter().flat_map(changes);
        let period = |days| Period { days, href: Asked { days, page: 1, ..asked.clone() }.href(), chosen: days == asked.days };
        let known = books.as_ref().ok();
        Self {
            tiles: tiles(snapshot),
            releases: known.iter().flat_map(|books| &books.releases).map(|release| releases::Row::new(release, snapshot.at)).collect(),
            savings: known.map(|books| Savings::new(&books.by_day, &books.by_policy, asked.days)),
            unread: books.err(),
            periods: PERIODS.map(period).into(),
            accounts: snapshot.accounts.iter().map(|view| account(view, snapshot)).collect(),
            policies: snapshot.policies.iter().map(policy).collect(),
            changes: changed().take(CHANGES_SHOWN).collect(),
            more_changes: changed().count().saturating_sub(CHANGES_SHOWN),
            budgets: snapshot.budgets.iter().map(|view| budget(view, snapshot)).collect(),
            list: List::new(snapshot, asked),
            frame,
        }
    }
}

fn tiles(snapshot: &Snapshot) -> Tiles {
    let mut costs: BTreeMap<&str, f64> = BTreeMap::new();
    for account in &snapshot.accounts {
        if let Some(cost) = account.cost_per_hour {
            *costs.entry(&account.currency).or_default() += cost;
        }
    }
    let count = |word| snapshot.sessions.iter().filter(|session| session.verdict == word).count();
    let due = || snapshot.sessions.iter().filter(|session| session.verdict == VerdictWord::Due);
    Tiles {
        live: snapshot.sessions.len(),
        costs: costs.into_iter().map(|(currency, cost)| words::money(cost, currency)).collect(),
        due: due().count(),
        held: due().filter(|session| session.hold.is_some()).count(),
        unknown: count(VerdictWord::Unknown),
        next: next(snapshot),
    }
}

/// The session that falls due first of those that are not. A deadline that has passed without a verdict waits for evidence, and is not coming.
fn next(snapshot: &Snapshot) -> Option<Next> {
    let skews = skews(snapshot);
    let waiting = snapshot.sessions.iter().filter(|session| session.verdict == VerdictWord::Keep);
    let coming = waiting.filter_map(|session| Some((left(session, snapshot.at, &skews)?, session))).filter(|(left, _)| left.seconds > 0.0);
    let (left, first) = coming.min_by(|(a, _), (b, _)| a.seconds.total_cmp(&b.seconds))?;
    Some(Next { left, id: first.id.to_string(), href: list::href(first.account.as_str(), first.id.as_str()) })
}

fn account(view: &AccountView, snapshot: &Snapshot) -> Account {
    let (health, well) = health(view);
    let paused = view.paused.then(|| format!("paused: {}", view.paused_reason.as_deref().unwrap_or("no reason given")));
    let tripped =
        view.tripped.then(|| "max_release_fraction has tripped: nothing is released until its hour is over or an operator says resume".to_owned());
    let past = view.last_error.as_ref().filter(|last| view.error.as_ref() != Some(*last)).map(|last| format!("recovered from: {last}"));
    Account {
        name: view.name.to_string(),
        href: Asked { account: Some(view.name.to_string()), ..Asked::default() }.href(),
        provider: view.provider.as_str(),
        live: view.live,
        cost: view.cost_per_hour.map(|cost| words::money(cost, &view.currency)),
        health,
        well,
        last_complete: When::maybe(view.last_complete_at, snapshot.at),
        skew: (view.clock_skew_seconds != 0.0).then(|| words::short(view.clock_skew_seconds)),
        rejected: view.rejected_rows,
        notes: [paused, tripped, view.error.clone(), past].into_iter().flatten().map(|note| words::cut(&note, 300)).collect(),
    }
}

/// The first thing that somebody should know.
fn health(view: &AccountView) -> (&'static str, bool) {
    match view {
        AccountView { error: Some(_), listing: None, last_complete_at: None, .. } => ("not listed", false),
        AccountView { paused: true, .. } => ("paused", false),
        AccountView { tripped: true, .. } => ("tripped", false),
        AccountView { error: Some(_), listing: Some(PollOutcome::Partial), .. } => ("partly listed", false),
        AccountView { error: Some(_), .. } => ("failing", false),
        AccountView { last_complete_at: None, .. } => ("not listed yet", false),
        _ => ("well", true),
    }
}

fn policy(view: &PolicyView) -> Policy {
    let limits: Vec<String> = view.limits.iter().map(|limit| format!("{} {}", limit.limit, limit.value)).collect();
    Policy {
        name: view.name.to_string(),
        // What a shadow policy would govern is governed by another one.
        href: (!view.shadow).then(|| Asked { policy: Some(view.name.to_string()), ..Asked::default() }.href()),
        does: if view.protect { "protects".to_owned() } else { limits.join("; ") },
        sessions: view.sessions,
        due: view.due,
        shadow: view.shadow,
        would_release: view.would_release,
        would_spare: view.would_spare,
    }
}

fn changes(session: &SessionView) -> impl Iterator<Item = Changed> {
    session.shadows.iter().filter_map(|shadow| {
        Some(Changed {
            policy: shadow.policy.to_string(),
            change: match shadow.change? {
                Change::WouldRelease => "would release",
                Change::WouldSpare => "would spare",
            },
            id: session.id.to_string(),
            href: list::href(session.account.as_str(), session.id.as_str()),
            account: session.account.to_string(),
            reason: words::cut(&shadow.reason, 160),
        })
    })
}

fn budget(view: &BudgetView, snapshot: &Snapshot) -> Budget {
    let group = match (&view.per, &view.group) {
        (None, _) => "all together".to_owned(),
        (Some(per), None) => format!("without {per}"),
        (Some(per), Some(group)) if crate::domain::text::looks_secret(group) => format!("{per} {}", crate::domain::text::HIDDEN),
        (Some(per), Some(group)) => format!("{per} {}", words::cut(group, 60)),
    };
    Budget {
        policy: view.policy.to_string(),
        account: view.account.to_string(),
        group,
        every: view.every,
        allowed: hours(view.allowed),
        spent: human(view.spent),
        left: human(view.left),
        spent_at: When::maybe(view.spent_at, snapshot.at),
        until: When::new(view.until, snapshot.at),
        shadow: view.shadow,
    }
}

/// Budgets are written in hours, and compared in hours.
fn hours(length: crate::domain::time::SignedDuration) -> String {
    format!("{} h", seconds(length) / 3_600.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::fixtures::{at, release, secs, session_view, snapshot};
    use crate::domain::hold::Hold;
    use crate::domain::name::Provider;
    use crate::domain::release::Outcome;
    use crate::domain::time::SignedDuration;
    use crate::domain::verdict::Limit;
    use crate::domain::view::{Gap, LimitView, Mode, Overrun, ReportRow, ShadowView};
    use crate::page::{Trouble, savings};

    fn well(name: &str) -> AccountView {
        AccountView {
            name: name.into(),
            provider: Provider::Browserbase,
            mode: Mode::Enforce,
            listing: Some(PollOutcome::Complete),
            live: 3,
            rejected_rows: 0,
            error: None,
            last_complete_at: Some(at(0)),
            last_error: None,
            clock_skew_seconds: 0.0,
            paused: false,
            paused_reason: None,
            tripped: false,
            cost_per_hour: Some(0.36),
            currency: "USD".to_owned(),
        }
    }

    fn books() -> Books {
        let total = ReportRow {
            key: Some("ci".to_owned()),
            released: 7,
            already_ended: 1,
            failed: 0,
            stuck: 0,
            saved_runtime_seconds: 90_000.0,
            saved_cost: Some(3.0),
            currency: Some("USD".to_owned()),
            overrun_seconds: Overrun { p50: None, p99: None, max: None },
        };
        let gaps = vec![Gap { account: "growth".into(), from: at(0), until: None }];
        let report = |by: &str, rows| Report {
            rows,
            total: ReportRow { key: None, ..total.clone() },
            gaps: gaps.clone(),
            ..Report::empty(savings::since(at(0), 30), at(0), by)
        };
        Books {
            releases: vec![Release {
                outcome: Outcome::Confirmed,
                confirmed_at: Some(at(0)),
                saved_runtime: Some(secs(60)),
                ..release("gone-1", at(0))
            }],
            by_day: report("day", Vec::new()),
            by_policy: report("policy", vec![total.clone()]),
        }
    }

    fn page(snapshot: &Snapshot, books: Result<&Books, String>) -> String {
        View::new(Frame::new(snapshot.mode, snapshot.at, None, false), snapshot, books, Asked::default()).render().expect("a page")
    }

    #[test]
    fn the_page_says_what_runs_what_it_costs_what_falls_due_and_what_was_saved() {
        let due = SessionView { verdict: VerdictWord::Due, hold: Some(Hold::Observe), deadline: Some(at(-3_000)), ..session_view("due-1") };
        let keep = SessionView { verdict: VerdictWord::Keep, deadline: Some(at(250_000)), policy: Some("ci".into()), ..session_view("keep-1") };
        let policies = vec![PolicyView {
            name: "ci".into(),
            protect: false,
            limits: vec![LimitView { limit: Limit::MaxAge, value: "20m".to_owned() }],
            shadow: false,
            sessions: 41,
            due: 0,
            would_release: 0,
            would_spare: 0,
        }];
        let asked = SessionView { verdict: VerdictWord::Keep, deadline: Some(at(-1_000)), ..session_view("asked-1") };
        let euro = AccountView { currency: "EUR".to_owned(), cost_per_hour: Some(1.0), ..well("agents") };
        let snapshot = Snapshot { accounts: vec![well("growth"), euro], policies, ..snapshot(vec![due, asked, keep]) };
        let books = books();
        let page = page(&snapshot, Ok(&books));
        for part in [
            "0.36 USD",
            "1.00 EUR",
            "3s ago",
            "in 4m 10s</span><span class=\"unseen\">, session <bdi>keep-1<",
            "due-1",
            "keep-1",
            "observe",
            "unmatched: never",
            "gone-1",
            "confirmed",
            "1d 1h",
            "3.00 USD",
            "max_age 20m",
            ">41<",
            "href=\"/?policy=ci\"",
            "without complete listings",
        ] {
            let part = part.trim_start_matches("unmatched: ");
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn books_that_cannot_be_read_hide_no_session() {
        let page = page(&snapshot(vec![session_view("s-1")]), Err("the disk is <gone>".to_owned()));
        assert!(page.contains("s-1") && page.contains("the disk is &#60;gone&#62;"), "{page}");
    }

    #[test]
    fn a_guard_that_does_not_do_its_work_says_so_first() {
        let page = |trouble| {
            let frame = Frame::new(Mode::Enforce, at(0), trouble, false);
            View::new(frame, &snapshot(Vec::new()), Err(String::new()), Asked::default()).render().expect("a page")
        };
        assert!(page(Some(Trouble::NotHealthy("a loop <stalled>".to_owned()))).contains("Not healthy:</strong> <bdi>a loop &#60;stalled&#62;"));
        assert!(page(Some(Trouble::NotReady("draining".to_owned()))).contains("Not ready:</strong> <bdi>draining"));
        assert!(!page(None).contains("Not "));
    }

    #[test]
    fn each_trouble_of_an_account_has_its_word() {
        let ill = |word, view: AccountView| assert_eq!(health(&view), (word, false));
        assert_eq!(health(&well("a")), ("well", true));
        ill("paused", AccountView { paused: true, ..well("a") });
        ill("tripped", AccountView { tripped: true, ..well("a") });
        ill("failing", AccountView { error: Some("503".to_owned()), listing: Some(PollOutcome::Failed), ..well("a") });
        ill("partly listed", AccountView { error: Some("page 2".to_owned()), listing: Some(PollOutcome::Partial), ..well("a") });
        ill("not listed yet", AccountView { last_complete_at: None, listing: None, ..well("a") });
        ill("not listed", AccountView { error: Some("ended".to_owned()), listing: None, last_complete_at: None, ..well("a") });
        let paused = AccountView { paused: true, paused_reason: Some("an incident".to_owned()), last_error: Some("a 503".to_owned()), ..well("a") };
        assert_eq!(account(&paused, &snapshot(Vec::new())).notes, ["paused: an incident", "recovered from: a 503"]);
    }

    #[test]
    fn what_shadow_policies_would_change_is_listed_and_the_rest_is_counted() {
        let shadow = ShadowView {
            policy: "trial".into(),
            verdict: VerdictWord::Due,
            limit: None,
            deadline: None,
            change: Some(Change::WouldRelease),
            reason: "idle for 5m".to_owned(),
        };
        let sessions = (0..12).map(|n| SessionView { shadows: vec![shadow.clone()], ..session_view(&format!("s-{n}")) }).collect();
        let view = View::new(Frame::new(Mode::Enforce, at(0), None, false), &snapshot(sessions), Err(String::new()), Asked::default());
        assert_eq!((view.changes.len(), view.more_changes), (10, 2));
        assert!(view.render().expect("a page").contains("would release"));
    }

    #[test]
    fn a_budgets_group_is_cut_and_a_secret_one_hidden() {
        let view = |group: &str| BudgetView {
            account: "growth".into(),
            policy: "research".into(),
            shadow: false,
            per: Some("metadata.team".to_owned()),
            group: Some(group.to_owned()),
            every: "week",
            from: at(0),
            until: at(0),
            allowed: SignedDuration::from_mins(90),
            spent: secs(60),
            left: secs(30),
            spent_at: None,
        };
        let group = |text: &str| budget(&view(text), &snapshot(Vec::new())).group;
        assert_eq!(group("ml"), "metadata.team ml");
        assert!(group(&"x".repeat(10_000)).len() < 100 && !group("wss://a:sesame@b").contains("sesame"));
        assert_eq!(budget(&view("ml"), &snapshot(Vec::new())).allowed, "1.5 h");
    }

    /// Texts as no browser should take them, in every place that somebody else fills.
    fn hostile() -> Vec<SessionView> {
        let text = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
        let metadata = |value: Value| json!({ "k": value, "<script>k": 1 });
        vec![
            SessionView { metadata: metadata(text.into()), status: text.to_owned(), region: Some(text.to_owned()), ..session_view(text) },
            SessionView { metadata: metadata("x".repeat(10_000).into()), reason: text.repeat(50), ..session_view("long") },
            SessionView { metadata: metadata("שלום \u{202e}dlrow".into()), ..session_view("rtl") },
            SessionView { metadata: metadata("👩‍👩‍👧‍👦 🏴‍☠️".into()), ..session_view("emoji") },
        ]
    }

    #[test]
    fn what_others_wrote_is_text_and_nothing_else() {
        let snapshot = Snapshot { accounts: vec![AccountView { error: Some("<script>e".to_owned()), ..well("growth") }], ..snapshot(hostile()) };
        let page = page(&snapshot, Err("<script>b".to_owned()));
        assert_eq!(page.matches("<script").count(), 1, "the page's own");
        assert!(!page.contains("<img") && !page.contains(" style=") && !page.contains(&"x".repeat(100)), "{page}");
        assert!(page.contains("👩‍👩‍👧‍👦") && page.contains("<bdi>שלום"), "{page}");
    }

    #[test]
    fn the_first_view_of_ten_thousand_sessions_is_under_a_hundred_kilobytes_in_all() {
        let metadata = json!({ "env": "production", "team": "research-and-development", "owner": "somebody@example.com", "branch": "feature/a-long-name", "x": 1 });
        let session = |n: usize| SessionView {
            policy: Some("everything-else".into()),
            verdict: VerdictWord::Due,
            limit: Some(Limit::MaxRunning),
            hold: Some(Hold::MaxReleaseFraction),
            deadline: Some(at(n as i64)),
            metadata: metadata.clone(),
            reason: "r".repeat(400),
            region: Some("us-west-2".to_owned()),
            ..session_view(&format!("0b5b3d6c-3a3e-4f5e-9c1d-{n:012}"))
        };
        let sessions = (0..10_000).map(session).collect();
        let rows: Vec<Release> = (0..RELEASES_SHOWN).map(|n| release(&format!("0b5b3d6c-3a3e-4f5e-9c1d-{n:012}"), at(0))).collect();
        let books = Books { releases: rows, ..books() };
        let page = page(&Snapshot { accounts: vec![well("growth"), well("agents")], ..snapshot(sessions) }, Ok(&books));
        let all = page.len() + crate::page::assets::ALL.iter().map(|asset| asset.content.len()).sum::<usize>();
        assert!(all < 100_000, "{all} bytes, of which the page has {}", page.len());
    }
}
