//! Media types as providers compare them: in lower case, without parameters, by their registered names.
//!
//! Called by the readers of dialects whose clients tell media types, so that no writer meets `image/jpg`.

use crate::model::Text;

/// The media type that `told` names; `None` if it names none.
pub(crate) fn read(told: Text<'_>) -> Option<Text<'_>> {
    let name = told.split(';').next().unwrap_or_default().trim();
    if name.is_empty() {
        return None;
    }
    if name.eq_ignore_ascii_case("image/jpg") {
        return Some("image/jpeg".into());
    }
    let is_plain = name.len() == told.len() && !name.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if is_plain { told } else { name.to_ascii_lowercase().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_in_every_spelling() {
        let cases = [
            ("image/png", Some("image/png")),
            ("image/jpg", Some("image/jpeg")),
            ("IMAGE/JPG", Some("image/jpeg")),
            ("Image/PNG; charset=utf-8", Some("image/png")),
            ("application/pdf;name=a.pdf", Some("application/pdf")),
            ("", None),
            (";charset=utf-8", None),
        ];
        for (told, expected) in cases {
            assert_eq!(read(told.into()).as_deref(), expected, "{told:?}");
        }
    }
}
