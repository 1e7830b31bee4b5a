//! Configurations that share state. A plugin may let its configurations name a group, whose members count together
//! wherever they stand; they must then say the same, or it would depend on the request which of them is obeyed.

use serde_json::Value;

use super::{Checker, Owner};
use crate::catalog::{PluginInfo, Side};
use crate::meta;
use crate::resource::Kind;

/// The kinds whose plugins can be members.
const CARRIERS: [Kind; 6] =
    [Kind::Route, Kind::Service, Kind::PluginConfig, Kind::Consumer, Kind::ConsumerGroup, Kind::GlobalRule];

impl Checker<'_> {
    /// Holds `conf`, a plugin's configuration with its defaults, against the other members of its group.
    ///
    /// # Errors
    /// If one of them says something else, in APISIX's words. A member that is switched off does not count.
    pub(super) fn group(&self, owner: Owner<'_>, info: &PluginInfo, conf: &Value) -> Result<(), String> {
        let group = info.group_field.and_then(|field| conf.get(field));
        let (Some(references), Some(group)) = (self.references, group) else { return Ok(()) };
        let mut agreed = true;
        for kind in CARRIERS {
            references.each(kind, &mut |id, value| {
                if agreed && (kind, id) != (owner.kind, owner.id) {
                    agreed = self.member(info, group, value).is_none_or(|other| says_the_same(info, &other, conf));
                }
            });
        }
        if agreed { Ok(()) } else { Err("group conf mismatched".to_owned()) }
    }

    /// The plugin's configuration in a resource, with its defaults, if it is of the group and in use.
    fn member(&self, info: &PluginInfo, group: &Value, resource: &Value) -> Option<Value> {
        let conf = resource.get("plugins")?.get(info.name)?;
        if conf.get(info.group_field?) != Some(group) {
            return None;
        }
        let (meta, mut own) = meta::split(conf).ok()?;
        let valid = match self.catalog.validator(info.name, Side::Route) {
            Some(validator) => validator.ok()?.check_and_fill(&mut own).is_ok(),
            None => true,
        };
        (valid && !meta.disable).then_some(own)
    }
}

/// Compares what the plugin knows of. Secrets are left out: the stored ones are encrypted.
fn says_the_same(info: &PluginInfo, one: &Value, other: &Value) -> bool {
    let schema = info.schema.make();
    let known = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(|fields| fields.keys());
    known.filter(|field| !info.encrypt_fields.contains(&field.as_str())).all(|field| one.get(field) == other.get(field))
}
