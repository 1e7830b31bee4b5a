//! Writing resources as the Admin API would: checked, with secrets encrypted, with time stamps.

use std::time::{SystemTime, UNIX_EPOCH};

use config::catalog::Catalog;
use config::check::Checker;
use config::encrypt;
use config::keyring::Keyring;
use config::resource::Kind;
use serde_json::Value;
use store::{Expect, Store, Write};

use crate::failure::Failure;

/// The label that tells resources made here from the user's own.
pub const MANAGED_BY: &str = "tidegate-bootstrap";

/// A resource about to be written.
#[derive(Debug, Clone)]
pub struct Draft {
    pub kind: Kind,
    /// As [`Kind`] describes it: credentials are `{username}/credentials/{id}`.
    pub id: String,
    pub value: Value,
}

/// Writes drafts.
pub struct Writer<'a> {
    pub store: &'a Store,
    pub catalog: &'a Catalog,
    pub keyring: &'a Keyring,
}

impl Draft {
    /// The key in the store.
    pub fn key(&self) -> String {
        format!("/apisix/{}/{}", self.kind.collection(), self.id)
    }
}

impl Writer<'_> {
    /// Writes all `drafts` and deletes `obsolete` keys, or nothing. Gives the revision of what was written.
    ///
    /// # Errors
    /// If a draft is not valid or the store cannot be written.
    pub async fn write(&self, drafts: &[Draft], obsolete: &[String]) -> Result<u64, Failure> {
        let deletes = obsolete.iter().map(|key| Ok(Write::Delete { key: key.clone() }));
        let puts = drafts.iter().map(|draft| self.put(draft));
        let batch = deletes.chain(puts).collect::<Result<Vec<_>, Failure>>()?;
        let outcomes = self.store.write(batch).await.map_err(Failure::runtime)?;
        Ok(outcomes.last().map_or(0, |outcome| outcome.revision))
    }

    fn put(&self, draft: &Draft) -> Result<Write, Failure> {
        let Draft { kind, id, value } = draft;
        Checker::without_references(self.catalog)
            .check(*kind, id, value)
            .map_err(|error| Failure::runtime(format!("{}, made at the first start: {error}", draft.key())))?;
        let mut value = value.clone();
        encrypt::seal(*kind, &mut value, self.catalog, self.keyring);
        if let Value::Object(fields) = &mut value {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            fields.insert("create_time".to_owned(), now.into());
            fields.insert("update_time".to_owned(), now.into());
        }
        Ok(Write::Put { key: draft.key(), value, expect: Expect::Any, ttl: None })
    }
}
