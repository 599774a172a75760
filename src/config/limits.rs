//! What a policy does: protects, or the ways to outstay that it knows, with the keys that say more of each.

use figment::value::Value;

use super::Reading;
use super::fault::{KeyPath, nearest, shown};
use super::keys::{LIMITS, MORE};
use super::shape::Report;
use super::table::Table;
use super::week::{USUAL_ZONE, zone};
use crate::domain::time::{SignedDuration, human};
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::Order;
use crate::policy::idle::{Idle, WithoutEvidence};
use crate::policy::max_age::MaxAge;
use crate::policy::max_running::MaxRunning;
use crate::policy::per::Per;
use crate::policy::{Limits, Rule};

impl<'a> Reading<'a> {
    pub(super) fn rule(&mut self, table: &Table<'a>) -> Option<Rule> {
        let protects = table.flag("protect") == Some(true);
        let limited = LIMITS.into_iter().find(|limit| table.get(limit).is_some());
        match (table.get("protect"), limited) {
            (Some(value), Some(limit)) if protects => {
                self.report.say(&table.path.key("protect"), value, format!("{limit} beside it"), "protect, or limits", None);
                None
            }
            (Some(_), None) if protects => self.without_limits(table),
            (protect, None) => {
                // A `protect` that is no boolean has been told already.
                if protect.is_none_or(|value| value.to_bool().is_some()) {
                    let expected = format!("one of {}, or protect = true", LIMITS.join(", "));
                    self.report.say(&table.path, table.value, "neither a limit nor protect", expected, None);
                }
                self.limits(table);
                None
            }
            _ => self.limits(table).map(Rule::Limits),
        }
    }

    fn without_limits(&mut self, table: &Table<'a>) -> Option<Rule> {
        let stray = MORE.into_iter().find_map(|(key, _)| Some((key, table.get(key)?)));
        match stray {
            Some((key, value)) => {
                self.report.say(&table.path.key(key), value, "protect beside it", "protect, or limits", None);
                None
            }
            None => Some(Rule::Protect),
        }
    }

    /// Nothing where one of them is faulty.
    fn limits(&mut self, table: &Table<'a>) -> Option<Limits> {
        self.beside_their_limits(table);
        let max_age = table.get("max_age").map(|_| self.max_age(table));
        let idle = table.get("idle").map(|_| self.idle(table));
        let max_running = table.get("max_running").map(|_| table.table("max_running").as_ref().and_then(max_running));
        let budget = table.get("budget").map(|_| self.budget(table));
        let warn_before = table.get("warn_before").map(|_| table.duration("warn_before"));
        Some(Limits {
            max_age: whole(max_age)?,
            idle: whole(idle)?,
            max_running: whole(max_running)?,
            budget: whole(budget)?,
            warn_before: whole(warn_before)?,
        })
    }

    fn beside_their_limits(&mut self, table: &Table<'a>) {
        for (key, limit) in MORE {
            if let (Some(value), None) = (table.get(key), table.get(limit)) {
                let found = format!("no {limit} beside it");
                self.report.say(&table.path.key(key), value, found, format!("{limit}, of which {key} says more"), None);
            }
        }
        if let (Some(ceiling), Some(_), None) = (table.get("max_age_ceiling"), table.get("max_age"), table.get("max_age_tag")) {
            self.report.say(&table.path.key("max_age_ceiling"), ceiling, "no max_age_tag beside it", "max_age_tag, which the ceiling bounds", None);
        }
    }

    fn max_age(&mut self, table: &Table<'a>) -> Option<MaxAge> {
        let limit = table.duration("max_age")?;
        if let (Some(value), Some(length)) = (table.get("max_age_ceiling"), table.duration("max_age_ceiling"))
            && length < limit
        {
            let found = format!("{}, below max_age = {}", human(length), human(limit));
            self.report.say(&table.path.key("max_age_ceiling"), value, found, "a ceiling of at least max_age", None);
        }
        self.warn_of_min_age(table, "max_age", limit);
        Some(MaxAge { limit, tag: table.text("max_age_tag").map(str::to_owned), ceiling: table.duration("max_age_ceiling") })
    }

    fn idle(&mut self, table: &Table<'a>) -> Option<Idle> {
        let limit = table.duration("idle")?;
        self.warn_of_min_age(table, "idle", limit);
        let releases = table.text("idle_without_evidence") == Some("release");
        Some(Idle { limit, without_evidence: if releases { WithoutEvidence::Release } else { WithoutEvidence::Keep } })
    }

    fn warn_of_min_age(&mut self, table: &Table<'a>, key: &str, limit: SignedDuration) {
        let Some(least) = self.top.table("guardrails").and_then(|table| table.duration("min_age")) else { return };
        if limit < least {
            let (path, limit, least) = (table.path.key(key), human(limit), human(least));
            self.warnings.push(format!("{path}: {limit} is below guardrails.min_age = {least}, which holds these sessions until then"));
        }
    }

    fn budget(&mut self, table: &Table<'a>) -> Option<Budget> {
        let table = table.table("budget")?;
        let every = table.text("every")?;
        let every = [Every::Day, Every::Week, Every::Month].into_iter().find(|known| known.as_str() == every)?;
        self.warn_of_retention(&table, every);
        Some(Budget {
            allowed: SignedDuration::try_from_secs_f64(table.number("browser_hours")? * 3_600.0).ok()?,
            per: whole(table.get("per").map(per))?,
            every,
            time_zone: zone(table.text("time_zone").unwrap_or(USUAL_ZONE))?,
            release: order(&table),
        })
    }

    /// What the ledger has forgotten is not counted as spent.
    fn warn_of_retention(&mut self, table: &Table<'a>, every: Every) {
        let Some(retention) = self.top.table("store").and_then(|table| table.duration("retention")) else { return };
        let days = match every {
            Every::Day => 1,
            Every::Week => 7,
            Every::Month => 31,
        };
        if !retention.is_zero() && retention < SignedDuration::from_hours(24 * days) {
            let (path, every, kept) = (table.path.key("every"), every.as_str(), human(retention));
            self.warnings.push(format!("{path}: a {every} is longer than store.retention = {kept}: what was spent before that is not counted"));
        }
    }
}

/// Nothing for what is there and faulty.
#[expect(clippy::option_option, reason = "absent and faulty are two answers")]
fn whole<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |read| read.map(Some))
}

fn max_running(table: &Table<'_>) -> Option<MaxRunning> {
    Some(MaxRunning { count: table.count("count")?, per: whole(table.get("per").map(per))?, release: order(table) })
}

fn order(table: &Table<'_>) -> Order {
    if table.text("release") == Some("idlest") { Order::Idlest } else { Order::Oldest }
}

/// What begins the name of a metadata key.
const METADATA: &str = "metadata.";

fn per(value: &Value) -> Option<Per> {
    match value.as_str()? {
        "provider" => Some(Per::Provider),
        "kind" => Some(Per::Kind),
        "region" => Some(Per::Region),
        "keep_alive" => Some(Per::KeepAlive),
        other => other.strip_prefix(METADATA).filter(|key| !key.trim().is_empty()).map(|key| Per::Metadata(key.to_owned())),
    }
}

pub(super) fn check_per(report: &mut Report<'_>, path: &KeyPath, value: &Value) {
    if per(value).is_none() {
        let words = ["provider", "kind", "region", "keep_alive"];
        let meant = value.as_str().and_then(|word| nearest(word, words));
        report.say(path, value, shown(path, value), format!("one of {}, or metadata.KEY", words.join(", ")), meant);
    }
}
