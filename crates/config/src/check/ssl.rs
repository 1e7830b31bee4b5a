//! Certificates.

use serde_json::Value;

use super::{Outcome, Rejection, pem};
use crate::pattern::Pattern;
use crate::schema::is_secret_reference;

/// `conf` has passed the schema and has its defaults. Fields that refer to secrets cannot be looked at.
pub(super) fn check(conf: &Value) -> Outcome {
    if let (Some(cert), Some(key)) = (text(conf.get("cert")), text(conf.get("key"))) {
        pem::pair(cert, key).map_err(Rejection::invalid)?;
    }
    if conf.get("type").and_then(Value::as_str) == Some("client") {
        return Ok(());
    }
    protocols(conf)?;
    more_pairs(conf)?;
    paths_without_certificate(conf)?;
    match text(conf.pointer("/client/ca")) {
        Some(ca) => {
            pem::certificate(ca).map_err(|error| Rejection::invalid(format!("failed to validate client_cert: {error}")))
        }
        None => Ok(()),
    }
}

/// What names only versions that are not spoken any more could not be obeyed.
fn protocols(conf: &Value) -> Outcome {
    let Some(names) = conf.get("ssl_protocols").and_then(Value::as_array) else { return Ok(()) };
    if names.is_empty() || names.iter().filter_map(Value::as_str).any(|name| matches!(name, "TLSv1.2" | "TLSv1.3")) {
        return Ok(());
    }
    Err(Rejection::unsupported("ssl_protocols without TLSv1.2 and TLSv1.3"))
}

fn more_pairs(conf: &Value) -> Outcome {
    let list = |field: &str| conf.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (certs, keys) = (list("certs"), list("keys"));
    if certs.len() != keys.len() {
        return Err(Rejection::invalid("mismatched number of certs and keys"));
    }
    for (index, (cert, key)) in certs.iter().zip(keys).enumerate() {
        if let (Some(cert), Some(key)) = (text(Some(cert)), text(Some(key))) {
            pem::pair(cert, key).map_err(|error| {
                Rejection::invalid(format!("failed to handle cert-key pair[{}]: {error}", index + 1))
            })?;
        }
    }
    Ok(())
}

/// `client.skip_mtls_uri_regex`; a pattern that does not compile would ask nobody for a certificate, or everybody.
fn paths_without_certificate(conf: &Value) -> Outcome {
    let patterns = conf.pointer("/client/skip_mtls_uri_regex").and_then(Value::as_array);
    for pattern in patterns.into_iter().flatten().filter_map(Value::as_str) {
        Pattern::new(pattern).map_err(|error| Rejection::invalid(format!("invalid skip_mtls_uri_regex: {error}")))?;
    }
    Ok(())
}

fn text(field: Option<&Value>) -> Option<&str> {
    field.and_then(Value::as_str).filter(|text| !is_secret_reference(text))
}
