//! What shadow policies would do differently: a line for each session that one would change, and a count for each policy.

use std::collections::BTreeMap;

use crate::domain::name::PolicyName;
use crate::domain::view::{Change, SessionView};

/// `shadow policy trial would release s-1 on growth: idle for 5m since 12:04:10`.
pub(super) fn changes(sessions: &[SessionView]) -> Vec<String> {
    let of = |session: &SessionView| {
        let (id, account) = (session.id.clone(), session.account.clone());
        let changed = session.shadows.iter().filter_map(|shadow| Some((shadow, shadow.change?)));
        changed
            .map(|(shadow, change)| format!("shadow policy {} {} {id} on {account}: {}", shadow.policy, would(change), shadow.reason))
            .collect::<Vec<_>>()
    };
    sessions.iter().flat_map(of).collect()
}

/// `shadow policy trial would release 3 more and spare 1`, also where it would change nothing of what it would govern.
pub(super) fn counts(sessions: &[SessionView]) -> Vec<String> {
    let mut counts: BTreeMap<&PolicyName, (usize, usize)> = BTreeMap::new();
    for shadow in sessions.iter().flat_map(|session| &session.shadows) {
        let (released, spared) = counts.entry(&shadow.policy).or_default();
        *released += usize::from(shadow.change == Some(Change::WouldRelease));
        *spared += usize::from(shadow.change == Some(Change::WouldSpare));
    }
    let said = |(policy, counts)| match counts {
        (0, 0) => format!("shadow policy {policy} would change nothing now"),
        (released, spared) => format!("shadow policy {policy} would release {released} more and spare {spared}"),
    };
    counts.into_iter().map(said).collect()
}

const fn would(change: Change) -> &'static str {
    match change {
        Change::WouldRelease => "would release",
        Change::WouldSpare => "would spare",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::session;
    use super::*;
    use crate::domain::verdict::VerdictWord;
    use crate::domain::view::ShadowView;

    fn shadow(policy: &str, change: Option<Change>) -> ShadowView {
        ShadowView { policy: policy.into(), verdict: VerdictWord::Due, limit: None, deadline: None, change, reason: "its reason".to_owned() }
    }

    #[test]
    fn each_session_that_a_shadow_policy_would_change_has_a_line() {
        let listed = vec![
            SessionView { shadows: vec![shadow("trial", Some(Change::WouldRelease)), shadow("other", None)], ..session("s-1", None) },
            SessionView { shadows: vec![shadow("trial", Some(Change::WouldSpare))], ..session("s-2", None) },
            session("s-3", None),
        ];
        let expected = ["shadow policy trial would release s-1 on agents: its reason", "shadow policy trial would spare s-2 on agents: its reason"];
        assert_eq!(changes(&listed), expected);
        assert_eq!(counts(&listed), ["shadow policy other would change nothing now", "shadow policy trial would release 1 more and spare 1"]);
        assert!(counts(&listed[2..]).is_empty() && changes(&listed[2..]).is_empty());
    }
}
