//! The values of the `format` keyword that are checked; others say nothing, as in APISIX.

use std::net::{Ipv4Addr, Ipv6Addr};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Ipv4,
    Ipv6,
    Email,
    Hostname,
    Uuid,
    Date,
    DateTime,
    Uri,
}

impl Format {
    const NAMES: [(&'static str, Format); 8] = [
        ("ipv4", Format::Ipv4),
        ("ipv6", Format::Ipv6),
        ("email", Format::Email),
        ("hostname", Format::Hostname),
        ("uuid", Format::Uuid),
        ("date", Format::Date),
        ("date-time", Format::DateTime),
        ("uri", Format::Uri),
    ];

    pub(super) fn from_name(name: &str) -> Option<Format> {
        Format::NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    pub(super) fn name(self) -> &'static str {
        Format::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| *name)
    }

    pub(super) fn accepts(self, text: &str) -> bool {
        match self {
            Format::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Format::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Format::Email => email(text),
            Format::Hostname => hostname(text),
            Format::Uuid => uuid(text),
            Format::Date => date(text),
            Format::DateTime => date_time(text),
            Format::Uri => uri(text),
        }
    }
}

fn email(text: &str) -> bool {
    let allowed = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let Some((name, top)) = domain.rsplit_once('.') else {
        return false;
    };
    let top_is_alphabetic = top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic());
    !local.is_empty() && !name.is_empty() && allowed(local) && allowed(name) && top_is_alphabetic
}

fn hostname(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

fn uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `YYYY-MM-DD` with a month and day that exist in some year.
fn date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    number_within(year, 4, 0, 9999) && number_within(month, 2, 1, 12) && number_within(day, 2, 1, 31)
}

/// RFC 3339: a date, `T`, a time with optional fraction, and a zone.
fn date_time(text: &str) -> bool {
    let Some((day, time)) = text.split_once(['T', 't', ' ']) else {
        return false;
    };
    let Some(zone_at) = time.find(['Z', 'z', '+', '-']) else {
        return false;
    };
    let (clock, zone) = time.split_at(zone_at);
    date(day) && self::clock(clock) && self::zone(zone)
}

fn clock(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<&str> = whole.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else {
        return false;
    };
    let digits = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    digits && number_within(hour, 2, 0, 23) && number_within(minute, 2, 0, 59) && number_within(second, 2, 0, 60)
}

fn zone(text: &str) -> bool {
    if text.eq_ignore_ascii_case("z") {
        return true;
    }
    let Some((hour, minute)) = text.get(1..).and_then(|offset| offset.split_once(':')) else {
        return false;
    };
    number_within(hour, 2, 0, 23) && number_within(minute, 2, 0, 59)
}

fn number_within(text: &str, digits: usize, min: u32, max: u32) -> bool {
    text.len() == digits
        && text.bytes().all(|b| b.is_ascii_digit())
        && text.parse().is_ok_and(|number: u32| (min..=max).contains(&number))
}

/// A scheme, a colon, and no white space.
fn uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    scheme_ok && !rest.is_empty() && !rest.contains(char::is_whitespace)
}
