//! What must not be released now, and why. Only here is a [`Permit`] made, and nothing is released without one.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::hold::{Hold, Orders};
use crate::domain::name::{AccountName, SessionId};
use crate::domain::session::Session;
use crate::domain::time::{Moment, SignedDuration, Timestamp, between, clock_time, human, later};
use crate::domain::view::Mode;

/// `[guardrails]` as meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Guardrails {
    pub max_releases_per_poll: u32,
    /// In (0, 1].
    pub max_release_fraction: f64,
    /// Zero: off.
    pub min_age: SignedDuration,
    /// Zero: off.
    pub skip_expiring_within: SignedDuration,
    pub confirm_within: SignedDuration,
}

/// The rolling time over which the release fraction is counted.
pub const FRACTION_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Up to this many sessions the release fraction does not apply: half of three is no guard, only an obstacle.
pub const FRACTION_FLOOR: usize = 10;

/// What a product of floats may lack of the whole number that it means: 0.29 × 100 is 28.999….
const ROUNDING: f64 = 1e-9;

/// The right to send one release request for one session.
#[derive(Debug)]
pub struct Permit {
    session: SessionId,
}

impl Permit {
    pub fn session(&self) -> &SessionId {
        &self.session
    }
}

/// Why a due session is not released now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub hold: Hold,
    /// When to look again, by our clock; nothing where only somebody's word or a poll can change it.
    pub until: Option<Timestamp>,
    pub reason: String,
}

/// The question put to the guardrails.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub account: &'a AccountName,
    pub session: &'a Session,
    /// The browser that it was last listed with: a hold on it spares the session.
    pub browser: Option<&'a SessionId>,
    pub mode: Mode,
    pub orders: &'a Orders,
    /// Sessions live on the account now.
    pub live: usize,
    /// A request for this session was counted before: it takes no second place under the caps.
    pub again: bool,
}

/// What the guardrails remember of one account.
#[derive(Clone, Debug)]
pub struct Rails {
    settings: Guardrails,
    /// Sessions requested since the last poll opened an allowance.
    used: u32,
    /// First requests of an earlier life of the process, in the provider's time, as the books have them.
    recalled: Vec<Timestamp>,
    /// First requests of this life, in ours.
    requested: VecDeque<Timestamp>,
    /// Sessions no longer live, with when they were last seen (ours), kept for the window.
    departed: BTreeMap<SessionId, Timestamp>,
    tripped_at: Option<Timestamp>,
}

impl Rails {
    pub fn new(settings: Guardrails) -> Self {
        Self { settings, used: 0, recalled: Vec::new(), requested: VecDeque::new(), departed: BTreeMap::new(), tripped_at: None }
    }

    /// Carries on where an earlier life of the process stopped.
    pub fn recall(&mut self, requested: Vec<Timestamp>, seen: Vec<(SessionId, Timestamp)>, tripped_at: Option<Timestamp>, used: u32) {
        self.recalled = requested;
        self.departed = seen.into_iter().collect();
        self.tripped_at = tripped_at;
        self.used = used;
    }

    pub fn settings(&self) -> &Guardrails {
        &self.settings
    }

    pub fn reconfigure(&mut self, settings: Guardrails) {
        self.settings = settings;
    }

    /// A regular poll opens a new allowance; a listing made to confirm a release does not.
    pub fn open_allowance(&mut self) {
        self.used = 0;
    }

    /// Sessions that may still be requested before the next poll.
    pub const fn allowance_left(&self) -> usize {
        self.settings.max_releases_per_poll.saturating_sub(self.used) as usize
    }

    pub fn arrived(&mut self, session: &SessionId) {
        self.departed.remove(session);
    }

    pub fn left(&mut self, session: SessionId, now: Timestamp) {
        self.departed.insert(session, now);
    }

    /// Forgets what has rolled out of the window.
    pub fn roll(&mut self, now: Moment) {
        let (ours, theirs) = (later(now.ours, -FRACTION_WINDOW), later(now.theirs, -FRACTION_WINDOW));
        self.departed.retain(|_, seen| *seen > ours);
        self.recalled.retain(|at| *at > theirs);
        while self.requested.front().is_some_and(|at| *at <= ours) {
            self.requested.pop_front();
        }
    }

    /// Since when the fraction holds everything back, where it does.
    pub fn tripped(&self, ask_resumed_at: Option<Timestamp>, now: Moment) -> Option<Timestamp> {
        let at = self.tripped_at?;
        let lifted = ask_resumed_at.is_some_and(|resumed| resumed > at) || now.ours >= later(at, FRACTION_WINDOW);
        (!lifted).then_some(at)
    }

    /// The only mint: a permit, or the first hold that applies. A permit is counted at once, whatever comes of the request.
    pub fn permit(&mut self, ask: &Ask<'_>, now: Moment) -> Result<Permit, Held> {
        self.roll(now);
        if let Some(held) = self.holds(ask, now).into_iter().next() {
            return Err(held);
        }
        if !ask.again {
            self.used += 1;
            self.requested.push_back(now.ours);
        }
        Ok(Permit { session: ask.session.id.clone() })
    }

    /// Takes back the count of a request that was never sent.
    pub fn unsent(&mut self) {
        self.used = self.used.saturating_sub(1);
        self.requested.pop_back();
    }

    /// The fraction was found exceeded: remembers it, and says whether that is news.
    pub fn trip(&mut self, resumed_at: Option<Timestamp>, now: Moment) -> bool {
        if self.tripped(resumed_at, now).is_some() {
            return false;
        }
        self.tripped_at = Some(now.ours);
        true
    }

    /// Forgets a trip that holds no longer. Gives whether an operator lifted it, where there was one.
    pub fn untrip(&mut self, resumed_at: Option<Timestamp>, now: Moment) -> Option<bool> {
        let at = self.tripped_at.filter(|_| self.tripped(resumed_at, now).is_none())?;
        self.tripped_at = None;
        Some(resumed_at.is_some_and(|resumed| resumed > at))
    }

    /// Every hold that applies, the shown one first.
    pub fn holds(&self, ask: &Ask<'_>, now: Moment) -> Vec<Held> {
        let held = [
            self.by_operator(ask, now),
            self.by_pause(ask),
            by_observing(ask),
            self.by_min_age(ask, now),
            self.by_expiry(ask, now),
            self.by_fraction(ask, now),
            self.by_allowance(ask),
        ];
        held.into_iter().flatten().collect()
    }

    fn by_operator(&self, ask: &Ask<'_>, now: Moment) -> Option<Held> {
        let hold = ask.orders.hold(std::iter::once(&ask.session.id).chain(ask.browser), now.ours)?;
        let reason = format!("held by an operator until {}: {}", clock_time(hold.until), hold.reason);
        Some(Held { hold: Hold::Operator, until: Some(hold.until), reason })
    }

    fn by_pause(&self, ask: &Ask<'_>) -> Option<Held> {
        let pause = ask.orders.pause(ask.account)?;
        Some(Held { hold: Hold::Paused, until: None, reason: format!("paused by an operator: {}", pause.reason) })
    }

    fn by_min_age(&self, ask: &Ask<'_>, now: Moment) -> Option<Held> {
        let min_age = self.settings.min_age;
        let old_enough = later(ask.session.since(), min_age);
        (ask.session.age(now.theirs) < min_age).then(|| Held {
            hold: Hold::MinAge,
            until: Some(now.ours_at(old_enough)),
            reason: format!("younger than min_age = {}", human(min_age)),
        })
    }

    /// A session that the provider should have ended, and has not, is past sparing.
    fn by_expiry(&self, ask: &Ask<'_>, now: Moment) -> Option<Held> {
        let margin = self.settings.skip_expiring_within;
        let end = ask.session.expires_at?;
        let left = between(now.theirs, end);
        (left <= margin && left > -margin).then(|| Held {
            hold: Hold::Expiring,
            until: Some(now.ours_at(later(end, margin))),
            reason: format!("ends by itself at {}, nothing to save", clock_time(end)),
        })
    }

    fn by_fraction(&self, ask: &Ask<'_>, now: Moment) -> Option<Held> {
        let resumed_at = ask.orders.resumed_at.get(ask.account).copied();
        if let Some(at) = self.tripped(resumed_at, now) {
            let until = later(at, FRACTION_WINDOW);
            let reason = format!("max_release_fraction tripped at {}: held until {} or `resume`", clock_time(at), clock_time(until));
            return Some(Held { hold: Hold::MaxReleaseFraction, until: Some(until), reason });
        }
        let (requested, live) = (self.requested_since(resumed_at, now), self.live_in_window(ask.live));
        let allowed = (live as f64 * self.settings.max_release_fraction + ROUNDING).floor() as usize;
        let over = !ask.again && live > FRACTION_FLOOR && requested >= allowed;
        over.then(|| Held {
            hold: Hold::MaxReleaseFraction,
            until: None,
            reason: format!(
                "{requested} of {live} sessions of the last hour are released already, max_release_fraction = {}",
                self.settings.max_release_fraction
            ),
        })
    }

    fn by_allowance(&self, ask: &Ask<'_>) -> Option<Held> {
        (!ask.again && self.used >= self.settings.max_releases_per_poll).then(|| Held {
            hold: Hold::MaxReleasesPerPoll,
            until: None,
            reason: format!("max_releases_per_poll = {} are out, waits for the next poll", self.settings.max_releases_per_poll),
        })
    }

    /// Sessions requested within the window, and since the last `resume`.
    pub fn requested_since(&self, resumed_at: Option<Timestamp>, now: Moment) -> usize {
        let resumed_at = resumed_at.unwrap_or(Timestamp::MIN);
        let counts = |at: Timestamp| at >= resumed_at && at > later(now.ours, -FRACTION_WINDOW);
        self.requested.iter().filter(|at| counts(**at)).count() + self.recalled.iter().filter(|at| counts(now.ours_at(**at))).count()
    }

    /// Sessions that were live at some moment of the window.
    pub fn live_in_window(&self, live: usize) -> usize {
        live + self.departed.len()
    }
}

fn by_observing(ask: &Ask<'_>) -> Option<Held> {
    (ask.mode == Mode::Observe).then(|| Held { hold: Hold::Observe, until: None, reason: "mode = \"observe\" releases nothing".to_owned() })
}

#[cfg(test)]
mod tests;
