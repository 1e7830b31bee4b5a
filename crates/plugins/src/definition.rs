//! What the table in the crate's root is made of: one [`PluginDef`] per plugin, with everything that most
//! plugins do not need filled in. Each plugin's module ends its public surface in `definition()`, built here.

use std::sync::Arc;

use config::catalog::{PluginInfo, SchemaSource, Side};
use config::schema;
use config::secret::{Reference, Resolver, resolve_all};
use gateway::plugin::{Compile, Plugin, PluginDef};
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A plugin that has one configuration, of type `C`, and nothing else to declare.
pub(crate) fn plugin<C: JsonSchema + 'static>(name: &'static str, priority: i32, compile: Compile) -> PluginDef {
    let info = PluginInfo {
        name,
        priority,
        version: 0.1,
        authenticates: false,
        schema: SchemaSource::new(schema::of::<C>),
        consumer_schema: None,
        metadata_schema: None,
        encrypt_fields: &[],
        unique_field: None,
        group_field: None,
        shared_field: None,
        check: |_, _| Ok(()),
    };
    PluginDef { info, compile, prefer_route: false }
}

/// A plugin that is made of its configuration alone: what making it refuses is refused when it is written.
pub(crate) trait FromConfig: Plugin + Sized {
    type Config: DeserializeOwned + JsonSchema + 'static;

    /// # Errors
    /// What the schema cannot say.
    fn from_config(config: Self::Config) -> Result<Self, String>;
}

/// A plugin of type `P`; otherwise as [`plugin`].
pub(crate) fn plugin_made<P: FromConfig>(name: &'static str, priority: i32) -> PluginDef {
    plugin::<P::Config>(name, priority, |config, _| Ok(Arc::new(P::from_config(read(config)?)?))).checked(
        |config, side| match side {
            Side::Route => can_be_made::<P>(config),
            Side::Consumer | Side::Metadata => Ok(()),
        },
    )
}

/// Whether `P` can be made of `config`.
///
/// # Errors
/// As [`refused_now`].
pub(crate) fn can_be_made<P: FromConfig>(config: &Value) -> Result<(), String> {
    refused_now(config, |config| P::from_config(read(config)?).map(drop))
}

/// Makes what a plugin is compiled to, to see whether it can be. What a reference stands for is not known yet: it may be
/// a word, a URL, or one of a few words, which is as good as left out.
///
/// # Errors
/// What `make` refuses, unless a reference alone is the reason.
pub(crate) fn refused_now(config: &Value, make: impl Fn(&Value) -> Result<(), String>) -> Result<(), String> {
    make(config).or_else(|refusal| {
        let meaning = |text: &'static str| {
            let mut resolved = config.clone();
            resolve_all(&mut resolved, &Always(text));
            resolved
        };
        let mut without = config.clone();
        leave_out_references(&mut without);
        // A name, a value or a number; an address; nothing.
        let forms = [meaning("1"), meaning("http://localhost/"), without];
        let can_be_made = forms.iter().any(|form| form != config && make(form).is_ok());
        if can_be_made { Ok(()) } else { Err(refusal) }
    })
}

/// Knows the same text for every reference.
struct Always(&'static str);

impl Resolver for Always {
    fn resolve(&self, _: &Reference) -> Option<String> {
        Some(self.0.to_owned())
    }
}

fn leave_out_references(value: &mut Value) {
    let refers = |value: &Value| value.as_str().is_some_and(|text| Reference::parse(text).is_some());
    match value {
        Value::Array(items) => {
            items.retain(|item| !refers(item));
            items.iter_mut().for_each(leave_out_references);
        }
        Value::Object(fields) => {
            fields.retain(|_, field| !refers(field));
            fields.values_mut().for_each(leave_out_references);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The additions that some plugins make to [`plugin`].
pub(crate) trait Declare: Sized {
    /// A check of what the schemas cannot say.
    fn checked(self, check: fn(&Value, Side) -> Result<(), String>) -> Self;

    /// The plugin finds consumers by `unique_field` of a credential of type `C`; `encrypt_fields` of it are
    /// secret.
    fn authenticating<C: JsonSchema + 'static>(
        self,
        unique_field: &'static str,
        encrypt_fields: &'static [&'static str],
    ) -> Self;

    /// The plugin has metadata of type `M`.
    fn with_metadata<M: JsonSchema + 'static>(self) -> Self;

    /// A configuration may leave `field` to the plugin's metadata.
    fn shared_with_metadata(self, field: &'static str) -> Self;

    /// Configurations with the same value of `field` share state.
    fn grouped_by(self, field: &'static str) -> Self;
}

impl Declare for PluginDef {
    fn checked(mut self, check: fn(&Value, Side) -> Result<(), String>) -> Self {
        self.info.check = check;
        self
    }

    fn authenticating<C: JsonSchema + 'static>(
        mut self,
        unique_field: &'static str,
        encrypt_fields: &'static [&'static str],
    ) -> Self {
        self.info.authenticates = true;
        self.info.consumer_schema = Some(SchemaSource::new(schema::of::<C>));
        self.info.unique_field = Some(unique_field);
        self.info.encrypt_fields = encrypt_fields;
        self
    }

    fn with_metadata<M: JsonSchema + 'static>(mut self) -> Self {
        self.info.metadata_schema = Some(SchemaSource::new(schema::of::<M>));
        self
    }

    fn shared_with_metadata(mut self, field: &'static str) -> Self {
        self.info.shared_field = Some(field);
        self
    }

    fn grouped_by(mut self, field: &'static str) -> Self {
        self.info.group_field = Some(field);
        self
    }
}

/// Reads a configuration that has passed its schema.
///
/// # Errors
/// If it does not fit `C` after all, in serde's words.
pub(crate) fn read<C: DeserializeOwned>(value: &Value) -> Result<C, String> {
    C::deserialize(value).map_err(|error| error.to_string())
}

/// Makes the alternatives of an untagged enum exclude each other, as APISIX's schemas do.
pub(crate) fn exactly_one(schema: &mut Schema) {
    if let Some(branches) = schema.remove("anyOf") {
        schema.insert("oneOf".to_owned(), branches);
    }
}
