//! Where a resource holds secrets: private keys, the fields that plugins name, and what secret managers are asked with.
//! Every one of them is passed to a function that may replace it. The Admin API seals resources with this on their way
//! to the store; the data plane and the Admin API's reads open them.

use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::keyring::Keyring;
use crate::resource::Kind;

#[cfg(test)]
mod tests;

/// What a secret is; private keys are sealed only if they are PEM, all others always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'p> {
    PrivateKey,
    PluginField {
        plugin: &'p str,
        path: &'p str,
    },
    /// What a secret manager is asked with.
    Access {
        path: &'p str,
    },
}

/// What is secret of each manager's access data: Vault's, AWS's, Google's.
const ACCESS_FIELDS: [&str; 4] = ["token", "secret_access_key", "session_token", "auth_config.private_key"];

type Replace<'a> = &'a mut dyn FnMut(Place<'_>, &str) -> Option<String>;

/// Encrypts the secrets of a resource in place. Sealing twice encrypts twice what is no private key.
pub fn seal(kind: Kind, value: &mut Value, catalog: &Catalog, keyring: &Keyring) {
    walk(kind, value, catalog, &mut |place, text| {
        let leave = place == Place::PrivateKey && !text.starts_with("---");
        (!leave).then(|| keyring.encrypt(text))
    });
}

/// Decrypts the secrets of a resource in place; what does not decrypt stays.
pub fn open(kind: Kind, value: &mut Value, catalog: &Catalog, keyring: &Keyring) {
    walk(kind, value, catalog, &mut |_, text| Some(keyring.decrypt(text)));
}

/// The secrets of a resource that look encrypted and that no key of `keyring` opens, such as
/// `plugins.key-auth.key`. Private keys are not among them: whether they are good, their resource's check says.
pub fn unreadable(kind: Kind, value: &mut Value, catalog: &Catalog, keyring: &Keyring) -> Vec<String> {
    let mut found = Vec::new();
    walk(kind, value, catalog, &mut |place, text| {
        let field = match place {
            Place::PrivateKey => return None,
            Place::PluginField { plugin, path } => format!("plugins.{plugin}.{path}"),
            Place::Access { path } => path.to_owned(),
        };
        if keyring.is_locked_out_of(text) {
            found.push(field);
        }
        None
    });
    found
}

/// Passes every secret of a resource to `replace`; `None` leaves it.
pub fn transform_secrets(
    kind: Kind,
    value: &mut Value,
    catalog: &Catalog,
    replace: &mut dyn FnMut(&str) -> Option<String>,
) {
    walk(kind, value, catalog, &mut |_, text| replace(text));
}

fn walk(kind: Kind, value: &mut Value, catalog: &Catalog, replace: Replace<'_>) {
    match kind {
        Kind::Ssl => {
            private_key(value.get_mut("key"), replace);
            private_key(value.get_mut("keys"), replace);
        }
        Kind::Upstream => private_key(value.pointer_mut("/tls/client_key"), replace),
        Kind::Route | Kind::Service | Kind::StreamRoute => {
            private_key(value.pointer_mut("/upstream/tls/client_key"), replace);
            plugins(value, catalog, replace);
        }
        Kind::Consumer | Kind::Credential | Kind::ConsumerGroup | Kind::PluginConfig | Kind::GlobalRule => {
            plugins(value, catalog, replace);
        }
        Kind::PluginMetadata => {
            if let Some(name) = value.get("id").and_then(Value::as_str).map(str::to_owned) {
                plugin(&name, value, catalog, replace);
            }
        }
        Kind::Secret => {
            for path in ACCESS_FIELDS {
                field(value, path, &mut |text| replace(Place::Access { path }, text));
            }
        }
        Kind::Proto => {}
    }
}

fn private_key(place: Option<&mut Value>, replace: Replace<'_>) {
    if let Some(key) = place {
        leaf(key, &mut |text| replace(Place::PrivateKey, text));
    }
}

fn plugins(value: &mut Value, catalog: &Catalog, replace: Replace<'_>) {
    let plugins = value.get_mut("plugins").and_then(Value::as_object_mut);
    for (name, conf) in plugins.into_iter().flat_map(Map::iter_mut) {
        plugin(name, conf, catalog, replace);
    }
}

fn plugin(name: &str, conf: &mut Value, catalog: &Catalog, replace: Replace<'_>) {
    let Some(info) = catalog.shipped(name) else {
        return;
    };
    for path in info.encrypt_fields {
        field(conf, path, &mut |text| replace(Place::PluginField { plugin: name, path }, text));
    }
}

/// Passes the texts at a dotted path to `replace`; arrays on the way are walked through. The one place that knows
/// what an entry of `encrypt_fields` means, for whoever seals and whoever opens.
pub(crate) fn field(value: &mut Value, path: &str, replace: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| field(item, path, replace)),
        Value::Object(map) => match path.split_once('.') {
            Some((step, rest)) => {
                if let Some(inner) = map.get_mut(step) {
                    field(inner, rest, replace);
                }
            }
            None => {
                if let Some(found) = map.get_mut(path) {
                    leaf(found, replace);
                }
            }
        },
        _ => {}
    }
}

/// A text, a list of texts or a map of texts.
fn leaf(value: &mut Value, replace: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = replace(text) {
                *text = new;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| leaf(item, replace)),
        Value::Object(map) => map.values_mut().for_each(|item| leaf(item, replace)),
        _ => {}
    }
}
