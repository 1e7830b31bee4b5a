//! `$uri`: the path that routes are matched on. Percent-decoded, dot segments resolved, repeated slashes merged;
//! a path that is already in this form (nearly all are) costs one scan and no copy.

use http::Uri;
use percent_encoding::percent_decode_str;

/// A normalised path, kept only where it differs from the URI's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NormalPath {
    /// The URI's path is already normal.
    AsSent,
    Changed(Box<str>),
}

/// The path climbs above the root, or decodes to something that is not UTF-8 or holds a NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request path is not valid")]
pub struct InvalidPath;

impl NormalPath {
    /// Normalises the path of `uri`.
    ///
    /// # Errors
    /// If `..` climbs above the root or the decoded path is not text.
    pub fn new(uri: &Uri) -> Result<Self, InvalidPath> {
        let path = uri.path();
        if is_normal(path) { Ok(NormalPath::AsSent) } else { normalize(path).map(NormalPath::Changed) }
    }

    /// The path itself.
    pub fn of<'a>(&'a self, uri: &'a Uri) -> &'a str {
        match self {
            NormalPath::AsSent => uri.path(),
            NormalPath::Changed(path) => path,
        }
    }

    /// Drops one trailing slash (`apisix.delete_uri_tail_slash`).
    #[must_use]
    pub fn without_tail_slash(self, uri: &Uri) -> Self {
        match self.of(uri) {
            "/" => self,
            path => match path.strip_suffix('/') {
                Some(shorter) => NormalPath::Changed(shorter.into()),
                None => self,
            },
        }
    }
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
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| InvalidPath)?;
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

/// The host of `host[:port]`; brackets of IPv6 addresses stay.
pub fn without_port(host: &str) -> &str {
    let after_bracket = host.rfind(']').map_or(0, |at| at + 1);
    match host[after_bracket..].rfind(':') {
        Some(colon) => &host[..after_bracket + colon],
        None => host,
    }
}

/// The port of `host:port`, if there is one.
pub fn port_of(host: &str) -> Option<&str> {
    host.get(without_port(host).len() + 1..).filter(|port| !port.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_path_above_the_root_is_refused() {
        for path in ["/..", "/a/../../b", "/%2e%2e/etc/passwd", "/a%00b", "/%ff"] {
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
