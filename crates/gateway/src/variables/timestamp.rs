//! Points in time as access logs and AWS print them. Always UTC: a log line means the same wherever it is read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// From 1 March of year 0 to 1 January 1970.
const DAYS_TO_EPOCH: u64 = 719_468;

/// A calendar date and a time of day.
struct Civil {
    year: u64,
    /// 1 to 12.
    month: u64,
    /// 1 to 31.
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

/// Since the Unix epoch.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `20/Nov/2026:18:51:18 +0000`, as `$time_local`.
pub(super) fn common_log(since_epoch: Duration) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::at(since_epoch);
    let month = MONTHS[(month - 1) as usize];
    format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000")
}

/// `2026-11-20T18:51:18+00:00`, as `$time_iso8601`.
pub(super) fn iso8601(since_epoch: Duration) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::at(since_epoch);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00")
}

/// `20261120T185118Z`, as AWS dates signatures.
pub(crate) fn compact(since_epoch: Duration) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::at(since_epoch);
    format!("{year}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Reads a time of RFC 3339, such as `2026-11-20T18:51:18Z` or `2026-11-20T19:51:18.5+01:00`, as AWS and Google date
/// the ends of keys; a fraction is passed over. `None` if the text is no time since 1970.
pub(crate) fn read_rfc3339(text: &str) -> Option<Duration> {
    let (date, time) = text.split_once('T')?;
    let (time, zone) = time.split_at(time.find(['Z', '+', '-'])?);
    let [year, month, day] = numbers(date.split('-'))?;
    let whole = time.split_once('.').map_or(time, |(whole, _)| whole);
    let [hour, minute, second] = numbers(whole.split(':'))?;
    let is_time = (1970..10_000).contains(&year) && hour < 24 && minute < 60 && second <= 60;
    if !is_time || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - DAYS_TO_EPOCH;
    let local = Duration::from_secs(days * 86_400 + hour * 3_600 + minute * 60 + second);
    match zone.split_at(1) {
        ("Z", "") => Some(local),
        ("+", ahead) => local.checked_sub(offset(ahead)?),
        ("-", behind) => local.checked_add(offset(behind)?),
        _ => None,
    }
}

/// Reads `HH:MM`.
fn offset(text: &str) -> Option<Duration> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then(|| Duration::from_secs(hours * 3_600 + minutes * 60))
}

fn numbers<'a>(mut parts: impl Iterator<Item = &'a str>) -> Option<[u64; 3]> {
    let mut next = || parts.next()?.parse().ok();
    let read = [next()?, next()?, next()?];
    parts.next().is_none().then_some(read)
}

impl Civil {
    fn at(since_epoch: Duration) -> Self {
        let seconds = since_epoch.as_secs();
        // Years begin in March, so that a leap day is the last of its year; an era has 400 years.
        let days = seconds / 86_400 + DAYS_TO_EPOCH;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: seconds / 3_600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_nginx_prints_them() {
        let rows = [
            (0, "01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00+00:00"),
            (951_782_399, "28/Feb/2000:23:59:59 +0000", "2000-02-28T23:59:59+00:00"),
            (951_782_400, "29/Feb/2000:00:00:00 +0000", "2000-02-29T00:00:00+00:00"),
            (1_795_200_678, "20/Nov/2026:18:51:18 +0000", "2026-11-20T18:51:18+00:00"),
            (4_107_542_400, "01/Mar/2100:00:00:00 +0000", "2100-03-01T00:00:00+00:00"),
        ];
        for (seconds, common, iso) in rows {
            let time = Duration::from_secs(seconds);
            assert_eq!((common_log(time).as_str(), iso8601(time).as_str()), (common, iso));
        }
    }

    #[test]
    fn times_of_aws_are_written_and_read() {
        for (seconds, compacted, text) in [
            (951_782_400, "20000229T000000Z", "2000-02-29T00:00:00Z"),
            (1_440_938_160, "20150830T123600Z", "2015-08-30T12:36:00Z"),
            (1_795_200_678, "20261120T185118Z", "2026-11-20T18:51:18.123Z"),
            (4_107_542_400, "21000301T000000Z", "2100-03-01T00:00:00Z"),
        ] {
            let time = Duration::from_secs(seconds);
            assert_eq!((compact(time).as_str(), read_rfc3339(text)), (compacted, Some(time)));
        }
        for text in [
            "",
            "2026-11-20",
            "2026-11-20T18:51:18",
            "2026-11-20T18:51:18+1",
            "2026-13-20T18:51:18Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(read_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn times_in_other_zones_are_read() {
        for text in ["2026-11-20T18:51:18+00:00", "2026-11-20T20:21:18.5+01:30", "2026-11-20T10:51:18-08:00"] {
            assert_eq!(read_rfc3339(text), Some(Duration::from_secs(1_795_200_678)), "{text}");
        }
    }
}
