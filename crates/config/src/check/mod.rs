//! Everything that is held against a resource before it is written: pre-checks, schema, upstream rules, references,
//! plugins, expressions, certificates; in APISIX's order and words. What this build does not do is refused here too,
//! so that no configuration is accepted which then does not work.
//!
//! The Admin API calls [`Checker::check`] before each write, [`check_delete`] before each delete, and
//! [`validate_batch`] for `POST /configs/validate`; `tidegate check` calls [`Checker::check`] with
//! each resource that is stored.

mod batch;
mod consumer;
mod delete;
mod group;
mod literal;
mod pem;
mod plugins;
mod route;
mod ssl;
mod upstream;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::catalog::{Catalog, Side};
use crate::resource::{self, Kind, SecretManager};
use crate::schema::Validator;

pub use batch::{BatchError, validate_batch};
pub use delete::check_delete;

/// The other resources, as they are in the store; secrets in them decrypted. Ids as [`Kind`] describes them:
/// credentials are `{username}/credentials/{id}`.
pub trait References {
    fn exists(&self, kind: Kind, id: &str) -> bool;
    fn get(&self, kind: Kind, id: &str) -> Option<Arc<Value>>;
    /// Calls `each` for every resource of `kind` with its id.
    fn each(&self, kind: Kind, each: &mut dyn FnMut(&str, &Value));
}

/// Why a write or delete is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// 400, or 404 if what the resource belongs to does not exist.
    pub status: u16,
    /// For `error_msg`.
    pub message: String,
}

impl Rejection {
    pub(crate) fn invalid(message: impl Into<String>) -> Rejection {
        Rejection { status: 400, message: message.into() }
    }

    fn not_found(message: impl Into<String>) -> Rejection {
        Rejection { status: 404, message: message.into() }
    }

    /// For what APISIX can do and this build cannot.
    fn unsupported(what: impl std::fmt::Display) -> Rejection {
        Rejection::invalid(format!("{what} is not supported by this version of Tidegate"))
    }
}

type Outcome = Result<(), Rejection>;

/// The resource that is being checked.
#[derive(Debug, Clone, Copy)]
struct Owner<'a> {
    kind: Kind,
    id: &'a str,
}

/// Checks resources before they are written.
pub struct Checker<'a> {
    catalog: &'a Catalog,
    references: Option<&'a dyn References>,
}

impl<'a> Checker<'a> {
    pub fn new(catalog: &'a Catalog, references: &'a dyn References) -> Self {
        Checker { catalog, references: Some(references) }
    }

    /// A checker that looks at each resource alone.
    pub fn without_references(catalog: &'a Catalog) -> Self {
        Checker { catalog, references: None }
    }

    /// Checks `value`, which is not changed: defaults are filled in a copy. `id` is the resource's id; for plugin
    /// metadata the plugin's name, for secrets `{manager}/{id}`, for credentials `{username}/credentials/{id}`.
    ///
    /// # Errors
    /// The first thing that is wrong, in APISIX's words where APISIX has them.
    pub fn check(&self, kind: Kind, id: &str, value: &Value) -> Result<(), Rejection> {
        match kind {
            Kind::PluginMetadata => return self.metadata(id, value),
            Kind::Secret => return secret(id, value),
            Kind::Route => route::before_schema(value)?,
            _ => {}
        }
        let conf = filled(resource::validator(kind), value)?;
        self.filled(kind, id, &conf)?;
        resource::readable(kind, &conf).map_err(|error| Rejection::invalid(format!("invalid configuration: {error}")))
    }

    /// What comes after the schema.
    fn filled(&self, kind: Kind, id: &str, conf: &Value) -> Outcome {
        let owner = Owner { kind, id };
        match kind {
            Kind::Route => self.route(owner, conf),
            Kind::Service => self.service(owner, conf),
            Kind::Upstream => self.upstream(conf),
            Kind::Consumer => self.consumer(owner, conf),
            Kind::Credential => self.credential(owner, conf),
            Kind::ConsumerGroup | Kind::PluginConfig => self.plugins(owner, conf),
            Kind::GlobalRule => self.global_rule(owner, conf),
            Kind::Ssl => ssl::check(conf),
            Kind::Proto => Err(Rejection::unsupported("proto")),
            Kind::StreamRoute => Err(Rejection::unsupported("stream route")),
            Kind::PluginMetadata | Kind::Secret => Ok(()),
        }
    }

    /// `failed to fetch … by … [id], response code: 404` if the resource that `field` names is not there.
    fn reference(&self, conf: &Value, field: &str, kind: Kind) -> Outcome {
        let (Some(references), Some(id)) = (self.references, conf.get(field).and_then(id_text)) else {
            return Ok(());
        };
        if references.exists(kind, &id) {
            return Ok(());
        }
        let label = kind.label();
        let message = format!("failed to fetch {label} info by {label} id [{id}], response code: 404");
        Err(Rejection::invalid(message))
    }

    fn global_rule(&self, owner: Owner<'_>, conf: &Value) -> Outcome {
        self.plugins(owner, conf)?;
        let (Some(references), Some(plugins)) = (self.references, conf.get("plugins").and_then(Value::as_object))
        else {
            return Ok(());
        };
        let mut duplicate = None;
        references.each(Kind::GlobalRule, &mut |other, value| {
            let names = value.get("plugins").and_then(Value::as_object).into_iter().flat_map(Map::keys);
            let shared = names.into_iter().find(|name| plugins.contains_key(*name));
            if let Some(name) = shared.filter(|_| other != owner.id && duplicate.is_none()) {
                duplicate = Some(format!("plugin '{name}' already exists in global rule with id '{other}'"));
            }
        });
        duplicate.map_or(Ok(()), |message| Err(Rejection::invalid(message)))
    }

    fn metadata(&self, name: &str, value: &Value) -> Outcome {
        let Some(info) = self.catalog.shipped(name) else {
            let known = self.catalog.is_unsupported(name);
            let unsupported = Rejection::unsupported(format_args!("plugin {name}"));
            return Err(if known { unsupported } else { Rejection::invalid("invalid plugin name") });
        };
        let mut conf = value.clone();
        if let Value::Object(map) = &mut conf {
            map.shift_remove("id");
            map.shift_remove("modifiedIndex");
        }
        let invalid = |error: String| Rejection::invalid(format!("invalid configuration: {error}"));
        match self.catalog.validator(name, Side::Metadata) {
            Some(Ok(validator)) => {
                validator.check_and_fill(&mut conf).map_err(invalid)?;
                (info.check)(&conf, Side::Metadata).map_err(invalid)
            }
            Some(Err(error)) => Err(invalid(error.to_string())),
            None => resource::validator(Kind::PluginMetadata).check(&conf).map_err(invalid),
        }
    }
}

/// A copy of `value` with its defaults, if the schema accepts it.
fn filled(validator: &Validator, value: &Value) -> Result<Value, Rejection> {
    let mut conf = value.clone();
    validator
        .check_and_fill(&mut conf)
        .map_err(|error| Rejection::invalid(format!("invalid configuration: {error}")))?;
    Ok(conf)
}

/// References to secrets are resolved only by managers that are configured; their access data is checked, not used.
fn secret(id: &str, value: &Value) -> Outcome {
    let (name, _) = id.split_once('/').unwrap_or((id, ""));
    let Some(manager) = SecretManager::from_name(name) else {
        return Err(Rejection::invalid(format!("invalid secret manager: {name}")));
    };
    filled(resource::secret_validator(manager), value).map(|_| ())
}

/// An id, text or integer, as text.
fn id_text(id: &Value) -> Option<String> {
    match id {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
