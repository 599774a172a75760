//! Carries out what the engine says, and decides nothing: each call becomes a future that gives the engine's next input.

use std::pin::Pin;
use std::sync::Arc;

use crate::domain::event::{Event, What};
use crate::domain::name::AccountName;
use crate::engine::{Command, Input};
use crate::ledger::{Ledger, LedgerFault};
use crate::provider::{Lister, Releaser};
use crate::telemetry::Telemetry;

/// A call under way.
pub type Call = Pin<Box<dyn Future<Output = Input> + Send>>;

/// What one account's engine acts through.
pub struct Executor {
    pub account: AccountName,
    pub lister: Arc<dyn Lister>,
    /// Nothing in observe mode: what is not held cannot release.
    pub releaser: Option<Arc<dyn Releaser>>,
    pub ledger: Ledger,
    pub telemetry: Arc<Telemetry>,
}

impl Executor {
    /// Starts a command. What only writes or tells is done at once and gives nothing back.
    pub fn carry_out(&self, command: Command) -> Option<Call> {
        match command {
            Command::Write(record) => {
                self.ledger.record(record);
                None
            }
            Command::Tell(event) => {
                self.telemetry.tell(&event);
                None
            }
            Command::List => {
                let answer = self.lister.list();
                Some(Box::pin(async { Input::Listed(answer.await) }))
            }
            Command::Read { target } => {
                let answer = self.lister.read(&target);
                Some(Box::pin(async move { Input::Read { id: target.id, answer: answer.await } }))
            }
            Command::Ask { target } => {
                let answer = self.lister.evidence(&target);
                Some(Box::pin(async move { Input::Evidence { id: target.id, answer: answer.await } }))
            }
            Command::Release { permit, target, row } => {
                let (ledger, telemetry, releaser, account) =
                    (self.ledger.clone(), self.telemetry.clone(), self.releaser.clone(), self.account.clone());
                Some(Box::pin(async move {
                    let id = permit.session().clone();
                    let Some(releaser) = releaser else {
                        return Input::NotWritten { id, why: "observe mode holds no releaser".to_owned() };
                    };
                    // Intent before act: a crash from here on is settled at the next start by asking the provider.
                    match ledger.intend(&row).await {
                        Ok(()) => {}
                        Err(LedgerFault::Settled { .. }) => return Input::InBooks { id },
                        Err(fault) => return Input::NotWritten { id, why: fault.to_string() },
                    }
                    // Said while the request is on its way: a log that is slow to write delays no release.
                    let said = async { telemetry.tell(&Event { account, what: What::Requesting { release: row } }) };
                    let (answer, ()) = futures_util::future::join(releaser.release(&target), said).await;
                    Input::Answered { id, answer }
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests;
