//! `[[policies]]`: what each matches, and whether it can ever govern.

use std::collections::BTreeMap;

use figment::value::Value;

use super::fault::{nearest, quoted};
use super::table::Table;
use super::{Reading, accounts, matcher, week};
use crate::domain::name::{AccountName, Kind, PolicyName, Provider};
use crate::policy::selector::{Match, Selector};
use crate::policy::subsume::takes_all;
use crate::policy::{Policy, Rule};

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
            let (rule, shadow) = (self.rule(table), table.flag("shadow") == Some(true));
            let name = table.text("name").map(PolicyName::from);
            read.push(name.zip(selector.clone()).zip(rule).map(|((name, selector), rule)| Policy { name, selector, rule, shadow }));
            // A shadow takes nothing from those behind it.
            selectors.push(selector.filter(|_| !shadow));
        }
        let read: Vec<Policy> = read.into_iter().collect::<Option<_>>()?;
        self.warn_of_shadows_alone(&read);
        Some(read)
    }

    fn warn_of_shadows_alone(&mut self, policies: &[Policy]) {
        let mut limited = policies.iter().filter(|policy| matches!(policy.rule, Rule::Limits(_))).peekable();
        if limited.peek().is_some() && limited.all(|policy| policy.shadow) {
            self.warnings.push("every policy with limits is a shadow: nothing is ever released".to_owned());
        }
    }

    fn selector(&mut self, table: &Table<'a>) -> Option<Selector> {
        if let Some(keys) = table.table("match") {
            self.every_key(&keys);
            return read_match(&keys).map(Selector::Match);
        }
        table.text("match").filter(|text| *text == "all").map(|_| Selector::All)
    }

    /// What the shape of a match's keys does not tell, at any depth.
    fn every_key(&mut self, keys: &Table<'a>) {
        self.known_accounts(keys);
        if let Some(table) = keys.table("window")
            && week::window(&mut self.report, &table).is_some_and(|window| window.is_always())
        {
            self.warnings.push(format!("{}: a window that never closes: it fits at all times", table.path));
        }
        keys.table("not").iter().for_each(|inner| self.every_key(inner));
        keys.tables("any").iter().for_each(|inner| self.every_key(inner));
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
}

fn read_match(keys: &Table<'_>) -> Option<Match> {
    Some(Match {
        accounts: words(keys, "accounts", |name| Some(AccountName::from(name)))?,
        providers: words(keys, "providers", Provider::from_word)?,
        kinds: words(keys, "kinds", Kind::from_word)?,
        regions: words(keys, "regions", |region| Some(region.into()))?,
        keep_alive: present(keys, "keep_alive", || keys.flag("keep_alive"))?,
        metadata: present(keys, "metadata", || read_metadata(keys))?.unwrap_or_default(),
        window: present(keys, "window", || keys.table("window").as_ref().and_then(week::read_window))?,
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
