//! Who leaves most behind: the values of tags under which most was saved by releasing.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::Row;
use serde_json::{Map, Value};

use super::super::rows::json;
use super::tally::{Costs, as_seconds, saved_runtime_ms};
use super::{Hearing, Period, tag_text};
use crate::domain::session::Metadata;
use crate::domain::view::Leaker;

/// Rows of the list.
const MOST_LEAKERS: usize = 10;

/// Characters of a tag or a value that are shown of it.
const SHOWN_CHARS: usize = 200;

/// Values that are counted at a time, whatever the tags hold: past it those go that count least so far.
const MOST_VALUES: usize = 50_000;

/// A value names a leaker once so many sessions carry it, or one of twenty if that is less: the name of a run is no one's.
const SESSIONS_OF_A_LEAKER: u64 = 10;

const COLUMNS: &str = "outcome, saved_runtime_ms, saved_cost, currency, metadata";

/// The values under which most was saved, of these tags, or of all if there are none of these: then only such as several sessions carry.
pub(super) fn leakers(period: Period<'_>, tags: &[String], hearing: &mut Hearing<'_>) -> rusqlite::Result<Vec<Leaker>> {
    let mut counts = Counts::new(MOST_VALUES);
    pass(period, tags, &mut counts, hearing)?;
    if counts.have_forgotten {
        // What came back after it was forgotten has been counted in part.
        counts.begin_again();
        pass(period, tags, &mut counts, hearing)?;
    }
    let least = if tags.is_empty() { (counts.releases / 20).clamp(2, SESSIONS_OF_A_LEAKER) } else { 1 };
    Ok(counts.most(least))
}

fn pass(period: Period<'_>, tags: &[String], counts: &mut Counts, hearing: &mut Hearing<'_>) -> rusqlite::Result<()> {
    period.each(COLUMNS, |row| {
        hearing.row();
        if row.get_ref("outcome")?.as_str()? != "confirmed" {
            return Ok(());
        }
        counts.releases += 1;
        let metadata = Metadata::from_json(Some(json(row, "metadata")?));
        if tags.is_empty() {
            let Metadata::Tags(top) = &metadata else { return Ok(()) };
            return leaves(top, &mut String::new(), &mut |path, value| {
                // What stands in the way of a path is what the path means.
                let meant = metadata.get(path).is_some_and(|meant| std::ptr::eq(meant, value));
                if meant { counts.add(path, value, row) } else { Ok(()) }
            });
        }
        tags.iter().try_for_each(|tag| metadata.get(tag).map_or(Ok(()), |value| counts.add(tag, value, row)))
    })
}

/// Every value that is no object, with its dotted path.
fn leaves(object: &Map<String, Value>, path: &mut String, each: &mut dyn FnMut(&str, &Value) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    for (key, value) in object {
        let above = path.len();
        if above > 0 {
            path.push('.');
        }
        path.push_str(key);
        match value {
            Value::Object(inner) => leaves(inner, path, each)?,
            value => each(path, value)?,
        }
        path.truncate(above);
    }
    Ok(())
}

/// One value of one tag while it is added up.
#[derive(Default)]
struct Count {
    released: u64,
    saved_runtime_ms: i64,
    costs: Costs,
}

impl Count {
    /// What is most comes last.
    const fn weight(&self) -> (i64, u64) {
        (self.saved_runtime_ms, self.released)
    }
}

/// Values by tag, no more than there is room for.
struct Counts {
    room: usize,
    values: usize,
    by_tag: BTreeMap<Box<str>, BTreeMap<Box<str>, Count>>,
    /// Confirmed ones, with tags and without.
    releases: u64,
    have_forgotten: bool,
    /// Counts what it knows, and takes in nothing new.
    is_closed: bool,
}

impl Counts {
    const fn new(room: usize) -> Self {
        Self { room, values: 0, by_tag: BTreeMap::new(), releases: 0, have_forgotten: false, is_closed: false }
    }

    fn add(&mut self, tag: &str, value: &Value, row: &Row<'_>) -> rusqlite::Result<()> {
        let Some(value) = tag_text(value) else { return Ok(()) };
        match self.count(&cut(tag), &cut(&value)) {
            None => Ok(()),
            Some(count) => {
                count.released += 1;
                count.saved_runtime_ms = count.saved_runtime_ms.saturating_add(saved_runtime_ms(row)?);
                count.costs.add_saved(row)
            }
        }
    }

    fn count(&mut self, tag: &str, value: &str) -> Option<&mut Count> {
        let known = self.by_tag.get(tag).is_some_and(|values| values.contains_key(value));
        if !known {
            if self.is_closed {
                return None;
            }
            if self.values >= self.room {
                self.forget();
            }
            self.values += 1;
            self.by_tag.entry(tag.into()).or_default().insert(value.into(), Count::default());
        }
        self.by_tag.get_mut(tag)?.get_mut(value)
    }

    /// Makes room: what only one session carried goes first, then what saved least, until half of it is free.
    fn forget(&mut self) {
        self.have_forgotten = true;
        self.keep(|count| count.released > 1);
        if self.values > self.room / 2 {
            let mut weights: Vec<_> = self.by_tag.values().flat_map(BTreeMap::values).map(Count::weight).collect();
            let (heavier, least, _) = weights.select_nth_unstable_by_key(self.room / 2, |weight| Reverse(*weight));
            let least = *least;
            let mut as_heavy = self.room / 2 - heavier.iter().filter(|weight| **weight > least).count();
            self.keep(|count| match count.weight().cmp(&least) {
                Ordering::Greater => true,
                Ordering::Less => false,
                Ordering::Equal => as_heavy.checked_sub(1).inspect(|left| as_heavy = *left).is_some(),
            });
        }
    }

    fn keep(&mut self, mut kept: impl FnMut(&Count) -> bool) {
        self.by_tag.values_mut().for_each(|values| values.retain(|_, count| kept(count)));
        self.by_tag.retain(|_, values| !values.is_empty());
        self.values = self.by_tag.values().map(BTreeMap::len).sum();
    }

    fn begin_again(&mut self) {
        self.by_tag.values_mut().flat_map(BTreeMap::values_mut).for_each(|count| *count = Count::default());
        (self.releases, self.is_closed) = (0, true);
    }

    /// Most saved first; what saved the same in the order of its name.
    fn most(&self, least: u64) -> Vec<Leaker> {
        let all = self.by_tag.iter().flat_map(|(tag, values)| values.iter().map(move |(value, count)| (tag, value, count)));
        let mut found: Vec<_> = all.filter(|(_, _, count)| count.released >= least).collect();
        found.sort_by_key(|(_, _, count)| Reverse(count.weight()));
        found.into_iter().take(MOST_LEAKERS).map(|(tag, value, count)| leaker(tag, value, count)).collect()
    }
}

fn leaker(tag: &str, value: &str, count: &Count) -> Leaker {
    let (saved_cost, currency) = count.costs.sum();
    let saved_runtime_seconds = as_seconds(count.saved_runtime_ms);
    Leaker { tag: shown(tag), value: shown(value), released: count.released, saved_runtime_seconds, saved_cost, currency }
}

/// A text by which it can be told from others, and which is never long.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN_CHARS || text.char_indices().nth(SHOWN_CHARS).is_none() {
        return text.into();
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{}{:x}", shown(text), hasher.finish()).into()
}

/// The beginning, where there is more.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
