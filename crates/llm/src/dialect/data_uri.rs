//! Media within a URL: `data:image/png;base64,…`.
//!
//! Invariant: what is borrowed stays borrowed; the base64 is neither copied nor checked. Called by the readers of
//! dialects that name media by URL.

use std::borrow::Cow;

use crate::model::{MediaSource, Text};

/// The source that `url` is, and the media type that it tells.
pub(crate) fn read(url: Text<'_>) -> (MediaSource<'_>, Option<Text<'_>>) {
    const SCHEME: &str = "data:";
    let lengths = url.strip_prefix(SCHEME).and_then(|rest| {
        let (head, data) = rest.split_once(',')?;
        let types = head.strip_suffix(";base64")?;
        let media_type = types.split(';').next().unwrap_or_default();
        Some((media_type.len(), data.len()))
    });
    let Some((type_length, data_length)) = lengths else { return (MediaSource::Url(url), None) };
    let type_end = SCHEME.len() + type_length;
    let data_start = url.len() - data_length;
    let (media_type, data) = match url {
        Cow::Borrowed(url) => (Cow::Borrowed(&url[SCHEME.len()..type_end]), Cow::Borrowed(&url[data_start..])),
        Cow::Owned(mut url) => {
            let data = url.split_off(data_start);
            (Cow::Owned(url[SCHEME.len()..type_end].to_owned()), Cow::Owned(data))
        }
    };
    (MediaSource::Base64(data), Some(media_type).filter(|media_type| !media_type.is_empty()))
}
