//! Policies of any kind on a session with any metadata, at any instant.

mod drawn;

use session_reaper::domain::activity::Activity;
use session_reaper::domain::name::{AccountName, Provider};
use session_reaper::domain::session::{Metadata, Phase, Session};
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::domain::verdict::{Verdict, VerdictWord};
use session_reaper::policy::crowd::Crowds;
use session_reaper::policy::selector::{Compared, Fit, Selector};
use session_reaper::policy::subsume::takes_all;
use session_reaper::policy::{Judgement, Occasion, Policy, Rule, Subject, judge};

use super::cut::Cut;

/// A key that no input can name: its letters are more than an input's texts may have.
const STRANGE_KEY: &str = "a key that no policy of an input can name";

/// One session as it is judged.
struct Case {
    policies: Vec<Policy>,
    session: Session,
    activity: Activity,
    crowds: Crowds,
    account: AccountName,
    provider: Provider,
    now: Timestamp,
}

/// Bytes are cut into policies, a session, and what is known of it; what is left of them is the session's metadata, as JSON.
pub fn policy(input: &[u8]) -> Judgement {
    let case = drawn::case(&mut Cut(input));
    let judgement = case.judged(&case.session, &case.policies, case.now);
    only_a_running_session_that_a_limit_governs_is_due(&case, &judgement);
    a_protection_in_front_protects(&case);
    what_no_policy_names_changes_nothing(&case, &judgement);
    it_stands_until_its_recheck(&case, &judgement);
    case.policies.iter().for_each(|policy| windows_turn_before_and_after(&policy.selector, case.now));
    case.policies.iter().for_each(|policy| rows_tell_whether_it_fits(&case, &policy.selector));
    case.policies.windows(2).for_each(|pair| nothing_passes_what_takes_all(&case, &pair[0].selector, &pair[1].selector));
    judgement
}

impl Case {
    fn occasion(&self, at: Timestamp) -> Occasion<'_> {
        Occasion { account: &self.account, provider: self.provider, at }
    }

    fn judged(&self, session: &Session, policies: &[Policy], at: Timestamp) -> Judgement {
        judge(&Subject { session, activity: &self.activity, crowds: &self.crowds, occasion: self.occasion(at) }, policies, None)
    }

    fn is_due(&self, judgement: &Judgement) -> bool {
        judgement.verdict.word(self.now) == VerdictWord::Due
    }
}

fn only_a_running_session_that_a_limit_governs_is_due(case: &Case, judgement: &Judgement) {
    if !case.is_due(judgement) {
        return;
    }
    assert_eq!(case.session.status.phase, Phase::Running, "{judgement:?}");
    let governing = case.policies.iter().find(|policy| Some(&policy.name) == judgement.verdict.policy()).expect("a policy of these");
    assert!(!governing.shadow && matches!(governing.rule, Rule::Limits(_)), "{governing:?}");
    assert_eq!(governing.selector.fit(&case.session, case.occasion(case.now)), Fit::Yes, "{governing:?}");
}

fn a_protection_in_front_protects(case: &Case) {
    let protect = |selector| Policy { name: "front".into(), selector, rule: Rule::Protect, shadow: false };
    let behind = |front: Policy| std::iter::once(front).chain(case.policies.iter().cloned()).collect::<Vec<_>>();
    let all = case.judged(&case.session, &behind(protect(Selector::All)), case.now);
    let is_protected = matches!(&all.verdict, Verdict::Protected { policy } if policy.as_str() == "front");
    assert!(is_protected || case.session.status.phase == Phase::Unknown, "{all:?}");
    for policy in &case.policies {
        let guarded = case.judged(&case.session, &behind(protect(policy.selector.clone())), case.now);
        let unguarded = case.judged(&case.session, &case.policies, case.now);
        assert!(!case.is_due(&guarded) || case.is_due(&unguarded), "due by a protection: {policy:?}");
    }
}

fn what_no_policy_names_changes_nothing(case: &Case, judgement: &Judgement) {
    let Metadata::Tags(tags) = &case.session.metadata else { return };
    let mut tags = tags.clone();
    tags.insert(STRANGE_KEY.to_owned(), "whatever".into());
    let session = Session { metadata: Metadata::Tags(tags), ..case.session.clone() };
    assert_eq!(&case.judged(&session, &case.policies, case.now), judgement);
}

/// Near the ends of time days have no beginning and no end: the last instant that is looked at, and its mirror, in seconds.
const FAR: i64 = 250_000_000_000;

/// By time alone nothing changes before then.
fn it_stands_until_its_recheck(case: &Case, judgement: &Judgement) {
    assert!(judgement.recheck.is_none_or(|at| at > case.now), "in the past: {judgement:?} at {}", case.now);
    let far = Timestamp::from_second(FAR).expect("an instant");
    let last = judgement.recheck.map_or(far, |at| later(at, SignedDuration::from_nanos(-1)).min(far));
    let halfway = later(case.now, last.duration_since(case.now) / 2);
    for at in [halfway, last] {
        let then = case.judged(&case.session, &case.policies, at);
        assert_eq!(then.verdict, judgement.verdict, "at {at}, judged at {}: {:?}", case.now, case.policies);
    }
}

fn windows_turn_before_and_after(selector: &Selector, now: Timestamp) {
    assert!(selector.next_change(now).is_none_or(|next| next > now), "{selector:?} at {now}");
    assert!(selector.last_change(now).is_none_or(|last| last <= now), "{selector:?} at {now}");
}

/// What `explain` shows of a match agrees with what the match came to.
fn rows_tell_whether_it_fits(case: &Case, selector: &Selector) {
    let occasion = case.occasion(case.now);
    let rows = selector.compare(&case.session, occasion);
    let options = (0..).map(|at| format!("any[{at}]")).map_while(|key| rows.iter().find(|row| row.key == key));
    let options: Vec<&Fit> = options.map(|row| &row.fit).collect();
    let is_nested = |row: &Compared| row.key.starts_with("not.") || row.key.starts_with("any[");
    let mut parts: Vec<&Fit> = rows.iter().filter(|row| !is_nested(row)).map(|row| &row.fit).collect();
    let either = strongest(&options, &Fit::Yes, &Fit::No);
    parts.extend(either);
    let all = strongest(&parts, &Fit::No, &Fit::Yes).unwrap_or(&Fit::Yes);
    assert_eq!(kind(&selector.fit(&case.session, occasion)), kind(all), "{rows:?}");
}

/// `first` where any is that, else undecided where any is, else `last`; nothing of nothing.
fn strongest<'a>(fits: &[&'a Fit], first: &'a Fit, last: &'a Fit) -> Option<&'a Fit> {
    let undecided = fits.iter().copied().find(|fit| matches!(fit, Fit::Undecided { .. }));
    (!fits.is_empty()).then(|| if fits.contains(&first) { first } else { undecided.unwrap_or(last) })
}

fn kind(fit: &Fit) -> u8 {
    match fit {
        Fit::No => 0,
        Fit::Undecided { .. } => 1,
        Fit::Yes => 2,
    }
}

fn nothing_passes_what_takes_all(case: &Case, earlier: &Selector, later: &Selector) {
    let occasion = case.occasion(case.now);
    if takes_all(earlier, later) && later.fit(&case.session, occasion) == Fit::Yes {
        assert_ne!(earlier.fit(&case.session, occasion), Fit::No, "{later:?} passes {earlier:?}");
    }
}
