//! The shape of answers about resources: APISIX 3's, or APISIX 2's for clients that still want it
//! (`admin_api_version`). Only this module knows the difference.

use config::settings::AdminApiVersion;
use http::StatusCode;
use serde_json::{Map, Value, json};
use store::Item;

use crate::reply::Reply;

/// What was done, in the words of the old envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Set,
    CompareAndSwap,
}

/// Wraps values for one version of the API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope(pub(super) AdminApiVersion);

impl Envelope {
    /// For the header `X-API-VERSION`.
    pub(super) fn version(self) -> &'static str {
        match self.0 {
            AdminApiVersion::V2 => "v2",
            AdminApiVersion::V3 => "v3",
        }
    }

    /// A resource that was read; `node` is made by [`node`].
    pub(super) fn read(self, node: Value) -> Reply {
        let body = match self.0 {
            AdminApiVersion::V2 => json!({ "action": "get", "count": 1, "node": node }),
            AdminApiVersion::V3 => node,
        };
        Reply::json(StatusCode::OK, &body)
    }

    /// A collection; `total` counts also what other pages hold.
    pub(super) fn list(self, collection: &str, nodes: Vec<Value>, total: usize) -> Reply {
        let body = match self.0 {
            AdminApiVersion::V2 => {
                let node = json!({ "key": collection.trim_end_matches('/'), "dir": true, "nodes": nodes });
                json!({ "action": "get", "count": total, "node": node })
            }
            AdminApiVersion::V3 => json!({ "list": nodes, "total": total }),
        };
        Reply::json(StatusCode::OK, &body)
    }

    /// A resource as it is now stored, without revisions.
    pub(super) fn written(self, action: Action, item: &Item) -> Reply {
        let status = if action == Action::Create { StatusCode::CREATED } else { StatusCode::OK };
        let node = json!({ "key": &*item.key, "value": &*item.value });
        let body = match self.0 {
            AdminApiVersion::V2 => json!({ "action": action.name(), "node": node }),
            AdminApiVersion::V3 => node,
        };
        Reply::json(status, &body)
    }

    /// A resource that is gone.
    pub(super) fn deleted(self, key: &str) -> Reply {
        let body = match self.0 {
            AdminApiVersion::V2 => json!({ "action": "delete", "key": key, "deleted": "1", "node": {} }),
            AdminApiVersion::V3 => json!({ "key": key, "deleted": "1" }),
        };
        Reply::json(StatusCode::OK, &body)
    }
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Set => "set",
            Action::CompareAndSwap => "compareAndSwap",
        }
    }
}

/// An item for readers: its key, `value` instead of what is stored, and its revisions.
pub(super) fn node(item: &Item, value: Value) -> Value {
    let mut node = Map::new();
    node.insert("key".to_owned(), Value::from(&*item.key));
    node.insert("value".to_owned(), value);
    node.insert("createdIndex".to_owned(), item.created_index.into());
    node.insert("modifiedIndex".to_owned(), item.modified_index.into());
    Value::Object(node)
}
