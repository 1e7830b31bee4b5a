//! `$uri`: the path that routes are matched on. Percent-decoded, dot segments resolved, repeated slashes merged;
//! a path that is already in this form (nearly all are) costs one scan and no copy. Encoded bytes that are no
//! UTF-8 stay encoded. What the `apisix` section asks for beside that is done here too; the upstream gets the path
//! as it was sent in any case.

use std::borrow::Cow;

use config::settings::Apisix;
use http::Uri;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// A normalised path, kept only where it differs from the URI's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NormalPath {
    /// The URI's path is already normal.
    AsSent,
    Changed(Box<str>),
    /// Routes see another path than everybody else.
    Apart(Box<Apart>),
}

/// A path in which an encoded slash is no border of segments for routes (`apisix.match_uri_encoded_slash`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// `$uri`, decoded.
    uri: Box<str>,
    /// The same with `%2F` in the place of every slash that was encoded.
    routed: Box<str>,
}

/// The path climbs above the root, holds an encoded NUL, or hides a dot segment behind parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request path is not valid")]
pub struct InvalidPath;

impl NormalPath {
    /// Normalises the path of `uri`.
    ///
    /// # Errors
    /// If `..` climbs above the root or the decoded path holds a NUL.
    pub fn new(uri: &Uri) -> Result<Self, InvalidPath> {
        let path = uri.path();
        if is_normal(path) { Ok(NormalPath::AsSent) } else { normalize(path).map(NormalPath::Changed) }
    }

    /// Normalises the path of `uri` in the way that `rules` ask for.
    ///
    /// # Errors
    /// As [`NormalPath::new`]; or if a dot segment has parameters, or a segment nothing but parameters.
    pub fn by_rules(uri: &Uri, rules: &Apisix) -> Result<Self, InvalidPath> {
        let mut path = Self::new(uri)?;
        if rules.match_uri_encoded_slash {
            path = path.keeping_encoded_slashes(uri);
        }
        if rules.normalize_uri_like_servlet {
            path = path.without_parameters(uri)?;
        }
        if rules.delete_uri_tail_slash {
            path = path.without_tail_slash(uri);
        }
        Ok(path)
    }

    /// The path itself, `$uri`.
    pub fn of<'a>(&'a self, uri: &'a Uri) -> &'a str {
        match self {
            NormalPath::AsSent => uri.path(),
            NormalPath::Changed(path) => path,
            NormalPath::Apart(apart) => &apart.uri,
        }
    }

    /// What routes are matched on and path parameters are taken from.
    pub fn routed<'a>(&'a self, uri: &'a Uri) -> &'a str {
        match self {
            NormalPath::AsSent | NormalPath::Changed(_) => self.of(uri),
            NormalPath::Apart(apart) => &apart.routed,
        }
    }

    /// Keeps encoded slashes for routes, unless the path needed more than decoding: then what they meant is not sure.
    fn keeping_encoded_slashes(self, uri: &Uri) -> Self {
        let sent = uri.path();
        let routed = decoded_but_slashes(sent);
        match routed {
            Some(routed) if decoded(sent) == self.of(uri) => {
                NormalPath::Apart(Box::new(Apart { uri: self.of(uri).into(), routed: routed.into() }))
            }
            Some(_) | None => self,
        }
    }

    /// Cuts `;parameters` off every segment, as servlet containers do before they look for a servlet.
    fn without_parameters(self, uri: &Uri) -> Result<Self, InvalidPath> {
        let path = self.of(uri);
        if !path.contains(';') {
            return Ok(self);
        }
        let mut normal = String::with_capacity(path.len());
        let mut segments = path.split('/').peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            normal.push_str(match segment.split_once(';') {
                None => segment,
                Some((name, _)) if is_hiding(name) || (name.is_empty() && !is_last) => return Err(InvalidPath),
                Some((name, _)) => name,
            });
            if !is_last {
                normal.push('/');
            }
        }
        Ok(NormalPath::Changed(normal.into()))
    }

    /// Drops one trailing slash.
    fn without_tail_slash(self, uri: &Uri) -> Self {
        let shorter = |path: &str| path.strip_suffix('/').filter(|path| !path.is_empty()).map(Box::from);
        match self {
            NormalPath::AsSent | NormalPath::Changed(_) => shorter(self.of(uri)).map_or(self, NormalPath::Changed),
            NormalPath::Apart(mut apart) => {
                if let (Some(uri), Some(routed)) = (shorter(&apart.uri), shorter(&apart.routed)) {
                    *apart = Apart { uri, routed };
                }
                NormalPath::Apart(apart)
            }
        }
    }
}

/// `path` decoded; bytes that are no UTF-8 stay encoded, as `%E9`, in capitals.
fn decoded(path: &str) -> Cow<'_, str> {
    let bytes = match percent_decode_str(path).decode_utf8() {
        Ok(text) => return text,
        Err(_) => percent_decode_str(path).collect::<Vec<u8>>(),
    };
    let mut kept = String::with_capacity(path.len());
    for chunk in bytes.utf8_chunks() {
        kept.push_str(chunk.valid());
        kept.extend(percent_encode(chunk.invalid(), NON_ALPHANUMERIC));
    }
    Cow::Owned(kept)
}

/// `true` if `$uri` has bytes of this path that are no UTF-8, which stay encoded there.
pub fn holds_bytes(path: &str) -> bool {
    percent_decode_str(path).decode_utf8().is_err()
}

/// `path` decoded but for its slashes, which are written `%2F`; `None` if no slash is encoded.
fn decoded_but_slashes(path: &str) -> Option<String> {
    let mut rest = path;
    let mut kept = String::new();
    while let Some(at) = encoded_slash(rest) {
        kept.push_str(&decoded(&rest[..at]));
        kept.push_str("%2F");
        rest = &rest[at + "%2F".len()..];
    }
    if kept.is_empty() {
        return None;
    }
    kept.push_str(&decoded(rest));
    Some(kept)
}

/// Where the first encoded slash begins.
fn encoded_slash(path: &str) -> Option<usize> {
    path.as_bytes().windows(3).position(|three| three.eq_ignore_ascii_case(b"%2F"))
}

/// A dot segment that its parameters have kept from being resolved, perhaps encoded twice.
fn is_hiding(name: &str) -> bool {
    matches!(name, "." | "..") || name.eq_ignore_ascii_case("%2e") || name.eq_ignore_ascii_case("%2e%2e")
}

fn is_normal(path: &str) -> bool {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return false;
    }
    // A segment that starts with a dot may be `.` or `..`; a percent sign may hide anything.
    !bytes.windows(2).any(|pair| pair[0] == b'/' && (pair[1] == b'/' || pair[1] == b'.'))
        && memchr::memchr(b'%', bytes).is_none()
}

fn normalize(path: &str) -> Result<Box<str>, InvalidPath> {
    let decoded = decoded(path);
    if decoded.contains('\0') {
        return Err(InvalidPath);
    }
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for segment in decoded.split('/') {
        ends_in_folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or(InvalidPath)?;
            }
            name => segments.push(name),
        }
    }
    let mut normal = String::with_capacity(decoded.len() + 1);
    for segment in &segments {
        normal.push('/');
        normal.push_str(segment);
    }
    if ends_in_folder || normal.is_empty() {
        normal.push('/');
    }
    Ok(normal.into_boxed_str())
}

/// `true` if nginx would take this for a host, perhaps with a port behind it: no path, no spaces, no empty labels.
pub fn is_host(text: &[u8]) -> bool {
    let literal = text.first() == Some(&b'[');
    let end = if literal { text.iter().position(|b| *b == b']').map(|at| at + 1) } else { None };
    let end = end.or_else(|| text.iter().position(|b| *b == b':')).unwrap_or(text.len());
    let (name, port) = text.split_at(end);
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let has_empty_label = matches!(name, b"" | b".") || name.windows(2).any(|pair| pair == b"..");
    let is_plain = |b: &u8| !matches!(b, 0..=b' ' | b'/' | 0x7f);
    is_port && !has_empty_label && name.iter().all(is_plain)
}

/// The host of `host[:port]`; brackets of IPv6 addresses stay.
pub fn without_port(host: &str) -> &str {
    let bytes = host.as_bytes();
    match memchr::memrchr2(b':', b']', bytes) {
        Some(colon) if bytes[colon] == b':' => &host[..colon],
        _ => host,
    }
}

/// The port of `host:port`, if there is one.
pub fn port_of(host: &str) -> Option<&str> {
    host.get(without_port(host).len() + 1..).filter(|port| !port.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_no_spaces_no_path_and_a_port_of_digits() {
        for good in ["a", "a.b.", ".a", "a:80", "a:", "[::1]", "[::1]:80", "a_b", "1.2.3.4:9", "\u{e4}"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in ["", ".", "a b", "a/b", "/", "a..b", "a:b", "a:80/", ":80", "[::1]x", "a\tb", "a:80:80", "a\u{7f}"] {
            assert!(!is_host(bad.as_bytes()), "{bad:?}");
        }
    }

    fn normal(path: &str) -> Result<String, InvalidPath> {
        let uri = Uri::builder().path_and_query(path).build().expect("a URI");
        NormalPath::new(&uri).map(|normal| normal.of(&uri).to_owned())
    }

    #[test]
    fn paths_are_decoded_resolved_and_merged() {
        let rows = [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a//b", "/a/b"),
            ("//a", "/a"),
            ("/a/./b/", "/a/b/"),
            ("/a/b/..", "/a/"),
            ("/a/../b", "/b"),
            ("/%61%2Fb", "/a/b"),
            ("/a/%2e%2e/b", "/b"),
            ("/.well-known/x", "/.well-known/x"),
            ("/caf%C3%A9", "/café"),
        ];
        for (path, expected) in rows {
            assert_eq!(normal(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_encoded() {
        let rows = [
            ("/%ff", "/%FF"),
            ("/caf%e9/%41%2e%2e/", "/caf%E9/A../"),
            ("/%C3%A9/%c3/%a9", "/\u{e9}/%C3/%A9"),
            ("/%c0%ae%c0%ae/x", "/%C0%AE%C0%AE/x"),
            ("/a/%2e%2e/%e9", "/%E9"),
        ];
        for (path, expected) in rows {
            assert_eq!(normal(path).as_deref(), Ok(expected), "{path}");
            assert!(holds_bytes(path), "{path}");
        }
        assert!(!holds_bytes("/caf%C3%A9/%25E9"));
    }

    fn by_rules(path: &str, rules: &str) -> Result<(String, String), InvalidPath> {
        let apisix = Apisix {
            match_uri_encoded_slash: rules.contains("slash"),
            normalize_uri_like_servlet: rules.contains("servlet"),
            delete_uri_tail_slash: rules.contains("tail"),
            ..Apisix::default()
        };
        let uri = Uri::builder().path_and_query(path).build().expect("a URI");
        NormalPath::by_rules(&uri, &apisix).map(|path| (path.of(&uri).to_owned(), path.routed(&uri).to_owned()))
    }

    #[test]
    fn parameters_of_segments_are_cut_off_like_in_servlets() {
        let rows = [
            ("/a;v=1/b;x;y/c?q=;", "/a/b/c"),
            ("/a%3Bv=1/b", "/a/b"),
            ("/a/;jsessionid=1", "/a/"),
            ("/a/b", "/a/b"),
            ("/.a;x/b", "/.a/b"),
        ];
        for (path, expected) in rows {
            assert_eq!(by_rules(path, "servlet").map(|(uri, _)| uri).as_deref(), Ok(expected), "{path}");
        }
        for path in ["/a/..;/b", "/a/.;x/b", "/a/;x/b", "/;/b", "/a/%252e%252E;/b", "/a/%252e;x"] {
            assert_eq!(by_rules(path, "servlet"), Err(InvalidPath), "{path}");
        }
    }

    #[test]
    fn an_encoded_slash_is_kept_for_routes_if_nothing_but_decoding_was_needed() {
        let rows = [
            ("/blog/cat%2fdog%20x", "/blog/cat/dog x", "/blog/cat%2Fdog x"),
            ("/a%2F%E2%82%AC/", "/a/\u{20ac}/", "/a%2F\u{20ac}/"),
            ("/a%2F%e9/b", "/a/%E9/b", "/a%2F%E9/b"),
            ("/%2Fa", "/a", "/a"),
            ("/a/%2e%2e%2Fb", "/b", "/b"),
            ("/a%2F..%2Fb", "/b", "/b"),
            ("/a%2F/b", "/a/b", "/a/b"),
            ("/a%252Fb", "/a%2Fb", "/a%2Fb"),
            ("/a/b", "/a/b", "/a/b"),
        ];
        for (path, uri, routed) in rows {
            assert_eq!(by_rules(path, "slash"), Ok((uri.to_owned(), routed.to_owned())), "{path}");
        }
    }

    #[test]
    fn rules_for_paths_go_together() {
        let rows = [
            ("/a%2Fb/", "slash tail", "/a/b", "/a%2Fb"),
            ("/a%2Fb;x", "slash servlet", "/a/b", "/a/b"),
            ("/a;x/", "servlet tail", "/a", "/a"),
            ("/", "servlet tail slash", "/", "/"),
        ];
        for (path, rules, uri, routed) in rows {
            assert_eq!(by_rules(path, rules), Ok((uri.to_owned(), routed.to_owned())), "{path} {rules}");
        }
    }

    #[test]
    fn a_path_above_the_root_or_with_a_nul_is_refused() {
        for path in ["/..", "/a/../../b", "/%2e%2e/etc/passwd", "/a%00b", "/%ff%00"] {
            assert_eq!(normal(path), Err(InvalidPath), "{path}");
        }
    }

    #[test]
    fn ports_are_cut_off_hosts() {
        for (host, name, port) in [
            ("a.com", "a.com", None),
            ("a.com:80", "a.com", Some("80")),
            ("[::1]", "[::1]", None),
            ("[::1]:9080", "[::1]", Some("9080")),
        ] {
            assert_eq!((without_port(host), port_of(host)), (name, port), "{host}");
        }
    }
}
