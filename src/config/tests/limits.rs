use serde_json::Value;

use super::*;
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::Order;
use crate::policy::idle::{Idle, WithoutEvidence};
use crate::policy::max_running::MaxRunning;
use crate::policy::per::Per;
use crate::policy::selector::Selector;
use crate::policy::{Limits, Rule};

/// The policies of a configuration with one account.
fn policies(text: &str) -> Vec<Policy> {
    let account = "[[accounts]]\nname = \"a\"\nprovider = \"browserbase\"\napi_key_env = \"BROWSERBASE_API_KEY\"\n";
    loaded(&format!("{account}{text}")).expect("valid").config.policies
}

fn limits(policy: &Policy) -> Limits {
    match &policy.rule {
        Rule::Limits(limits) => limits.clone(),
        Rule::Protect => panic!("{} protects", policy.name),
    }
}

fn zone(name: &str) -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get(name).expect("a zone")
}

#[test]
fn every_limit_means_what_it_says() {
    let policies = loaded(LIMITS).expect("valid").config.policies;
    let sleepy = Limits {
        idle: Some(Idle { limit: SignedDuration::from_mins(10), without_evidence: WithoutEvidence::Release }),
        max_running: Some(MaxRunning { count: 3, per: None, release: Order::Oldest }),
        ..Limits::default()
    };
    assert_eq!(limits(&policies[0]), sleepy);
    assert_eq!(limits(&policies[1]).max_running, Some(MaxRunning { count: 1, per: Some(Per::Kind), release: Order::Idlest }));
    let daily = Budget { allowed: SignedDuration::from_mins(30), per: None, every: Every::Day, time_zone: zone("UTC"), release: Order::Oldest };
    assert_eq!(limits(&policies[2]), Limits { budget: Some(daily), ..Limits::default() });
    let monthly = Budget {
        allowed: SignedDuration::from_hours(1_000_000),
        per: Some(Per::Metadata("owner.team".to_owned())),
        every: Every::Month,
        time_zone: zone("America/New_York"),
        release: Order::Idlest,
    };
    assert_eq!(limits(&policies[4]), Limits { budget: Some(monthly), ..Limits::default() });
    assert_eq!(policies.iter().map(|policy| policy.shadow).collect::<Vec<_>>(), [false, true, false, true, false]);
    assert_eq!(policies[3].rule, Rule::Protect);
}

#[test]
fn idle_without_evidence_keeps_where_nothing_else_is_said_and_every_attribute_counts_apart() {
    let idle = |more: &str| limits(&policies(&format!("[[policies]]\nname = \"p\"\nmatch = \"all\"\nidle = \"5m\"\n{more}"))[0]);
    assert_eq!(idle("").idle.map(|idle| idle.without_evidence), Some(WithoutEvidence::Keep));
    assert_eq!(idle("idle_without_evidence = \"keep\"").idle.map(|idle| idle.without_evidence), Some(WithoutEvidence::Keep));
    for (word, per) in [
        ("provider", Per::Provider),
        ("kind", Per::Kind),
        ("region", Per::Region),
        ("keep_alive", Per::KeepAlive),
        ("metadata.a b", Per::Metadata("a b".to_owned())),
    ] {
        let found = idle(&format!("max_running = {{ count = 1, per = {word:?} }}\n")).max_running.and_then(|limit| limit.per);
        assert_eq!(found, Some(per), "{word}");
    }
}

#[test]
fn a_window_means_what_it_says_at_any_depth() {
    let shown: Vec<String> = loaded(LIMITS).expect("valid").config.policies.iter().map(|policy| format!("{:?}", policy.selector)).collect();
    assert!(shown[0].contains("days: [false, false, false, false, false, true, true]"), "{}", shown[0]);
    let window =
        |keys: &str| match &policies(&format!("[[policies]]\nname = \"p\"\nmatch = {{ window = {{ {keys} }} }}\nmax_age = \"1h\"\n"))[0].selector {
            Selector::Match(keys) => keys.window.as_ref().expect("a window").to_string(),
            Selector::All => panic!("a match"),
        };
    for (keys, shown) in [
        ("", "Mon-Sun 00:00 to 24:00 UTC"),
        ("days = \"Sat,Sun\"", "Sat,Sun 00:00 to 24:00 UTC"),
        ("from = \"20:00\", to = \"06:30\", time_zone = \"europe/london\"", "Mon-Sun 20:00 to 06:30 Europe/London"),
        ("from = \"20:00\", to = \"00:00\"", "Mon-Sun 20:00 to 24:00 UTC"),
        ("from = \"00:00\", to = \"24:00\"", "Mon-Sun 00:00 to 24:00 UTC"),
    ] {
        assert_eq!(window(keys), shown, "{keys}");
    }
}

/// A tree as TOML writes it in one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(keys) => {
            format!("{{ {} }}", keys.iter().map(|(key, value)| format!("{key:?} = {}", inline(value))).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        scalar => scalar.to_string(),
    }
}

#[test]
fn what_is_shown_as_in_force_means_the_same_when_it_is_written_out() {
    for text in [EXAMPLE, LIMITS] {
        let first = loaded(text).expect("valid");
        let more = ["policies", "accounts"].map(|key| format!("{key} = {}\n", inline(&first.effective[key])));
        assert_eq!(loaded(&more.concat()).expect("valid").config.policies, first.config.policies);
    }
    let Loaded { effective: shown, provenance, .. } = loaded(LIMITS).expect("valid");
    let from = |key: &str| provenance.iter().find(|shown| shown.key == key).map(|shown| (shown.value.as_str(), shown.from.as_str()));
    assert_eq!(from("policies[2].match.any[1].window.days"), Some(("\"Mon-Sun\"", "default")));
    assert_eq!(from("policies[0].max_running.release"), Some(("\"oldest\"", "default")));
    let window = &shown["policies"][0]["match"]["not"]["window"];
    assert_eq!([&window["from"], &window["to"], &window["time_zone"]], ["00:00", "24:00", "UTC"]);
    assert_eq!(shown["policies"][2]["match"]["any"][1]["window"]["days"], "Mon-Sun");
    assert_eq!([&shown["policies"][2]["budget"]["release"], &shown["policies"][2]["budget"]["time_zone"]], ["oldest", "UTC"]);
    assert_eq!(shown["policies"][2].get("idle_without_evidence"), None, "it has no idle");
}

/// What is worth a warning in these lines of a policy and, before it, of the whole.
fn warnings(top: &str, policy: &str) -> Vec<String> {
    let account = "accounts = [{ name = \"a\", provider = \"browserbase\", api_key_env = \"BROWSERBASE_API_KEY\" }]";
    loaded(&format!("{account}\n{top}\n[[policies]]\nname = \"p\"\n{policy}\n")).expect("valid").warnings
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_warned_of() {
    let all = |keys: &str| format!("match = \"all\"\n{keys}");
    let idle = ["policies[0].idle: 59s is below guardrails.min_age = 1m, which holds these sessions until then"];
    assert_eq!(warnings("", &all("idle = \"59s\"")), idle);
    assert_eq!(warnings("", &all("idle = \"60s\"")), [""; 0]);
    for (every, enough, too_short) in [("day", "1d", "23h"), ("week", "7d", "6d"), ("month", "31d", "30d")] {
        let budget = all(&format!("budget = {{ browser_hours = 1, every = {every:?} }}"));
        let kept = |retention: &str| warnings(&format!("store.retention = {retention:?}"), &budget);
        let told =
            format!("policies[0].budget.every: a {every} is longer than store.retention = {too_short}: what was spent before that is not counted");
        assert_eq!((kept(enough), kept("0s"), kept(too_short)), (vec![], vec![], vec![told]));
    }
    let shadow = ["every policy with limits is a shadow: nothing is ever released"];
    assert_eq!(warnings("", &all("max_age = \"1h\"\nshadow = true")), shadow);
    assert_eq!(warnings("", &all("protect = true\nshadow = true")), [""; 0]);
    let open = ["policies[0].match.not.window: a window that never closes: it fits at all times"];
    assert_eq!(warnings("", "match = { not = { window = { from = \"00:00\", to = \"24:00\" } } }\nmax_age = \"1h\""), open);
}

#[test]
fn a_policy_behind_a_shadow_or_another_window_can_govern() {
    let policy = |name: &str, keys: &str| format!("[[policies]]\nname = {name:?}\nmax_age = \"1h\"\n{keys}\n");
    let all = "match = \"all\"\n";
    let shadows = policy("a", &format!("{all}shadow = true")) + &policy("b", &format!("{all}shadow = true")) + &policy("c", all);
    assert_eq!(policies(&shadows).len(), 3);
    let window = |from: &str| format!("match = {{ window = {{ from = {from:?}, to = \"06:00\" }} }}");
    assert_eq!(policies(&(policy("a", &window("20:00")) + &policy("b", &window("21:00")))).len(), 2);
}
