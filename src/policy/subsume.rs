//! A policy can never govern if one earlier policy takes every session that it would match. Says so only where that follows from the shape of the two matches:
//! a no is "not shown", never "not so".

use serde_json::Value;

use crate::domain::name::{Kind, Provider};
use crate::domain::session::scalar_text;
use crate::policy::selector::{Match, Matcher, Selector};

/// Every session that fits `later` ends its search at `earlier` at the latest: it fits that too, or cannot be decided there.
pub fn takes_all(earlier: &Selector, later: &Selector) -> bool {
    match (earlier, later) {
        (Selector::All, _) => true,
        (Selector::Match(earlier), Selector::All) => follows(&[], earlier, SPLITS),
        (Selector::Match(earlier), Selector::Match(later)) => follows(&[later], earlier, SPLITS),
    }
}

/// How deep alternatives within alternatives are told apart: each level multiplies the work.
const SPLITS: u8 = 3;

/// Whatever fits all of `facts` fits `wanted`.
fn follows(facts: &[&Match], wanted: &Match, splits: u8) -> bool {
    every_key_follows(facts, wanted, splits) || (splits > 0 && facts.iter().any(|fact| each_alternative(facts, fact, wanted, splits - 1)))
}

/// One of the alternatives of `fact` holds; if `wanted` follows from each, it follows.
fn each_alternative(facts: &[&Match], fact: &Match, wanted: &Match, splits: u8) -> bool {
    !fact.any.is_empty() && fact.any.iter().all(|alternative| follows(&[facts, &[alternative]].concat(), wanted, splits))
}

fn every_key_follows(facts: &[&Match], wanted: &Match, splits: u8) -> bool {
    within(facts, wanted, |keys| keys.accounts.as_deref(), &[])
        && within(facts, wanted, |keys| keys.providers.as_deref(), Provider::ALL)
        && within(facts, wanted, |keys| keys.kinds.as_deref(), Kind::ALL)
        && within(facts, wanted, |keys| keys.regions.as_deref(), &[])
        && wanted.keep_alive.is_none_or(|wanted| facts.iter().any(|fact| fact.keep_alive == Some(wanted)))
        && wanted.metadata.iter().all(|(key, wanted)| facts.iter().any(|fact| fact.metadata.get(key).is_some_and(|fact| implies(fact, wanted))))
        && wanted.not.as_deref().is_none_or(|excluded| facts.iter().any(|fact| excludes(fact, excluded, splits)))
        && (wanted.any.is_empty() || wanted.any.iter().any(|alternative| follows(facts, alternative, splits)))
}

/// The list of `wanted`, where it has one, holds every value that there is, or every one that some fact allows.
fn within<T: PartialEq>(facts: &[&Match], wanted: &Match, list: impl Fn(&Match) -> Option<&[T]>, all: &[T]) -> bool {
    let Some(allowed) = list(wanted) else { return true };
    let covers = |values: &[T]| values.iter().all(|value| allowed.contains(value));
    (!all.is_empty() && covers(all)) || facts.iter().any(|fact| list(fact).is_some_and(covers))
}

/// Whatever fits `fact` does not fit `excluded`: it is excluded outright, or a key of the two cannot fit both.
fn excludes(fact: &Match, excluded: &Match, splits: u8) -> bool {
    fact.not.as_deref().is_some_and(|not| follows(&[excluded], not, splits))
        || apart(fact.accounts.as_deref(), excluded.accounts.as_deref())
        || apart(fact.providers.as_deref(), excluded.providers.as_deref())
        || apart(fact.kinds.as_deref(), excluded.kinds.as_deref())
        || apart(fact.regions.as_deref(), excluded.regions.as_deref())
        || fact.keep_alive.zip(excluded.keep_alive).is_some_and(|(fact, excluded)| fact != excluded)
        || excluded.metadata.iter().any(|(key, excluded)| fact.metadata.get(key).is_some_and(|fact| never_both(fact, excluded)))
}

fn apart<T: PartialEq>(one: Option<&[T]>, other: Option<&[T]>) -> bool {
    one.zip(other).is_some_and(|(one, other)| !one.iter().any(|value| other.contains(value)))
}

/// Every value, and every absence, that fits `fact` fits `wanted`.
fn implies(fact: &Matcher, wanted: &Matcher) -> bool {
    if fact == wanted {
        return true;
    }
    match (fact, wanted) {
        (Matcher::AnyOf(facts), _) => facts.iter().all(|fact| implies(fact, wanted)),
        (_, Matcher::AnyOf(options)) => options.iter().any(|option| implies(fact, option)),
        (Matcher::Not(fact), Matcher::Not(wanted)) => implies(wanted, fact),
        (_, Matcher::Not(excluded)) => never_both(fact, excluded),
        (_, Matcher::Exists(true)) => wants_value(fact),
        (_, Matcher::Exists(false)) => wants_absence(fact),
        (Matcher::Equals(Value::String(text)), _) => decided(text, wanted) == Some(true),
        (Matcher::Equals(Value::Bool(flag)), Matcher::Equals(Value::String(text))) => scalar_text(&Value::Bool(*flag)).as_deref() == Some(text),
        _ => false,
    }
}

/// Nothing, neither a value nor its absence, fits both.
fn never_both(one: &Matcher, other: &Matcher) -> bool {
    match (one, other) {
        (Matcher::AnyOf(options), other) | (other, Matcher::AnyOf(options)) => options.iter().all(|option| never_both(option, other)),
        (Matcher::Not(excluded), other) | (other, Matcher::Not(excluded)) => implies(other, excluded),
        _ if wants_value(one) && wants_absence(other) || wants_absence(one) && wants_value(other) => true,
        (Matcher::Equals(Value::String(text)), other) | (other, Matcher::Equals(Value::String(text))) => decided(text, other) == Some(false),
        _ => false,
    }
}

fn wants_value(matcher: &Matcher) -> bool {
    match matcher {
        Matcher::Equals(_) | Matcher::Glob(_) | Matcher::Regex(_) | Matcher::Exists(true) => true,
        Matcher::Not(inner) => wants_everything_absent(inner),
        Matcher::AnyOf(options) => options.iter().all(wants_value),
        Matcher::Exists(false) => false,
    }
}

/// Its negation therefore wants a value.
fn wants_everything_absent(matcher: &Matcher) -> bool {
    matches!(matcher, Matcher::Exists(false))
}

fn wants_absence(matcher: &Matcher) -> bool {
    match matcher {
        Matcher::Exists(false) => true,
        Matcher::Not(inner) => matches!(**inner, Matcher::Exists(true)),
        _ => false,
    }
}

/// Whether what equals `text` (the text, or a number or boolean of that form) fits; none where that hangs on which of these it is: a number equals
/// another of the same size in any form.
fn decided(text: &str, matcher: &Matcher) -> Option<bool> {
    match matcher {
        Matcher::Equals(Value::String(other)) => Some(other == text),
        Matcher::Equals(wanted @ Value::Number(_)) => (scalar_text(wanted).as_deref() == Some(text)).then_some(true),
        Matcher::Equals(wanted) => Some(scalar_text(wanted).as_deref() == Some(text)),
        Matcher::Glob(pattern) => Some(pattern.is_match(text)),
        Matcher::Regex(pattern) => Some(pattern.is_match(text)),
        Matcher::Exists(wanted) => Some(*wanted),
        Matcher::AnyOf(_) | Matcher::Not(_) => None,
    }
}
