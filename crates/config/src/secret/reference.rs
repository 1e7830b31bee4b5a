//! Parsing of secret references. A reference is a whole string, as in APISIX, or stands behind one word: the value of
//! an `Authorization` header cannot be a reference otherwise, unless the secret itself begins with `Bearer `. Any
//! other text that contains one is an ordinary text.

const ENVIRONMENT_PREFIX: &str = "$env://";
const MANAGER_PREFIX: &str = "$secret://";

/// The manager that needs no resource: its secrets are files.
const FILE_MANAGER: &str = "file/";

/// Where a secret is to be found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// `$env://NAME` or `$env://NAME/key`: an environment variable, or one field of the JSON object in it.
    Environment { name: String, key: Option<String> },
    /// `$secret://file/NAME` or `$secret://file/NAME/key`: a file, or one field of the JSON object in it. Any name is
    /// read here, so that one that cannot be a file's stays unresolved and is not taken for the secret itself.
    File { name: String, key: Option<String> },
    /// `$secret://{manager}/{id}/{path}`: a secret kept by another manager. `path` is not empty.
    Managed { manager: String, id: String, path: String },
}

impl Reference {
    /// Reads a reference; `None` if `text` is an ordinary text or a reference with an empty part.
    /// `$env` may be written in any case, as APISIX allows; `$secret` may not.
    pub fn parse(text: &str) -> Option<Self> {
        match text.get(..ENVIRONMENT_PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(ENVIRONMENT_PREFIX) => {
                Self::environment(&text[ENVIRONMENT_PREFIX.len()..])
            }
            _ => {
                let managed = text.strip_prefix(MANAGER_PREFIX)?;
                managed.strip_prefix(FILE_MANAGER).map(Self::file).or_else(|| Self::managed(managed))
            }
        }
    }

    /// Reads `{scheme} {reference}`, such as `Bearer $env://NAME`. The scheme is a token of letters, digits and `-`.
    pub fn parse_credentials(text: &str) -> Option<(&str, Self)> {
        let (scheme, reference) = text.split_once(' ')?;
        let is_token = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_token || reference.contains(char::is_whitespace) {
            return None;
        }
        Some((scheme, Self::parse(reference)?))
    }

    fn environment(rest: &str) -> Option<Self> {
        let (name, key) = name_and_key(rest);
        (!name.is_empty()).then_some(Self::Environment { name, key })
    }

    fn file(rest: &str) -> Self {
        let (name, key) = name_and_key(rest);
        Self::File { name, key }
    }

    fn managed(rest: &str) -> Option<Self> {
        let mut parts = rest.splitn(3, '/').map(str::to_owned);
        let (manager, id, path) = (parts.next()?, parts.next()?, parts.next()?);
        let complete = !manager.is_empty() && !id.is_empty() && !path.is_empty();
        complete.then_some(Self::Managed { manager, id, path })
    }
}

/// `NAME` or `NAME/key`; an empty key is none.
fn name_and_key(text: &str) -> (String, Option<String>) {
    match text.split_once('/') {
        Some((name, key)) => (name.to_owned(), Some(key.to_owned()).filter(|key| !key.is_empty())),
        None => (text.to_owned(), None),
    }
}
