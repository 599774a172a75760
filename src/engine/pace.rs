//! When the next request to the provider may leave: a bucket per account, silence when the provider asks for it, and rare questions while it refuses us.

use std::collections::BTreeMap;

use crate::domain::event::Operation;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::time::{SignedDuration, Timestamp, between, later};

/// Silence after a 429 that does not say how long.
const DEFAULT_SILENCE: SignedDuration = SignedDuration::from_secs(5);

/// After a refusal: half a minute, doubling to ten.
const FIRST_REFUSAL: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_REFUSAL: SignedDuration = SignedDuration::from_mins(10);

/// An account's share of the provider's attention.
#[derive(Clone, Debug)]
pub struct Pace {
    per_second: f64,
    tokens: f64,
    filled_at: Timestamp,
    silent_until: Option<Timestamp>,
    /// A 401 refuses the whole key.
    refused: Option<Refusal>,
    /// A 403 refuses the operation that met it.
    denied: BTreeMap<Operation, Refusal>,
}

/// While it lasts, one request at a time asks whether it still does.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    wait: SignedDuration,
    until: Timestamp,
    /// A request has left to ask.
    asked: bool,
}

impl Pace {
    pub fn new(per_second: f64, now: Timestamp) -> Self {
        Self { per_second, tokens: burst(per_second), filled_at: now, silent_until: None, refused: None, denied: BTreeMap::new() }
    }

    pub fn reconfigure(&mut self, per_second: f64) {
        self.per_second = per_second;
        self.tokens = self.tokens.min(burst(per_second));
    }

    /// The credential changed: what the old one was refused says nothing of it.
    pub fn forget_refusal(&mut self) {
        self.refused = None;
        self.denied.clear();
    }

    /// When the next such request may leave; `now` or earlier means at once.
    pub fn next_at(&self, operation: Operation, now: Timestamp) -> Timestamp {
        let missing = (1.0 - self.tokens_at(now)).max(0.0) / self.per_second;
        let filled = later(now, SignedDuration::from_micros((missing * 1e6).ceil() as i64));
        let refused = self.refused.iter().chain(self.denied.get(&operation)).map(|refusal| refusal.until);
        self.silent_until.into_iter().chain(refused).fold(filled, Timestamp::max)
    }

    /// A call leaves. Where the provider refuses us, it asks for all that wait.
    pub fn leave(&mut self, operation: Operation, now: Timestamp) {
        self.charge(1, now);
        self.refused.iter_mut().chain(self.denied.get_mut(&operation)).for_each(|refusal| refusal.ask(now));
    }

    /// Counts requests that a call took beside its first.
    pub fn charge(&mut self, requests: usize, now: Timestamp) {
        self.tokens = self.tokens_at(now) - requests as f64;
        self.filled_at = self.filled_at.max(now);
    }

    /// The whole key is silent, as the provider asked. Gives until when.
    pub fn silence(&mut self, fault: &Fault, now: Timestamp) -> Timestamp {
        let wait = fault.retry_after.unwrap_or(DEFAULT_SILENCE).max(SignedDuration::ZERO);
        let until = later(now, wait).max(self.silent_until.unwrap_or(now));
        self.silent_until = Some(until);
        until
    }

    /// The provider refuses the credential, for this operation (403) or altogether (401). Gives when it is asked again, and whether that is news.
    pub fn refuse(&mut self, operation: Operation, fault: &Fault, now: Timestamp) -> (Timestamp, bool) {
        let altogether = fault.kind == FaultKind::Unauthorized;
        let known = if altogether { self.refused } else { self.denied.get(&operation).copied() };
        let refusal = Refusal::met_again(known, now);
        if altogether {
            self.refused = Some(refusal);
        } else {
            self.denied.insert(operation, refusal);
        }
        (refusal.until, known.is_none_or(|known| known.until != refusal.until))
    }

    /// The provider accepts the credential for this operation.
    pub fn accepted(&mut self, operation: Operation) {
        self.refused = None;
        self.denied.remove(&operation);
    }

    fn tokens_at(&self, now: Timestamp) -> f64 {
        let elapsed = between(self.filled_at, now).max(SignedDuration::ZERO).as_secs_f64();
        (self.tokens + elapsed * self.per_second).min(burst(self.per_second))
    }
}

impl Refusal {
    fn after(wait: SignedDuration, now: Timestamp) -> Self {
        Self { wait, until: later(now, wait), asked: false }
    }

    /// Calls that were under way together are one refusal; one that asked again makes the wait longer.
    fn met_again(known: Option<Self>, now: Timestamp) -> Self {
        match known {
            None => Self::after(FIRST_REFUSAL, now),
            Some(refusal) if now < refusal.until && !refusal.asked => refusal,
            Some(refusal) => Self::after((refusal.wait * 2).min(LONGEST_REFUSAL), now),
        }
    }

    /// One request leaves to ask: the next one, should this one never be answered, no sooner than after another wait.
    fn ask(&mut self, now: Timestamp) {
        self.asked = true;
        self.until = later(now, self.wait);
    }
}

/// A second's worth may leave at once.
fn burst(per_second: f64) -> f64 {
    per_second.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fault::FaultKind;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).expect("an instant")
    }

    #[test]
    fn a_seconds_worth_leaves_at_once_and_the_rest_at_the_rate() {
        let mut pace = Pace::new(4.0, at(0));
        let mut sent = Vec::new();
        let mut now = at(0);
        while sent.len() < 8 {
            now = pace.next_at(Operation::Release, now).max(now);
            pace.charge(1, now);
            sent.push(now.as_millisecond() - 1_800_000_000_000);
        }
        assert_eq!(sent, [0, 0, 0, 0, 250, 500, 750, 1_000]);
    }

    #[test]
    fn retry_after_silences_the_whole_key_and_never_shortens() {
        let mut pace = Pace::new(10.0, at(0));
        let mut fault = Fault::new(FaultKind::Throttled, "slow down");
        fault.retry_after = Some(SignedDuration::from_secs(60));
        assert_eq!(pace.silence(&fault, at(0)), at(60_000));
        fault.retry_after = Some(SignedDuration::from_secs(1));
        assert_eq!(pace.silence(&fault, at(10)), at(60_000));
        assert_eq!(pace.next_at(Operation::List, at(500)), at(60_000));
        assert_eq!(pace.next_at(Operation::List, at(60_001)), at(60_001));
    }

    #[test]
    fn a_refused_credential_is_asked_again_rarely() {
        let fault = Fault::new(FaultKind::Unauthorized, "no");
        let mut pace = Pace::new(10.0, at(0));
        let waits: Vec<i64> = (0..7)
            .scan(at(0), |now, _| {
                let (until, _) = pace.refuse(Operation::List, &fault, *now);
                let wait = between(*now, until).as_secs();
                *now = until;
                Some(wait)
            })
            .collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 600, 600]);
        pace.accepted(Operation::List);
        assert_eq!(pace.refuse(Operation::List, &fault, at(0)), (at(30_000), true));
    }

    #[test]
    fn calls_refused_together_are_one_refusal() {
        let fault = Fault::new(FaultKind::Unauthorized, "no");
        let mut pace = Pace::new(10.0, at(0));
        assert_eq!(pace.refuse(Operation::List, &fault, at(0)), (at(30_000), true));
        assert_eq!(pace.refuse(Operation::Read, &fault, at(5)), (at(30_000), false));
    }

    #[test]
    fn one_request_asks_whether_the_credential_is_still_refused() {
        let fault = Fault::new(FaultKind::Unauthorized, "no");
        let mut pace = Pace::new(10.0, at(0));
        pace.refuse(Operation::List, &fault, at(0));
        pace.leave(Operation::List, at(30_000));
        for operation in Operation::ALL {
            assert_eq!(pace.next_at(*operation, at(30_000)), at(60_000), "{operation}");
        }
        assert_eq!(pace.refuse(Operation::List, &fault, at(30_100)), (at(90_100), true));
        pace.leave(Operation::Read, at(90_100));
        pace.accepted(Operation::Read);
        assert_eq!(pace.next_at(Operation::Release, at(90_200)), at(90_200));
    }

    #[test]
    fn a_missing_right_to_release_does_not_stop_the_listing() {
        let mut pace = Pace::new(10.0, at(0));
        pace.refuse(Operation::Release, &Fault::new(FaultKind::Forbidden, "no"), at(0));
        assert_eq!(pace.next_at(Operation::List, at(0)), at(0));
        assert_eq!(pace.next_at(Operation::Release, at(0)), at(30_000));
    }

    #[test]
    fn another_rate_holds_from_now_on_and_gives_nothing_at_once() {
        let mut pace = Pace::new(10.0, at(0));
        pace.reconfigure(2.0);
        pace.charge(2, at(0));
        assert_eq!(pace.next_at(Operation::List, at(0)), at(500), "no more than a second's worth is kept");
        pace.reconfigure(4.0);
        assert_eq!(pace.next_at(Operation::List, at(0)), at(250));
    }

    #[test]
    fn a_new_credential_is_asked_with_at_once() {
        for kind in [FaultKind::Unauthorized, FaultKind::Forbidden] {
            let mut pace = Pace::new(10.0, at(0));
            pace.refuse(Operation::List, &Fault::new(kind, "no"), at(0));
            pace.forget_refusal();
            assert_eq!(pace.next_at(Operation::List, at(0)), at(0), "{kind}");
        }
    }
}
