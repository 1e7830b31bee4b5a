//! nginx's notations for times (`60s`, `1h30m`, `500ms`) and sizes (`16k`, `1m`).

use std::time::Duration;

/// Milliseconds per unit, longest name first so that `ms` is not read as `m`.
const TIME_UNITS: [(&str, u64); 8] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
    ("M", 2_592_000_000),
    ("y", 31_536_000_000),
];

/// A century. Longer times would run over what a clock can count.
pub const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A time: parts of number and unit, or a bare number of seconds. `None` if it is none or does not fit.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let (unit, after) = TIME_UNITS
            .iter()
            .find_map(|(name, unit)| Some((*unit, after.strip_prefix(name)?)))
            .or_else(|| after.is_empty().then_some((1_000, after)))?;
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = after.trim_start();
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// A size in bytes: a number with `k`, `m` or `g` (of 1024) or nothing behind it.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = leading_number(text.trim())?;
    let shift = match unit {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}
