//! Media within a URL: `data:image/png;base64,…`.
//!
//! Invariant: what is borrowed stays borrowed; the base64 is neither copied nor checked. Called by the readers of
//! dialects that name media by URL.

use std::borrow::Cow;

use super::media_type;
use crate::model::{MediaSource, Text};

/// The source that `url` is, and the media type that it tells. Scheme, type and `base64` are words in any case.
pub(crate) fn read(url: Text<'_>) -> (MediaSource<'_>, Option<Text<'_>>) {
    let Some((told, data_start)) = head_and_data(&url) else { return (MediaSource::Url(url), None) };
    match url {
        Cow::Borrowed(url) => {
            (MediaSource::Base64(Cow::Borrowed(&url[data_start..])), media_type::read(Cow::Borrowed(&url[told])))
        }
        Cow::Owned(mut url) => {
            let data = url.split_off(data_start);
            (MediaSource::Base64(Cow::Owned(data)), media_type::read(Cow::Owned(url[told].to_owned())))
        }
    }
}

/// Where the media type with its parameters stands, and where the base64 begins; `None` if `url` holds none.
fn head_and_data(url: &str) -> Option<(std::ops::Range<usize>, usize)> {
    const SCHEME: &str = "data:";
    const ENCODING: &str = ";base64";
    let begins = |text: &str, word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if !begins(url, SCHEME) {
        return None;
    }
    let comma = memchr::memchr(b',', url.as_bytes())?;
    let type_end = comma.checked_sub(ENCODING.len()).filter(|end| *end >= SCHEME.len())?;
    begins(url.get(type_end..)?, ENCODING).then_some((SCHEME.len()..type_end, comma + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_found_in_every_spelling() {
        let cases = [
            ("data:image/png;base64,AA==", Some("image/png")),
            ("data:IMAGE/PNG;BASE64,AA==", Some("image/png")),
            ("Data:image/jpg;Base64,AA==", Some("image/jpeg")),
            ("data:image/png;charset=utf-8;base64,AA==", Some("image/png")),
            ("data:;base64,AA==", None),
        ];
        for (url, expected) in cases {
            for url in [Cow::Borrowed(url), Cow::Owned(url.to_owned())] {
                let (source, told) = read(url.clone());
                assert_eq!((source, told.as_deref()), (MediaSource::Base64("AA==".into()), expected), "{url:?}");
            }
        }
    }

    #[test]
    fn all_else_is_a_place() {
        for url in ["https://x/a.png", "data:,", "data:base64,AA==", "data:image/svg+xml;utf8,<svg/>", "data:é", ""] {
            assert_eq!(read(url.into()), (MediaSource::Url(url.into()), None));
        }
    }
}
