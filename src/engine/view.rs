//! What an account looks like at one moment.

use std::sync::Arc;

use crate::domain::event::{Census, What};
use crate::domain::name::{PolicyName, SessionId};
use crate::domain::session::Phase;
use crate::domain::time::{Moment, SignedDuration, Timestamp, between, clock_time, human, later, rfc3339, seconds};
use crate::domain::verdict::{Deadline, Limit, Source, Verdict, VerdictWord};
use crate::domain::view::{AccountView, Change, HoldView, SessionView, ShadowView};
use crate::engine::roster::Tracked;
use crate::engine::{CENSUS_INTERVAL, Engine, Told};
use crate::guardrails::Held;
use crate::policy::Policy;
use crate::policy::idle::ENOUGH_SIGHTINGS;

impl Engine {
    pub fn account_view(&self, now: Timestamp) -> AccountView {
        let pause = self.orders.pause(&self.terms.account);
        AccountView {
            name: self.terms.account.clone(),
            provider: self.terms.provider,
            mode: self.terms.mode,
            listing: self.polling.last,
            live: self.roster.len(),
            rejected_rows: self.polling.rejected,
            error: self.polling.error.clone(),
            last_complete_at: self.polling.last_complete_at,
            last_error: self.polling.last_error.clone(),
            clock_skew_seconds: seconds(self.skew.shown()),
            paused: pause.is_some(),
            paused_reason: pause.map(|pause| pause.reason.clone()),
            tripped: self.rails.tripped(self.resumed_at(), self.moment(now)).is_some(),
            cost_per_hour: Some(self.cost_per_hour()),
            currency: self.terms.currency.clone(),
        }
    }

    /// What waits for a browser does not bill yet.
    fn cost_per_hour(&self) -> f64 {
        let running = self.roster.iter().filter(|tracked| tracked.session.status.phase == Phase::Running).count();
        running as f64 * self.terms.tariff.price_per_hour
    }

    /// What it judges by.
    pub fn policies(&self) -> Arc<[Policy]> {
        self.terms.policies.clone()
    }

    /// Every live session: the due ones first, most overdue first, then by deadline, then those without one, by age.
    pub fn session_views(&self, now: Timestamp) -> Vec<SessionView> {
        let mut tracked: Vec<&Tracked> = self.roster.iter().collect();
        tracked.sort_unstable_by_key(|tracked| urgency(tracked));
        tracked.into_iter().map(|tracked| self.session_view(tracked, now)).collect()
    }

    pub fn session_view(&self, tracked: &Tracked, now: Timestamp) -> SessionView {
        let moment = self.moment(now);
        let (verdict, reason) = (self.word_of(tracked, moment), self.reason_of(tracked, moment));
        let hold = self.shown_holds(tracked, moment).into_iter().next();
        let session = &tracked.session;
        let deadline = tracked.verdict.deadline().filter(|_| verdict != VerdictWord::Unknown);
        SessionView {
            account: self.terms.account.clone(),
            provider: self.terms.provider,
            id: session.id.clone(),
            kind: session.kind,
            browser: session.parts.browser.clone(),
            status: session.status.word.as_ref().to_owned(),
            region: session.region.as_deref().map(ToOwned::to_owned),
            keep_alive: session.keep_alive,
            metadata: session.metadata.to_json(),
            created_at: session.created_at,
            started_at: session.started_at,
            expires_at: session.expires_at,
            age_seconds: seconds(session.age(moment.theirs)),
            last_active_at: tracked.activity.last_active,
            verdict,
            policy: tracked.verdict.policy().cloned(),
            limit: deadline.map(|deadline| deadline.limit),
            deadline: deadline.map(|deadline| deadline.at),
            reason: match &hold {
                Some(held) => format!("{reason}; {}", held.reason),
                None => reason,
            },
            hold: hold.map(|held| held.hold),
            release: self.flights.get(&session.id).map(|flight| flight.row.outcome),
            shadows: self.shadow_views(tracked, moment),
        }
    }

    /// What the shadow policies say of a session. Of one that is out of sight nobody would do anything.
    fn shadow_views(&self, tracked: &Tracked, now: Moment) -> Vec<ShadowView> {
        let (live, seen) = (tracked.verdict.word(now.theirs), !self.is_out_of_sight(tracked, now.ours));
        let view = |(policy, verdict): &(PolicyName, Verdict)| ShadowView {
            policy: policy.clone(),
            verdict: verdict.word(now.theirs),
            limit: verdict.deadline().map(|deadline| deadline.limit),
            deadline: verdict.deadline().map(|deadline| deadline.at),
            change: change(live, verdict.word(now.theirs)).filter(|_| seen),
            reason: reason(verdict, now.theirs),
        };
        tracked.shadows.iter().map(view).collect()
    }

    /// The verdict's word now.
    pub(super) fn word_of(&self, tracked: &Tracked, now: Moment) -> VerdictWord {
        let unknown = tracked.verdict.deadline().is_some() && self.is_out_of_sight(tracked, now.ours);
        if unknown { VerdictWord::Unknown } else { tracked.verdict.word(now.theirs) }
    }

    /// The verdict as a sentence.
    fn reason_of(&self, tracked: &Tracked, now: Moment) -> String {
        match (&tracked.rejected, tracked.verdict.deadline()) {
            (Some(why), Some(_)) => format!("kept: its row in the listing cannot be read: {why}"),
            (None, Some(_)) if self.is_out_of_sight(tracked, now.ours) => {
                format!("kept: not seen in a listing since {}", clock_time(tracked.seen_at))
            }
            _ if tracked.activity.sightings < ENOUGH_SIGHTINGS && is_overdue_for_idle(&tracked.verdict, now.theirs) => {
                "seen in one listing only: never idle yet".to_owned()
            }
            _ => reason(&tracked.verdict, now.theirs),
        }
    }

    /// The holds on a session that is due and not yet asked for.
    pub(super) fn shown_holds(&self, tracked: &Tracked, now: Moment) -> Vec<Held> {
        let due = self.word_of(tracked, now) == VerdictWord::Due;
        if due && !self.is_under_way(&tracked.session.id) { self.holds_of(tracked, now) } else { Vec::new() }
    }

    pub(super) fn tracked(&self, id: &SessionId) -> Option<&Tracked> {
        self.roster.get(id)
    }

    /// Tells the gauges, at most once in a while.
    pub(super) fn tell_census(&mut self, now: Timestamp) {
        let recent = self.census.at.is_some_and(|told| now < later(told, CENSUS_INTERVAL));
        if !self.census.dirty || recent {
            return;
        }
        self.note_who_governs(now);
        let census = Box::new(self.census(now));
        self.census = Told { dirty: false, at: Some(now) };
        self.tell(What::Census(census));
    }

    pub(super) fn census(&self, now: Timestamp) -> Census {
        let moment = self.moment(now);
        let stuck = || self.flights.values().filter(|flight| flight.stuck);
        let mut census = Census {
            budgets: self.budget_views(now),
            last_complete_at: self.polling.last_complete_at,
            tripped: self.rails.tripped(self.resumed_at(), moment).is_some(),
            stuck: stuck().count(),
            stuck_since: stuck().map(|flight| flight.row.requested_at).min(),
            ..Census::default()
        };
        for tracked in self.roster.iter() {
            let word = self.word_of(tracked, moment);
            *census.sessions.entry((tracked.verdict.policy().cloned(), word)).or_default() += 1;
            if let Some(held) = self.shown_holds(tracked, moment).first() {
                *census.holds.entry(held.hold).or_default() += 1;
            }
            for view in self.shadow_views(tracked, moment) {
                if let (policy, Some(change)) = (view.policy, view.change) {
                    *census.shadows.entry((policy, change)).or_default() += 1;
                }
            }
        }
        self.lately.tell(&mut census, &self.terms.policies);
        census
    }
}

/// The smallest is shown first.
fn urgency(tracked: &Tracked) -> (bool, Option<Timestamp>, Timestamp, &SessionId) {
    let deadline = tracked.verdict.deadline().map(|deadline| deadline.at);
    (deadline.is_none(), deadline, tracked.session.since(), &tracked.session.id)
}

/// What would be different about a session if the shadow policy were in force.
fn change(live: VerdictWord, shadow: VerdictWord) -> Option<Change> {
    match (live == VerdictWord::Due, shadow == VerdictWord::Due) {
        (false, true) => Some(Change::WouldRelease),
        (true, false) => Some(Change::WouldSpare),
        _ => None,
    }
}

impl From<Held> for HoldView {
    fn from(held: Held) -> Self {
        Self { hold: held.hold, reason: held.reason, until: held.until }
    }
}

/// Why a session is due: `older than 20m since 12:04:10`.
pub fn due_reason(deadline: &Deadline) -> String {
    let source = match &deadline.from {
        Source::Policy => String::new(),
        Source::Tag(tag) => format!(" (its tag {tag})"),
        Source::Ceiling(tag) => format!(" (max_age_ceiling; its tag {tag} asks for more)"),
        Source::Count { among, .. } | Source::Spent { among, .. } if among.is_empty() => String::new(),
        Source::Count { among, .. } | Source::Spent { among, .. } => format!(" ({among})"),
    };
    match deadline.limit {
        Limit::MaxAge => format!("older than {}{source} since {}", human(deadline.allowed), since(deadline)),
        Limit::Idle => format!("idle for {}{source} since {}", human(deadline.allowed), since(deadline)),
        Limit::MaxRunning => format!("one of more than {} running{source} since {}", count(deadline), since(deadline)),
        Limit::Budget => format!("the budget of {} a {}{source} is spent since {}", human(deadline.allowed), every(deadline), since(deadline)),
    }
}

fn count(deadline: &Deadline) -> u32 {
    if let Source::Count { count, .. } = deadline.from { count } else { 0 }
}

fn every(deadline: &Deadline) -> &'static str {
    if let Source::Spent { every, .. } = deadline.from { every } else { "period" }
}

/// The time of day where that is plain, else the date as well.
fn since(deadline: &Deadline) -> String {
    let long = between(deadline.since, deadline.at) >= SignedDuration::from_hours(12);
    if long { rfc3339(deadline.since) } else { clock_time(deadline.since) }
}

fn is_overdue_for_idle(verdict: &Verdict, now: Timestamp) -> bool {
    matches!(verdict, Verdict::Watched { expected, by_itself } if expected.at <= now && by_itself.as_ref().is_none_or(|deadline| deadline.at > now))
}

fn reason(verdict: &Verdict, now: Timestamp) -> String {
    match verdict {
        Verdict::Unmatched => "no policy fits: never touched".to_owned(),
        Verdict::Protected { policy } => format!("protected by policy {policy}"),
        Verdict::Keep { policy } => format!("governed by policy {policy}; does not run yet, so that no limit counts"),
        Verdict::Unknown { why, .. } => format!("kept: {why}"),
        Verdict::Until(deadline) | Verdict::Watched { by_itself: Some(deadline), .. } if now >= deadline.at => due_reason(deadline),
        Verdict::Until(deadline) => {
            let left = human(between(now, deadline.at));
            format!("{} of {} left, until {}", left, human(deadline.allowed), clock_time(deadline.at))
        }
        Verdict::Watched { expected, .. } if now < expected.at => {
            let left = human(between(now, expected.at));
            format!("{left} of {} idle left, until {}, if nothing is done until then", human(expected.allowed), clock_time(expected.at))
        }
        Verdict::Watched { expected, .. } => {
            format!("no activity known since {}; its provider is asked before it counts as idle", clock_time(expected.since))
        }
    }
}
