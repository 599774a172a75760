//! Reading a checked tree: what is absent and what is faulty both give nothing, since the first pass has told every fault of shape already.

use figment::value::{Dict, Value};

use super::fault::KeyPath;
use super::shape::{as_number, count};
use crate::domain::time::{SignedDuration, parse_duration};

/// A table of the configuration, and where it stands.
#[derive(Clone)]
pub(super) struct Table<'a> {
    pub(super) path: KeyPath,
    pub(super) value: &'a Value,
}

impl<'a> Table<'a> {
    pub(super) fn dict(&self) -> Option<&'a Dict> {
        self.value.as_dict()
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.dict()?.get(key)
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.get(key)?.to_bool()
    }

    pub(super) fn number(&self, key: &str) -> Option<f64> {
        as_number(self.get(key)?)
    }

    pub(super) fn count(&self, key: &str) -> Option<u32> {
        count(self.get(key)?)
    }

    pub(super) fn duration(&self, key: &str) -> Option<SignedDuration> {
        parse_duration(self.text(key)?).ok()
    }

    pub(super) fn texts(&self, key: &str) -> Option<Vec<&'a str>> {
        self.get(key)?.as_array()?.iter().map(Value::as_str).collect()
    }

    pub(super) fn table(&self, key: &str) -> Option<Table<'a>> {
        let value = self.get(key)?;
        value.as_dict().map(|_| Table { path: self.path.key(key), value })
    }

    pub(super) fn tables(&self, key: &str) -> Vec<Table<'a>> {
        let items = self.get(key).and_then(Value::as_array).unwrap_or_default();
        items.iter().enumerate().map(|(at, value)| Table { path: self.path.key(key).index(at), value }).collect()
    }
}
