//! How long a provider wants to be left alone.

use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::domain::time::{SignedDuration, Timestamp, between};

/// A provider that asks for more than this has made a mistake; it is asked again after a day.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// From here on a number of seconds is an instant since 1970 and not a wait: it would be thirty years.
const FIRST_EPOCH: f64 = 1e9;

/// The wait that an answer asks for: `retry-after-ms`, else `Retry-After` in seconds or as a date, else `retry_after_seconds` in the body. Dates are relative
/// to `now`, the answer's own date.
pub fn asked(headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<SignedDuration> {
    let millis = || text(headers, "retry-after-ms").and_then(number).and_then(|millis| seconds(millis / 1_000.0));
    let after = || text(headers, RETRY_AFTER.as_str()).and_then(|text| number(text).map_or_else(|| until(text, now), seconds));
    millis().or_else(after).or_else(|| in_body(body).and_then(seconds))
}

/// When the provider's count of requests begins anew, which matters only where it throttles: `x-ratelimit-reset`, in seconds from now or since 1970.
pub(super) fn reset(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let at = text(headers, "x-ratelimit-reset").and_then(number)?;
    if at < FIRST_EPOCH { seconds(at) } else { seconds((at - now.as_second() as f64).max(0.0)) }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// At the top of the body or under its `detail`.
fn in_body(body: &[u8]) -> Option<f64> {
    let body: Value = serde_json::from_slice(body).ok()?;
    [&body, &body["detail"]].into_iter().find_map(|place| place["retry_after_seconds"].as_f64())
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn answer(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))).collect()
    }

    fn two() -> Timestamp {
        "2026-11-21T02:00:00Z".parse().expect("an instant")
    }

    fn by_headers(headers: &[(&'static str, &str)]) -> Option<SignedDuration> {
        asked(&answer(headers), b"", two())
    }

    fn by_body(body: &str) -> Option<SignedDuration> {
        asked(&answer(&[]), body.as_bytes(), two())
    }

    #[test]
    fn each_form_of_a_wait_is_understood() {
        let cases: [(&[(&str, &str)], i64); 6] = [
            (&[("retry-after", "7")], 7_000),
            (&[("retry-after", "1.5")], 1_500),
            (&[("retry-after", "Sat, 21 Nov 2026 02:00:09 GMT")], 9_000),
            (&[("retry-after", "Sat, 21 Nov 2026 01:00:00 GMT")], 0),
            (&[("retry-after", "99999999999999")], 86_400_000),
            (&[("retry-after-ms", "250"), ("retry-after", "7")], 250),
        ];
        for (headers, millis) in cases {
            assert_eq!(by_headers(headers), Some(SignedDuration::from_millis(millis)), "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_wait_is_none() {
        for value in ["soon", "-5", "NaN", "inf", ""] {
            assert_eq!(by_headers(&[("retry-after", value)]), None, "{value}");
        }
    }

    #[test]
    fn a_reset_is_a_wait_or_an_instant() {
        for (value, seconds) in [("12", 12), ("1795226430", 30), ("1795226300", 0)] {
            assert_eq!(reset(&answer(&[("x-ratelimit-reset", value)]), two()), Some(SignedDuration::from_secs(seconds)), "{value}");
        }
        assert_eq!(by_headers(&[("x-ratelimit-reset", "12")]), None, "it asks for no silence by itself");
    }

    #[test]
    fn a_body_says_how_long_where_no_header_does() {
        for body in [r#"{"error":"rate_limited","limit_rps":25,"retry_after_seconds":5}"#, r#"{"detail":{"retry_after_seconds":5.0}}"#] {
            assert_eq!(by_body(body), Some(SignedDuration::from_secs(5)), "{body}");
        }
        for body in ["", "[]", "<html>", r#"{"retry_after_seconds":"soon"}"#, r#"{"retry_after_seconds":-1}"#, r#"{"detail":"wait"}"#] {
            assert_eq!(by_body(body), None, "{body}");
        }
        let both = asked(&answer(&[("retry-after", "7")]), br#"{"retry_after_seconds":5}"#, two());
        assert_eq!(both, Some(SignedDuration::from_secs(7)));
    }

    proptest! {
        #[test]
        fn no_header_panics_or_asks_for_more_than_a_day(text in "[ -~]{0,40}", number in any::<f64>()) {
            for value in [text, number.to_string()] {
                for name in ["retry-after", "retry-after-ms", "x-ratelimit-reset"] {
                    let headers = answer(&[(name, &value)]);
                    for wait in [asked(&headers, value.as_bytes(), two()), reset(&headers, two())] {
                        prop_assert!(wait.is_none_or(|wait| !wait.is_negative() && wait <= LONGEST));
                    }
                }
            }
        }
    }
}
