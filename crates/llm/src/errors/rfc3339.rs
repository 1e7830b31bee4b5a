//! Times as Anthropic's headers tell them: `2025-11-23T13:21:11Z`.
//!
//! Only whole seconds, and only UTC or a numeric offset: that is all that those headers hold.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS_OF_DAY: i64 = 86_400;

/// Reads a time; `None` if the text is none or lies before 1970.
pub(super) fn read(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(at);
    let offset = match zone.split_at_checked(1)? {
        ("+", zone) => zone_seconds(zone)?,
        ("-", zone) => -zone_seconds(zone)?,
        _ => 0,
    };
    let mut clock = clock.split(':');
    let (hour, minute) = (clock.next()?.parse::<i64>().ok()?, clock.next()?.parse::<i64>().ok()?);
    let second = clock.next()?.split('.').next()?.parse::<i64>().ok()?;
    let in_range = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second - offset;
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

fn zone_seconds(zone: &str) -> Option<i64> {
    let (hours, minutes) = zone.split_once(':')?;
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then(|| hours * 3600 + minutes * 60)
}

/// Writes a time in UTC, rounded up to a second.
pub(super) fn write(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs() + u64::from(since.subsec_nanos() > 0)).unwrap_or(0);
    let (year, month, day) = date_of(seconds.div_euclid(SECONDS_OF_DAY));
    let second = seconds.rem_euclid(SECONDS_OF_DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days in the proleptic Gregorian calendar, whose years are counted from March so that a leap day ends one.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_since_1970`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = (march_month + 2) % 12 + 1;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    (year + era * 400 + i64::from(month <= 2), month, day)
}
