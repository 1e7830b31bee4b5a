//! The kinds of ids. They must not collide; nobody's safety rests on their being hard to guess.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const URL_SAFE: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Where the time of a KSUID begins, in May 2014: seconds since the Unix epoch.
const KSUID_EPOCH: u64 = 1_400_000_000;
const KSUID_LENGTH: usize = 27;
const NANOID_LENGTH: usize = 21;

/// The time since the Unix epoch.
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A random UUID (RFC 9562, version 4).
pub(super) fn uuid() -> String {
    hyphenated(with_version(fastrand::u128(..), 4))
}

/// A UUID that begins with the time in milliseconds (RFC 9562, version 7).
pub(super) fn uuid_v7(now: Duration) -> String {
    let milliseconds = now.as_millis() & ((1 << 48) - 1);
    hyphenated(with_version((milliseconds << 80) | (fastrand::u128(..) >> 48), 7))
}

/// 126 random bits as 21 characters.
pub(super) fn nanoid() -> String {
    (0..NANOID_LENGTH).map(|_| char::from(URL_SAFE[fastrand::usize(..URL_SAFE.len())])).collect()
}

/// `length` characters out of `characters`; empty if there are none.
pub(super) fn range_id(length: usize, characters: &[char]) -> String {
    (0..length).filter_map(|_| fastrand::choice(characters)).collect()
}

/// 32 bits of time and 128 random bits, in base 62.
pub(super) fn ksuid(now: Duration) -> String {
    let seconds = now.as_secs().saturating_sub(KSUID_EPOCH) as u32;
    let mut number = [0u8; 20];
    number[..4].copy_from_slice(&seconds.to_be_bytes());
    number[4..].copy_from_slice(&fastrand::u128(..).to_be_bytes());
    let mut digits = [b'0'; KSUID_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[divide(&mut number, 62)];
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// Divides a big-endian number in place; returns the remainder.
fn divide(number: &mut [u8], by: usize) -> usize {
    number.iter_mut().fold(0, |remainder, byte| {
        let value = remainder * 256 + usize::from(*byte);
        *byte = (value / by) as u8;
        value % by
    })
}

/// Writes version and variant into a UUID's bits.
fn with_version(bits: u128, version: u128) -> u128 {
    (bits & !(0xf << 76) & !(0b11 << 62)) | (version << 76) | (0b10 << 62)
}

fn hyphenated(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_their_version_and_variant() {
        for (id, version) in [(uuid(), '4'), (uuid_v7(since_epoch()), '7')] {
            let groups: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(id.chars().nth(14), Some(version), "{id}");
            assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        }
    }

    #[test]
    fn ids_with_a_time_sort_by_it() {
        let (earlier, later) = (Duration::from_secs(1_700_000_000), Duration::from_secs(1_700_000_001));
        assert!(uuid_v7(earlier) < uuid_v7(later));
        assert!(ksuid(earlier) < ksuid(later));
        assert!(uuid_v7(earlier).starts_with("018bcfe5-6800-7"));
    }

    #[test]
    fn a_ksuid_is_its_bytes_in_base_62() {
        let mut largest = [0xff; 20];
        let digits: Vec<usize> = (0..KSUID_LENGTH).map(|_| divide(&mut largest, 62)).collect();
        let text: String = digits.iter().rev().map(|digit| char::from(BASE62[*digit])).collect();
        assert_eq!(text, "aWgEPTl1tmebfsQzFP4bxwgy80V");
        assert_eq!(ksuid(since_epoch()).len(), 27);
    }

    #[test]
    fn other_ids_have_the_length_and_characters_asked_for() {
        assert_eq!(nanoid().len(), 21);
        let id = range_id(9, &['a', 'b']);
        assert!(id.len() == 9 && id.chars().all(|c| matches!(c, 'a' | 'b')), "{id}");
        assert_ne!(nanoid(), nanoid());
    }
}
