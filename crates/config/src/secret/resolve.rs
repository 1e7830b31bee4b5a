//! From references to secrets. Resolvers are tried in order; what none of them knows stays as it was written
//! and is reported, so that the caller can log it or, for credentials, refuse (fail closed).

use serde_json::Value;

use super::Reference;

/// Knows the secrets behind some references.
pub trait Resolver {
    /// The secret, or `None` if this resolver does not know it.
    fn resolve(&self, reference: &Reference) -> Option<String>;
}

/// Resolves `$env://` through a look-up of environment variables.
pub struct Environment<L> {
    lookup: L,
}

/// Resolves `$secret://file/` through a look-up of files by name. Reading them is the caller's; the look-up is only
/// asked for names that stay in one folder: letters, digits, `.`, `_` and `-`, and neither `.` nor `..`.
pub struct Files<L> {
    lookup: L,
}

/// Several resolvers; the first that knows a reference wins.
#[derive(Default)]
pub struct Resolvers {
    resolvers: Vec<Box<dyn Resolver + Send + Sync>>,
}

/// A reference that nobody could resolve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// JSON pointer to where it stands, e.g. `/auth/header/Authorization`.
    pub pointer: String,
    /// The reference as written; it is no secret itself.
    pub reference: String,
}

/// Replaces every reference in `conf` with its secret, in place, as [`resolve_text`] does; keys are left alone.
/// Returns those that stay because no resolver knows them.
pub fn resolve_all(conf: &mut Value, resolver: &dyn Resolver) -> Vec<Unresolved> {
    let mut unresolved = Vec::new();
    walk(conf, &mut String::new(), resolver, &mut unresolved);
    unresolved
}

/// The secret behind one text: `Ok(None)` if the text holds no reference, `Err` with the reference if nobody
/// knows it. A scheme may stand before the reference, as in `Bearer $env://KEY`, and stays before the secret.
pub fn resolve_text(text: &str, resolver: &dyn Resolver) -> Result<Option<String>, Reference> {
    if let Some(reference) = Reference::parse(text) {
        return resolver.resolve(&reference).map(Some).ok_or(reference);
    }
    match Reference::parse_credentials(text) {
        None => Ok(None),
        Some((scheme, reference)) => match resolver.resolve(&reference) {
            Some(secret) => Ok(Some(format!("{scheme} {secret}"))),
            None => Err(reference),
        },
    }
}

fn walk(value: &mut Value, pointer: &mut String, resolver: &dyn Resolver, unresolved: &mut Vec<Unresolved>) {
    match value {
        Value::String(text) => match resolve_text(text, resolver) {
            Ok(None) => {}
            Ok(Some(secret)) => *text = secret,
            Err(_) => unresolved.push(Unresolved { pointer: pointer.clone(), reference: text.clone() }),
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                step(item, &index.to_string(), pointer, resolver, unresolved);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                step(field, &name.replace('~', "~0").replace('/', "~1"), pointer, resolver, unresolved);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn step(
    value: &mut Value,
    token: &str,
    pointer: &mut String,
    resolver: &dyn Resolver,
    unresolved: &mut Vec<Unresolved>,
) {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(token);
    walk(value, pointer, resolver, unresolved);
    pointer.truncate(length);
}

// === impl Environment ===

impl Environment<fn(&str) -> Option<String>> {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self { lookup: |name| std::env::var(name).ok() }
    }
}

impl<L: Fn(&str) -> Option<String>> Environment<L> {
    /// An environment given as a look-up by name.
    pub fn new(lookup: L) -> Self {
        Self { lookup }
    }
}

impl<L: Fn(&str) -> Option<String>> Resolver for Environment<L> {
    fn resolve(&self, reference: &Reference) -> Option<String> {
        match reference {
            Reference::Environment { name, key: None } => (self.lookup)(name),
            Reference::Environment { name, key: Some(key) } => field(&(self.lookup)(name)?, key),
            Reference::File { .. } | Reference::Managed { .. } => None,
        }
    }
}

// === impl Files ===

impl<L: Fn(&str) -> Option<String>> Files<L> {
    /// Files given as a look-up by name.
    pub fn new(lookup: L) -> Self {
        Self { lookup }
    }
}

impl<L: Fn(&str) -> Option<String>> Resolver for Files<L> {
    fn resolve(&self, reference: &Reference) -> Option<String> {
        match reference {
            Reference::File { name, .. } if !is_file_name(name) => None,
            // An empty file is one that is still being written, and no secret that lets anybody in.
            Reference::File { name, key: None } => {
                Some((self.lookup)(name)?.trim().to_owned()).filter(|text| !text.is_empty())
            }
            Reference::File { name, key: Some(key) } => field(&(self.lookup)(name)?, key),
            Reference::Managed { .. } | Reference::Environment { .. } => None,
        }
    }
}

/// `true` if `name` can only name something inside of the folder it is looked for in.
fn is_file_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.bytes().all(plain)
}

/// One field of the JSON object that `text` is; `None` if it is not there or null.
fn field(text: &str, key: &str) -> Option<String> {
    let object: Value = serde_json::from_str(text).ok()?;
    match object.get(key)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

// === impl Resolvers ===

impl Resolvers {
    /// Resolves what the environment of this process knows.
    pub fn of_process() -> Self {
        Self::default().with(Environment::of_process())
    }

    /// Adds a resolver behind those already there.
    pub fn with(mut self, resolver: impl Resolver + Send + Sync + 'static) -> Self {
        self.resolvers.push(Box::new(resolver));
        self
    }
}

impl Resolver for Resolvers {
    fn resolve(&self, reference: &Reference) -> Option<String> {
        self.resolvers.iter().find_map(|resolver| resolver.resolve(reference))
    }
}
