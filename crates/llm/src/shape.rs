//! What a request body becomes on its way to a provider: the operator's options and overrides, the provider's
//! wishes, and the question for usage in a stream.
//!
//! The order is APISIX's: usage question, `options`, `llm_options`, `request_body`, removal of `model`. Rules are
//! compiled once, values already serialised; a request only splices. Invariant: if nothing changes, the very same
//! [`Bytes`] are sent.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::dialect::StreamUsage;
use crate::edit::Edits;
use crate::endpoint::{ModelAgain, endpoint};
use crate::json::{ArrayWriter, Kind, Raw, write_string};
use crate::protocol::Protocol;
use crate::provider::{Capability, Provider};
use crate::scan::BodyScan;

/// The parts of an AI proxy configuration that change bodies.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShapeConfig<'a> {
    /// `options`: set as they are, whatever the client sent.
    pub options: Option<&'a Map<String, Value>>,
    /// `override.llm_options.max_tokens`.
    pub max_tokens: Option<u64>,
    /// `override.request_body`: by protocol name, an object to merge in.
    pub request_body: Option<&'a Map<String, Value>>,
    /// `override.request_body_force_override`: the operator's value wins a conflict.
    pub force: bool,
}

/// [`ShapeConfig`], compiled for one provider.
#[derive(Debug, Clone)]
pub struct ShapeRules {
    provider: &'static Provider,
    options: Vec<(String, Bytes)>,
    max_tokens: Option<Bytes>,
    patches: Vec<(Protocol, Vec<(String, Patch)>)>,
    force: bool,
}

/// A value to merge in.
#[derive(Debug, Clone)]
struct Patch {
    json: Bytes,
    /// The members, if the value is an object.
    members: Option<Vec<(String, Patch)>>,
}

impl ShapeRules {
    /// Serialises all values of `config`. Names in `request_body` that are no protocol are passed over; the
    /// configuration's schema refuses them.
    pub fn compile(provider: &'static Provider, config: &ShapeConfig<'_>) -> Self {
        let options = config.options.into_iter().flatten();
        let patches = config.request_body.into_iter().flatten();
        Self {
            provider,
            options: options.map(|(key, value)| (key.clone(), serialised(value))).collect(),
            max_tokens: config.max_tokens.map(|limit| Bytes::from(limit.to_string())),
            patches: patches
                .filter_map(|(name, value)| Some((name.parse().ok()?, members(value.as_object()?))))
                .collect(),
            force: config.force,
        }
    }

    /// The model that every request is given, if the operator has fixed one.
    pub fn fixed_model(&self) -> Option<String> {
        let (_, json) = self.options.iter().find(|(key, _)| key == "model")?;
        Raw::new(json)?.text().map(Into::into)
    }
}

fn serialised(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn members(object: &Map<String, Value>) -> Vec<(String, Patch)> {
    object
        .iter()
        .map(|(key, value)| (key.clone(), Patch { json: serialised(value), members: value.as_object().map(members) }))
        .collect()
}

/// A body ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shaped {
    pub body: Bytes,
    /// `false`: `body` is the client's own.
    pub changed: bool,
    /// The provider will report usage in the stream although the client did not ask for it.
    pub asked_usage: bool,
}

/// Shapes a scanned body for a provider that is addressed in `protocol`, which it speaks in one way at most. Bodies
/// that are not objects stay as they are.
pub fn shape_request(scan: &BodyScan, rules: &ShapeRules, protocol: Protocol) -> Shaped {
    shape(scan, rules, protocol, rules.provider.capability(protocol))
}

/// As [`shape_request`], for a provider that is addressed as `capability` says.
pub fn shape_request_for(scan: &BodyScan, rules: &ShapeRules, capability: &Capability) -> Shaped {
    shape(scan, rules, capability.protocol, Some(capability))
}

fn shape(scan: &BodyScan, rules: &ShapeRules, protocol: Protocol, capability: Option<&Capability>) -> Shaped {
    let unchanged = || Shaped { body: scan.body().clone(), changed: false, asked_usage: false };
    let Some(mut edits) = Edits::new(scan) else {
        return unchanged();
    };
    let tells_unasked = rules.provider.quirks.stream_usage == StreamUsage::Always;
    if protocol == Protocol::OpenAiChat && scan.stream() && !tells_unasked {
        ask_for_usage(scan, &mut edits);
    }
    for (key, json) in &rules.options {
        edits.set(key, json.as_ref());
    }
    if capability.is_some() {
        repeat_model(rules, endpoint(protocol).model_again, &mut edits);
    }
    let field = capability.and_then(|capability| capability.max_tokens);
    if let (Some(limit), Some(field)) = (&rules.max_tokens, field) {
        match field.newer.filter(|newer| edits.get(newer).is_some()) {
            Some(newer) => {
                edits.set(newer, limit.as_ref());
                if let [older] = field.set {
                    edits.remove(older);
                }
            }
            None => set_nested(&mut edits, field.set, limit),
        }
        field.remove.into_iter().for_each(|older| edits.remove(older));
    }
    for (_, patch) in rules.patches.iter().filter(|(name, _)| *name == protocol) {
        merge(&mut edits, patch, rules.force);
    }
    if rules.provider.removes_model {
        edits.remove("model");
    }
    for (key, json) in capability.map_or(&[][..], |capability| capability.adds) {
        if edits.get(key).is_none() {
            edits.set(key, json.as_bytes());
        }
    }
    for key in capability.map_or(&[][..], |capability| capability.removes) {
        edits.remove(key);
    }
    if edits.is_empty() {
        return unchanged();
    }
    let asked_usage = protocol == Protocol::OpenAiChat
        && includes_usage(edits.get("stream_options"))
        && !includes_usage(scan.get("stream_options"));
    match edits.apply() {
        Some(body) => Shaped { body: Bytes::from(body), changed: true, asked_usage },
        None => Shaped { asked_usage, ..unchanged() },
    }
}

/// Writes the operator's model where the body repeats the one that the path names.
fn repeat_model(rules: &ShapeRules, place: ModelAgain, edits: &mut Edits<'_>) {
    let Some(model) = rules.fixed_model() else { return };
    match place {
        ModelAgain::Nowhere => {}
        ModelAgain::InEach(field) => name_model(&model, field, edits),
        ModelAgain::In(fields) => fields.iter().for_each(|field| name_model(&model, field, edits)),
    }
}

/// Writes `model` into the object `field`, or into each object of the list that it is.
fn name_model(model: &str, field: &'static str, edits: &mut Edits<'_>) {
    let Some(told) = edits.get(field) else { return };
    let mut name = Vec::new();
    write_string(&mut name, &format!("models/{model}"));
    let named = match told.kind {
        Kind::Array => {
            let mut list = Vec::new();
            let mut elements = ArrayWriter::new(&mut list);
            told.elements().for_each(|element| elements.raw(&with_model(element, &name)));
            drop(elements);
            list
        }
        _ => with_model(told, &name).into_owned(),
    };
    edits.set(field, named);
}

/// `object` with the model whose JSON text is `name`.
fn with_model<'a>(object: Raw<'a>, name: &[u8]) -> Cow<'a, [u8]> {
    let named = Edits::of(object).and_then(|mut edits| {
        edits.set("model", name.to_vec());
        edits.apply()
    });
    named.map_or(Cow::Borrowed(object.bytes), Cow::Owned)
}

/// Sets a field at the top or in an object at the top, which is made if it is not there.
fn set_nested<'a>(edits: &mut Edits<'a>, path: &[&'static str], json: &'a [u8]) {
    match path {
        [field] => edits.set(field, json),
        [object, field] => match edits.get(object).and_then(Edits::of) {
            None => edits.set(object, [b"{\"", field.as_bytes(), b"\":", json, b"}"].concat()),
            Some(mut inner) => {
                inner.set(field, json);
                if let Some(changed) = inner.apply() {
                    edits.set(object, changed);
                }
            }
        },
        _ => {}
    }
}

fn includes_usage(stream_options: Option<Raw<'_>>) -> bool {
    stream_options.and_then(|options| options.get("include_usage")).is_some_and(Raw::is_true)
}

/// Sets `stream_options.include_usage`, leaving the client's other stream options as they are.
fn ask_for_usage(scan: &BodyScan, edits: &mut Edits<'_>) {
    const ASK: &[u8] = br#"{"include_usage":true}"#;
    match scan.get("stream_options").and_then(Edits::of) {
        Some(mut options) => {
            options.set("include_usage", b"true".as_slice());
            if let Some(json) = options.apply() {
                edits.set("stream_options", json);
            }
        }
        None => edits.set("stream_options", ASK),
    }
}

/// Merges `patch` into an object: objects are merged member by member, anything else fills a gap or, by force,
/// replaces what is there.
fn merge<'a>(edits: &mut Edits<'a>, patch: &'a [(String, Patch)], force: bool) {
    for (key, patch) in patch {
        let merged = match (edits.get(key), &patch.members) {
            (None, _) => None,
            (Some(known), Some(members)) if known.is_object() => {
                let Some(mut inner) = Edits::of(known) else {
                    continue;
                };
                merge(&mut inner, members, force);
                match inner.apply() {
                    Some(json) => Some(json),
                    None => continue,
                }
            }
            (Some(_), _) if force => None,
            (Some(_), _) => continue,
        };
        match merged {
            Some(json) => edits.set(key, json),
            None => edits.set(key, patch.json.as_ref()),
        }
    }
}
