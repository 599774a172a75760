//! One session's own view: the whole of `explain`, and what the books have of its releases.

use askama::Template;
use serde_json::Value;

use super::Frame;
use super::list::{Left, Skews, left};
use super::words::{self, When};
use crate::domain::release::Release;
use crate::domain::time::{Timestamp, seconds};
use crate::domain::verdict::Limit;
use crate::domain::view::{Change, EvidenceView, Explanation, HoldView, KeyCheck, LimitCheck, PolicyCheck, SessionView, ShadowView};

/// `/sessions/ACCOUNT/ID`.
#[derive(Clone, Debug, Template)]
#[template(path = "session.html")]
pub struct View {
    frame: Frame,
    account: String,
    id: String,
    live: Option<Live>,
    releases: Vec<Past>,
}

/// What is known of a session that lives.
#[derive(Clone, Debug)]
struct Live {
    facts: Vec<Fact>,
    verdict: &'static str,
    hold: Option<&'static str>,
    release: Option<&'static str>,
    reason: String,
    deadline: Option<When>,
    left: Option<Left>,
    metadata: String,
    policies: Vec<Policy>,
    limits: Vec<Allowed>,
    last_active: Option<When>,
    evidence: Vec<Heard>,
    holds: Vec<Held>,
    shadows: Vec<Shadow>,
}

/// A name with a text or an instant.
#[derive(Clone, Debug)]
struct Fact {
    name: &'static str,
    text: String,
    when: Option<When>,
}

#[derive(Clone, Debug)]
struct Policy {
    name: String,
    fits: &'static str,
    governs: bool,
    /// It only looks on, though it fits.
    shadow: bool,
    keys: Vec<Key>,
}

#[derive(Clone, Debug)]
struct Key {
    name: String,
    expected: String,
    found: String,
    fits: &'static str,
    note: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Allowed {
    limit: &'static str,
    value: String,
    from: String,
    since: Option<When>,
    deadline: Option<When>,
    /// How the two go together.
    sum: &'static str,
    note: Option<String>,
}

#[derive(Clone, Debug)]
struct Heard {
    asked: &'static str,
    at: Option<When>,
    answer: Option<&'static str>,
    since: Option<When>,
    said: String,
}

#[derive(Clone, Debug)]
struct Held {
    hold: &'static str,
    reason: String,
    until: Option<When>,
}

#[derive(Clone, Debug)]
struct Shadow {
    policy: String,
    verdict: &'static str,
    limit: Option<&'static str>,
    deadline: Option<When>,
    change: &'static str,
    reason: String,
}

/// A release of it, this life's or an earlier one's.
#[derive(Clone, Debug)]
struct Past {
    outcome: &'static str,
    facts: Vec<Fact>,
    metadata: String,
}

impl View {
    /// Nothing where it neither lives nor was ever released: nobody knows it.
    pub fn new(
        frame: Frame,
        account: &str,
        id: &str,
        live: Option<&Explanation>,
        releases: &[Release],
        skews: &Skews,
        now: Timestamp,
    ) -> Option<Self> {
        let releases: Vec<Past> = releases.iter().filter(|release| release.account.as_str() == account).map(|release| past(release, now)).collect();
        let live = live.map(|found| shown(found, skews, now));
        (live.is_some() || !releases.is_empty()).then(|| Self { frame, account: account.to_owned(), id: id.to_owned(), live, releases })
    }
}

fn shown(found: &Explanation, skews: &Skews, now: Timestamp) -> Live {
    let session = &found.session;
    Live {
        facts: facts(session, now),
        verdict: session.verdict.as_str(),
        hold: session.hold.map(|hold| hold.as_str()),
        release: session.release.map(|outcome| outcome.as_str()),
        reason: session.reason.clone(),
        deadline: When::maybe(session.deadline, now),
        left: left(session, now, skews),
        metadata: words::whole(&session.metadata),
        policies: found.policies.iter().map(|check| policy(check, &session.shadows)).collect(),
        limits: found.limits.iter().map(|limit| allowed(limit, now)).collect(),
        last_active: When::maybe(session.last_active_at, now),
        evidence: found.evidence.iter().map(|evidence| heard(evidence, now)).collect(),
        holds: found.holds.iter().map(|hold| held(hold, now)).collect(),
        shadows: session.shadows.iter().map(|view| shadow(view, now)).collect(),
    }
}

fn text(name: &'static str, text: impl Into<String>) -> Fact {
    Fact { name, text: text.into(), when: None }
}

fn instant(name: &'static str, at: Option<Timestamp>, now: Timestamp) -> Option<Fact> {
    Some(Fact { name, text: String::new(), when: Some(When::new(at?, now)) })
}

fn facts(session: &SessionView, now: Timestamp) -> Vec<Fact> {
    let keep_alive = session.keep_alive.map(|keep| text("Keep alive", if keep { "yes" } else { "no" }));
    let facts = [
        Some(text("Account", session.account.as_str())),
        Some(text("Provider", session.provider.as_str())),
        Some(text("Kind", session.kind.as_str())),
        session.browser.as_ref().map(|browser| text("Browser", browser.as_str())),
        Some(text("Status", session.status.as_str())),
        session.region.as_ref().map(|region| text("Region", region.as_str())),
        keep_alive,
        Some(text("Age", words::length(session.age_seconds))),
        instant("Created", Some(session.created_at), now),
        instant("Started", session.started_at, now),
        instant("Ends by itself", session.expires_at, now),
        Some(text("Policy", session.policy.as_ref().map_or("none", |policy| policy.as_str()))),
        session.limit.map(|limit| text("Limit", limit.as_str())),
    ];
    facts.into_iter().flatten().collect()
}

fn policy(check: &PolicyCheck, shadows: &[ShadowView]) -> Policy {
    Policy {
        name: check.name.to_string(),
        fits: fits(check.fits),
        governs: check.governs,
        shadow: shadows.iter().any(|shadow| shadow.policy == check.name),
        keys: check.keys.iter().map(key).collect(),
    }
}

fn key(check: &KeyCheck) -> Key {
    let found = match &check.found {
        Value::Null => "nothing".to_owned(),
        value => words::cut(&words::whole(value), 200),
    };
    let everything = check.key == "match";
    Key {
        name: check.key.clone(),
        expected: check.expected.clone(),
        found: if everything { "everything fits".to_owned() } else { found },
        fits: fits(check.fits),
        note: check.note,
    }
}

const fn fits(fits: Option<bool>) -> &'static str {
    match fits {
        Some(true) => "yes",
        Some(false) => "no",
        None => "undecided",
    }
}

fn allowed(check: &LimitCheck, now: Timestamp) -> Allowed {
    let tag = check.tag.as_ref().filter(|_| check.from == "tag").map(|tag| format!(" {tag}")).unwrap_or_default();
    Allowed {
        limit: check.limit.as_str(),
        value: check.value.clone(),
        from: format!("{}{tag}", check.from),
        since: When::maybe(check.since, now),
        deadline: When::maybe(check.deadline, now),
        sum: match check.limit {
            Limit::MaxAge | Limit::Idle => "since, plus the limit",
            Limit::MaxRunning => "over the count since",
            Limit::Budget => "counted since, spent at",
        },
        note: check.note.clone(),
    }
}

fn heard(evidence: &EvidenceView, now: Timestamp) -> Heard {
    Heard {
        asked: evidence.asked.as_str(),
        at: When::maybe(evidence.asked_at, now),
        answer: evidence.answer,
        since: When::maybe(evidence.at, now),
        said: evidence.said.clone(),
    }
}

fn held(hold: &HoldView, now: Timestamp) -> Held {
    Held { hold: hold.hold.as_str(), reason: hold.reason.clone(), until: When::maybe(hold.until, now) }
}

fn shadow(view: &ShadowView, now: Timestamp) -> Shadow {
    Shadow {
        policy: view.policy.to_string(),
        verdict: view.verdict.as_str(),
        limit: view.limit.map(|limit| limit.as_str()),
        deadline: When::maybe(view.deadline, now),
        change: match view.change {
            Some(Change::WouldRelease) => "would release it now",
            Some(Change::WouldSpare) => "would spare it",
            None => "would change nothing now",
        },
        reason: view.reason.clone(),
    }
}

fn past(release: &Release, now: Timestamp) -> Past {
    let facts = [
        Some(text("Why", release.reason.as_str())),
        Some(text("Policy", release.policy.as_str())),
        Some(text("Limit", release.limit.as_str())),
        instant("Deadline", Some(release.deadline), now),
        instant("Requested", Some(release.requested_at), now),
        Some(text("Overrun", words::short(seconds(release.overrun)))),
        Some(text("Attempts", release.attempts.to_string())),
        instant("Accepted", release.accepted_at, now),
        instant("Confirmed", release.confirmed_at, now),
        instant("Ended", release.ended_at, now),
        instant("Would have ended by itself", release.expires_at, now),
        release.saved_runtime.map(|saved| text("Saved runtime", words::length(seconds(saved)))),
        release.saved_cost.map(|cost| text("Saved cost", words::money(cost, &release.currency))),
        release.fault.as_ref().map(|fault| text("Last fault", fault.as_str())),
    ];
    Past { outcome: release.outcome.as_str(), facts: facts.into_iter().flatten().collect(), metadata: words::whole(&release.metadata) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::activity::Question;
    use crate::domain::fixtures::{at, release, session_view};
    use crate::domain::hold::Hold;
    use crate::domain::time::rfc3339;
    use crate::domain::verdict::VerdictWord;
    use crate::domain::view::Mode;

    fn frame() -> Frame {
        Frame::new(Mode::Enforce, at(0), None, false)
    }

    fn explanation() -> Explanation {
        let session = SessionView {
            verdict: VerdictWord::Due,
            deadline: Some(at(-5_000)),
            hold: Some(Hold::Operator),
            metadata: json!({ "note": "<script>alert(1)</script>", "url": "wss://me:sesame@host" }),
            shadows: vec![ShadowView {
                policy: "trial".into(),
                verdict: VerdictWord::Due,
                limit: Some(Limit::Idle),
                deadline: Some(at(0)),
                change: Some(Change::WouldRelease),
                reason: "idle for 5m".to_owned(),
            }],
            ..session_view("s-1")
        };
        let key = KeyCheck {
            key: "metadata.env".to_owned(),
            expected: "\"ci\"".to_owned(),
            found: json!("wss://me:sesame@host"),
            fits: Some(true),
            note: Some("a note"),
        };
        let limit = LimitCheck {
            limit: Limit::MaxAge,
            value: "20m".to_owned(),
            value_seconds: Some(1_200.0),
            from: "tag",
            tag: Some("ttl".to_owned()),
            since: Some(at(-60_000)),
            deadline: Some(at(-5_000)),
            note: Some("as asked for".to_owned()),
        };
        let hold = HoldView { hold: Hold::Operator, reason: "debugging".to_owned(), until: Some(at(60_000)) };
        Explanation {
            session,
            policies: vec![PolicyCheck { name: "ci".into(), fits: None, governs: true, keys: vec![key] }],
            limits: vec![limit],
            evidence: vec![EvidenceView {
                asked: Question::Logs,
                asked_at: Some(at(0)),
                answer: Some("quiet"),
                at: Some(at(-9_000)),
                said: "nothing since noon".to_owned(),
            }],
            hold: Some(hold.clone()),
            holds: vec![hold],
            release: None,
        }
    }

    #[test]
    fn everything_that_explain_says_is_there() {
        let found = explanation();
        let page = View::new(frame(), "agents", "s-1", Some(&found), &[], &Skews::new(), at(0)).expect("it lives").render().expect("a page");
        for part in [
            "s-1",
            "due",
            "5s ago",
            "undecided",
            "governs",
            "metadata.env",
            "&#34;ci&#34;",
            "a note",
            "20m",
            "tag ttl",
            "as asked for",
            "logs",
            "quiet",
            "nothing since noon",
            "operator",
            "debugging",
            "trial",
            "would release it now",
            "idle for 5m",
            "no policy fits",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("<script>alert") && !page.contains("sesame"), "{page}");
    }

    #[test]
    fn a_session_that_is_over_has_its_releases_and_an_unknown_one_has_no_view() {
        let rows = [Release { fault: Some("503".to_owned()), ..release("s-1", at(0)) }];
        let page = View::new(frame(), "growth", "s-1", None, &rows, &Skews::new(), at(0)).expect("it was released").render().expect("a page");
        for part in ["requested", "older than 20m", "503", "Would have ended by itself"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(View::new(frame(), "agents", "s-1", None, &rows, &Skews::new(), at(0)).is_none(), "another account's");
    }

    #[test]
    fn instants_are_those_of_the_api() {
        let found = explanation();
        let page = View::new(frame(), "agents", "s-1", Some(&found), &[], &Skews::new(), at(0)).expect("it lives").render().expect("a page");
        assert!(page.contains(&rfc3339(at(-60_000))), "{page}");
    }
}
