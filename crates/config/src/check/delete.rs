//! What still needs a resource that is to be deleted. The Admin API asks before each delete, unless it is forced.

use serde_json::Value;

use super::{Outcome, References, Rejection, id_text};
use crate::catalog::Catalog;
use crate::meta::PluginMeta;
use crate::resource::Kind;

/// The kinds whose plugins may need another resource, in the order in which APISIX looks at them.
const WITH_PLUGINS: [(Kind, &str); 6] = [
    (Kind::Route, "route"),
    (Kind::Service, "service"),
    (Kind::PluginConfig, "plugin_config"),
    (Kind::Consumer, "consumer"),
    (Kind::ConsumerGroup, "consumer_group"),
    (Kind::GlobalRule, "global_rules"),
];

/// Whether `id` may be deleted. Only [`References::each`] is asked, for the kinds that could need it.
///
/// # Errors
/// Names the first resource that still needs it.
pub fn check_delete(kind: Kind, id: &str, catalog: &Catalog, references: &dyn References) -> Result<(), Rejection> {
    let needed_by = |other: Kind, field: &str| {
        first(references, other, &|value| value.get(field).and_then(id_text).is_some_and(|named| named == id))
    };
    match kind {
        Kind::Upstream => {
            for (other, name) in [(Kind::Route, "route"), (Kind::Service, "service")] {
                refuse("upstream", name, needed_by(other, "upstream_id"))?;
            }
            upstream_in_plugins(id, references)
        }
        Kind::Service => {
            refuse("service directly", "route", needed_by(Kind::Route, "service_id"))?;
            refuse("service directly", "stream_route", needed_by(Kind::StreamRoute, "service_id"))
        }
        Kind::ConsumerGroup => refuse("consumer group", "consumer", needed_by(Kind::Consumer, "group_id")),
        Kind::PluginConfig => refuse("plugin config", "route", needed_by(Kind::Route, "plugin_config_id")),
        Kind::Ssl => ssl_in_upstreams(id, references),
        Kind::PluginMetadata => metadata_in_plugins(id, catalog, references),
        Kind::Route
        | Kind::Consumer
        | Kind::Credential
        | Kind::GlobalRule
        | Kind::Secret
        | Kind::Proto
        | Kind::StreamRoute => Ok(()),
    }
}

/// No upstream shows the certificate `id` to its nodes.
fn ssl_in_upstreams(id: &str, references: &dyn References) -> Outcome {
    let places = [
        (Kind::Upstream, "upstream", "/tls/client_cert_id"),
        (Kind::Route, "route", "/upstream/tls/client_cert_id"),
        (Kind::Service, "service", "/upstream/tls/client_cert_id"),
    ];
    for (kind, name, place) in places {
        let shows = |value: &Value| value.pointer(place).and_then(id_text).is_some_and(|named| named == id);
        refuse("ssl", name, first(references, kind, &shows))?;
    }
    Ok(())
}

/// No plugin leaves to the metadata of `plugin` what one of the two must say.
fn metadata_in_plugins(plugin: &str, catalog: &Catalog, references: &dyn References) -> Outcome {
    let Some(field) = catalog.shipped(plugin).and_then(|info| info.shared_field) else { return Ok(()) };
    if references.get(Kind::PluginMetadata, plugin).is_none_or(|metadata| metadata.get(field).is_none()) {
        return Ok(());
    }
    let needs = |value: &Value| {
        let conf = value.get("plugins").and_then(|plugins| plugins.get(plugin));
        conf.is_some_and(|conf| conf.get(field).is_none() && !PluginMeta::of(conf).disable)
    };
    for (kind, name) in WITH_PLUGINS {
        refuse("plugin metadata", &format!("plugin in {name}"), first(references, kind, &needs))?;
    }
    Ok(())
}

fn upstream_in_plugins(id: &str, references: &dyn References) -> Outcome {
    for (kind, name) in WITH_PLUGINS {
        let user = first(references, kind, &|value| splits_traffic_to(value, id));
        refuse("upstream", &format!("plugin in {name}"), user)?;
    }
    Ok(())
}

/// Whether a `traffic-split` in the resource sends requests to the upstream `id`.
fn splits_traffic_to(value: &Value, id: &str) -> bool {
    let rules = value.pointer("/plugins/traffic-split/rules").and_then(Value::as_array);
    let targets = rules.into_iter().flatten().filter_map(|rule| rule.get("weighted_upstreams")?.as_array()).flatten();
    targets.into_iter().any(|target| target.get("upstream_id").and_then(id_text).is_some_and(|named| named == id))
}

fn first(references: &dyn References, kind: Kind, needs: &dyn Fn(&Value) -> bool) -> Option<String> {
    let mut found = None;
    references.each(kind, &mut |id, value| {
        if found.is_none() && needs(value) {
            found = Some(id.to_owned());
        }
    });
    found
}

fn refuse(what: &str, user: &str, id: Option<String>) -> Outcome {
    match id {
        Some(id) => Err(Rejection::invalid(format!("can not delete this {what}, {user} [{id}] is still using it now"))),
        None => Ok(()),
    }
}
