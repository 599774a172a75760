//! Instants and durations as people write and read them.

pub use jiff::{SignedDuration, Timestamp};
use jiff::{Span, SpanRelativeTo};

/// One moment on both clocks: ours, on which alarms and windows run, and the provider's, in which ages and ends are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub ours: Timestamp,
    pub theirs: Timestamp,
}

impl Moment {
    /// The instant of ours at which the provider's clock will show `theirs`.
    pub fn ours_at(&self, theirs: Timestamp) -> Timestamp {
        later(theirs, between(self.theirs, self.ours))
    }
}

/// Why a text is not a duration; the sentence goes to the person who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationFault {
    #[error("a number without a unit")]
    NoUnit,
    #[error("a duration must not be negative")]
    Negative,
    #[error("months and years have no fixed length")]
    NotFixed,
    #[error("not a duration")]
    NotADuration,
    #[error("longer than ten years")]
    TooLong,
}

/// Ten years: far beyond any session, and far from overflow in instant arithmetic.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 365 * 10);

/// Reads `90s`, `20m`, `2h 30m`, `1d`, `1w`, `PT1H`; a day has 24 hours. Zero is a duration; whether it is allowed is the caller's question.
pub fn parse_duration(text: &str) -> Result<SignedDuration, DurationFault> {
    let text = text.trim();
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | '_')) {
        return Err(DurationFault::NoUnit);
    }
    let span: Span = text.parse().map_err(|_| DurationFault::NotADuration)?;
    if span.is_negative() {
        return Err(DurationFault::Negative);
    }
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(DurationFault::NotFixed);
    }
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| DurationFault::TooLong)?;
    if duration > LONGEST { Err(DurationFault::TooLong) } else { Ok(duration) }
}

/// Writes a duration in its two largest units: `2h 30m`, `90s` as `1m 30s`, under a second as `250ms`.
pub fn human(duration: SignedDuration) -> String {
    let sign = if duration.is_negative() { "-" } else { "" };
    let length = duration.abs();
    if length < SignedDuration::from_secs(1) {
        return match length.as_millis() {
            0 => "0s".to_owned(),
            millis => format!("{sign}{millis}ms"),
        };
    }
    let seconds = length.as_secs();
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(parts.len() - 1);
    let shown: Vec<String> = parts.iter().skip(first).take(2).filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    format!("{sign}{}", shown.join(" "))
}

/// RFC 3339 in UTC with milliseconds, the form of every instant that leaves the program.
pub fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The instant cut to whole milliseconds, the precision of the providers and of the books.
pub fn floor_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_nanosecond().div_euclid(1_000_000) as i64).unwrap_or(at)
}

/// Seconds as a JSON number, to the millisecond.
pub fn seconds(duration: SignedDuration) -> f64 {
    duration.as_millis() as f64 / 1_000.0
}

/// `at + by`, held at the ends of time instead of overflowing: an absurd timestamp from a provider must not panic.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

/// From `earlier` to `later`; negative where they are the other way round.
pub fn between(earlier: Timestamp, later: Timestamp) -> SignedDuration {
    later.duration_since(earlier)
}

/// `serde(serialize_with = …)` for a duration, in the form of [`seconds`].
pub fn in_seconds<S: serde::Serializer>(duration: &SignedDuration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_f64(seconds(*duration))
}

/// As [`in_seconds`], for a duration that may be missing.
pub fn maybe_in_seconds<S: serde::Serializer>(duration: &Option<SignedDuration>, out: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => out.serialize_some(&seconds(*duration)),
        None => out.serialize_none(),
    }
}

/// `serde(with = …)` for an instant, in the form of [`rfc3339`].
pub mod stamp {
    use super::{Timestamp, rfc3339};
    use serde::Serializer;

    pub fn serialize<S: Serializer>(at: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&rfc3339(*at))
    }
}

/// As [`stamp`], for an instant that may be missing.
pub mod maybe_stamp {
    use super::{Timestamp, rfc3339};
    use serde::Serializer;

    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => out.serialize_some(&rfc3339(*at)),
            None => out.serialize_none(),
        }
    }
}

/// The clock time of day of an instant, for sentences in which the day is plain: `12:04:10`.
pub fn clock_time(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("20m", 1_200), ("2h 30m", 9_000), ("1d", 86_400), ("1w", 604_800), ("PT1H", 3_600), ("0s", 0)] {
            assert_eq!(parse_duration(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("1.5h"), Ok(SignedDuration::from_mins(90)));
        assert_eq!(parse_duration("250ms"), Ok(SignedDuration::from_millis(250)));
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_its_reason() {
        use DurationFault::*;
        let cases = [("90", NoUnit), ("-5s", Negative), ("5m ago", Negative), ("1mo", NotFixed), ("1y", NotFixed), ("soon", NotADuration)];
        for (text, fault) in cases {
            assert_eq!(parse_duration(text), Err(fault), "{text}");
        }
        assert_eq!(parse_duration(""), Err(NotADuration));
        assert_eq!(parse_duration("99999w"), Err(TooLong));
    }

    #[test]
    fn durations_are_written_in_their_two_largest_units() {
        for (millis, text) in [(0, "0s"), (250, "250ms"), (90_000, "1m 30s"), (9_000_000, "2h 30m"), (7_200_000, "2h"), (93_784_000, "1d 2h")] {
            assert_eq!(human(SignedDuration::from_millis(millis)), text);
        }
        assert_eq!(human(SignedDuration::from_secs(-90)), "-1m 30s");
    }

    #[test]
    fn instants_leave_with_milliseconds_in_utc() {
        let at: Timestamp = "2026-11-20T12:04:10.123987+02:00".parse().expect("an instant");
        assert_eq!(rfc3339(at), "2026-11-20T10:04:10.123Z");
        assert_eq!(rfc3339(floor_millis(at)), "2026-11-20T10:04:10.123Z");
    }

    proptest! {
        #[test]
        fn any_text_is_a_length_from_nothing_to_ten_years_or_no_length(text in "[-+]?[0-9]{0,20}[.,:]?[0-9]{0,3} ?(ns|us|ms|s|m|h|d|w|mo|y)?|P?T?[0-9a-zA-Z., ]{0,16}|\\PC{0,16}") {
            if let Ok(length) = parse_duration(&text) {
                prop_assert!(length >= SignedDuration::ZERO && length <= LONGEST, "{}", length);
            }
        }

        #[test]
        fn what_is_written_of_a_length_is_read_as_the_length_but_for_what_was_cut(seconds in 0..315_360_000_i64, nanos in 0..1_000_000_000_i32) {
            let length = SignedDuration::new(seconds, nanos);
            let read = parse_duration(&human(length)).expect("a duration");
            let cut = match seconds {
                0 => SignedDuration::from_millis(1),
                1..3_600 => SignedDuration::from_secs(1),
                3_600..86_400 => SignedDuration::from_mins(1),
                _ => SignedDuration::from_hours(1),
            };
            prop_assert!(read <= length && length < read + cut, "{} of {}", read, length);
        }
    }

    #[test]
    fn the_ends_of_time_hold() {
        assert_eq!(later(Timestamp::MAX, SignedDuration::from_hours(1)), Timestamp::MAX);
        assert_eq!(later(Timestamp::MIN, SignedDuration::from_hours(-1)), Timestamp::MIN);
    }
}
