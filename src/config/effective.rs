//! The configuration in force, each key with where its value came from, without secrets.

use figment::value::{Dict, Num, Tag, Value};
use serde_json::{Map, json};

use super::accounts::{CURRENCY, provider_defaults};
use super::address::names_version;
use super::fault::{self, HIDDEN, KeyPath, looks_secret};
use super::keys::{self, Key, MATCH, MORE, Shape};
use super::layers::{DATETIME, Merged, Origins};
use super::table::Table;
use super::{AccountSettings, Config, NotificationSettings};

/// One key in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// `accounts[0].poll_interval`.
    pub key: String,
    /// As TOML would have it; redacted where it may be a secret.
    pub value: String,
    /// `default`, `file:line:column`, an environment variable, a flag, or what it was inherited from.
    pub from: String,
}

/// The effective configuration as one tree, and as a list of keys.
pub(super) fn show(merged: &Merged, config: &Config) -> (serde_json::Value, Vec<Provenance>) {
    let mut shown = Vec::new();
    let mut tree = Shower { origins: &merged.origins, keys: &mut shown }.tree(&KeyPath::default(), &merged.tree);
    let inherited = INHERITED.map(|key| (key, tree.get(key).cloned(), key));
    let written = Table { path: KeyPath::default(), value: &merged.tree }.tables("accounts");
    for (at, (account, written)) in config.accounts.iter().zip(&written).enumerate() {
        if let Some(table) = tree.pointer_mut(&format!("/accounts/{at}")).and_then(serde_json::Value::as_object_mut) {
            complete(account, table, &written.path, &mut shown);
            inherit(account, table, written, &inherited, &mut shown);
        }
    }
    for (at, policy) in tree.pointer_mut("/policies").and_then(serde_json::Value::as_array_mut).into_iter().flatten().enumerate() {
        fill(policy, keys::POLICY, &KeyPath::default().key("policies").index(at), &mut shown);
    }
    let receivers = tree.pointer_mut("/notifications").and_then(serde_json::Value::as_array_mut);
    for (at, (receiver, settings)) in receivers.into_iter().flatten().zip(&config.notifications).enumerate() {
        let path = KeyPath::default().key("notifications").index(at);
        fill(receiver, keys::NOTIFICATION, &path, &mut shown);
        told_usually(settings, receiver, &path, &mut shown);
    }
    shown.sort_by(|(a, _), (b, _)| a.cmp(b));
    (tree, shown.into_iter().map(|(_, key)| key).collect())
}

/// Adds what a table that may stand many times has without saying so, at any depth.
fn fill(table: &mut serde_json::Value, known: &[Key], path: &KeyPath, shown: &mut Vec<(KeyPath, Provenance)>) {
    let Some(table) = table.as_object_mut() else { return };
    for key in known {
        let path = path.key(key.name);
        let stands_alone = MORE.iter().any(|(more, limit)| *more == key.name && !table.contains_key(*limit));
        match (table.get_mut(key.name), &key.shape, key.usual) {
            (Some(inner), Shape::Table(known), _) => fill(inner, known, &path, shown),
            (Some(inner), Shape::Selector | Shape::Match, _) => fill(inner, MATCH, &path, shown),
            (Some(inner), Shape::Matches, _) => {
                let alternatives = inner.as_array_mut().into_iter().flatten().enumerate();
                alternatives.for_each(|(at, inner)| fill(inner, MATCH, &path.index(at), shown));
            }
            (None, _, Some(usual)) if !stands_alone => {
                shown.push((path.clone(), Provenance { key: path.to_string(), value: json!(usual).to_string(), from: "default".to_owned() }));
                table.insert(key.name.to_owned(), usual.into());
            }
            _ => {}
        }
    }
}

/// Adds what a receiver is told of without saying so.
fn told_usually(settings: &NotificationSettings, table: &mut serde_json::Value, path: &KeyPath, shown: &mut Vec<(KeyPath, Provenance)>) {
    let (path, Some(table)) = (path.key("on"), table.as_object_mut()) else { return };
    if !table.contains_key("on") {
        let on: serde_json::Value = settings.on.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().into();
        shown.push((path.clone(), Provenance { key: path.to_string(), value: on.to_string(), from: "default".to_owned() }));
        table.insert("on".to_owned(), on);
    }
}

/// Shows the address that is asked where the one written was completed with a version.
fn complete(account: &AccountSettings, table: &mut Map<String, serde_json::Value>, path: &KeyPath, keys: &mut [(KeyPath, Provenance)]) {
    let path = path.key("base_url");
    let (Some(_), Some(shown)) = (account.api_version, table.get_mut("base_url").filter(|shown| *shown != HIDDEN)) else { return };
    *shown = json!(account.base_url);
    for (_, key) in keys.iter_mut().filter(|(key, _)| *key == path) {
        key.value = shown.to_string();
    }
}

/// What an account has as the top level has it: shown as it is written there.
const INHERITED: [&str; 4] = ["poll_interval", "requests_per_second", "evidence_requests_per_minute", "request_timeout"];

/// A key that an account may lack, what it has then, and where that is from.
type Inherited<'a> = (&'static str, Option<serde_json::Value>, &'a str);

/// Adds what an account has without saying so.
fn inherit(
    account: &AccountSettings,
    table: &mut Map<String, serde_json::Value>,
    written: &Table<'_>,
    of_all: &[Inherited<'_>],
    keys: &mut Vec<(KeyPath, Provenance)>,
) {
    let path = &written.path;
    let of_provider = format!("default of {}", account.provider);
    let by_address = written.text("base_url").is_some_and(names_version).then(|| path.key("base_url").to_string());
    let defaults = provider_defaults(account.provider);
    let own: [Inherited<'_>; 4] = [
        ("base_url", Some(json!(account.base_url)), &of_provider),
        ("api_version", account.api_version.map(|version| json!(version)), by_address.as_deref().unwrap_or(&of_provider)),
        ("price_per_hour", defaults.as_ref().map(|defaults| json!(defaults.price_per_hour)), &of_provider),
        ("currency", Some(json!(CURRENCY)), "default"),
    ];
    for (key, value, from) in own.iter().chain(of_all) {
        if let (false, Some(value)) = (table.contains_key(*key), value) {
            let path = path.key(key);
            keys.push((path.clone(), Provenance { key: path.to_string(), value: value.to_string(), from: (*from).to_owned() }));
            table.insert((*key).to_owned(), value.clone());
        }
    }
}

struct Shower<'a> {
    origins: &'a Origins,
    keys: &'a mut Vec<(KeyPath, Provenance)>,
}

impl Shower<'_> {
    fn tree(&mut self, path: &KeyPath, value: &Value) -> serde_json::Value {
        match value {
            Value::Dict(_, dict) if !dict.contains_key(DATETIME) => self.dict(path, dict),
            Value::Array(_, items) if items.iter().any(|item| matches!(item, Value::Dict(..) | Value::Array(..))) => {
                items.iter().enumerate().map(|(at, item)| self.tree(&path.index(at), item)).collect()
            }
            Value::Array(tag, items) => {
                let list: Vec<serde_json::Value> = items.iter().map(|item| scalar(path, item)).collect();
                self.leaf(path, *tag, list.into())
            }
            leaf => self.leaf(path, leaf.tag(), scalar(path, leaf)),
        }
    }

    fn dict(&mut self, path: &KeyPath, dict: &Dict) -> serde_json::Value {
        dict.iter().map(|(key, inner)| (key_shown(key), self.tree(&path.key(key), inner))).collect::<Map<_, _>>().into()
    }

    fn leaf(&mut self, path: &KeyPath, tag: Tag, value: serde_json::Value) -> serde_json::Value {
        let from = self.origins.place(path, tag);
        self.keys.push((path.clone(), Provenance { key: path.to_string(), value: value.to_string(), from }));
        value
    }
}

fn key_shown(key: &str) -> String {
    if looks_secret(key) { HIDDEN.to_owned() } else { key.to_owned() }
}

fn scalar(path: &KeyPath, value: &Value) -> serde_json::Value {
    match value {
        hidden if fault::shown(path, hidden) == HIDDEN => HIDDEN.into(),
        Value::String(_, text) => text.as_str().into(),
        Value::Bool(_, flag) => (*flag).into(),
        Value::Num(_, Num::F64(number)) => (*number).into(),
        Value::Num(_, number) => number.to_i128().and_then(|number| i64::try_from(number).ok()).into(),
        _ => serde_json::Value::Null,
    }
}
