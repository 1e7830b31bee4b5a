//! `log_format`: what users want in a log entry, as a JSON object whose `"$name"` texts stand for variables. Compiled
//! once into fields; writing an entry walks them.
//!
//! A text that begins with `$` is one variable, as in APISIX, and keeps its type. Where it cannot be one, as
//! `"$scheme://$host"`, it is a text with several variables in it, of which APISIX would show nothing. Whatever does
//! not begin with `$` stands for itself.

use config::template::Template;
use config::vars::{Var, Vars};
use gateway::exchange::Exchange;
use serde_json::{Map, Value};

use super::json::Object;

/// The variables that stand for bodies, as far as they are shown.
const REQUEST_BODY: &str = "request_body";
const RESPONSE_BODY: &str = "resp_body";

/// Objects may be nested so deep.
const MAX_DEPTH: usize = 5;

/// A compiled format.
#[derive(Debug, Default)]
pub(super) struct LogFormat {
    fields: Box<[Field]>,
}

#[derive(Debug)]
struct Field {
    key: Box<str>,
    value: FieldValue,
}

#[derive(Debug)]
enum FieldValue {
    Variable(Box<str>),
    Text(Template),
    RequestBody,
    ResponseBody,
    Literal(Value),
    Object(Box<[Field]>),
}

/// The bodies an entry may show.
#[derive(Clone, Copy, Default)]
pub(super) struct Bodies<'e> {
    pub request: Option<&'e str>,
    pub response: Option<&'e str>,
}

impl LogFormat {
    /// # Errors
    /// If objects are nested too deep.
    pub fn compile(source: &Map<String, Value>) -> Result<Self, String> {
        fields(source, 1).map(|fields| Self { fields })
    }

    /// Writes every field but those that `keep_out` names.
    pub fn write(&self, exchange: &Exchange, bodies: Bodies<'_>, into: &mut Object<'_>, keep_out: &[&str]) {
        let shown = self.fields.iter().filter(|field| !keep_out.contains(&&*field.key));
        shown.for_each(|field| field.write(exchange, bodies, into));
    }

    /// The names of all variables.
    pub fn variables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        collect(&self.fields, &mut names);
        names
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// `true` if `key` is written at the top.
    pub fn has(&self, key: &str) -> bool {
        self.fields.iter().any(|field| &*field.key == key)
    }
}

fn fields(source: &Map<String, Value>, depth: usize) -> Result<Box<[Field]>, String> {
    if depth > MAX_DEPTH {
        return Err(format!("log_format nested deeper than {MAX_DEPTH} levels"));
    }
    let compiled = source.iter().map(|(key, value)| {
        let value = match value {
            Value::Object(nested) => FieldValue::Object(fields(nested, depth + 1)?),
            Value::String(text) => match text.strip_prefix('$') {
                Some(REQUEST_BODY) => FieldValue::RequestBody,
                Some(RESPONSE_BODY) => FieldValue::ResponseBody,
                Some(rest) if !may_be_name(rest) => FieldValue::Text(Template::new(text)),
                Some(name) => FieldValue::Variable(name.into()),
                None => FieldValue::Literal(value.clone()),
            },
            literal => FieldValue::Literal(literal.clone()),
        };
        Ok(Field { key: key.as_str().into(), value })
    });
    compiled.collect()
}

/// `false` for what no variable is called: names may have almost anything in them, as `http_x-id` has a hyphen.
fn may_be_name(text: &str) -> bool {
    !text.starts_with('{') && !text.contains(|c: char| c == '$' || c.is_whitespace())
}

fn collect<'f>(fields: &'f [Field], names: &mut Vec<&'f str>) {
    for field in fields {
        match &field.value {
            FieldValue::Variable(name) => names.push(name),
            FieldValue::Text(template) => names.extend(template.variables()),
            FieldValue::RequestBody => names.push(REQUEST_BODY),
            FieldValue::ResponseBody => names.push(RESPONSE_BODY),
            FieldValue::Object(nested) => collect(nested, names),
            FieldValue::Literal(_) => {}
        }
    }
}

/// A request's variables, with its bodies as far as they are shown.
struct WithBodies<'e> {
    exchange: &'e Exchange,
    bodies: Bodies<'e>,
}

impl Vars for WithBodies<'_> {
    fn var(&self, name: &str) -> Var<'_> {
        let body = match name {
            REQUEST_BODY => self.bodies.request,
            RESPONSE_BODY => self.bodies.response,
            name => return self.exchange.var(name),
        };
        body.map_or(Var::Nil, |body| Var::Text(body.into()))
    }
}

impl Field {
    fn write(&self, exchange: &Exchange, bodies: Bodies<'_>, into: &mut Object<'_>) {
        match &self.value {
            FieldValue::Variable(name) => into.variable(&*self.key, &exchange.var(name)),
            FieldValue::Text(template) => {
                let mut text = String::new();
                // As a variable, it is left out if there is nothing of it.
                if template.render(&WithBodies { exchange, bodies }, &mut text) > 0 {
                    into.text(&*self.key, &text);
                }
            }
            FieldValue::RequestBody => into.optional_text(&*self.key, bodies.request),
            FieldValue::ResponseBody => into.optional_text(&*self.key, bodies.response),
            FieldValue::Literal(value) => into.value(&*self.key, value),
            FieldValue::Object(nested) => {
                let mut object = into.object(&*self.key);
                nested.iter().for_each(|field| field.write(exchange, bodies, &mut object));
                object.end();
            }
        }
    }
}
