//! Taking header lines out while the others keep their order, in which they go to upstreams.
//!
//! `HeaderMap::remove` puts the last line in the place of the one it takes. Here the lines behind it move up instead,
//! at the price of a new map where one stands in the middle, and of a look at the names where
//! there is nothing to remove.

use http::header::{HeaderMap, HeaderName};

/// Lines that the gateway mostly adds to what it passes on, in either direction.
pub(crate) const ROOM: usize = 6;

/// Room is made ahead for so many names at most; a map with more grows. Asked for more than the 24,576 names that
/// it can hold, it would panic.
const MOST_ROOM: usize = 1024;

/// An empty map with room for the names in `headers` and `more`.
pub(crate) fn with_room_for(headers: &HeaderMap, more: usize) -> HeaderMap {
    HeaderMap::with_capacity((headers.keys_len() + more).min(MOST_ROOM))
}

/// Removes every line of `name`; `true` if there was one.
pub fn remove(headers: &mut HeaderMap, name: &HeaderName) -> bool {
    let before = headers.keys_len();
    retain(headers, |known| known != name);
    headers.keys_len() < before
}

/// Removes the lines whose names are not to be kept.
pub fn retain(headers: &mut HeaderMap, keep: impl Fn(&HeaderName) -> bool) {
    let Some(first) = headers.keys().position(|name| !keep(name)) else { return };
    if first + 1 == headers.keys_len() {
        // Nothing stands behind it that could come to stand elsewhere.
        if let Some(last) = headers.keys().nth(first).cloned() {
            headers.remove(last);
        }
        return;
    }
    let mut kept = with_room_for(headers, ROOM);
    let mut current = None;
    for (name, value) in std::mem::take(headers) {
        // Only the first line of a name tells it.
        if let Some(name) = name {
            current = keep(&name).then_some(name);
        }
        if let Some(name) = &current {
            kept.append(name, value);
        }
    }
    *headers = kept;
}

/// A copy of the lines whose names are to be kept.
pub fn copy(headers: &HeaderMap, keep: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut copy = with_room_for(headers, ROOM);
    for (name, value) in headers.iter().filter(|(name, _)| keep(name)) {
        copy.append(name, value.clone());
    }
    copy
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn lines(text: &'static str) -> HeaderMap {
        let line = |line: &'static str| {
            let (name, value) = line.split_once('=').expect("a name and a value");
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        text.split_whitespace().map(line).collect()
    }

    fn text(headers: &HeaderMap) -> String {
        let line = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}={}", value.to_str().expect("text"));
        headers.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_stays_keeps_its_order_wherever_something_is_taken_out() {
        for gone in ["a", "b", "te", "d", "e"] {
            let mut headers = lines("a=1 b=1 te=1 d=1 b=2 e=1");
            let expected: Vec<_> = ["a=1", "b=1", "b=2", "te=1", "d=1", "e=1"]
                .into_iter()
                .filter(|line| !line.starts_with(&format!("{gone}=")))
                .collect();
            assert!(remove(&mut headers, &HeaderName::from_static(gone)));
            assert_eq!(text(&headers), expected.join(" "), "without {gone}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_removed() {
        let mut headers = lines("a=1 b=1");
        assert!(!remove(&mut headers, &HeaderName::from_static("c")));
        assert_eq!(text(&headers), "a=1 b=1");
        assert!(!remove(&mut HeaderMap::new(), &HeaderName::from_static("c")));
    }

    #[test]
    fn as_many_lines_as_a_map_can_hold_are_copied_too() {
        const MANY: usize = 24_576;
        let name = |number| HeaderName::try_from(format!("x-{number}")).expect("a name");
        let mut headers: HeaderMap = (0..MANY).map(|at| (name(at), HeaderValue::from_static("1"))).collect();
        assert_eq!(copy(&headers, |_| true).len(), MANY);
        assert!(remove(&mut headers, &name(0)));
        assert_eq!(headers.len(), MANY - 1);
    }

    #[test]
    fn several_are_removed_at_once_and_a_copy_is_as_the_rest() {
        let keep = |name: &HeaderName| name != "a" && name != "c";
        let mut headers = lines("a=1 b=1 c=1 d=1 b=2 c=2");
        assert_eq!(text(&copy(&headers, keep)), "b=1 b=2 d=1");
        retain(&mut headers, keep);
        assert_eq!(text(&headers), "b=1 b=2 d=1");
        headers.append("b", HeaderValue::from_static("3"));
        assert_eq!(text(&headers), "b=1 b=2 b=3 d=1");
    }
}
