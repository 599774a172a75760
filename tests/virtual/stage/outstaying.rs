//! Whether a session has outstayed the limit that it is released by, by the world's own truth and not by what anybody was told.

use session_reaper::domain::name::Kind;
use session_reaper::domain::release::Release;
use session_reaper::domain::session::{Parts, Session, Target};
use session_reaper::domain::time::{SignedDuration, Timestamp, later};
use session_reaper::domain::verdict::Limit;
use session_reaper::engine::Terms;
use session_reaper::policy::budget::Budget;
use session_reaper::policy::idle::Idle;
use session_reaper::policy::max_running::MaxRunning;
use session_reaper::policy::per::{Group, Per, group};
use session_reaper::policy::{Governed, Limits, Occasion, Policy, Rule, govern};
use session_reaper::simulator::World;
use session_reaper::simulator::life::Life;

use super::face::Face;

/// From the asking to the release: what is done in between, nobody can know of.
const BLIND: SignedDuration = SignedDuration::from_secs(11);

/// The world as a story's account finds it at one instant, by its own clock.
pub(crate) struct Truth<'a> {
    pub terms: &'a Terms,
    pub face: &'a Face,
    pub world: &'a World,
    /// Since when it can be known of the session when it sent bytes.
    pub dated_from: Timestamp,
    /// A listing has shown sessions that were over: it is believed that they ran, and what is counted is more than the truth.
    pub haunted: bool,
    pub now: Timestamp,
}

impl Truth<'_> {
    pub(crate) fn assert_outstayed(&self, row: &Release, session: &Session) {
        let policy = match govern(session, self.occasion(), &self.terms.policies, None) {
            Governed::By(policy) => policy,
            other => panic!("{} is requested although it is governed by {other:?}", row.id),
        };
        let Rule::Limits(limits) = &policy.rule else { panic!("{} is requested although {} protects it", row.id, policy.name) };
        // A row keeps why it was first asked for; asked for again, its session may be governed by another policy, or be past another limit.
        if row.attempts > 1 {
            return;
        }
        assert_eq!(row.policy, policy.name, "{} is requested by another policy", row.id);
        assert!(row.deadline <= self.now, "{} is requested at {}, its deadline is {}", row.id, self.now, row.deadline);
        match row.limit {
            Limit::MaxAge => assert_old(row, session, limits, self.now),
            Limit::Idle => self.assert_idle(row, limits.idle.as_ref().expect("a limit")),
            Limit::MaxRunning | Limit::Budget if self.haunted => {}
            Limit::MaxRunning => self.assert_over(row, policy, limits.max_running.as_ref().expect("a limit")),
            Limit::Budget => self.assert_spent(row, policy, limits.budget.as_ref().expect("a limit")),
        }
    }

    fn occasion(&self) -> Occasion<'_> {
        Occasion { account: &self.terms.account, provider: self.terms.provider, at: self.now }
    }

    /// Nothing that shows was done for as long as the limit says. What agents do is in no log: of them this says nothing.
    fn assert_idle(&self, row: &Release, idle: &Idle) {
        let browser = row.parts.browser.as_ref().unwrap_or(&row.id);
        let Some(life) = self.world.life(browser) else { return };
        let Some(last) = last_done(life, self.dated_from, self.now, self.terms.poll_interval) else { return };
        let idle_at = later(last, idle.limit);
        assert!(idle_at <= self.now, "{} is requested at {}, it is idle at {idle_at}", row.id, self.now);
    }

    /// Those of the world that the policy governs and that count with this one.
    fn alike(&self, row: &Release, policy: &Policy, per: Option<&Per>) -> Vec<&Life> {
        let counts = |life: &Life| -> Option<Group> {
            let target = Target { id: life.id.clone(), kind: Kind::Session, parts: Parts::default() };
            let session = self.face.as_running(&target, self.world);
            let by = govern(&session, self.occasion(), &self.terms.policies, None);
            if matches!(by, Governed::By(by) if by.name == policy.name) { group(per, &session, self.occasion()) } else { None }
        };
        let own = self.world.life(&row.id).and_then(counts);
        self.world.lives().filter(|life| life.started_at <= self.now && own.is_some() && counts(life) == own).collect()
    }

    /// More than the count were running when the last listing was made, or later.
    fn assert_over(&self, row: &Release, policy: &Policy, limit: &MaxRunning) {
        let listed = later(self.now, -(self.terms.poll_interval + BLIND));
        let all = self.alike(row, policy, limit.per.as_ref());
        let running = all.iter().filter(|life| life.ended(listed).is_none()).count();
        assert!(running > limit.count as usize, "{} is requested although {running} run", row.id);
    }

    fn assert_spent(&self, row: &Release, policy: &Policy, budget: &Budget) {
        let period = budget.period(self.now);
        let end = |life: &Life| life.ended(self.now).map_or(self.now, |end| end.at);
        let all = self.alike(row, policy, budget.per.as_ref());
        let spent = all.iter().fold(SignedDuration::ZERO, |sum, life| sum + period.overlap(life.started_at, end(life)));
        assert!(spent >= budget.allowed, "{} is requested although only {spent:#} are spent", row.id);
    }
}

fn assert_old(row: &Release, session: &Session, limits: &Limits, now: Timestamp) {
    let limit = limits.max_age.as_ref().expect("a limit");
    let old_enough = later(session.since(), limit.read(session).allowed);
    assert!(old_enough <= now, "{} is requested at {now}, it is old enough at {old_enough}", row.id);
}

/// When something was done last that its log or its bytes show, as far as anybody could know by now.
fn last_done(life: &Life, dated_from: Timestamp, now: Timestamp, poll_interval: SignedDuration) -> Option<Timestamp> {
    let known = later(now, -BLIND);
    let logged = life.commands(known).last().copied();
    // Bytes are looked for second by second: a story is not long.
    // What was sent after the last listing is not known either.
    let listed = later(known, -poll_interval);
    let step = |back: i64| later(listed, SignedDuration::from_secs(-back));
    let sent = (0..7_200)
        .map(step)
        .take_while(|at| later(*at, SignedDuration::from_secs(-1)) >= dated_from)
        .find(|at| life.proxy_bytes(*at) > life.proxy_bytes(later(*at, SignedDuration::from_secs(-1))));
    logged.max(sent)
}
