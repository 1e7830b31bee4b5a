//! The first consumer: one who may call the first routes.

use config::resource::Kind;
use serde_json::json;

use super::resources::{Draft, MANAGED_BY, Writer};
use crate::failure::Failure;
use crate::random;

const USERNAME: &str = "default";

/// Marks keys of Tidegate, for people and for secret scanners.
const KEY_PREFIX: &str = "tg-";
const LETTERS: usize = 32;

/// Makes the consumer and gives its key, which is not to be had again.
///
/// OpenAI's SDKs send `Authorization: Bearer KEY`, and `key-auth` compares the whole header, so the key is one
/// credential with the scheme before it and one without.
///
/// # Errors
/// If the store cannot be written.
pub async fn create(writer: &Writer<'_>) -> Result<String, Failure> {
    let key = format!("{KEY_PREFIX}{}", random::letters(LETTERS)?);
    let consumer = json!({
        "username": USERNAME,
        "desc": "Made at the first start of Tidegate.",
        "labels": {"managed_by": MANAGED_BY},
    });
    let credential = |id: &str, key: &str| Draft {
        kind: Kind::Credential,
        id: format!("{USERNAME}/credentials/{id}"),
        value: json!({"id": id, "plugins": {"key-auth": {"key": key}}, "labels": {"managed_by": MANAGED_BY}}),
    };
    let drafts = [
        Draft { kind: Kind::Consumer, id: USERNAME.to_owned(), value: consumer },
        credential("bearer", &format!("Bearer {key}")),
        credential("plain", &key),
    ];
    writer.write(&drafts, &[]).await?;
    Ok(key)
}
