//! Changes to headers, as users configure them: add a value, set a header, remove one.
//! Compiled to a flat list, so that each change can be resolved against the request first (which borrows it) and
//! applied after.

use std::collections::BTreeMap;

use config::template::Template;
use config::vars::Vars;
use gateway::headers;
use gateway::hop_by_hop::is_hop_by_hop;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

/// Which header names users may write; what else is no token shows when the name is compiled.
const NAME: &str = "^[^:]+$";

/// One value of a header: a text with variables, or a number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HeaderText {
    Text(String),
    Number(serde_json::Number),
}

/// One value or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HeaderTexts {
    One(HeaderText),
    Many(#[schemars(length(min = 1))] Vec<HeaderText>),
}

/// Headers to set: in the old flat form, all of the configuration.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("minProperties" = 1))]
pub struct Flat(pub BTreeMap<String, HeaderText>);

/// One change to the headers.
#[derive(Debug)]
pub(crate) enum Change {
    /// One more value.
    Add(HeaderName, Text),
    /// This value instead of all others.
    Set(HeaderName, Text),
    Remove(HeaderName),
}

/// A header's value, made ahead where it does not depend on the request.
#[derive(Debug)]
pub(crate) enum Text {
    Ready(HeaderValue),
    Template(Template),
}

/// Finds the groups of a regular expression's match by number.
pub(crate) type Groups<'a, 'c> = &'a dyn Fn(usize) -> Option<&'c str>;

impl HeaderText {
    fn compile(&self) -> Result<Text, String> {
        let (source, template) = match self {
            HeaderText::Number(number) => (number.to_string(), None),
            HeaderText::Text(text) => (text.clone(), Some(Template::with_captures(text))),
        };
        if let Some(template) = template.filter(|template| !template.is_literal()) {
            return Ok(Text::Template(template));
        }
        HeaderValue::from_str(&source).map(Text::Ready).map_err(|_| "invalid value character in header".to_owned())
    }
}

impl Change {
    /// The changes that add `texts`.
    pub fn adding(name: &str, texts: &HeaderTexts) -> Result<Vec<Change>, String> {
        texts.iter().map(|text| Ok(Change::Add(header_name(name)?, text.compile()?))).collect()
    }

    /// The changes that put `texts` in the place of what is there.
    pub fn setting(name: &str, texts: &HeaderTexts) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        for text in texts.iter() {
            let (name, text) = (header_name(name)?, text.compile()?);
            changes.push(if changes.is_empty() { Change::Set(name, text) } else { Change::Add(name, text) });
        }
        Ok(changes)
    }

    pub fn removing(name: &str) -> Result<Change, String> {
        header_name(name).map(Change::Remove)
    }

    /// The header that it changes.
    pub fn name(&self) -> &HeaderName {
        match self {
            Change::Add(name, _) | Change::Set(name, _) | Change::Remove(name) => name,
        }
    }

    /// The value to put; `None` where there is none, or variables made it something no header can hold.
    pub fn resolve(&self, vars: &dyn Vars, groups: Groups<'_, '_>) -> Option<HeaderValue> {
        match self {
            Change::Remove(_) => None,
            Change::Add(_, text) | Change::Set(_, text) => text.resolve(vars, groups),
        }
    }

    /// Puts what [`Change::resolve`] gave.
    pub fn apply(&self, value: Option<HeaderValue>, headers: &mut HeaderMap) {
        match (self, value) {
            (Change::Add(name, _), Some(value)) => {
                headers.append(name.clone(), value);
            }
            (Change::Set(name, _), Some(value)) => {
                headers.insert(name.clone(), value);
            }
            (Change::Remove(name), _) => {
                headers::remove(headers, name);
            }
            (Change::Add(..) | Change::Set(..), None) => {}
        }
    }

    /// The template of its value, if it depends on the request.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Change::Add(_, Text::Template(template)) | Change::Set(_, Text::Template(template)) => Some(template),
            Change::Add(_, Text::Ready(_)) | Change::Set(_, Text::Ready(_)) | Change::Remove(_) => None,
        }
    }
}

impl Text {
    fn resolve(&self, vars: &dyn Vars, groups: Groups<'_, '_>) -> Option<HeaderValue> {
        match self {
            Text::Ready(value) => Some(value.clone()),
            Text::Template(template) => {
                let mut text = String::new();
                template.render_with_captures(vars, groups, &mut text);
                HeaderValue::try_from(text).ok()
            }
        }
    }
}

impl HeaderTexts {
    fn iter(&self) -> impl Iterator<Item = &HeaderText> {
        match self {
            HeaderTexts::One(text) => std::slice::from_ref(text).iter(),
            HeaderTexts::Many(texts) => texts.iter(),
        }
    }
}

impl Flat {
    /// The changes that set every header.
    pub(crate) fn changes(&self) -> Result<Vec<Change>, String> {
        self.0.iter().map(|(name, text)| Ok(Change::Set(header_name(name)?, text.compile()?))).collect()
    }
}

/// `changes` without those of headers that concern one connection only: they are the gateway's.
pub(crate) fn end_to_end(mut changes: Vec<Change>) -> Vec<Change> {
    changes.retain(|change| !is_hop_by_hop(change.name()));
    changes
}

/// The header that a configuration wants set under `name`.
///
/// # Errors
/// If that is no name, or one under which the gateway alone tells the other side of its
/// connection or of a body's length.
pub(crate) fn settable(name: &str) -> Result<HeaderName, String> {
    let header: HeaderName = name.parse().map_err(|_| format!("{name:?} is not a header name"))?;
    if is_hop_by_hop(&header) || header == CONTENT_LENGTH {
        return Err(format!("{name:?} is set by the gateway alone: it tells of a connection or of a body's length"));
    }
    Ok(header)
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    name.parse().map_err(|_| "invalid field character in header".to_owned())
}

/// The schema of a list of header names.
pub(crate) fn names(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "array", "minItems": 1, "items": {"type": "string", "pattern": NAME}})
}
