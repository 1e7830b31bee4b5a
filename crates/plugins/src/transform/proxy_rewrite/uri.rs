//! The URI that the upstream is asked for. What comes from variables and from the decoded path is escaped again,
//! so that a client cannot smuggle a query or a line end into it.

use std::borrow::Cow;

use config::pattern::{Captures, Pattern};
use config::template::Template;
use config::vars::{Var, Vars};
use gateway::exchange::Exchange;
use gateway::path::holds_bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Config;

/// What may stand nowhere in a URI.
const URI: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'<').add(b'>').add(b'`');
/// What may not stand in a decoded path as it is.
const PATH: &AsciiSet = &URI.add(b'%').add(b'?');

/// How the URI is made.
#[derive(Debug)]
pub(super) struct Rewrite {
    source: Source,
    escaping: Escaping,
}

#[derive(Debug)]
enum Source {
    Template(Template),
    /// Patterns with their replacements.
    Patterns(Vec<(Pattern, Box<str>)>),
}

/// Whether the client's URI is taken decoded and escaped again, or as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escaping {
    Safe,
    Raw,
}

/// What the client asked for, as it is on its way to the upstream.
pub(super) struct Client<'c> {
    /// As it was sent.
    pub path: &'c str,
    pub query: Option<&'c str>,
}

/// A rewritten URI, with the match it comes from.
#[derive(Debug)]
pub(super) struct Target<'s> {
    pub uri: String,
    pub captures: Option<Captures<'s>>,
}

impl Rewrite {
    /// `None` if `config` leaves the URI alone.
    pub fn new(config: &Config) -> Result<Option<Self>, String> {
        let escaping = if config.use_real_request_uri_unsafe == Some(true) { Escaping::Raw } else { Escaping::Safe };
        let patterns = config.regex_uri.as_deref().map(patterns).transpose()?;
        let source = match (&config.uri, patterns) {
            (Some(uri), _) => Source::Template(Template::new(uri)),
            (None, Some(patterns)) => Source::Patterns(patterns),
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { source, escaping }))
    }

    /// The template, if there is one.
    pub fn template(&self) -> Option<&Template> {
        match &self.source {
            Source::Template(template) => Some(template),
            Source::Patterns(_) => None,
        }
    }

    /// What patterns are held against. A copy, because the request changes while matches of it are in use.
    pub fn subject(&self, exchange: &Exchange) -> String {
        match (&self.source, self.escaping) {
            (Source::Template(_), _) => String::new(),
            (Source::Patterns(_), Escaping::Safe) => exchange.request.path().to_owned(),
            // Less what earlier plugins took out of it: a credential, say.
            (Source::Patterns(_), Escaping::Raw) => match &exchange.forward.uri {
                Some(uri) => uri.clone(),
                None => exchange.request.uri.path_and_query().map_or("/", |raw| raw.as_str()).to_owned(),
            },
        }
    }

    /// The URI to ask for, with the client's query appended; `None` if no pattern matched `subject`.
    pub fn apply<'s>(&self, subject: &'s str, vars: &dyn Vars, client: &Client<'_>) -> Option<Target<'s>> {
        let (uri, captures) = match &self.source {
            Source::Template(template) => (template.render_to_string(&WithoutSeparators(vars)), None),
            Source::Patterns(patterns) => {
                let matched = |(pattern, replacement): &(Pattern, Box<str>)| {
                    let captures = pattern.captures(subject)?;
                    Some((pattern.replace_first(subject, replacement).into_owned(), Some(captures)))
                };
                patterns.iter().find_map(matched)?
            }
        };
        let uri = match self.escaping {
            Escaping::Raw => escaped(&uri, URI),
            // A decoded `%3f` is part of the path; it cannot be told from the replacement's own `?`.
            Escaping::Safe if subject.contains('?') => finished(&uri, None, client),
            Escaping::Safe => match uri.split_once('?') {
                Some((path, own)) => finished(path, Some(own), client),
                None => finished(&uri, None, client),
            },
        };
        Some(Target { uri, captures })
    }
}

fn patterns(list: &[String]) -> Result<Vec<(Pattern, Box<str>)>, String> {
    if list.len() % 2 == 1 {
        return Err("The length of regex_uri should be an even number".to_owned());
    }
    let compile = |pair: &[String]| match Pattern::new(&pair[0]) {
        Ok(pattern) => Ok((pattern, pair[1].as_str().into())),
        Err(error) => Err(format!("invalid regex_uri({}, {}): {}", pair[0], pair[1], error.reason)),
    };
    list.chunks_exact(2).map(compile).collect()
}

fn escaped(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

/// The decoded path, the rewrite's own query and the client's, put together.
fn finished(path: &str, own: Option<&str>, client: &Client<'_>) -> String {
    let mut uri =
        if path.contains('%') && holds_bytes(client.path) { escaped_but_bytes(path) } else { escaped(path, PATH) };
    if let Some(own) = own {
        uri.push('?');
        uri.extend(utf8_percent_encode(own, URI));
    }
    if let Some(query) = client.query.filter(|query| !query.is_empty()) {
        uri.push(if own.is_some() { '&' } else { '?' });
        uri.push_str(query);
    }
    uri
}

/// `path` escaped; what `$uri` has left encoded because it is no UTF-8 is not escaped twice.
fn escaped_but_bytes(path: &str) -> String {
    let is_byte = |rest: &str| matches!(rest.as_bytes(), [b'8' | b'9' | b'A'..=b'F', b'0'..=b'9' | b'A'..=b'F', ..]);
    let mut pieces = path.split('%');
    let mut uri = escaped(pieces.next().unwrap_or_default(), PATH);
    for piece in pieces {
        uri.push_str(if is_byte(piece) { "%" } else { "%25" });
        uri.extend(utf8_percent_encode(piece, PATH));
    }
    uri
}

/// The request's variables, with question marks in them escaped: only the template's own begins a query.
struct WithoutSeparators<'e>(&'e dyn Vars);

impl Vars for WithoutSeparators<'_> {
    fn var(&self, name: &str) -> Var<'_> {
        match self.0.var(name) {
            Var::Text(text) if text.contains('?') => Var::Text(Cow::Owned(text.replace('?', "%3F"))),
            other => other,
        }
    }
}
