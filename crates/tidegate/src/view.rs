//! The window through which the Control, metrics and status listeners see the data plane.

use std::sync::Arc;

use admin::{DataPlaneView, Loaded};
use config::catalog::{Catalog, Side};
use config::meta;
use config::resource::Kind;
use gateway::data_plane::DataPlane;
use gateway::services::Services;
use serde_json::{Value, json};
use store::{Item, Store};

/// The running data plane, to look at.
pub struct View {
    pub data_plane: Arc<DataPlane>,
    pub services: Arc<Services>,
    pub store: Store,
    pub catalog: Arc<Catalog>,
}

impl DataPlaneView for View {
    fn healthcheck(&self) -> Vec<Value> {
        let reports = self.data_plane.health().reports();
        reports.iter().filter_map(|report| serde_json::to_value(report).ok()).collect()
    }

    fn loaded(&self, what: Loaded) -> Vec<Value> {
        let kind = match what {
            Loaded::Routes => Kind::Route,
            Loaded::Services => Kind::Service,
            Loaded::Upstreams => Kind::Upstream,
        };
        let snapshot = self.store.snapshot();
        snapshot
            .under(&format!("/apisix/{}/", kind.collection()))
            .map(|item| shown(kind, item, &self.catalog))
            .collect()
    }

    fn metrics(&self) -> String {
        self.services.metrics.render()
    }

    fn stub_status(&self) -> String {
        self.services.metrics.traffic().totals().stub_status()
    }

    /// Workers are started with a plan, so there is no time without one; who drains takes no new requests.
    fn ready(&self) -> Result<(), String> {
        match self.data_plane.is_draining() {
            true => Err("the process is stopping and takes no new requests".to_owned()),
            false => Ok(()),
        }
    }
}

fn shown(kind: Kind, item: &Item, catalog: &Catalog) -> Value {
    let mut value = Value::clone(&item.value);
    if let Err(error) = config::resource::validator(kind).check_and_fill(&mut value) {
        tracing::debug!(key = &*item.key, error, "a stored resource is not as its schema says");
    }
    for (name, conf) in value.get_mut("plugins").and_then(Value::as_object_mut).into_iter().flatten() {
        fill_plugin(name, conf, catalog);
    }
    let has_domain = has_domain(&value) || value.get("upstream").is_some_and(has_domain);
    json!({
        "key": &*item.key,
        "value": value,
        "createdIndex": item.created_index,
        "modifiedIndex": item.modified_index,
        "has_domain": has_domain,
    })
}

/// Fills in the defaults of a plugin's configuration. What does not fit its schema stays as it is.
fn fill_plugin(name: &str, conf: &mut Value, catalog: &Catalog) {
    let Ok((_, mut own)) = meta::split(conf) else { return };
    let Some(Ok(validator)) = catalog.validator(name, Side::Route) else { return };
    if validator.check_and_fill(&mut own).is_ok()
        && let (Some(conf), Value::Object(filled)) = (conf.as_object_mut(), own)
    {
        // Over what stands there: `_meta` stays.
        conf.extend(filled);
    }
}

/// Whether some node of an upstream is named, not numbered.
fn has_domain(upstream: &Value) -> bool {
    let is_name = |host: &str| host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err();
    match upstream.get("nodes") {
        Some(Value::Array(nodes)) => nodes.iter().filter_map(|node| node.get("host")?.as_str()).any(is_name),
        Some(Value::Object(nodes)) => nodes.keys().any(|key| is_name(host_of(key))),
        _ => false,
    }
}

/// `host` of `host:port`; an IPv6 address with a port stands in brackets.
fn host_of(key: &str) -> &str {
    match key.rsplit_once(':') {
        Some((host, _)) if host.ends_with(']') || !host.contains(':') => host,
        _ => key,
    }
}
