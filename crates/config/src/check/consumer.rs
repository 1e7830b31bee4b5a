//! Consumers and their credentials, and that no two of them share a key.

use serde_json::Value;

use super::{Checker, Outcome, Owner, References, Rejection};
use crate::resource::Kind;
use crate::schema::is_secret_reference;

const CREDENTIALS: &str = "/credentials/";

impl Checker<'_> {
    pub(super) fn consumer(&self, owner: Owner<'_>, conf: &Value) -> Outcome {
        self.consumer_plugins(owner, conf)?;
        self.reference(conf, "group_id", Kind::ConsumerGroup)?;
        let username = conf.get("username").and_then(Value::as_str).unwrap_or(owner.id);
        self.unique_keys(conf, |kind, other| match kind {
            Kind::Credential => other.split_once(CREDENTIALS).is_some_and(|(consumer, _)| consumer == username),
            _ => other == username,
        })
    }

    pub(super) fn credential(&self, owner: Owner<'_>, conf: &Value) -> Outcome {
        self.consumer_plugins(owner, conf)?;
        let names = conf.get("plugins").and_then(Value::as_object).into_iter().flat_map(serde_json::Map::keys);
        for name in names {
            if self.catalog.get(name).is_some_and(|info| !info.authenticates) {
                return Err(Rejection::invalid("only supports auth type plugins in consumer credential"));
            }
        }
        if let (Some(references), Some((consumer, _))) = (self.references, owner.id.split_once(CREDENTIALS))
            && !references.exists(Kind::Consumer, consumer)
        {
            return Err(Rejection::not_found("consumer not found"));
        }
        self.unique_keys(conf, |kind, other| kind == Kind::Credential && other == owner.id)
    }

    /// No consumer or credential, other than those that `own` names, has the same key of the same plugin.
    fn unique_keys(&self, conf: &Value, own: impl Fn(Kind, &str) -> bool) -> Outcome {
        let Some(references) = self.references else {
            return Ok(());
        };
        let plugins = conf.get("plugins").and_then(Value::as_object);
        for (plugin, conf) in plugins.into_iter().flatten() {
            let field = self.catalog.get(plugin).and_then(|info| info.unique_field);
            let key = field.and_then(|field| conf.get(field).and_then(Value::as_str).map(|key| (field, key)));
            let Some((field, key)) = key.filter(|(_, key)| !is_secret_reference(key)) else {
                continue;
            };
            if let Some(holder) = holder(references, plugin, field, key, &own) {
                return Err(Rejection::invalid(format!("duplicate key of plugin {plugin} found with {holder}")));
            }
        }
        Ok(())
    }
}

/// Who else has `key`, as the message names it.
fn holder(
    references: &dyn References,
    plugin: &str,
    field: &str,
    key: &str,
    own: &dyn Fn(Kind, &str) -> bool,
) -> Option<String> {
    let mut found = None;
    for kind in [Kind::Consumer, Kind::Credential] {
        references.each(kind, &mut |id, value| {
            let theirs = value.get("plugins").and_then(|plugins| plugins.get(plugin)?.get(field)?.as_str());
            if found.is_none() && theirs == Some(key) && !own(kind, id) {
                found = Some(describe(kind, id));
            }
        });
    }
    found
}

fn describe(kind: Kind, id: &str) -> String {
    match (kind, id.split_once(CREDENTIALS)) {
        (Kind::Credential, Some((owner, credential))) => {
            format!("credential: {credential} of consumer: {owner}")
        }
        _ => format!("consumer: {id}"),
    }
}
