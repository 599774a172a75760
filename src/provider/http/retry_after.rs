//! How long a provider wants to be left alone.

use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::domain::fault::FaultKind;
use crate::domain::time::{SignedDuration, Timestamp, between};

/// A provider that asks for more than this has made a mistake; it is asked again after a day.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// From here on a number of seconds is an instant since 1970 and not a wait: it would be thirty years.
const FIRST_EPOCH: f64 = 1e9;

/// The wait that an answer's headers ask for: `retry-after-ms`, else `Retry-After` in seconds or as a date, else, for a 429, `x-ratelimit-reset`. Dates are
/// relative to `now`, the answer's own date.
pub(super) fn wait(headers: &HeaderMap, kind: FaultKind, now: Timestamp) -> Option<SignedDuration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = || text("retry-after-ms").and_then(number).and_then(|millis| seconds(millis / 1_000.0));
    let after = || text(RETRY_AFTER.as_str()).and_then(|text| number(text).map_or_else(|| until(text, now), seconds));
    let reset = || text("x-ratelimit-reset").filter(|_| kind == FaultKind::Throttled).and_then(number).and_then(|at| reset(at, now));
    millis().or_else(after).or_else(reset)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn seconds(count: f64) -> Option<SignedDuration> {
    (count >= 0.0).then(|| SignedDuration::try_from_secs_f64(count).unwrap_or(LONGEST).min(LONGEST))
}

fn until(text: &str, now: Timestamp) -> Option<SignedDuration> {
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(between(now, at).clamp(SignedDuration::ZERO, LONGEST))
}

fn reset(at: f64, now: Timestamp) -> Option<SignedDuration> {
    if at < FIRST_EPOCH { seconds(at) } else { seconds((at - now.as_second() as f64).max(0.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn asked(kind: FaultKind, headers: &[(&'static str, &str)]) -> Option<SignedDuration> {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))).collect();
        wait(&headers, kind, "2026-11-21T02:00:00Z".parse().expect("an instant"))
    }

    #[test]
    fn each_form_of_a_wait_is_understood() {
        let cases: [(&[(&str, &str)], i64); 8] = [
            (&[("retry-after", "7")], 7_000),
            (&[("retry-after", "1.5")], 1_500),
            (&[("retry-after", "Sat, 21 Nov 2026 02:00:09 GMT")], 9_000),
            (&[("retry-after", "Sat, 21 Nov 2026 01:00:00 GMT")], 0),
            (&[("retry-after", "99999999999999")], 86_400_000),
            (&[("retry-after-ms", "250"), ("retry-after", "7")], 250),
            (&[("x-ratelimit-reset", "12")], 12_000),
            (&[("x-ratelimit-reset", "1795226430")], 30_000),
        ];
        for (headers, millis) in cases {
            assert_eq!(asked(FaultKind::Throttled, headers), Some(SignedDuration::from_millis(millis)), "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_wait_is_none() {
        for value in ["soon", "-5", "NaN", "inf", ""] {
            assert_eq!(asked(FaultKind::Throttled, &[("retry-after", value)]), None, "{value}");
        }
    }

    #[test]
    fn a_reset_matters_only_where_the_provider_throttles() {
        assert_eq!(asked(FaultKind::Unavailable, &[("x-ratelimit-reset", "12")]), None);
        assert_eq!(asked(FaultKind::Unavailable, &[("retry-after", "12")]), Some(SignedDuration::from_secs(12)));
    }

    proptest! {
        #[test]
        fn no_header_panics_or_asks_for_more_than_a_day(text in "[ -~]{0,40}", number in any::<f64>()) {
            for value in [text, number.to_string()] {
                for name in ["retry-after", "retry-after-ms", "x-ratelimit-reset"] {
                    let wait = asked(FaultKind::Throttled, &[(name, &value)]);
                    prop_assert!(wait.is_none_or(|wait| !wait.is_negative() && wait <= LONGEST));
                }
            }
        }
    }
}
