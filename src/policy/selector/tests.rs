use serde_json::json;

use super::*;
use crate::domain::fixtures::session;

fn globbed(pattern: &str) -> Matcher {
    Matcher::Glob(globset::Glob::new(pattern).expect("a glob").compile_matcher())
}

fn regexed(pattern: &str) -> Matcher {
    Matcher::Regex(regex::Regex::new(pattern).expect("a regex"))
}

fn negated(matcher: Matcher) -> Matcher {
    Matcher::Not(Box::new(matcher))
}

/// Whether a matcher on the key `k` fits a session with these tags.
fn fits(matcher: &Matcher, tags: Value) -> bool {
    match fit(&tag("k", matcher.clone()), &session("a", tags)) {
        Fit::Yes => true,
        Fit::No => false,
        Fit::Undecided { why } => panic!("{why}"),
    }
}

fn tag(key: &str, matcher: Matcher) -> Match {
    Match { metadata: [(key.to_owned(), matcher)].into(), ..Match::default() }
}

/// Fits a session of the account `growth` at Browserbase.
fn fit(keys: &Match, session: &Session) -> Fit {
    let account = "growth".into();
    Selector::Match(keys.clone()).fit(session, Occasion { account: &account, provider: Provider::Browserbase, at: Timestamp::UNIX_EPOCH })
}

fn undecided(fit: &Fit) -> bool {
    matches!(fit, Fit::Undecided { .. })
}

#[test]
fn a_value_equals_as_json_and_a_number_or_boolean_also_equals_its_text() {
    let equal = [
        (json!("ci"), json!("ci")),
        (json!(5), json!("5")),
        (json!("5"), json!(5)),
        (json!(5), json!(5.0)),
        (json!(true), json!("true")),
        (json!("false"), json!(false)),
        (json!(null), json!(null)),
        (json!([1, 2]), json!([1, 2])),
        (json!({ "a": 1 }), json!({ "a": 1 })),
    ];
    for (wanted, found) in equal {
        assert!(fits(&Matcher::Equals(wanted.clone()), json!({ "k": found })), "{wanted} and {found}");
    }
}

#[test]
fn what_is_not_equal_does_not_fit() {
    let different = [
        (json!("ci"), json!("CI")),
        (json!("ci"), json!("ci ")),
        (json!(5), json!("5.0")),
        (json!(1), json!(true)),
        (json!("null"), json!(null)),
        (json!(""), json!(null)),
        (json!([1, 2]), json!([2, 1])),
        (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64)),
    ];
    for (wanted, found) in different {
        assert!(!fits(&Matcher::Equals(wanted.clone()), json!({ "k": found })), "{wanted} and {found}");
    }
    assert!(!fits(&Matcher::Equals(json!("ci")), json!({})));
}

#[test]
fn any_of_a_list_is_enough() {
    let matcher = Matcher::AnyOf(vec![Matcher::Equals(json!("research")), globbed("ml*")]);
    let found = ["research", "mlops", "sales"].map(|team| fits(&matcher, json!({ "k": team })));
    assert_eq!(found, [true, true, false]);
    assert!(!fits(&Matcher::AnyOf(Vec::new()), json!({ "k": 1 })));
}

#[test]
fn a_key_exists_with_whatever_value_null_included() {
    for (tags, there) in [(json!({ "k": null }), true), (json!({ "k": "" }), true), (json!({}), false)] {
        assert_eq!(fits(&Matcher::Exists(true), tags.clone()), there);
        assert_eq!(fits(&Matcher::Exists(false), tags), !there);
    }
}

#[test]
fn globs_and_regexes_read_scalars_as_text() {
    assert!(fits(&globbed("feature/*"), json!({ "k": "feature/x" })));
    assert!(!fits(&globbed("feature/*"), json!({ "k": "main" })));
    assert!(fits(&regexed("^4[0-9]$"), json!({ "k": 42 })));
    for matcher in [globbed("*"), regexed("")] {
        for value in [json!(null), json!(["a"]), json!({ "a": 1 })] {
            assert!(!fits(&matcher, json!({ "k": value })), "{matcher} on {value}");
        }
        assert!(!fits(&matcher, json!({})), "{matcher} on nothing");
    }
}

#[test]
fn not_turns_a_matcher_round_so_that_it_fits_the_untagged_too() {
    let matcher = negated(Matcher::Equals(json!("production")));
    let found = [json!({ "k": "production" }), json!({ "k": "ci" }), json!({})].map(|tags| fits(&matcher, tags));
    assert_eq!(found, [false, true, true]);
}

#[test]
fn a_dotted_path_reaches_into_objects_and_an_exact_key_wins() {
    let nested = session("a", json!({ "ci": { "job": "e2e" } }));
    let both = session("a", json!({ "ci.job": "unit", "ci": { "job": "e2e" } }));
    let keys = tag("ci.job", Matcher::Equals(json!("e2e")));
    assert_eq!((fit(&keys, &nested), fit(&keys, &both)), (Fit::Yes, Fit::No));
}

#[test]
fn every_attribute_must_fit() {
    let one = session("a", json!({}));
    let growth = || Match { accounts: Some(vec!["growth".into()]), ..Match::default() };
    let fitting = [
        growth(),
        Match { providers: Some(vec![Provider::Browserbase]), ..Match::default() },
        Match { kinds: Some(vec![Kind::Agent, Kind::Session]), ..Match::default() },
        Match { regions: Some(vec!["us-west-2".into()]), ..Match::default() },
        Match { keep_alive: Some(true), ..Match::default() },
    ];
    let others = [
        Match { accounts: Some(vec!["sales".into()]), ..Match::default() },
        Match { providers: Some(vec![Provider::BrowserUse]), ..growth() },
        Match { kinds: Some(vec![Kind::Agent]), ..growth() },
        Match { regions: Some(vec!["eu-central-1".into()]), ..growth() },
        Match { keep_alive: Some(false), ..growth() },
    ];
    assert!(fitting.iter().all(|keys| fit(keys, &one) == Fit::Yes));
    assert!(others.iter().all(|keys| fit(keys, &one) == Fit::No));
}

#[test]
fn an_attribute_that_the_provider_does_not_tell_fits_nothing() {
    let silent = Session { region: None, keep_alive: None, ..session("a", json!({})) };
    assert_eq!(fit(&Match { regions: Some(vec!["us-west-2".into()]), ..Match::default() }, &silent), Fit::No);
    assert_eq!(fit(&Match { keep_alive: Some(true), ..Match::default() }, &silent), Fit::No);
    assert_eq!(fit(&Match { keep_alive: Some(false), ..Match::default() }, &silent), Fit::No);
}

#[test]
fn not_and_any_combine_whole_matches() {
    let (ci, dev) = (session("a", json!({ "env": "ci" })), session("b", json!({ "env": "dev" })));
    let is_ci = || tag("env", Matcher::Equals(json!("ci")));
    let not_ci = Match { not: Some(Box::new(is_ci())), ..Match::default() };
    assert_eq!((fit(&not_ci, &ci), fit(&not_ci, &dev)), (Fit::No, Fit::Yes));
    let agents_or_ci = Match { any: vec![Match { kinds: Some(vec![Kind::Agent]), ..Match::default() }, is_ci()], ..Match::default() };
    assert_eq!((fit(&agents_or_ci, &ci), fit(&agents_or_ci, &dev)), (Fit::Yes, Fit::No));
}

#[test]
fn unreadable_metadata_leaves_undecided_what_hangs_on_it_and_nothing_else() {
    let unreadable = session("a", json!("env=ci"));
    let ci = || tag("env", Matcher::Equals(json!("ci")));
    let elsewhere = || Some(vec!["eu-central-1".into()]);
    let here = || Match { keep_alive: Some(true), ..Match::default() };
    for matcher in [Matcher::Equals(json!("ci")), Matcher::Exists(false), negated(Matcher::Equals(json!("ci"))), Matcher::AnyOf(Vec::new())] {
        assert!(undecided(&fit(&tag("env", matcher.clone()), &unreadable)), "{matcher}");
    }
    assert_eq!(fit(&Match { regions: elsewhere(), ..ci() }, &unreadable), Fit::No, "another key says no");
    assert!(undecided(&fit(&Match { not: Some(Box::new(ci())), ..Match::default() }, &unreadable)));
    assert!(undecided(&fit(&Match { any: vec![ci()], ..Match::default() }, &unreadable)));
    assert_eq!(fit(&Match { any: vec![ci(), here()], ..Match::default() }, &unreadable), Fit::Yes, "another alternative says yes");
    let neither = Match { any: vec![ci(), Match { regions: elsewhere(), ..Match::default() }], ..Match::default() };
    assert!(undecided(&fit(&neither, &unreadable)));
    assert_eq!(fit(&here(), &unreadable), Fit::Yes);
}

#[test]
fn a_comparison_shows_each_key_with_what_it_wanted_and_found() {
    let keys = Match {
        keep_alive: Some(true),
        window: Some(nights()),
        metadata: [("env".to_owned(), Matcher::Equals(json!("ci")))].into(),
        not: Some(Box::new(tag("team", Matcher::Exists(true)))),
        ..Match::default()
    };
    let account = "growth".into();
    let noon = Timestamp::UNIX_EPOCH + crate::domain::time::SignedDuration::from_hours(12);
    let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: noon };
    let rows: Vec<String> = Selector::Match(keys)
        .compare(&session("a", json!({ "env": "dev", "team": 7 })), occasion)
        .into_iter()
        .map(|row| format!("{} wants {} found {} {:?}", row.key, row.expected, row.found, row.fit))
        .collect();
    assert_eq!(
        rows,
        [
            "keep_alive wants true found true Yes",
            "metadata.env wants \"ci\" found \"dev\" No",
            "window wants Mon-Sun 20:00 to 06:00 UTC found \"Thu 12:00\" No",
            "not wants not (metadata.team: any value) found null No",
            "not.metadata.team wants any value found 7 Yes",
        ]
    );
}

/// Eight in the evening to six in the morning, in UTC.
fn nights() -> Window {
    let at = |hour| jiff::civil::time(hour, 0, 0, 0);
    Window { days: [true; 7], from: at(20), to: Some(at(6)), time_zone: jiff::tz::TimeZone::UTC }
}

#[test]
fn a_window_fits_by_the_hour_at_any_depth_and_says_when_that_changes() {
    let account = "growth".into();
    let within = || Match { window: Some(nights()), ..Match::default() };
    let outside = Match { not: Some(Box::new(within())), ..Match::default() };
    let either = Match { any: vec![Match { keep_alive: Some(false), ..Match::default() }, within()], ..Match::default() };
    let hour = |hour| Timestamp::UNIX_EPOCH + crate::domain::time::SignedDuration::from_hours(hour);
    for (keys, by_night, by_day) in [(within(), Fit::Yes, Fit::No), (outside, Fit::No, Fit::Yes), (either, Fit::Yes, Fit::No)] {
        let selector = Selector::Match(keys);
        let fit = |at| selector.fit(&session("a", json!({})), Occasion { account: &account, provider: Provider::Browserbase, at });
        assert_eq!([fit(hour(5)), fit(hour(6)), fit(hour(19)), fit(hour(20))], [by_night.clone(), by_day.clone(), by_day, by_night]);
        assert_eq!([selector.next_change(hour(0)), selector.next_change(hour(6))], [Some(hour(6)), Some(hour(20))]);
    }
}

#[test]
fn a_match_shows_its_window() {
    let keys = Match { window: Some(nights()), ..tag("env", Matcher::Exists(true)) };
    assert_eq!(keys.to_string(), "metadata.env: any value, window: Mon-Sun 20:00 to 06:00 UTC");
}

#[test]
fn each_attribute_says_what_it_wants_and_what_it_found() {
    let account = AccountName::from("growth");
    let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: Timestamp::UNIX_EPOCH };
    let one = Session { region: Some("eu".into()), keep_alive: Some(true), ..session("a", json!({})) };
    let cases = [
        (Match { accounts: Some(vec!["sales".into()]), ..Match::default() }, "accounts", "sales", json!("growth"), Fit::No),
        (Match { regions: Some(vec!["us".into()]), ..Match::default() }, "regions", "us", json!("eu"), Fit::No),
        (
            Match { accounts: Some(vec!["sales".into(), "growth".into()]), ..Match::default() },
            "accounts",
            "sales or growth",
            json!("growth"),
            Fit::Yes,
        ),
        (Match { providers: Some(vec![Provider::BrowserUse]), ..Match::default() }, "providers", "browser-use", json!("browserbase"), Fit::No),
        (Match { kinds: Some(vec![Kind::Agent]), ..Match::default() }, "kinds", "agent", json!("session"), Fit::No),
        (Match { regions: Some(vec!["eu".into()]), ..Match::default() }, "regions", "eu", json!("eu"), Fit::Yes),
        (Match { keep_alive: Some(false), ..Match::default() }, "keep_alive", "false", json!(true), Fit::No),
    ];
    for (keys, key, expected, found, fit) in cases {
        let shown = format!("{key}: {expected}");
        assert_eq!(keys.to_string(), shown);
        let rows = Selector::Match(keys).compare(&one, occasion);
        assert_eq!(rows, [Compared { key: key.to_owned(), expected: expected.to_owned(), found, fit, note: None }]);
    }
}

#[test]
fn what_is_not_the_sessions_doing_is_noted() {
    let account = AccountName::from("growth");
    let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: Timestamp::UNIX_EPOCH };
    let keys = Selector::Match(Match { metadata: [("env".to_owned(), Matcher::Exists(true))].into(), ..Match::default() });
    let noted = |metadata| keys.compare(&Session { metadata, ..session("a", json!({})) }, occasion)[0].note;
    assert_eq!(noted(Metadata::NotKept), Some("the provider keeps no metadata for this kind of session"));
    assert_eq!(noted(Metadata::Unlearnt { why: "its tasks could not be read" }), Some("its tasks could not be read"));
    assert_eq!(noted(Metadata::default()), None);
}

#[test]
fn matchers_are_one_where_they_say_the_same() {
    let glob = |pattern: &str| Matcher::Glob(globset::Glob::new(pattern).expect("a glob").compile_matcher());
    let regex = |pattern: &str| Matcher::Regex(regex::Regex::new(pattern).expect("a regex"));
    let all = || {
        vec![
            Matcher::Equals(json!("a")),
            Matcher::Equals(json!("b")),
            Matcher::AnyOf(vec![Matcher::Equals(json!("a"))]),
            Matcher::AnyOf(vec![Matcher::Equals(json!("b"))]),
            Matcher::Exists(true),
            Matcher::Exists(false),
            glob("a*"),
            glob("b*"),
            regex("^a"),
            regex("^b"),
            Matcher::Not(Box::new(Matcher::Exists(true))),
            Matcher::Not(Box::new(Matcher::Exists(false))),
        ]
    };
    for (first, one) in all().iter().enumerate() {
        for (second, other) in all().iter().enumerate() {
            assert_eq!(one == other, first == second, "{one:?} {other:?}");
        }
    }
}
