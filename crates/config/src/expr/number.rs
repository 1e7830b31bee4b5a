//! Numbers as Lua's `tonumber` reads them, because the comparisons of the expression language convert both
//! sides that way.

/// The number in `text`: decimal with optional exponent, or hexadecimal (`0x1F`), signed, with white space
/// around. `None` for anything else, `nan` and `inf` included.
pub(super) fn from_text(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c'));
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => hexadecimal(hex)?,
        None => decimal(digits)?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn decimal(digits: &str) -> Option<f64> {
    // Rust also reads "inf" and "nan", and a second sign must not pass.
    let starts_well = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if starts_well { digits.parse().ok() } else { None }
}

fn hexadecimal(digits: &str) -> Option<f64> {
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0.0, |sum: f64, digit| Some(sum * 16.0 + f64::from(digit.to_digit(16)?)))
}
