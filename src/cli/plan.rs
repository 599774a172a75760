//! `session-reaper plan`: one listing, no writes, and what `run` would do now.

mod budgets;
mod shadows;

use crate::cli::outlook::Asking;
use crate::cli::table::{Column, Table, print_json, say};
use crate::cli::{Failure, Format, Globals, configured, outlook, runtime};
use crate::clock::Clock;
use crate::domain::event::PollOutcome;
use crate::domain::hold::Hold;
use crate::domain::time::{SignedDuration, Timestamp, between, clock_time, human};
use crate::domain::verdict::VerdictWord;
use crate::domain::view::{AccountView, SessionView, Snapshot};
use crate::policy::shown::policies;

#[derive(Debug, clap::Args)]
pub struct Flags {
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(flags: &Flags, globals: &Globals) -> Result<(), Failure> {
    let setup = configured::setup(globals)?;
    let clock = Clock::start();
    let outlooks = runtime::block_on(outlook::outlooks(&setup, Asking::All, clock))?;
    let sessions: Vec<SessionView> = outlooks.iter().flat_map(|outlook| outlook.sessions(clock)).collect();
    let snapshot = Snapshot {
        at: clock.now(),
        mode: setup.config.mode,
        accounts: outlooks.iter().map(|outlook| outlook.account(clock)).collect(),
        policies: policies(&setup.config.policies, &sessions),
        sessions,
        budgets: outlooks.iter().flat_map(|outlook| outlook.budgets(clock)).collect(),
    };
    match flags.format {
        Format::Json => print_json(&snapshot)?,
        Format::Table => print_table(&snapshot)?,
    }
    let unlisted = snapshot.accounts.iter().any(|account| account.listing != Some(PollOutcome::Complete));
    if unlisted { Err(Failure::Silent) } else { Ok(()) }
}

fn print_table(snapshot: &Snapshot) -> Result<(), Failure> {
    let table = sessions(snapshot);
    if !table.is_empty() {
        table.print()?;
        say("")?;
    }
    below(snapshot).iter().try_for_each(say)
}

/// What stands below the sessions, line by line.
fn below(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = shadows::changes(&snapshot.sessions);
    lines.extend(snapshot.budgets.iter().map(|budget| budgets::line(budget, snapshot.at)));
    lines.extend(snapshot.accounts.iter().map(listed));
    lines.push(summary(snapshot));
    lines.extend(shadows::counts(&snapshot.sessions));
    lines
}

/// How an account's listing went, and what was wrong with it.
fn listed(account: &AccountView) -> String {
    let listing = account.listing.map_or("no listing", PollOutcome::as_str);
    let rejected = if account.rejected_rows > 0 { format!(", {} rows could not be read", account.rejected_rows) } else { String::new() };
    let error = account.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{} ({}): {} live, listing {listing}{rejected}{error}", account.name, account.provider, account.live)
}

/// The browsers have a column where there are any with an id of their own.
fn sessions(snapshot: &Snapshot) -> Table<'static> {
    let browsers = snapshot.sessions.iter().any(|session| session.browser.is_some());
    let mut columns = vec![Column::whole("SESSION")];
    columns.extend(browsers.then(|| Column::whole("BROWSER")));
    columns.extend([
        Column::whole("ACCOUNT"),
        Column::whole("STATUS"),
        Column::number("AGE"),
        Column::whole("VERDICT"),
        Column::whole("POLICY"),
        Column::whole("DEADLINE"),
        Column::whole("HOLD"),
        Column::text("WHY"),
    ]);
    let mut table = Table::new(&columns);
    for session in &snapshot.sessions {
        let browser = browsers.then(|| or_dash(session.browser.as_ref().map(ToString::to_string)));
        table.row(std::iter::once(session.id.to_string()).chain(browser).chain(row(session, snapshot.at)));
    }
    table
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// The cells of a session behind its ids.
fn row(session: &SessionView, at: Timestamp) -> [String; 8] {
    [
        session.account.to_string(),
        session.status.clone(),
        human(SignedDuration::from_secs(session.age_seconds as i64)),
        session.verdict.to_string(),
        or_dash(session.policy.as_ref().map(ToString::to_string)),
        or_dash(session.deadline.map(|deadline| day_and_time(deadline, at))),
        or_dash(session.hold.map(|hold| hold.to_string())),
        session.reason.clone(),
    ]
}

/// The time of day where that is plain, else the day as well.
fn day_and_time(deadline: Timestamp, at: Timestamp) -> String {
    let near = between(at, deadline).abs() < SignedDuration::from_hours(12);
    if near { clock_time(deadline) } else { deadline.strftime("%Y-%m-%d %H:%M").to_string() }
}

fn summary(snapshot: &Snapshot) -> String {
    let due: Vec<&SessionView> = snapshot.sessions.iter().filter(|session| session.verdict == VerdictWord::Due).collect();
    let now = due.iter().filter(|session| session.hold.is_none() && session.release.is_none()).count();
    let observed = due.iter().any(|session| session.hold == Some(Hold::Observe));
    let hint = if observed { "; `plan --set mode=enforce` shows what enforce would" } else { "" };
    format!("{} sessions, {} due; `run` would release {now} now (mode = \"{}\"){hint}", snapshot.sessions.len(), due.len(), snapshot.mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::session_view;
    use crate::domain::view::{BudgetView, Change, Mode, ShadowView};

    pub(super) fn session(id: &str, browser: Option<&str>) -> SessionView {
        SessionView { browser: browser.map(Into::into), ..session_view(id) }
    }

    fn shown(listed: Vec<SessionView>) -> Vec<String> {
        let snapshot = Snapshot {
            at: Timestamp::UNIX_EPOCH,
            mode: Mode::Observe,
            accounts: Vec::new(),
            sessions: listed,
            budgets: Vec::new(),
            policies: Vec::new(),
        };
        sessions(&snapshot).render(None).lines().map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_browser_with_an_id_of_its_own_stands_beside_its_session() {
        let listed = vec![session("agent-1", Some("browser-1")), session("agent-2", None)];
        assert_eq!(shown(listed), ["SESSION BROWSER ACCOUNT", "agent-1 browser-1 agents", "agent-2 - agents"]);
        assert_eq!(shown(vec![session("agent-2", None)]), ["SESSION ACCOUNT STATUS", "agent-2 agents active"]);
    }

    #[test]
    fn below_the_sessions_stand_changes_budgets_accounts_and_counts() {
        let shadow = ShadowView {
            policy: "trial".into(),
            verdict: VerdictWord::Due,
            limit: None,
            deadline: None,
            change: Some(Change::WouldRelease),
            reason: "older than 20m".to_owned(),
        };
        let budget = BudgetView {
            account: "agents".into(),
            policy: "research".into(),
            shadow: false,
            per: None,
            group: None,
            every: "day",
            from: Timestamp::UNIX_EPOCH,
            until: Timestamp::UNIX_EPOCH,
            allowed: SignedDuration::from_hours(5),
            spent: SignedDuration::from_hours(2),
            left: SignedDuration::from_hours(3),
            spent_at: None,
        };
        let listed = vec![SessionView { shadows: vec![shadow], ..session("s-1", None) }];
        let snapshot = Snapshot {
            at: Timestamp::UNIX_EPOCH,
            mode: Mode::Observe,
            accounts: Vec::new(),
            sessions: listed,
            budgets: vec![budget],
            policies: Vec::new(),
        };
        let expected = [
            "shadow policy trial would release s-1 on agents: older than 20m",
            "budget research on agents: 3h of 5h left today",
            "1 sessions, 0 due; `run` would release 0 now (mode = \"observe\")",
            "shadow policy trial would release 1 more and spare 0",
        ];
        assert_eq!(below(&snapshot), expected);
    }

    #[test]
    fn a_deadline_on_another_day_says_so() {
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let now = at("2026-11-20T22:00:00Z");
        assert_eq!(day_and_time(at("2026-11-21T01:02:03Z"), now), "01:02:03");
        assert_eq!(day_and_time(at("2026-11-22T01:02:03Z"), now), "2026-11-22 01:02");
        assert_eq!(day_and_time(at("2026-11-19T22:00:00Z"), now), "2026-11-19 22:00");
    }
}
