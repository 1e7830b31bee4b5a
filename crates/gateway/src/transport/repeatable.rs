//! Which requests may go out a second time after part of them was sent.

use http::Method;

/// `false` for the methods of which nginx says that they must not be repeated: what they do may have been done.
pub(crate) fn is_repeatable(method: &Method) -> bool {
    !matches!(method.as_str(), "POST" | "LOCK" | "PATCH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_methods_but_three_may_be_repeated() {
        for (name, repeatable) in [
            ("GET", true),
            ("PUT", true),
            ("PROPFIND", true),
            ("MKCOL", true),
            ("PURGE", true),
            ("NEW", true),
            ("POST", false),
            ("LOCK", false),
            ("PATCH", false),
        ] {
            assert_eq!(is_repeatable(&name.parse().expect("a method")), repeatable, "{name}");
        }
    }
}
