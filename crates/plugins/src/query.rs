//! The query string: finding an argument, taking one out, and what of it goes to the upstream. Names and values
//! are compared decoded; what is kept stays byte for byte as the client wrote it.

use std::borrow::Cow;

use gateway::exchange::Exchange;
use percent_encoding::percent_decode_str;

/// The first value of the argument `name`, decoded. An argument without `=` is empty.
pub(crate) fn argument<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).find_map(|(key, value)| {
        // An empty pair (`a=1&&b=2`) is no argument.
        (!key.is_empty() && decoded(key) == name).then(|| decoded(value))
    })
}

/// `query` without every argument called `name`.
pub(crate) fn without_argument(query: &str, name: &str) -> String {
    let is_other = |pair: &&str| decoded(pair.split_once('=').map_or(*pair, |(key, _)| key)) != name;
    let kept: Vec<&str> = query.split('&').filter(is_other).collect();
    kept.join("&")
}

/// The query that goes to the upstream: the client's, less what earlier plugins took out.
pub(crate) fn forwarded(exchange: &Exchange) -> Option<&str> {
    match &exchange.forward.uri {
        Some(uri) => uri.split_once('?').map(|(_, query)| query),
        None => exchange.request.query(),
    }
}

/// Keeps every argument called `name` from the upstream.
pub(crate) fn hide(exchange: &mut Exchange, name: &str) {
    let rest = without_argument(forwarded(exchange).unwrap_or_default(), name);
    let mut uri = match &exchange.forward.uri {
        Some(uri) => uri.split_once('?').map_or(uri.as_str(), |(path, _)| path).to_owned(),
        None => exchange.request.uri.path().to_owned(),
    };
    if !rest.is_empty() {
        uri.push('?');
        uri.push_str(&rest);
    }
    exchange.forward.uri = Some(uri);
}

/// Percent-decoded, with `+` as a space, as nginx reads arguments.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_found_by_its_decoded_name_and_the_first_one_counts() {
        let rows = [
            ("apikey=one&apikey=two", Some("one")),
            ("a=1&api%6bey=x%20y+z", Some("x y z")),
            ("apikey", Some("")),
            ("apikey=", Some("")),
            ("&&APIKEY=x", None),
            ("", None),
        ];
        for (query, expected) in rows {
            assert_eq!(argument(query, "apikey").as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn taking_an_argument_out_leaves_the_rest_as_written() {
        let rows = [("apikey=1", ""), ("a=%41&apikey=1&b=+", "a=%41&b=+"), ("a=1", "a=1"), ("api%6bey&b", "b")];
        for (query, expected) in rows {
            assert_eq!(without_argument(query, "apikey"), expected, "{query}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_taken_out_is_not_found_any_more(query in "[ab=&%6+]{0,24}") {
            let rest = without_argument(&query, "a");
            proptest::prop_assert_eq!(argument(&rest, "a"), None);
        }
    }
}
