//! What a client's certificate says of it, in nginx's formats. Computed when a variable asks for it; the
//! certificate has been verified before.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::pki_types::CertificateDer;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{AttributeTypeAndValue, FromDer, X509Certificate, X509Name};

/// A fact about the holder of `certificate`, by its name behind `ssl_client_`; `None` if there is no such fact, or the
/// certificate cannot be read.
pub(crate) fn fact(certificate: &CertificateDer<'_>, name: &str) -> Option<String> {
    if name == "fingerprint" {
        return Some(hexadecimal(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref()));
    }
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    match name {
        "s_dn" => Some(distinguished_name(certificate.subject())),
        "i_dn" => Some(distinguished_name(certificate.issuer())),
        "serial" => Some(hexadecimal(&certificate.serial.to_bytes_be()).to_ascii_uppercase()),
        _ => None,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As RFC 2253 writes it: the last part first.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> =
        name.iter_rdn().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = attribute.attr_type();
    let value = attribute.as_str().unwrap_or_default();
    match oid2abbrev(kind, oid_registry()) {
        Ok(known) => format!("{known}={}", escaped(value)),
        Err(_) => format!("{}={}", kind.to_id_string(), escaped(value)),
    }
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    for (at, c) in value.char_indices() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => text.extend(['\\', c]),
            '#' if at == 0 => text.push_str("\\#"),
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            c if c.is_ascii_control() => text.push_str(&format!("\\{:02X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn a_certificate_is_told_as_nginx_tells_it() {
        let pem = include_bytes!("testdata/client.pem");
        let certificate = CertificateDer::from_pem_slice(pem).expect("a certificate");
        let told = |name| fact(&certificate, name);
        assert_eq!(told("s_dn").as_deref(), Some("CN=client"));
        assert_eq!(told("i_dn").as_deref(), Some("CN=Test authority"));
        assert_eq!(told("serial").as_deref(), Some("6386967D231ADDC86AA0268CDCE20D2FDBFE04CA"));
        assert_eq!(told("fingerprint").as_deref(), Some("1c58f638f573ac10cb74e067916850161686b8f2"));
        assert_eq!(told("v_end"), None);
    }

    #[test]
    fn what_has_a_meaning_in_a_name_is_escaped() {
        assert_eq!(escaped("Tide, Inc. \"x\" <y>"), "Tide\\, Inc. \\\"x\\\" \\<y\\>");
        assert_eq!(escaped("# a "), "\\# a\\ ");
        assert_eq!(escaped("a\nb"), "a\\0Ab");
    }
}
