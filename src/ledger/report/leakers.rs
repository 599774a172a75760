//! Who leaves most behind: the values of tags under which most was saved by releasing.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use rusqlite::Row;
use serde_json::{Map, Value};

use super::super::rows::json;
use super::tags::{ByText, cut, text};
use super::tally::{self, Costs, as_seconds};
use super::{Hearing, Period};
use crate::domain::session::Metadata;
use crate::domain::text::{HIDDEN, looks_secret};
use crate::domain::view::Leaker;

/// Rows of the list.
const MOST_LEAKERS: usize = 10;

/// Values that are counted at a time, whatever the tags hold: past it those go that count least so far.
const MOST_VALUES: usize = 50_000;

/// A value names a leaker once so many sessions carry it, or one of twenty if that is less: the name of a run is no one's.
const SESSIONS_OF_A_LEAKER: u64 = 10;

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
    period.each("metadata", |row| {
        hearing.row();
        if !tally::is_confirmed(row)? {
            return Ok(());
        }
        counts.releases += 1;
        let metadata = Metadata::from_json(Some(json(row, tally::KEY)?));
        if tags.is_empty() {
            let Metadata::Tags(top) = &metadata else { return Ok(()) };
            return leaves(top, &mut String::new(), &mut |path, value| {
                // What stands in the way of a path is what the path means.
                let meant = !path.contains('.') || metadata.get(path).is_some_and(|meant| std::ptr::eq(meant, value));
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
    by_tag: BTreeMap<Box<str>, ByText<Count>>,
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
        let Some(value) = text(value) else { return Ok(()) };
        match self.count(&cut(tag), &value) {
            None => Ok(()),
            Some(count) => {
                count.released += 1;
                count.saved_runtime_ms = count.saved_runtime_ms.saturating_add(tally::saved_runtime_ms(row)?);
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
            let mut weights: Vec<_> = self.by_tag.values().flat_map(ByText::values).map(Count::weight).collect();
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
        self.values = self.by_tag.values().map(ByText::len).sum();
    }

    fn begin_again(&mut self) {
        self.by_tag.values_mut().flat_map(ByText::values_mut).for_each(|count| *count = Count::default());
        (self.releases, self.is_closed) = (0, true);
    }

    /// Most saved first; what saved the same in the order of its name.
    fn most(&self, least: u64) -> Vec<Leaker> {
        let all = self.by_tag.iter().flat_map(|(tag, values)| values.iter().map(move |(value, count)| (tag, value, count)));
        let mut found: Vec<_> = all.filter(|(_, _, count)| count.released >= least).collect();
        found.sort_by_key(|(tag, value, count)| (Reverse(count.weight()), *tag, *value));
        found.into_iter().take(MOST_LEAKERS).map(|(tag, value, count)| leaker(tag, value, count)).collect()
    }
}

fn leaker(tag: &str, value: &str, count: &Count) -> Leaker {
    let (saved_cost, currency) = count.costs.sum();
    let saved_runtime_seconds = as_seconds(count.saved_runtime_ms);
    let open = |text: &str| if looks_secret(text) { HIDDEN } else { text }.to_owned();
    Leaker { tag: open(tag), value: open(value), released: count.released, saved_runtime_seconds, saved_cost, currency }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::tests::release;
    use super::super::tests::{books, saved, whole};
    use super::*;
    use crate::domain::release::{Outcome, Release};
    use crate::domain::tariff::Prices;

    fn found(releases: &[Release], tags: &[&str]) -> Vec<Leaker> {
        whole(&books(releases), tags, &Prices::new()).leakers.unwrap()
    }

    /// What [`found`] gives, as far as it names somebody.
    fn named(releases: &[Release], tags: &[&str]) -> Vec<(String, String, u64)> {
        found(releases, tags).into_iter().map(|leaker| (leaker.tag, leaker.value, leaker.released)).collect()
    }

    fn named_as(names: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
        names.iter().map(|(tag, value, released)| ((*tag).to_owned(), (*value).to_owned(), *released)).collect()
    }

    #[test]
    fn those_who_saved_most_come_first_over_all_tags_and_a_run_is_nobody() {
        let one = |id: &str, seconds, team: &str, run: u64| {
            saved(id, seconds, json!({ "owner": { "team": team, "on_call": true }, "run": run, "gone": null }))
        };
        let releases = [one("a", 500, "ml", 1), one("b", 20, "growth", 2), one("c", 30, "growth", 3), one("d", 40, "growth", 4)];
        let expected = named_as(&[("owner.on_call", "true", 4), ("owner.team", "growth", 3)]);
        assert_eq!(named(&releases, &[]), expected);
        let best = &found(&releases, &[])[0];
        assert_eq!((best.saved_runtime_seconds, best.saved_cost, best.currency.as_deref()), (590.0, Some(0.4796), Some("USD")));
    }

    #[test]
    fn of_one_tag_every_value_counts_as_in_the_rows_of_that_tag() {
        let releases =
            [saved("a", 5, json!({ "run": 1, "team": "ml" })), saved("b", 9, json!({ "run": [2, 3] })), saved("c", 7, json!({ "run": { "n": 1 } }))];
        assert_eq!(named(&releases, &["run"]), named_as(&[("run", "[2,3]", 1), ("run", "{\"n\":1}", 1), ("run", "1", 1)]));
        assert_eq!(named(&releases, &["team", "run.n"]), named_as(&[("run.n", "1", 1), ("team", "ml", 1)]));
    }

    #[test]
    fn a_path_means_what_it_means_in_a_policy() {
        let metadata = json!({ "x.y": "exact", "x": { "y": "inside" }, "a.b": { "c": "out of reach" } });
        let releases = [saved("a", 5, metadata.clone()), saved("b", 5, metadata)];
        assert_eq!(named(&releases, &[]), named_as(&[("x.y", "exact", 2)]));
    }

    #[test]
    fn only_what_was_confirmed_left_anything_behind() {
        let failed = Release { metadata: json!({ "team": "ml" }), ..release("b", Outcome::Failed) };
        let releases = [saved("a", 5, json!({ "team": "ml" })), failed, saved("c", 5, json!({ "team": "ml" }))];
        assert_eq!(named(&releases, &[]), named_as(&[("team", "ml", 2)]));
    }

    #[test]
    fn of_many_releases_a_leaker_has_several_and_no_more_than_ten_are_listed() {
        let pair = |n: usize| saved(&format!("s{n}"), 10_000, json!({ "run": n / 2, "team": n % 12 }));
        let releases: Vec<Release> = (0..240).map(pair).collect();
        let named = named(&releases, &[]);
        assert_eq!(named.len(), MOST_LEAKERS);
        assert!(named.iter().all(|(tag, _, released)| tag == "team" && *released == 20), "{named:?}");
    }

    #[test]
    fn long_values_are_cut_and_yet_told_apart() {
        let long = |end: &str| format!("{}{end}", "é".repeat(5_000));
        let releases: Vec<Release> =
            ["x", "x", "x", "y", "y"].iter().enumerate().map(|(n, end)| saved(&n.to_string(), 1, json!({ "note": long(end) }))).collect();
        let found = found(&releases, &[]);
        assert_eq!(found.iter().map(|leaker| leaker.released).collect::<Vec<_>>(), [3, 2]);
        assert!(found.iter().all(|leaker| leaker.value.chars().count() < 250), "{found:?}");
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let releases = [saved("a", 5, json!({ "key": "bb_live_0123" })), saved("b", 5, json!({ "key": "bb_live_0123" }))];
        assert_eq!(named(&releases, &[]), named_as(&[("key", HIDDEN, 2)]));
    }

    /// Counts in little room, as [`leakers`] does in much.
    fn counted(books: &rusqlite::Connection, room: usize) -> (Vec<Leaker>, bool) {
        use super::super::super::tests::at;
        let period = Period { books, since: at(0), last: at(10) };
        let mut heard = |_| {};
        let mut hearing = Hearing { read: super::super::Read { rows: 0, of: 0 }, hear: &mut heard };
        let mut counts = Counts::new(room);
        pass(period, &[], &mut counts, &mut hearing).unwrap();
        assert!(counts.values <= room);
        let forgot = counts.have_forgotten;
        counts.begin_again();
        pass(period, &[], &mut counts, &mut hearing).unwrap();
        (counts.most(2), forgot)
    }

    #[test]
    fn in_little_room_those_who_left_most_are_found_and_counted_whole() {
        let release = |n: i64| {
            let team = if n % 3 == 0 { "growth" } else { "ml" };
            saved(&format!("s{n}"), 1, json!({ "run": n, "half": n / 2, "team": team }))
        };
        let books = books(&(0..600).map(release).collect::<Vec<_>>());
        let (found, forgot) = counted(&books, 30);
        assert!(forgot);
        let first: Vec<_> = found.iter().take(2).map(|leaker| (leaker.value.as_str(), leaker.released)).collect();
        assert_eq!(first, [("ml", 400), ("growth", 200)]);
    }

    #[test]
    fn where_all_saved_the_same_half_of_them_make_room() {
        let release = |n: i64| saved(&format!("s{n}"), 0, json!({ "half": format!("{:04}", n / 2) }));
        let books = books(&(0..100).map(release).collect::<Vec<_>>());
        let (found, forgot) = counted(&books, 20);
        assert!(forgot && found.len() == MOST_LEAKERS, "{found:?}");
        assert!(found.iter().all(|leaker| leaker.released == 2), "{found:?}");
    }
}
