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
        && wanted.window.as_ref().is_none_or(|wanted| wanted.is_always() || facts.iter().any(|fact| fact.window.as_ref() == Some(wanted)))
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
        Matcher::Not(inner) => matches!(**inner, Matcher::Exists(false)),
        Matcher::AnyOf(options) => options.iter().all(wants_value),
        Matcher::Exists(false) => false,
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use jiff::civil::time;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::activity::Sign;
    use crate::domain::name::{AccountName, SessionId};
    use crate::domain::session::{Metadata, Phase, Session, Status};
    use crate::domain::time::{SignedDuration, Timestamp};
    use crate::policy::Occasion;
    use crate::policy::selector::Fit;
    use crate::policy::window::Window;

    fn tagged(matcher: Matcher) -> Selector {
        Selector::Match(Match { metadata: BTreeMap::from([("env".to_owned(), matcher)]), ..Match::default() })
    }

    fn is(value: impl Into<Value>) -> Matcher {
        Matcher::Equals(value.into())
    }

    fn glob(pattern: &str) -> Matcher {
        Matcher::Glob(globset::Glob::new(pattern).expect("a glob").compile_matcher())
    }

    fn regex(pattern: &str) -> Matcher {
        Matcher::Regex(regex::Regex::new(pattern).expect("a regex"))
    }

    fn not(matcher: Matcher) -> Matcher {
        Matcher::Not(Box::new(matcher))
    }

    #[test]
    fn all_takes_all() {
        assert!(takes_all(&Selector::All, &tagged(is("ci"))));
        assert!(takes_all(&Selector::All, &Selector::All));
        assert!(!takes_all(&tagged(is("ci")), &Selector::All));
    }

    #[test]
    fn a_wider_matcher_takes_what_a_narrower_one_would() {
        let either = || Matcher::AnyOf(vec![is("ci"), is("cd")]);
        let pairs = [
            (either(), is("ci")),
            (glob("c*"), either()),
            (regex("^c"), is("ci")),
            (Matcher::Exists(true), is("ci")),
            (Matcher::Exists(true), glob("c*")),
            (not(is("production")), is("ci")),
            (not(is("production")), Matcher::Exists(false)),
            (not(is("ci")), not(either())),
            (is(5), is("5")),
        ];
        for (wide, narrow) in pairs {
            let (wide, narrow) = (tagged(wide), tagged(narrow));
            assert!(takes_all(&wide, &narrow), "{wide:?} {narrow:?}");
            assert!(!takes_all(&narrow, &wide), "{narrow:?} {wide:?}");
        }
    }

    #[test]
    fn two_ways_to_say_one_thing_take_each_other() {
        let (plain, roundabout) = (tagged(Matcher::Exists(true)), tagged(not(Matcher::Exists(false))));
        assert!(takes_all(&plain, &roundabout) && takes_all(&roundabout, &plain));
    }

    #[test]
    fn a_number_equals_more_than_its_text() {
        assert!(!takes_all(&tagged(is("5")), &tagged(is(5))));
        assert!(!takes_all(&tagged(regex("^5$")), &tagged(is(5))));
    }

    #[test]
    fn more_keys_match_less() {
        let wide = Match { keep_alive: Some(true), ..Match::default() };
        let narrow = Match { regions: Some(vec!["eu".into()]), ..wide.clone() };
        assert!(takes_all(&Selector::Match(wide.clone()), &Selector::Match(narrow.clone())));
        assert!(!takes_all(&Selector::Match(narrow), &Selector::Match(wide)));
    }

    #[test]
    fn each_alternative_has_to_be_taken() {
        let kept = |keep_alive| Match { keep_alive: Some(keep_alive), ..Match::default() };
        let region = |name: &str| Match { regions: Some(vec![name.into()]), ..Match::default() };
        let any = |any| Selector::Match(Match { any, ..Match::default() });
        assert!(takes_all(&any(vec![kept(true), region("eu")]), &any(vec![region("eu"), kept(true)])));
        assert!(!takes_all(&any(vec![kept(true)]), &any(vec![region("eu"), kept(true)])));
    }

    #[test]
    fn an_exclusion_takes_what_lies_apart_from_it() {
        let excluding = |inner| Selector::Match(Match { not: Some(Box::new(inner)), ..Match::default() });
        let kept = |keep_alive| Match { keep_alive: Some(keep_alive), ..Match::default() };
        assert!(takes_all(&excluding(kept(true)), &Selector::Match(kept(false))));
        assert!(!takes_all(&excluding(kept(true)), &Selector::Match(kept(true))));
        let narrower = Match { regions: Some(vec!["eu".into()]), ..kept(true) };
        assert!(takes_all(&excluding(narrower.clone()), &excluding(kept(true))));
        assert!(!takes_all(&excluding(kept(true)), &excluding(narrower)));
    }

    #[test]
    fn a_window_takes_only_what_is_bound_to_the_same_one() {
        let window = |hour| Window { days: [true; 7], from: time(hour, 0, 0, 0), to: Some(time(6, 0, 0, 0)), time_zone: TimeZone::UTC };
        let within = |hour| Match { window: Some(window(hour)), ..Match::default() };
        let plain = Match { keep_alive: Some(true), ..Match::default() };
        let narrower = Selector::Match(Match { keep_alive: Some(true), ..within(20) });
        assert!(takes_all(&Selector::Match(within(20)), &narrower) && takes_all(&Selector::Match(plain.clone()), &narrower));
        assert!(!takes_all(&narrower, &Selector::Match(plain)) && !takes_all(&Selector::Match(within(21)), &narrower));
        assert!(takes_all(&Selector::Match(within(6)), &Selector::All), "this one never closes");
        let outside = |hour| Selector::Match(Match { not: Some(Box::new(within(hour))), ..Match::default() });
        assert!(takes_all(&outside(20), &outside(20)) && !takes_all(&outside(20), &outside(21)));
        assert!(!takes_all(&outside(20), &narrower) && !takes_all(&narrower, &outside(20)));
    }

    #[test]
    fn an_exclusion_takes_whatever_a_key_keeps_apart_from_it() {
        let excluding = |inner| Selector::Match(Match { not: Some(Box::new(inner)), ..Match::default() });
        let apart = [
            (Match { accounts: Some(vec!["a".into()]), ..Match::default() }, Match { accounts: Some(vec!["b".into()]), ..Match::default() }),
            (
                Match { providers: Some(vec![Provider::Browserbase]), ..Match::default() },
                Match { providers: Some(vec![Provider::BrowserUse]), ..Match::default() },
            ),
            (Match { kinds: Some(vec![Kind::Agent]), ..Match::default() }, Match { kinds: Some(vec![Kind::Browser]), ..Match::default() }),
            (Match { regions: Some(vec!["eu".into()]), ..Match::default() }, Match { regions: Some(vec!["us".into()]), ..Match::default() }),
        ];
        for (excluded, other) in apart {
            assert!(takes_all(&excluding(excluded.clone()), &Selector::Match(other.clone())), "{excluded:?} {other:?}");
            assert!(!takes_all(&excluding(excluded.clone()), &Selector::Match(excluded.clone())), "{excluded:?}");
            assert!(!takes_all(&excluding(excluded.clone()), &Selector::Match(Match { keep_alive: Some(true), ..Match::default() })), "{excluded:?}");
        }
    }

    #[test]
    fn an_exclusion_takes_what_a_tag_excludes_as_well() {
        let with = |matcher| Match { metadata: BTreeMap::from([("env".to_owned(), matcher)]), ..Match::default() };
        let excluding = |matcher| Selector::Match(Match { not: Some(Box::new(with(matcher))), ..Match::default() });
        assert!(takes_all(&excluding(is("ci")), &tagged(not(is("ci")))));
        assert!(takes_all(&excluding(is("ci")), &tagged(Matcher::AnyOf(vec![is("cd"), is("production")]))));
        assert!(!takes_all(&excluding(is("ci")), &tagged(not(is("cd")))));
        assert!(!takes_all(&excluding(is("ci")), &tagged(Matcher::AnyOf(vec![is("ci"), is("cd")]))));
    }

    #[test]
    fn what_is_said_roundabout_is_understood() {
        let pairs = [
            (not(is("ci")), not(Matcher::AnyOf(vec![is("ci"), is("cd")]))),
            (Matcher::Exists(false), not(Matcher::Exists(true))),
            (is("true"), is(true)),
            (is(true), is("true")),
            (not(is(true)), is("ci")),
            (not(Matcher::AnyOf(vec![is("ci"), is("cd")])), is("production")),
            (not(not(is("ci"))), is("ci")),
        ];
        for (wide, narrow) in pairs {
            assert!(takes_all(&tagged(wide.clone()), &tagged(narrow.clone())), "{wide:?} {narrow:?}");
        }
        assert!(!takes_all(&tagged(is("false")), &tagged(is(true))));
        assert!(!takes_all(&tagged(Matcher::Exists(false)), &tagged(not(is("ci")))));
    }

    fn value() -> impl Strategy<Value = Value> {
        prop::sample::select(vec![
            json!("5"),
            json!(5),
            json!(5.0),
            json!("5.0"),
            json!(true),
            json!("true"),
            json!("ci"),
            json!(["ci"]),
            json!(null),
        ])
    }

    fn matcher() -> impl Strategy<Value = Matcher> {
        let scalar = value().prop_filter("a scalar", |value| scalar_text(value).is_some()).prop_map(Matcher::Equals);
        let pattern = prop::sample::select(vec!["5*", "*", "ci", "t*e"]).prop_map(glob);
        let expression = prop::sample::select(vec!["^5$", "i", "."]).prop_map(regex);
        let plain = prop_oneof![3 => scalar, 1 => pattern, 1 => expression, 1 => any::<bool>().prop_map(Matcher::Exists)];
        plain.prop_recursive(3, 8, 3, |inner| {
            prop_oneof![prop::collection::vec(inner.clone(), 1..3).prop_map(Matcher::AnyOf), inner.prop_map(|inner| Matcher::Not(Box::new(inner)))]
        })
    }

    fn some<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>) -> impl Strategy<Value = Option<Vec<T>>> {
        let most = values.len();
        prop::option::weighted(0.2, prop::sample::subsequence(values, 1..=most))
    }

    fn window() -> impl Strategy<Value = Window> {
        let nights = Window { days: [true; 7], from: time(20, 0, 0, 0), to: Some(time(6, 0, 0, 0)), time_zone: TimeZone::UTC };
        let weekdays = Window { days: [true, true, true, true, true, false, false], ..nights.clone() };
        let always = Window { from: time(6, 0, 0, 0), ..nights.clone() };
        prop::sample::select(vec![nights, weekdays, always])
    }

    fn flat() -> impl Strategy<Value = Match> {
        let accounts = some(vec![AccountName::from("a"), AccountName::from("b")]);
        let regions = some(vec![Arc::<str>::from("eu"), Arc::from("us")]);
        let metadata = prop::collection::btree_map(prop::sample::select(vec!["x".to_owned(), "y".to_owned()]), matcher(), 0..2);
        (
            accounts,
            some(Provider::ALL.to_vec()),
            some(Kind::ALL.to_vec()),
            regions,
            prop::option::weighted(0.3, any::<bool>()),
            metadata,
            prop::option::weighted(0.3, window()),
        )
            .prop_map(|(accounts, providers, kinds, regions, keep_alive, metadata, window)| Match {
                accounts,
                providers,
                kinds,
                regions,
                keep_alive,
                metadata,
                window,
                ..Match::default()
            })
    }

    fn keys() -> impl Strategy<Value = Match> {
        flat().prop_recursive(2, 6, 2, |inner| {
            (flat(), prop::option::weighted(0.4, inner.clone()), prop::collection::vec(inner, 0..3)).prop_map(|(flat, not, any)| Match {
                not: not.map(Box::new),
                any,
                ..flat
            })
        })
    }

    fn session() -> impl Strategy<Value = Session> {
        let tags = prop::collection::btree_map(prop::sample::select(vec!["x".to_owned(), "y".to_owned()]), value(), 0..3);
        let metadata = prop_oneof![
            5 => tags.prop_map(|tags| Metadata::Tags(tags.into_iter().collect())),
            1 => Just(Metadata::Unreadable { found: "a list" }),
        ];
        let region = prop::option::of(prop::sample::select(vec!["eu", "us", "ap"]));
        (prop::sample::select(Kind::ALL.to_vec()), region, prop::option::of(any::<bool>()), metadata)
            .prop_map(|(kind, region, keep_alive, metadata)| Session { kind, region: region.map(Into::into), keep_alive, metadata, ..blank() })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_500))]

        #[test]
        fn what_fits_the_later_never_passes_the_earlier(
            earlier in keys(),
            later in keys(),
            sessions in prop::collection::vec(session(), 24),
            account in prop::sample::select(vec!["a", "b", "c"]),
            provider in prop::sample::select(Provider::ALL.to_vec()),
            hour in 0..7 * 24_i64,
        ) {
            // The pairs that are related by how they were made are those that a wrong step would show in.
            let narrower = Match { any: vec![earlier.clone(), later.clone()], ..Match::default() };
            for (first, second) in [(&earlier, &later), (&earlier, &narrower), (&narrower, &later), (&later, &earlier)] {
                let (earlier, later) = (Selector::Match(first.clone()), Selector::Match(second.clone()));
                if takes_all(&earlier, &later) {
                    let account = AccountName::from(account);
                    let occasion = Occasion { account: &account, provider, at: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour) };
                    for session in &sessions {
                        if later.fit(session, occasion) == Fit::Yes {
                            prop_assert_ne!(earlier.fit(session, occasion), Fit::No, "{:?}\n{:?}\n{:?}", earlier, later, session);
                        }
                    }
                }
            }
        }

        #[test]
        fn matchers_that_imply_one_another_do(fact in matcher(), wanted in matcher(), found in prop::option::of(value())) {
            let tags = found.map(|found| ("env".to_owned(), found)).into_iter().collect();
            let session = |metadata| Session { metadata, ..blank() };
            let (fact, wanted) = (tagged(fact), tagged(wanted));
            let account = AccountName::from("a");
            let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: Timestamp::UNIX_EPOCH };
            let session = session(Metadata::Tags(tags));
            if takes_all(&wanted, &fact) && fact.fit(&session, occasion) == Fit::Yes {
                prop_assert_eq!(wanted.fit(&session, occasion), Fit::Yes, "{:?}\n{:?}\n{:?}", wanted, fact, session);
            }
        }
    }

    fn blank() -> Session {
        Session {
            id: SessionId::from("s"),
            kind: Kind::Session,
            status: Status::new("RUNNING", Phase::Running),
            created_at: Timestamp::UNIX_EPOCH,
            started_at: None,
            expires_at: None,
            ended_at: None,
            region: None,
            keep_alive: None,
            keep_alive_unlearnt: false,
            project: None,
            proxy_bytes: None,
            sign: Sign::Nothing,
            metadata: Metadata::default(),
            parts: crate::domain::session::Parts::default(),
        }
    }
}
