//! One listing of every account, judged by the engine that the daemon runs, and nothing carried out: what `plan` and `explain` show.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::cli::{Failure, store};
use crate::clock::Clock;
use crate::config::{AccountSettings, StorePath};
use crate::daemon::account::in_our_time;
use crate::daemon::crew::{Setup, has_moved, recall_at_home, terms};
use crate::domain::hold::Orders;
use crate::domain::name::SessionId;
use crate::domain::view::{AccountView, BudgetView, Explanation, SessionView};
use crate::engine::{Command, Engine, Input, Pass, Runtime, Terms};
use crate::ledger::Reader;
use crate::provider::{self, Lister};

/// One account after one listing.
pub struct Outlook {
    engine: Engine,
    /// What `run` would ask for now; not asked for.
    planned: BTreeSet<SessionId>,
}

/// About whose activity providers may be asked.
#[derive(Clone, Copy, Debug)]
pub enum Asking<'a> {
    /// Every session that may be idle now.
    All,
    /// This one alone.
    Only(&'a SessionId),
}

impl Asking<'_> {
    fn includes(self, id: &SessionId) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only == id,
        }
    }
}

/// Lists every account, side by side. An account that cannot be listed is shown with its error.
pub async fn outlooks(setup: &Setup, asking: Asking<'_>, clock: Clock) -> Result<Vec<Outlook>, Failure> {
    let reader = match &setup.config.store.path {
        StorePath::Memory => None,
        path => Reader::open(path).map_err(store::failure)?,
    };
    let orders = reader.as_ref().map(Reader::orders).transpose().map_err(store::failure)?.unwrap_or_default();
    let orders = Arc::new(in_our_time(&orders, &clock));
    try_join_all(setup.config.accounts.iter().map(|account| outlook(setup, account, reader.as_ref(), orders.clone(), asking, clock))).await
}

async fn outlook(
    setup: &Setup,
    account: &AccountSettings,
    reader: Option<&Reader>,
    orders: Arc<Orders>,
    asking: Asking<'_>,
    clock: Clock,
) -> Result<Outlook, Failure> {
    let key = setup.keys.get(&account.name).ok_or_else(|| Failure::usage(format!("account {}: no credential was read", account.name)))?;
    let lister = provider::lister(account, key.clone(), clock).map_err(Failure::usage)?;
    let recall = reader.map(|reader| reader.recall(&account.name, clock.now())).transpose().map_err(store::failure)?.unwrap_or_default();
    let terms = terms(&setup.config, account, Pass::Plan);
    let runtime = runtime(&terms, reader.filter(|_| !has_moved(&recall, account)), clock)?;
    let mut engine = Engine::new(terms, recall_at_home(recall, account), orders, clock.now());
    engine.account_for(runtime, clock.now());
    let mut planned = BTreeSet::new();
    while let Some(answer) = next_answer(&mut engine, lister.as_ref(), asking, &mut planned, clock).await {
        engine.handle(answer, clock.now());
    }
    Ok(Outlook { engine, planned })
}

/// What the books have of the runtime that budgets count.
fn runtime(terms: &Terms, reader: Option<&Reader>, clock: Clock) -> Result<Runtime, Failure> {
    let now = clock.now();
    let mut runtime = Runtime::new(terms.account.clone(), terms.provider, terms.policies.clone());
    if let Some((reader, since)) = reader.zip(runtime.since(now)) {
        reader.lived(&terms.account, since, |lived| runtime.add(lived, now)).map_err(store::failure)?;
    }
    Ok(runtime)
}

/// Carries out what the engine asks for that only reads, and notes the releases instead. Nothing once it asks for no more listings.
async fn next_answer(engine: &mut Engine, lister: &dyn Lister, asking: Asking<'_>, planned: &mut BTreeSet<SessionId>, clock: Clock) -> Option<Input> {
    loop {
        match engine.next_command() {
            Some(Command::List) => return Some(Input::Listed(lister.list().await)),
            Some(Command::Release { permit, .. }) => {
                planned.insert(permit.session().clone());
            }
            Some(Command::Ask { target }) if asking.includes(&target.id) => {
                let answer = lister.evidence(&target).await;
                return Some(Input::Evidence { id: target.id, answer });
            }
            Some(Command::Ask { .. } | Command::Read { .. } | Command::Write(_) | Command::Tell(_)) => {}
            None => {
                let retry = engine.listing_due_at(clock.now())?;
                tokio::time::sleep_until(clock.instant(retry).into()).await;
                engine.handle(Input::Tick, clock.now());
            }
        }
    }
}

impl Outlook {
    pub fn account(&self, clock: Clock) -> AccountView {
        self.engine.account_view(clock.now())
    }

    pub fn sessions(&self, clock: Clock) -> Vec<SessionView> {
        self.engine.session_views(clock.now()).into_iter().map(|view| self.as_planned(view)).collect()
    }

    pub fn budgets(&self, clock: Clock) -> Vec<BudgetView> {
        self.engine.budget_views(clock.now())
    }

    pub fn explain(&self, id: &SessionId, clock: Clock) -> Option<Explanation> {
        let mut explanation = self.engine.explain(id, clock.now())?;
        explanation.session = self.as_planned(explanation.session);
        if self.planned.contains(&explanation.session.id) {
            explanation.release = None;
        }
        Some(explanation)
    }

    /// What was only planned was not requested.
    fn as_planned(&self, view: SessionView) -> SessionView {
        let release = view.release.filter(|_| !self.planned.contains(&view.id));
        SessionView { release, ..view }
    }
}
