//! What time costs.

use std::collections::BTreeMap;

use crate::domain::name::AccountName;
use crate::domain::time::SignedDuration;

/// What a provider charges for a session's time, and how it counts what it gives back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tariff {
    pub price_per_hour: f64,
    /// What is left of a session that was paid up front is given back in whole ones of these; zero: to the millisecond.
    pub refunded_by: SignedDuration,
}

impl Tariff {
    /// What so much time costs, or brings back when it is given back.
    pub fn worth(self, saved: SignedDuration) -> f64 {
        let unit = self.refunded_by.as_millis();
        let millis = if unit > 0 { saved.as_millis() / unit * unit } else { saved.as_millis() };
        millis as f64 / 3_600_000.0 * self.price_per_hour
    }
}

/// What each account's sessions cost, as far as that is known.
pub type Prices = BTreeMap<AccountName, Price>;

/// A tariff, and in which money it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    pub tariff: Tariff,
    pub currency: String,
}
