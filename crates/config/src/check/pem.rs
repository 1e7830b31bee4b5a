//! Whether a text is a certificate, or a private key that TLS can use. That the two belong together is not checked,
//! as in APISIX: they may be replaced one after the other.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, RsaKeyPair,
};
use x509_parser::pem::Pem;

const BAD_CERT: &str = "failed to parse cert: PEM_read_bio_X509_AUX() failed";
const BAD_KEY: &str = "failed to parse key: PEM_read_bio_PrivateKey() failed";

/// A certificate and a key.
pub(super) fn pair(cert: &str, key: &str) -> Result<(), String> {
    certificate(cert)?;
    private_key(key)
}

/// The first block of `text` is a certificate.
pub(super) fn certificate(text: &str) -> Result<(), String> {
    let first = blocks(text).find(|block| block.label.ends_with("CERTIFICATE"));
    match first.is_some_and(|block| block.parse_x509().is_ok()) {
        true => Ok(()),
        false => Err(BAD_CERT.to_owned()),
    }
}

/// Keys arrive here in the clear: what is not PEM was taken for an encrypted key, and did not decrypt.
fn private_key(text: &str) -> Result<(), String> {
    if !text.trim_start().starts_with("---") {
        return Err("failed to decrypt previous encrypted key".to_owned());
    }
    let first = blocks(text).find(|block| block.label.ends_with("PRIVATE KEY"));
    match first.is_some_and(|block| is_key(&block.contents)) {
        true => Ok(()),
        false => Err(BAD_KEY.to_owned()),
    }
}

fn blocks(text: &str) -> impl Iterator<Item = Pem> {
    Pem::iter_from_buffer(text.as_bytes()).map_while(Result::ok)
}

fn is_key(der: &[u8]) -> bool {
    let curves = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING];
    RsaKeyPair::from_pkcs8(der).is_ok()
        || RsaKeyPair::from_der(der).is_ok()
        || curves.into_iter().any(|curve| EcdsaKeyPair::from_private_key_der(curve, der).is_ok())
        || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).is_ok()
}
