//! Days, times of day and time zones, as written.

use figment::value::Value;
use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::fault::{KeyPath, nearest, shown};
use super::shape::Report;
use super::table::Table;
use crate::policy::window::Window;

/// Monday first. Three letters are enough.
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The zone of whoever names none.
pub(super) const USUAL_ZONE: &str = "UTC";

/// Where a day ends, which is no time of day.
const END_OF_DAY: &str = "24:00";

/// `Mon-Fri`, `Sat,Sun`, `Fri-Mon`; else the first part that is not understood.
pub(super) fn days(text: &str) -> Result<[bool; 7], &str> {
    let mut days = [false; 7];
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').map_or((part, part), |(first, last)| (first.trim(), last.trim()));
        let (from, to) = (day(first).ok_or(first)?, day(last).ok_or(last)?);
        // From a day to itself could be one day or eight.
        if from == to && part.contains('-') {
            return Err(part);
        }
        (0..=(to + 7 - from) % 7).for_each(|further| days[(from + further) % 7] = true);
    }
    Ok(days)
}

fn day(word: &str) -> Option<usize> {
    DAYS.iter().position(|name| name.eq_ignore_ascii_case(word) || name[..3].eq_ignore_ascii_case(word))
}

/// `HH:MM`.
pub(super) fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| if digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit()) { digits.parse().ok() } else { None };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// An IANA time zone. The system's own data comes first: it follows the world's governments without a new version of this program; where the system has
/// none, or not this zone, what is built in serves.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    let found = jiff::tz::db().get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).ok()?;
    (!found.is_unknown()).then_some(found)
}

pub(super) fn check_days(report: &mut Report<'_>, path: &KeyPath, value: &Value) {
    let expected = "days such as \"Mon-Fri\", \"Sat,Sun\" or \"Mon-Sun\"";
    match value.as_str().map(days) {
        Some(Ok(_)) => {}
        Some(Err(part)) => report.say(path, value, shown(path, value), expected, near_day(part)),
        None => report.unexpected(path, value, expected),
    }
}

fn near_day(part: &str) -> Option<String> {
    nearest(part, DAYS.iter().map(|name| &name[..3])).or_else(|| nearest(part, DAYS))
}

/// A time of day, and as an end the end of the day too.
pub(super) fn check_clock(report: &mut Report<'_>, path: &KeyPath, value: &Value, is_end: bool) {
    let expected = if is_end { "a time of day such as \"06:00\", up to \"24:00\"" } else { "a time of day such as \"20:00\", up to \"23:59\"" };
    if !value.as_str().is_some_and(|text| clock(text).is_some() || (is_end && text == END_OF_DAY)) {
        report.unexpected(path, value, expected);
    }
}

pub(super) fn check_zone(report: &mut Report<'_>, path: &KeyPath, value: &Value) {
    let expected = "the IANA name of a time zone, such as \"Europe/London\"";
    match value.as_str() {
        Some(name) if zone(name).is_some() => {}
        Some(name) => report.say(path, value, shown(path, value), expected, near_zone(name)),
        None => report.unexpected(path, value, expected),
    }
}

/// By its whole name, or by its city's.
fn near_zone(name: &str) -> Option<String> {
    let names: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect();
    let city = |name: &str| name.rsplit('/').next().map(str::to_owned).unwrap_or_default();
    let cities: Vec<String> = names.iter().map(|name| city(name)).collect();
    nearest(name, names.iter().map(String::as_str)).or_else(|| {
        let near = nearest(&city(name), cities.iter().map(String::as_str))?;
        names.iter().find(|name| city(name) == near).cloned()
    })
}

/// The window of a match, and what is wrong with its keys together.
pub(super) fn window(report: &mut Report<'_>, table: &Table<'_>) -> Option<Window> {
    let (from, to) = (table.get("from"), table.get("to"));
    let lone = |report: &mut Report<'_>, here: &str, missing: &str, value: &Value| {
        report.say(&table.path.key(here), value, format!("{here} without {missing}"), "from and to, or neither for the whole day", None);
    };
    match (from, to) {
        (Some(value), None) => lone(report, "from", "to", value),
        (None, Some(value)) => lone(report, "to", "from", value),
        (Some(from), Some(to)) if from.as_str().is_some_and(|from| clock(from).is_some() && to.as_str() == Some(from)) => {
            let expected = "another time than from; a whole day is from = \"00:00\", to = \"24:00\"";
            report.say(&table.path.key("to"), to, shown(&table.path.key("to"), to), expected, None);
        }
        _ => {}
    }
    read_window(table)
}

/// Nothing where a key is faulty.
pub(super) fn read_window(table: &Table<'_>) -> Option<Window> {
    let word = |key: &str| table.get(key).map(|value| value.as_str().unwrap_or_default());
    // Midnight is the end of this day, not the beginning of the next.
    let to = |text: &str| if text == END_OF_DAY { Some(None) } else { clock(text).map(|to| Some(to).filter(|to| *to != Time::midnight())) };
    Some(Window {
        days: word("days").map_or(Ok([true; 7]), days).ok()?,
        from: clock(word("from").unwrap_or("00:00"))?,
        to: to(word("to").unwrap_or(END_OF_DAY))?,
        time_zone: zone(word("time_zone").unwrap_or(USUAL_ZONE))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, &str> {
        days(text).map(|days| days.map(|day| if day { 'x' } else { '-' }).iter().collect())
    }

    #[test]
    fn days_are_read_as_people_write_them() {
        for (text, week) in [
            ("Mon-Fri", "xxxxx--"),
            ("Sat,Sun", "-----xx"),
            ("mon-sun", "xxxxxxx"),
            ("Fri-Mon", "x---xxx"),
            ("Monday, Wednesday-Friday", "x-xxx--"),
            ("Sun", "------x"),
            ("Tue-Mon", "xxxxxxx"),
        ] {
            assert_eq!(shown(text), Ok(week.to_owned()), "{text}");
        }
    }

    #[test]
    fn of_what_are_no_days_the_part_that_is_none_is_told() {
        for (text, part) in
            [("", ""), ("Mon-", ""), ("Mon;Tue", "Mon;Tue"), ("Mon,Tus", "Tus"), ("Mon-Mon", "Mon-Mon"), ("Mon,,Tue", ""), ("Mond", "Mond")]
        {
            assert_eq!(shown(text), Err(part), "{text}");
        }
        assert_eq!(near_day("Tus").as_deref(), Some("Tue"));
        assert_eq!(near_day("Wensday").as_deref(), Some("Wednesday"));
    }

    #[test]
    fn a_time_of_day_has_two_digits_each() {
        assert_eq!(clock("06:05").map(|time| (time.hour(), time.minute())), Some((6, 5)));
        for text in ["6:05", "06:5", "24:00", "23:60", "+6:05", "06.05", "06:05:00", "", "é:00"] {
            assert_eq!(clock(text), None, "{text}");
        }
    }

    #[test]
    fn zones_are_found_without_the_systems_data_too() {
        assert!(TimeZoneDatabase::bundled().get("Europe/London").is_ok());
        for (name, found) in
            [("europe/london", Some("Europe/London")), ("UTC", Some("UTC")), ("Etc/Unknown", None), ("Europe/Lodnon", None), ("", None)]
        {
            assert_eq!(zone(name).as_ref().and_then(TimeZone::iana_name), found, "{name}");
        }
    }

    #[test]
    fn a_zone_is_guessed_by_its_name_or_its_city() {
        let near = ["Europe/Lodnon", "London", "America/Kathmandu", "Mars/Olympus Mons"].map(near_zone);
        let near = near.each_ref().map(Option::as_deref);
        assert_eq!(near, [Some("Europe/London"), Some("Europe/London"), Some("Asia/Kathmandu"), None]);
    }
}
