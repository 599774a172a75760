//! A session is over `max_running` if and only if, of the running sessions that its policy governs in its group, as a complete listing shows them, more
//! than `count` come after it in the order of release, or as many.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::name::{PolicyName, SessionId};
use crate::domain::time::SignedDuration;
use crate::domain::verdict::{Deadline, Limit, Source};
use crate::policy::Subject;
use crate::policy::crowd::{Member, Order};
use crate::policy::per::{Group, Per, among};

/// The limit as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxRunning {
    pub count: u32,
    pub per: Option<Per>,
    pub release: Order,
}

impl MaxRunning {
    /// Those over the count. The same members, in whatever order they come, always give the same ones.
    pub fn over(&self, members: &[Member]) -> BTreeSet<SessionId> {
        let mut groups: BTreeMap<&Group, Vec<&Member>> = BTreeMap::new();
        for member in members {
            groups.entry(&member.group).or_default().push(member);
        }
        groups.into_values().flat_map(|group| self.over_in(group)).collect()
    }

    fn over_in(&self, mut group: Vec<&Member>) -> impl Iterator<Item = SessionId> {
        group.sort_unstable_by_key(|member| self.release.key(member));
        let over = group.len().saturating_sub(usize::try_from(self.count).unwrap_or(usize::MAX));
        group.into_iter().take(over).map(|member| member.id.clone())
    }

    /// Since when this session is over the count, where it is.
    pub fn deadline(&self, subject: &Subject<'_>, policy: &PolicyName) -> Option<Deadline> {
        let id = &subject.session.id;
        let at = *subject.crowds.over.get(&(policy.clone(), id.clone()))?;
        Some(Deadline {
            policy: policy.clone(),
            limit: Limit::MaxRunning,
            allowed: SignedDuration::ZERO,
            from: Source::Count { count: self.count, among: among(self.per.as_ref(), subject) },
            since: at,
            at,
            rank: self.release.rank(subject.session.since(), subject.activity.last_active),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::fixtures::at;

    fn limit(count: u32, release: Order) -> MaxRunning {
        MaxRunning { count, per: None, release }
    }

    fn member(id: &str, group: Option<&str>, since: i64, active: Option<i64>) -> Member {
        Member { id: id.into(), group: Group(group.map(Into::into)), since: at(since), last_active: active.map(at), leaving: false }
    }

    fn over(limit: &MaxRunning, members: &[Member]) -> Vec<String> {
        limit.over(members).into_iter().map(String::from).collect()
    }

    #[test]
    fn as_many_as_the_count_are_kept_and_of_one_more_the_oldest_goes() {
        let members = [member("a", None, 3, None), member("b", None, 1, None), member("c", None, 2, None)];
        assert_eq!(over(&limit(3, Order::Oldest), &members), [""; 0]);
        assert_eq!(over(&limit(2, Order::Oldest), &members), ["b"]);
        assert_eq!(over(&limit(1, Order::Oldest), &members), ["b", "c"]);
        assert_eq!(over(&limit(u32::MAX, Order::Oldest), &members), [""; 0]);
    }

    #[test]
    fn of_those_that_are_as_old_the_smaller_id_goes() {
        let members = [member("b", None, 1, None), member("a", None, 1, None), member("c", None, 1, None)];
        assert_eq!(over(&limit(2, Order::Oldest), &members), ["a"]);
        assert_eq!(over(&limit(2, Order::Idlest), &members), ["a"]);
    }

    #[test]
    fn the_idlest_goes_first_and_those_of_which_no_activity_is_known_go_last_the_oldest_first() {
        let members =
            [member("young", None, 9, None), member("old", None, 1, None), member("quiet", None, 8, Some(10)), member("busy", None, 0, Some(20))];
        let order = [3, 2, 1].map(|count| over(&limit(count, Order::Idlest), &members));
        assert_eq!(order, [vec!["quiet"], vec!["busy", "quiet"], vec!["busy", "old", "quiet"]]);
    }

    #[test]
    fn groups_are_counted_apart_and_those_without_a_value_are_one() {
        let members = [
            member("a", Some("ml"), 1, None),
            member("b", Some("ml"), 2, None),
            member("c", Some("web"), 0, None),
            member("d", None, 4, None),
            member("e", None, 3, None),
        ];
        assert_eq!(over(&limit(1, Order::Oldest), &members), ["a", "e"]);
    }

    fn any_order() -> impl Strategy<Value = Order> {
        prop_oneof![Just(Order::Oldest), Just(Order::Idlest)]
    }

    /// Each with an id of its own, many of one age.
    fn any_members() -> impl Strategy<Value = Vec<Member>> {
        let one = (prop::option::of(prop::sample::select(vec!["ml", "web"])), 0..4_i64, prop::option::of(0..4_i64));
        prop::collection::vec(one, 0..14)
            .prop_map(|all| all.into_iter().enumerate().map(|(at, (group, since, active))| member(&format!("s{at}"), group, since, active)).collect())
    }

    proptest! {
        #[test]
        fn the_order_of_a_listing_changes_nothing((members, shuffled) in any_members().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())), count in 1..6_u32, order in any_order()) {
            prop_assert_eq!(limit(count, order).over(&members), limit(count, order).over(&shuffled));
        }

        #[test]
        fn a_higher_count_never_adds_one(members in any_members(), count in 1..6_u32, more in 0..4_u32, order in any_order()) {
            prop_assert!(limit(count + more, order).over(&members).is_subset(&limit(count, order).over(&members)));
        }

        #[test]
        fn one_that_is_gone_never_adds_another(mut members in any_members(), gone in any::<prop::sample::Index>(), count in 1..6_u32, order in any_order()) {
            let before = limit(count, order).over(&members);
            if !members.is_empty() {
                members.remove(gone.index(members.len()));
            }
            prop_assert!(limit(count, order).over(&members).is_subset(&before));
        }

        #[test]
        fn what_stays_in_a_group_is_the_count_or_all(members in any_members(), count in 1..6_u32, order in any_order()) {
            let over = limit(count, order).over(&members);
            for group in [None, Some("ml"), Some("web")] {
                let (all, gone): (Vec<_>, Vec<_>) = (members.iter().filter(|one| one.group.0.as_deref() == group).collect(), members.iter().filter(|one| one.group.0.as_deref() == group && over.contains(&one.id)).collect());
                prop_assert_eq!(all.len() - gone.len(), all.len().min(count as usize));
            }
        }
    }
}
