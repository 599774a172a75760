//! Reading all pages of an inventory, and whether they add up. Sessions come and go while pages are turned, so that rows shift from one to the next: only
//! where the count that the provider gives holds from the first page to the last, and is met, is anything known to be gone.

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::forbids_another_call;
use super::items::{Item, Rejected, Row};
use super::wire::{self, Margin};
use crate::domain::activity::MOST_QUESTIONS;
use crate::domain::event::Operation;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::name::{ApiVersion, SessionId};
use crate::domain::time::{SignedDuration, Timestamp, between, rfc3339};
use crate::provider::http::{Call, LISTING_CAP, Transport};
use crate::provider::trail::Trail;

/// The most that the provider gives at once.
const PAGE_SIZE: usize = 100;
/// 10,000 rows; an inventory with more is not read to its end.
const MOST_PAGES: usize = 100;
/// What is read of all pages of one inventory together; past it no other page is turned.
const MOST_BYTES: usize = 4 * LISTING_CAP;
/// Conversations come with the one whose run began last first, and a run ends after 4 hours at most: behind a page on which all ended this long ago there is
/// nothing live.
const LONG_OVER: SignedDuration = SignedDuration::from_hours(24);

/// What is read page by page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inventory<'a> {
    Browsers,
    Agents(ApiVersion),
    Tasks {
        after: Timestamp,
    },
    TasksOf(&'a SessionId),
    /// What tells of one agent session's activity: its tasks, messages or runs.
    DeedsOf(&'a SessionId, ApiVersion),
}

impl Inventory<'_> {
    fn call(self, page: usize, cursor: Option<&str>) -> Call {
        let list = |name| Call::get(Operation::List, &[name]).cap(LISTING_CAP);
        let ask = |segments: &[&str]| Call::get(Operation::Evidence, segments).cap(LISTING_CAP);
        let after_cursor = |call: Call| cursor.into_iter().fold(call, |call, cursor| call.query("cursor", cursor));
        match self {
            Self::Browsers => list("browsers").query("filterBy", "active").query("pageSize", PAGE_SIZE).query("pageNumber", page),
            Self::Agents(ApiVersion::V2) => list("sessions").query("filterBy", "active").query("pageSize", PAGE_SIZE).query("pageNumber", page),
            Self::Agents(ApiVersion::V3) => list("sessions").query("page", page).query("page_size", PAGE_SIZE),
            Self::Agents(ApiVersion::V4) => after_cursor(list("sessions").query("limit", PAGE_SIZE)),
            Self::TasksOf(session) => list("tasks").query("pageSize", PAGE_SIZE).query("pageNumber", page).query("sessionId", session),
            Self::Tasks { after } => list("tasks").query("pageSize", PAGE_SIZE).query("pageNumber", page).query("after", rfc3339(after)),
            Self::DeedsOf(session, ApiVersion::V2) => {
                ask(&["tasks"]).query("sessionId", session).query("pageSize", PAGE_SIZE).query("pageNumber", page)
            }
            Self::DeedsOf(session, ApiVersion::V3) => ask(&["sessions", session.as_str(), "messages"]).query("limit", PAGE_SIZE),
            Self::DeedsOf(session, ApiVersion::V4) => after_cursor(ask(&["runs"]).query("sessionId", session).query("limit", PAGE_SIZE)),
        }
    }

    /// Which of the messages a page holds is not documented, nor where the newest ones are; and their session was asked for its status before.
    const fn most_pages(self) -> usize {
        match self {
            Self::DeedsOf(_, ApiVersion::V3) => MOST_QUESTIONS - 1,
            Self::DeedsOf(..) => MOST_QUESTIONS,
            _ => MOST_PAGES,
        }
    }

    const fn is_of_deeds(self) -> bool {
        matches!(self, Self::DeedsOf(..))
    }

    const fn follows_a_cursor(self) -> bool {
        matches!(self, Self::Agents(ApiVersion::V4) | Self::DeedsOf(_, ApiVersion::V3 | ApiVersion::V4))
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Browsers => "browsers",
            Self::Agents(_) => "agent sessions",
            Self::Tasks { .. } | Self::TasksOf(_) | Self::DeedsOf(_, ApiVersion::V2) => "tasks",
            Self::DeedsOf(_, ApiVersion::V3) => "messages",
            Self::DeedsOf(_, ApiVersion::V4) => "runs",
        }
    }
}

/// An inventory as far as it was read, each id once: the first word on it stands.
#[derive(Debug)]
pub(super) struct Read<T> {
    pub(super) rows: Vec<T>,
    pub(super) rejected: Vec<Rejected>,
    /// Why there may be more than was read.
    pub(super) lack: Option<Fault>,
}

/// Turns the pages to the last. Fails where there is not even a first one, or where no further call may be made.
pub(super) async fn read<T: Item + Send>(
    transport: &dyn Transport,
    trail: &mut Trail,
    inventory: Inventory<'_>,
    row: &(dyn Fn(&RawValue) -> Row<T> + Sync),
) -> Result<Read<T>, Fault> {
    let mut pages = Pages::new(inventory);
    while pages.turned < inventory.most_pages() {
        let exchange = transport.send(inventory.call(pages.turned + 1, pages.cursor())).await;
        let now = exchange.clock.map_or(exchange.sent_at, |reading| reading.date);
        let body = trail.take(exchange).inspect(|body| pages.bytes += body.len());
        match body.and_then(|body| page(&body, row)) {
            Ok((margin, rows)) => {
                if !pages.add(&margin, rows, now) {
                    return Ok(pages.read);
                }
            }
            // After a page of deeds no other call is made, and what was read of them is told all the same.
            Err(fault) if pages.turned == 0 || (forbids_another_call(&fault) && !inventory.is_of_deeds()) => return Err(fault),
            Err(fault) => return Ok(pages.broken_off(fault)),
        }
    }
    pages.lacks(format!("it goes on beyond page {}", pages.turned));
    Ok(pages.read)
}

fn page<T>(body: &[u8], row: &dyn Fn(&RawValue) -> Row<T>) -> Result<(Margin, Vec<Row<T>>), Fault> {
    let mut rows = Vec::new();
    let margin = wire::page(body, |raw| rows.push(row(raw)))?;
    Ok((margin, rows))
}

/// The pages so far.
struct Pages<'a, T> {
    inventory: Inventory<'a>,
    turned: usize,
    bytes: usize,
    /// Rows read, those that came twice included: where in the whole the next page begins.
    position: u64,
    /// Rows read, each once.
    distinct: u64,
    total: Option<u64>,
    cursors: Vec<String>,
    ids: BTreeSet<SessionId>,
    read: Read<T>,
}

impl<'a, T: Item> Pages<'a, T> {
    fn new(inventory: Inventory<'a>) -> Self {
        let read = Read { rows: Vec::new(), rejected: Vec::new(), lack: None };
        Self { inventory, turned: 0, bytes: 0, position: 0, distinct: 0, total: None, cursors: Vec::new(), ids: BTreeSet::new(), read }
    }

    fn cursor(&self) -> Option<&str> {
        self.cursors.last().map(String::as_str)
    }

    /// Takes a page in. Gives whether there is another one.
    fn add(&mut self, margin: &Margin, rows: Vec<Row<T>>, now: Timestamp) -> bool {
        self.turned += 1;
        self.position += rows.len() as u64;
        let is_empty = rows.is_empty();
        let all_long_over = !is_empty && rows.iter().all(|row| is_long_over(row, now));
        rows.into_iter().for_each(|row| self.keep(row));
        let more = if self.inventory.follows_a_cursor() { self.follow(margin, all_long_over) } else { self.count(margin, is_empty) };
        if more && self.bytes > MOST_BYTES {
            self.lacks(format!("it goes on beyond the {} MiB that are read", MOST_BYTES >> 20));
        }
        more && self.bytes <= MOST_BYTES
    }

    fn keep(&mut self, row: Row<T>) {
        let id = match &row {
            Row::Read(item) => Some(item.id()),
            Row::Rejected(rejected) => rejected.id.as_ref(),
        };
        if id.is_some_and(|id| !self.ids.insert(id.clone())) {
            return;
        }
        self.distinct += 1;
        match row {
            Row::Read(item) => self.read.rows.push(item),
            Row::Rejected(rejected) => self.read.rejected.push(rejected),
        }
    }

    /// By the provider's own count.
    fn count(&mut self, margin: &Margin, is_empty: bool) -> bool {
        let Some(total) = margin.total else {
            self.lacks("it does not say how many there are".to_owned());
            return false;
        };
        if let Some(before) = self.total.replace(total).filter(|before| *before != total) {
            self.lacks(format!("its count went from {before} to {total} between two pages"));
        }
        if !is_empty && self.position < total {
            return true;
        }
        if self.distinct != total {
            self.lacks(format!("it counts {total} and has {}", self.distinct));
        }
        false
    }

    /// By the cursor that leads to the next page.
    fn follow(&mut self, margin: &Margin, all_long_over: bool) -> bool {
        match (margin.has_more, &margin.cursor) {
            (Some(false), _) => return false,
            (Some(true), _) if all_long_over => return false,
            (Some(true), Some(cursor)) if !self.cursors.contains(cursor) => {
                self.cursors.push(cursor.clone());
                return true;
            }
            (Some(true), _) if self.turned == self.inventory.most_pages() => return true,
            (Some(true), Some(_)) => self.lacks(format!("page {} leads back to an earlier one", self.turned)),
            (Some(true), None) => self.lacks(format!("page {} says that there is more, and not where", self.turned)),
            (None, _) => self.lacks(format!("page {} does not say whether there is more", self.turned)),
        }
        false
    }

    /// The first reason stands.
    fn lacks(&mut self, why: String) {
        let sentence = format!("the list of {} does not add up: {why}", self.inventory.as_str());
        self.read.lack.get_or_insert_with(|| Fault::new(FaultKind::Unreadable, sentence));
    }

    fn broken_off(mut self, fault: Fault) -> Read<T> {
        self.read.lack.get_or_insert(fault);
        self.read
    }
}

fn is_long_over<T: Item>(row: &Row<T>, now: Timestamp) -> bool {
    match row {
        Row::Read(item) => item.ended_at().is_some_and(|end| between(end, now) > LONG_OVER),
        Row::Rejected(_) => false,
    }
}

#[cfg(test)]
mod tests;
