//! `[[policies]]`: what each matches and does, and whether it can ever govern.

use std::collections::BTreeMap;

use figment::value::Value;

use super::fault::{nearest, quoted};
use super::keys::LIMITS;
use super::table::Table;
use super::{Reading, accounts, matcher};
use crate::domain::name::{AccountName, Kind, PolicyName, Provider};
use crate::domain::time::human;
use crate::policy::max_age::MaxAge;
use crate::policy::selector::{Match, Selector};
use crate::policy::subsume::takes_all;
use crate::policy::{Limits, Policy, Rule};

impl<'a> Reading<'a> {
    pub(super) fn policies(&mut self) -> Option<Vec<Policy>> {
        let tables = self.top.tables("policies");
        if tables.is_empty() {
            self.warnings.push("there are no policies: every session is unmatched, and nothing is ever released".to_owned());
        }
        self.unique_names("policies");
        let mut read: Vec<Option<Policy>> = Vec::new();
        let mut selectors: Vec<Option<Selector>> = Vec::new();
        for table in &tables {
            let selector = self.selector(table);
            self.can_govern(table, &tables, &selectors, selector.as_ref());
            let rule = self.rule(table);
            let name = table.text("name").map(PolicyName::from);
            read.push(name.zip(selector.clone()).zip(rule).map(|((name, selector), rule)| Policy { name, selector, rule, shadow: false }));
            selectors.push(selector);
        }
        read.into_iter().collect()
    }

    fn selector(&mut self, table: &Table<'a>) -> Option<Selector> {
        if let Some(keys) = table.table("match") {
            self.known_accounts(&keys);
            return read_match(&keys).map(Selector::Match);
        }
        table.text("match").filter(|text| *text == "all").map(|_| Selector::All)
    }

    /// Every account that a match names is there.
    fn known_accounts(&mut self, keys: &Table<'a>) {
        let known = accounts::names(&self.top);
        let named = keys.get("accounts").and_then(Value::as_array).unwrap_or_default();
        for (at, value) in named.iter().enumerate() {
            if let Some(name) = value.as_str().filter(|name| !known.contains(name)) {
                let path = keys.path.key("accounts").index(at);
                let listed = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
                let meant = nearest(name, known.iter().copied());
                self.report.say(&path, value, quoted(name), format!("the name of an account ({listed})"), meant);
            }
        }
        keys.table("not").iter().for_each(|inner| self.known_accounts(inner));
        keys.tables("any").iter().for_each(|inner| self.known_accounts(inner));
    }

    /// A policy of which one earlier policy takes every session would never say anything.
    fn can_govern(&mut self, table: &Table<'a>, tables: &[Table<'a>], earlier: &[Option<Selector>], selector: Option<&Selector>) {
        let (Some(selector), Some(value)) = (selector, table.get("match")) else { return };
        let taker = earlier.iter().position(|earlier| earlier.as_ref().is_some_and(|earlier| takes_all(earlier, selector)));
        if let Some(at) = taker {
            let name = tables[at].text("name").map_or_else(|| format!("policies[{at}]"), quoted);
            let found = format!("a policy that can never govern: {name} comes first and takes every session that it would match");
            self.report.say(&table.path.key("match"), value, found, format!("a narrower match in {name}, or this policy before it"), None);
        }
    }

    fn rule(&mut self, table: &Table<'a>) -> Option<Rule> {
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
                    self.report.say(&table.path, table.value, "neither a limit nor protect", "max_age, or protect = true", None);
                }
                self.max_age(table);
                None
            }
            _ => self.max_age(table).map(|max_age| Rule::Limits(Limits { max_age: Some(max_age), ..Limits::default() })),
        }
    }

    fn without_limits(&mut self, table: &Table<'a>) -> Option<Rule> {
        let stray = ["max_age_tag", "max_age_ceiling"].into_iter().find_map(|key| Some((key, table.get(key)?)));
        match stray {
            Some((key, value)) => {
                self.report.say(&table.path.key(key), value, "protect beside it", "protect, or limits", None);
                None
            }
            None => Some(Rule::Protect),
        }
    }

    fn max_age(&mut self, table: &Table<'a>) -> Option<MaxAge> {
        let (tag, ceiling) = (table.get("max_age_tag"), table.get("max_age_ceiling"));
        if let (Some(tag), None) = (tag, table.get("max_age")) {
            self.report.say(&table.path.key("max_age_tag"), tag, "no max_age beside it", "max_age, for sessions without the tag", None);
        }
        if let (Some(ceiling), None) = (ceiling, tag) {
            self.report.say(&table.path.key("max_age_ceiling"), ceiling, "no max_age_tag beside it", "max_age_tag, which the ceiling bounds", None);
        }
        let limit = table.duration("max_age")?;
        if let (Some(value), Some(length)) = (ceiling, table.duration("max_age_ceiling"))
            && length < limit
        {
            let found = format!("{}, below max_age = {}", human(length), human(limit));
            self.report.say(&table.path.key("max_age_ceiling"), value, found, "a ceiling of at least max_age", None);
        }
        self.warn_of_min_age(table, limit);
        Some(MaxAge { limit, tag: table.text("max_age_tag").map(str::to_owned), ceiling: table.duration("max_age_ceiling") })
    }

    fn warn_of_min_age(&mut self, table: &Table<'a>, limit: crate::domain::time::SignedDuration) {
        let Some(least) = self.top.table("guardrails").and_then(|table| table.duration("min_age")) else { return };
        if limit < least {
            let (path, limit, least) = (table.path.key("max_age"), human(limit), human(least));
            self.warnings.push(format!("{path}: {limit} is below guardrails.min_age = {least}, which holds these sessions until then"));
        }
    }
}

fn read_match(keys: &Table<'_>) -> Option<Match> {
    Some(Match {
        accounts: words(keys, "accounts", |name| Some(AccountName::from(name)))?,
        providers: words(keys, "providers", Provider::from_word)?,
        kinds: words(keys, "kinds", Kind::from_word)?,
        regions: words(keys, "regions", |region| Some(region.into()))?,
        window: None,
        keep_alive: present(keys, "keep_alive", || keys.flag("keep_alive"))?,
        metadata: present(keys, "metadata", || read_metadata(keys))?.unwrap_or_default(),
        not: present(keys, "not", || keys.table("not").as_ref().and_then(read_match))?.map(Box::new),
        any: keys.tables("any").iter().map(read_match).collect::<Option<_>>()?,
    })
}

/// Nothing for a faulty key; `Some(None)` for an absent one.
#[expect(clippy::option_option, reason = "absent and faulty are two answers")]
fn present<T>(keys: &Table<'_>, key: &str, read: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    match keys.get(key) {
        None => Some(None),
        Some(_) => read().map(Some),
    }
}

#[expect(clippy::option_option, reason = "absent and faulty are two answers")]
fn words<T>(keys: &Table<'_>, key: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<Vec<T>>> {
    present(keys, key, || keys.texts(key)?.into_iter().map(read).collect())
}

fn read_metadata(keys: &Table<'_>) -> Option<BTreeMap<String, crate::policy::selector::Matcher>> {
    let table = keys.table("metadata")?;
    table.dict()?.iter().map(|(key, value)| Some((key.clone(), matcher::read(value)?))).collect()
}
