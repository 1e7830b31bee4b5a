//! Upstreams, on their own or inside a route or service.

use serde_json::{Map, Value};

use super::{Checker, Outcome, Rejection, id_text, literal, pem};
use crate::resource::{Kind, named_validator, split_host_port};
use crate::schema::is_secret_reference;

const BALANCERS: [&str; 4] = ["roundrobin", "chash", "least_conn", "ewma"];
const SCHEMES: [&str; 2] = ["http", "https"];

impl Checker<'_> {
    /// `conf` has passed the schema and has its defaults.
    pub(super) fn upstream(&self, conf: &Value) -> Outcome {
        literal::upstream(conf)?;
        nodes(conf.get("nodes"))?;
        supported(conf)?;
        self.client_certificate(conf)?;
        if text(conf, "pass_host") == Some("rewrite") && text(conf, "upstream_host").is_none() {
            return Err(Rejection::invalid("`upstream_host` can't be empty when `pass_host` is `rewrite`"));
        }
        if let Some(tls) = conf.get("tls")
            && let (Some(cert), Some(key)) = (text(tls, "client_cert"), text(tls, "client_key"))
        {
            pem::pair(cert, key).map_err(Rejection::invalid)?;
        }
        hash_key(conf)
    }

    /// `tls.client_cert_id` names an ssl resource of type client.
    fn client_certificate(&self, conf: &Value) -> Outcome {
        let id = conf.pointer("/tls/client_cert_id").and_then(id_text);
        let (Some(references), Some(id)) = (self.references, id) else {
            return Ok(());
        };
        let failed = |why: &str| Rejection::invalid(format!("failed to fetch ssl info by ssl id [{id}], {why}"));
        let ssl = references.get(Kind::Ssl, &id).ok_or_else(|| failed("response code: 404"))?;
        match text(&ssl, "type") {
            Some("client") => Ok(()),
            _ => Err(failed("wrong ssl type")),
        }
    }
}

fn nodes(nodes: Option<&Value>) -> Outcome {
    match nodes {
        Some(Value::Array(list)) => {
            let bare_ipv6 = |host: &str| host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
            let mut hosts = list.iter().filter_map(|node| text(node, "host"));
            match hosts.any(bare_ipv6) {
                true => {
                    Err(Rejection::invalid("invalid configuration: IPv6 address must be enclosed with '[' and ']'"))
                }
                false => Ok(()),
            }
        }
        Some(Value::Object(map)) => addresses(map),
        _ => Ok(()),
    }
}

fn addresses(nodes: &Map<String, Value>) -> Outcome {
    for address in nodes.keys() {
        split_host_port(address).map_err(|error| Rejection::invalid(error.to_string()))?;
    }
    Ok(())
}

fn supported(conf: &Value) -> Outcome {
    if let Some(discovery) = ["service_name", "discovery_type"].into_iter().find(|field| conf.get(field).is_some()) {
        return Err(Rejection::unsupported(discovery));
    }
    if let Some(scheme) = text(conf, "scheme").filter(|scheme| !SCHEMES.contains(scheme)) {
        return Err(Rejection::unsupported(format_args!("upstream scheme {scheme}")));
    }
    if let Some(balancer) = text(conf, "type").filter(|balancer| !BALANCERS.contains(balancer)) {
        return Err(Rejection::unsupported(format_args!("upstream type {balancer}")));
    }
    Ok(())
}

/// What consistent hashing hashes.
fn hash_key(conf: &Value) -> Outcome {
    let hash_on = text(conf, "hash_on").unwrap_or("vars");
    if text(conf, "type") != Some("chash") || hash_on == "consumer" {
        return Ok(());
    }
    let key = conf.get("key").ok_or_else(|| Rejection::invalid("missing key"))?;
    let schema = match hash_on {
        "vars" => "upstream_hash_vars_schema",
        "header" | "cookie" => "upstream_hash_header_schema",
        _ => return Ok(()),
    };
    let invalid = |error| Rejection::invalid(format!("invalid configuration: {error}"));
    named_validator(schema).check(key).map_err(invalid)
}

/// A text field; references to secrets count as absent, since nothing can be said of them.
fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str).filter(|text| !is_secret_reference(text))
}
