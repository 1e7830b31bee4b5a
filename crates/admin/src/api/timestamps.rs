//! `create_time` and `update_time`, in Unix seconds. The server sets them; only a PATCH may carry them.

use std::time::{SystemTime, UNIX_EPOCH};

use config::resource::Kind;
use serde_json::Value;

use super::refusal::Refusal;

const CREATED: &str = "create_time";
const UPDATED: &str = "update_time";

/// Refuses timestamps in a PUT or POST, at the top and in the objects where users put them by mistake.
pub(super) fn forbid(value: &Value) -> Result<(), Refusal> {
    for (place, object) in [("", Some(value)), ("upstream.", value.get("upstream")), ("plugins.", value.get("plugins"))]
    {
        for name in [CREATED, UPDATED] {
            if object.and_then(|object| object.get(name)).is_some() {
                return Err(Refusal::Invalid(format!("the property is forbidden:  {place}{name}")));
            }
        }
    }
    Ok(())
}

/// Stamps a value that replaces `previous`. Plugin metadata has no timestamps.
pub(super) fn stamp(kind: Kind, value: &mut Value, previous: Option<&Value>) {
    let Value::Object(fields) = value else { return };
    if kind == Kind::PluginMetadata {
        return;
    }
    let created = previous.and_then(|previous| previous.get(CREATED)).filter(|time| !time.is_null());
    fields.insert(CREATED.to_owned(), created.cloned().unwrap_or_else(now));
    fields.insert(UPDATED.to_owned(), now());
}

/// Stamps a patched value, which may carry its own `create_time`; `update_time` is kept only if the patch set it.
pub(super) fn stamp_patched(value: &mut Value, patch_sets_update_time: bool) {
    let Value::Object(fields) = value else { return };
    fields.entry(CREATED).or_insert_with(now);
    if !patch_sets_update_time {
        fields.insert(UPDATED.to_owned(), now());
    }
}

fn now() -> Value {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_secs().into()
}
