//! Which resource a path means. Parses `/apisix/admin/{collection}/…` into a kind, an id and a sub-path.
//! Invariant: ids are single path segments, so no id can reach into another collection's keys.

use config::resource::Kind;
use percent_encoding::percent_decode_str;

use super::refusal::Refusal;

/// A collection, or one resource in it, or a place inside that resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub kind: Kind,
    /// The consumer of credentials, the manager of secrets.
    pub parent: Option<String>,
    /// The last segment of the resource's key; `None` means the collection.
    pub id: Option<String>,
    /// For PATCH: the object path inside the resource.
    pub sub_path: Vec<String>,
}

impl Target {
    /// `segments` are what follows `/apisix/admin/`.
    pub(crate) fn parse(segments: &[String]) -> Result<Self, Refusal> {
        let collection = segments.first().map_or("nil", String::as_str);
        let kind = Kind::from_collection(collection)
            .ok_or_else(|| Refusal::NotFound(format!("Unsupported resource type: {collection}")))?;
        match (kind, segments) {
            (Kind::Consumer, [_, username, nested, rest @ ..]) if nested == "credentials" => {
                Ok(Self::nested(Kind::Credential, Some(username), rest))
            }
            (Kind::Service, [_, _, nested, ..]) if nested == "graphql_cost_decorations" => {
                Err(Refusal::NotFound(format!("Unsupported resource type: {nested}")))
            }
            (Kind::Secret, [_, manager, rest @ ..]) => Ok(Self::nested(kind, Some(manager), rest)),
            (_, [_, rest @ ..]) => Ok(Self::nested(kind, None, rest)),
            (_, []) => Ok(Self::nested(kind, None, &[])),
        }
    }

    fn nested(kind: Kind, parent: Option<&String>, rest: &[String]) -> Self {
        let sub_path = rest.get(1..).unwrap_or_default().to_vec();
        let id = rest.first().filter(|id| !id.is_empty()).cloned();
        Self { kind, parent: parent.cloned(), id, sub_path }
    }

    /// The id as the store and the checks know it: with its consumer or its manager.
    pub(crate) fn full_id(&self, id: &str) -> String {
        match (self.kind, self.parent.as_deref()) {
            (Kind::Credential, Some(username)) => format!("{username}/credentials/{id}"),
            (Kind::Secret, Some(manager)) => format!("{manager}/{id}"),
            _ => id.to_owned(),
        }
    }

    /// The store key of the resource `id`.
    pub(crate) fn key(&self, prefix: &str, id: &str) -> String {
        key(prefix, self.kind, &self.full_id(id))
    }

    /// The prefix under which the collection's items stand. All secrets are one collection.
    pub(crate) fn folder(&self, prefix: &str) -> String {
        match (self.kind, self.parent.as_deref()) {
            (Kind::Credential, Some(username)) => format!("{prefix}/consumers/{username}/credentials/"),
            _ => format!("{prefix}/{}/", self.kind.collection()),
        }
    }
}

/// The store key of a resource whose id is complete.
pub(crate) fn key(prefix: &str, kind: Kind, full_id: &str) -> String {
    format!("{prefix}/{}/{full_id}", kind.collection())
}

/// Decodes and splits a path. Empty segments at the end do not count.
pub(crate) fn split(path: &str) -> Vec<String> {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let trimmed = decoded.trim_start_matches('/').trim_end_matches('/');
    if trimmed.is_empty() { Vec::new() } else { trimmed.split('/').map(str::to_owned).collect() }
}
