//! Plugin configurations: the plugin's own schema and check, and `_meta`.

use serde_json::Value;

use super::{Checker, Outcome, Owner, Rejection, route};
use crate::catalog::{PluginInfo, Side};
use crate::meta::{self, PluginMeta};
use crate::resource::Kind;

impl Checker<'_> {
    /// The `plugins` of a route, service, plugin config, consumer group or global rule.
    pub(super) fn plugins(&self, owner: Owner<'_>, conf: &Value) -> Outcome {
        let plugins = conf.get("plugins").and_then(Value::as_object);
        for (name, conf) in plugins.into_iter().flatten() {
            self.plugin(owner, name, conf, |_| Side::Route)?;
        }
        Ok(())
    }

    /// The `plugins` of a consumer or credential: authentication plugins hold credentials there.
    pub(super) fn consumer_plugins(&self, owner: Owner<'_>, conf: &Value) -> Outcome {
        let plugins = conf.get("plugins").and_then(Value::as_object);
        for (name, conf) in plugins.into_iter().flatten() {
            self.plugin(owner, name, conf, consumer_side).map_err(|rejection| {
                Rejection::invalid(format!("invalid plugins configuration: {}", rejection.message))
            })?;
        }
        Ok(())
    }

    fn plugin(&self, owner: Owner<'_>, name: &str, conf: &Value, side: fn(&PluginInfo) -> Side) -> Outcome {
        if !conf.is_object() && conf.as_array().is_none_or(|list| !list.is_empty()) {
            return Err(Rejection::invalid(format!("invalid plugin conf {conf} for plugin [{name}]")));
        }
        let Some(info) = self.catalog.get(name) else {
            let known = self.catalog.is_unsupported(name);
            let unsupported = Rejection::unsupported(format_args!("plugin {name}"));
            return Err(if known { unsupported } else { Rejection::invalid(format!("unknown plugin [{name}]")) });
        };
        let wrong =
            |error| Rejection::invalid(format!("failed to check the configuration of plugin {name} err: {error}"));
        let (meta, own) = meta::split(conf).map_err(wrong)?;
        if let Err(error) = self.own_configuration(owner, info, own, side(info))
            && !meta.disable
        {
            return Err(wrong(error));
        }
        self.meta(&meta)
    }

    fn own_configuration(
        &self,
        owner: Owner<'_>,
        info: &PluginInfo,
        mut conf: Value,
        side: Side,
    ) -> Result<(), String> {
        if let Some(validator) = self.catalog.validator(info.name, side) {
            validator.map_err(ToString::to_string)?.check_and_fill(&mut conf)?;
        }
        (info.check)(&conf, side)?;
        match side {
            Side::Route => {
                self.shared_field(info, &conf)?;
                self.group(owner, info, &conf)
            }
            Side::Consumer | Side::Metadata => Ok(()),
        }
    }

    /// Looks for a field that must stand here or in the plugin's metadata.
    fn shared_field(&self, info: &PluginInfo, conf: &Value) -> Result<(), String> {
        let (Some(field), Some(references)) = (info.shared_field, self.references) else { return Ok(()) };
        let is_set = |conf: &Value| conf.get(field).is_some();
        if is_set(conf) || references.get(Kind::PluginMetadata, info.name).is_some_and(|metadata| is_set(&metadata)) {
            return Ok(());
        }
        Err(format!("property \"{field}\" is not set in either the plugin conf or the metadata"))
    }

    fn meta(&self, meta: &PluginMeta) -> Outcome {
        if let Some(filter) = &meta.filter {
            route::expression(filter)?;
        }
        match meta.pre_function {
            Some(_) => Err(Rejection::unsupported("_meta.pre_function")),
            None => Ok(()),
        }
    }
}

fn consumer_side(info: &PluginInfo) -> Side {
    match info.authenticates && info.consumer_schema.is_some() {
        true => Side::Consumer,
        false => Side::Route,
    }
}
