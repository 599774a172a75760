//! The order of precedence as a full matrix: every combination of what may be so of a session, against the order as it is written down.

use super::*;
use crate::domain::activity::{Finding, Heard};
use crate::policy::budget::{Budget, Every};
use crate::policy::crowd::Order;
use crate::policy::idle::{Idle, WithoutEvidence};
use crate::policy::max_running::MaxRunning;
use crate::policy::per::Group;

/// Ten minutes past noon, when everything is judged.
fn now() -> Timestamp {
    later(at(0), mins(10))
}

/// How the session stands to the policies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    UnknownStatus,
    /// A match in front that hangs on metadata which cannot be read.
    Undecided,
    Unmatched,
    Protected,
    Pending,
    Governed,
}

/// What `max_age` says, by the policy's own length and by what the session's tag asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Age {
    No,
    Due,
    Coming,
    /// Due by the policy, and the tag asks for more.
    Longer,
    /// The tag asks for more than the ceiling, which has passed.
    Ceiling,
    /// Coming by the policy, and the tag asks for less.
    Shorter,
    /// The tag is no duration: the policy's length holds.
    Unreadable,
    /// The tags could not be asked for.
    Unlearnt,
}

/// What is known of idleness, and what the policy makes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quiet {
    No,
    Proven,
    /// Used too recently.
    Used,
    /// May be idle, and nobody has asked.
    Open,
    SeenOnce,
    NoEvidence,
    NoEvidenceMeansIdle,
    Failed,
    FailedAndNoEvidenceMeansIdle,
}

/// What a limit on the crowd says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Crowd {
    No,
    Within,
    Broken,
}

const PLACES: [Place; 6] = [Place::UnknownStatus, Place::Undecided, Place::Unmatched, Place::Protected, Place::Pending, Place::Governed];
const AGES: [Age; 8] = [Age::No, Age::Due, Age::Coming, Age::Longer, Age::Ceiling, Age::Shorter, Age::Unreadable, Age::Unlearnt];
const QUIETS: [Quiet; 9] = [
    Quiet::No,
    Quiet::Proven,
    Quiet::Used,
    Quiet::Open,
    Quiet::SeenOnce,
    Quiet::NoEvidence,
    Quiet::NoEvidenceMeansIdle,
    Quiet::Failed,
    Quiet::FailedAndNoEvidenceMeansIdle,
];
const CROWDS: [Crowd; 3] = [Crowd::No, Crowd::Within, Crowd::Broken];

#[derive(Clone, Copy, Debug)]
struct Case {
    place: Place,
    age: Age,
    quiet: Quiet,
    running: Crowd,
    budget: Crowd,
    /// A shadow policy that would take everything stands in front.
    shadowed: bool,
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for place in PLACES {
        for age in AGES {
            for quiet in QUIETS {
                for running in CROWDS {
                    for budget in CROWDS {
                        all.extend([false, true].map(|shadowed| Case { place, age, quiet, running, budget, shadowed }));
                    }
                }
            }
        }
    }
    all
}

/// The order as it is written down: the word, and of a due session the limit.
fn written(case: Case) -> (&'static str, Option<Limit>) {
    let no_limit = case.age == Age::No && case.quiet == Quiet::No && case.running == Crowd::No && case.budget == Crowd::No;
    match case.place {
        Place::UnknownStatus | Place::Undecided => return ("unknown", None),
        Place::Unmatched => return ("unmatched", None),
        Place::Protected => return ("protected", None),
        Place::Pending => return ("keep", None),
        Place::Governed if case.age == Age::Unlearnt => return ("unknown", None),
        Place::Governed if no_limit => return ("keep", None),
        Place::Governed => {}
    }
    // In the order of their deadlines: two, three, four and five minutes past.
    let broken = [
        (Limit::Idle, matches!(case.quiet, Quiet::Proven | Quiet::NoEvidenceMeansIdle)),
        (Limit::MaxRunning, case.running == Crowd::Broken),
        (Limit::Budget, case.budget == Crowd::Broken),
        (Limit::MaxAge, matches!(case.age, Age::Due | Age::Ceiling | Age::Shorter | Age::Unreadable)),
    ];
    if let Some((limit, _)) = broken.into_iter().find(|(_, broken)| *broken) {
        return ("due", Some(limit));
    }
    let open_end = matches!(case.age, Age::Coming | Age::Longer);
    let undecided = matches!(case.quiet, Quiet::NoEvidence | Quiet::Failed | Quiet::FailedAndNoEvidenceMeansIdle);
    if undecided && !open_end { ("unknown", None) } else { ("keep", None) }
}

fn max_age(age: Age) -> Option<MaxAge> {
    let limit = match age {
        Age::No => return None,
        Age::Coming | Age::Shorter => mins(30),
        Age::Due | Age::Longer | Age::Ceiling | Age::Unreadable | Age::Unlearnt => mins(5),
    };
    let tag = matches!(age, Age::Longer | Age::Ceiling | Age::Shorter | Age::Unreadable | Age::Unlearnt).then(|| "ttl".to_owned());
    Some(MaxAge { limit, tag, ceiling: (age == Age::Ceiling).then(|| mins(5)) })
}

fn metadata(case: Case) -> Metadata {
    let ttl = match case.age {
        Age::Unlearnt => return Metadata::Unlearnt { why: "they could not be read" },
        Age::Longer | Age::Ceiling => json!({ "ttl": "30m" }),
        Age::Shorter => json!({ "ttl": "5m" }),
        Age::Unreadable => json!({ "ttl": "soon" }),
        _ => json!({}),
    };
    if case.place == Place::Undecided { Metadata::Unreadable { found: "a list" } } else { Metadata::from_json(Some(ttl)) }
}

fn policies_of(case: Case) -> Vec<Policy> {
    let idle = |without_evidence| Some(Idle { limit: mins(2), without_evidence });
    let limits = Limits {
        max_age: max_age(case.age),
        idle: match case.quiet {
            Quiet::No => None,
            Quiet::NoEvidenceMeansIdle | Quiet::FailedAndNoEvidenceMeansIdle => idle(WithoutEvidence::Release),
            _ => idle(WithoutEvidence::Keep),
        },
        max_running: (case.running != Crowd::No).then_some(MaxRunning { count: 1, per: None, release: Order::Oldest }),
        budget: (case.budget != Crowd::No).then(|| Budget {
            allowed: mins(60),
            per: None,
            every: Every::Day,
            time_zone: jiff::tz::TimeZone::UTC,
            release: Order::Oldest,
        }),
        warn_before: None,
    };
    let everything = |name: &str, rule, shadow| Policy { name: name.into(), selector: Selector::All, rule, shadow };
    let front = match case.place {
        Place::Undecided => Some(protect("front", tagged("env", json!("production")))),
        Place::Protected => Some(protect("front", Selector::All)),
        _ => None,
    };
    let elsewhere = Selector::Match(Match { accounts: Some(vec!["elsewhere".into()]), ..Match::default() });
    let own = if case.place == Place::Unmatched { elsewhere } else { Selector::All };
    let shadow = case.shadowed.then(|| everything("shadow", Rule::Limits(Limits { max_age: max_age(Age::Due), ..Limits::default() }), true));
    let limited = Policy { name: "own".into(), selector: own, rule: Rule::Limits(limits), shadow: false };
    let last = everything("last", Rule::Limits(Limits { max_age: max_age(Age::Due), ..Limits::default() }), false);
    let rest = (case.place != Place::Unmatched).then_some(last);
    shadow.into_iter().chain(front).chain([limited]).chain(rest).collect()
}

fn activity(quiet: Quiet) -> Activity {
    let asked = |finding| Some(Heard { asked_at: later(now(), mins(-1)), finding, failures: 9, testimonies: Vec::new() });
    let used = |minute| Some(later(at(0), mins(minute)));
    let seen = Activity { first_seen: Some(at(0)), sightings: 2, last_active: used(0), ..Activity::default() };
    match quiet {
        Quiet::No | Quiet::Open => seen,
        Quiet::Proven => Activity { heard: asked(Finding::Quiet), ..seen },
        Quiet::Used => Activity { last_active: used(9), heard: asked(Finding::Quiet), ..seen },
        Quiet::SeenOnce => Activity { sightings: 1, ..seen },
        Quiet::NoEvidence | Quiet::NoEvidenceMeansIdle => Activity { heard: asked(Finding::Nothing), ..seen },
        Quiet::Failed | Quiet::FailedAndNoEvidenceMeansIdle => Activity { heard: asked(Finding::Failed), ..seen },
    }
}

fn crowds(case: Case) -> Crowds {
    let mut crowds = Crowds::default();
    if case.running == Crowd::Broken {
        crowds.over.insert(("own".into(), "a".into()), later(at(0), mins(3)));
    }
    if case.budget == Crowd::Broken {
        crowds.spent.insert(("own".into(), Group(None)), later(at(0), mins(4)));
    }
    crowds
}

fn judgement(case: Case, beside: Option<&PolicyName>) -> Judgement {
    let phase = match case.place {
        Place::UnknownStatus => Phase::Unknown,
        Place::Pending => Phase::Pending,
        _ => Phase::Running,
    };
    let session = in_phase(phase, Session { metadata: metadata(case), ..session("a", json!({})) });
    let (activity, crowds, account) = (activity(case.quiet), crowds(case), account());
    let occasion = Occasion { account: &account, provider: Provider::Browserbase, at: now() };
    judge(&Subject { session: &session, activity: &activity, crowds: &crowds, occasion }, &policies_of(case), beside)
}

#[test]
fn every_combination_is_judged_as_the_order_says() {
    let cases = cases();
    for case in &cases {
        let judgement = judgement(*case, None);
        let limit = judgement.verdict.falls_due().filter(|deadline| deadline.at <= now()).map(|deadline| deadline.limit);
        assert_eq!((judgement.verdict.word(now()).as_str(), limit), written(*case), "{case:?}");
        if limit.is_some() {
            assert_eq!(judgement.verdict.deadline().map(|deadline| deadline.limit), limit, "the deadline that is shown: {case:?}");
        }
        if judgement.ask_at.is_some() {
            assert!(case.place == Place::Governed && case.quiet != Quiet::No && case.quiet != Quiet::SeenOnce, "nobody wants to know: {case:?}");
            assert_ne!(written(*case).0, "due", "a due session needs no evidence: {case:?}");
        }
        if case.place == Place::Governed && case.quiet == Quiet::Open && written(*case).0 == "keep" {
            assert_eq!(judgement.ask_at, Some(later(at(0), mins(2))), "{case:?}");
        }
    }
    assert_eq!(cases.len(), 6 * 8 * 9 * 3 * 3 * 2);
}

#[test]
fn a_shadow_policy_is_judged_where_it_stands_and_changes_nothing_for_the_others() {
    for case in cases().into_iter().filter(|case| case.shadowed) {
        let beside = judgement(case, Some(&"shadow".into()));
        let governed = !matches!(case.place, Place::UnknownStatus);
        let expected = match case.place {
            Place::UnknownStatus => "unknown",
            Place::Pending => "keep",
            _ => "due",
        };
        assert_eq!(beside.verdict.word(now()).as_str(), expected, "{case:?}");
        assert_eq!(beside.verdict.policy().is_some_and(|policy| policy.as_str() == "shadow"), governed, "{case:?}");
        assert_eq!(judgement(case, None), judgement(Case { shadowed: false, ..case }, None), "{case:?}");
    }
}
