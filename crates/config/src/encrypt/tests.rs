//! Every secret of every kind is found, and nothing else.

use serde_json::{Value, json};

use super::*;
use crate::catalog::PluginInfo;

fn catalog() -> Catalog {
    let info = PluginInfo {
        name: "vault",
        priority: 0,
        version: 0.1,
        authenticates: false,
        schema: json!({}).into(),
        consumer_schema: None,
        metadata_schema: None,
        encrypt_fields: &["key", "deep.token", "headers"],
        unique_field: None,
        group_field: None,
        shared_field: None,
        check: |_, _| Ok(()),
    };
    Catalog::new([info], &[])
}

fn marked(kind: Kind, mut value: Value) -> Value {
    transform_secrets(kind, &mut value, &catalog(), &mut |text| Some(format!("<{text}>")));
    value
}

#[test]
fn the_fields_that_a_plugin_names_are_walked_through_lists_and_maps() {
    let conf = json!({"vault": {
        "key": "k", "other": "o", "deep": [{"token": "t1"}, {"token": ["t2", 3]}], "headers": {"h": "v"}
    }, "unknown": {"key": "k"}});
    let expected = json!({"vault": {
        "key": "<k>", "other": "o", "deep": [{"token": "<t1>"}, {"token": ["<t2>", 3]}], "headers": {"h": "<v>"}
    }, "unknown": {"key": "k"}});
    for kind in [Kind::Route, Kind::Service, Kind::Consumer, Kind::Credential, Kind::GlobalRule, Kind::PluginConfig] {
        assert_eq!(marked(kind, json!({"plugins": conf})), json!({"plugins": expected}), "{kind}");
    }
    let metadata = marked(Kind::PluginMetadata, json!({"id": "vault", "key": "k"}));
    assert_eq!(metadata, json!({"id": "vault", "key": "<k>"}));
}

#[test]
fn private_keys_are_secrets() {
    let ssl = marked(Kind::Ssl, json!({"cert": "c", "key": "k", "keys": ["k2"]}));
    assert_eq!(ssl, json!({"cert": "c", "key": "<k>", "keys": ["<k2>"]}));
    let tls = json!({"tls": {"client_cert": "c", "client_key": "k"}});
    let hidden = json!({"tls": {"client_cert": "c", "client_key": "<k>"}});
    assert_eq!(marked(Kind::Upstream, tls.clone()), hidden);
    assert_eq!(marked(Kind::Route, json!({"upstream": tls})), json!({"upstream": hidden}));
}

#[test]
fn what_was_sealed_opens_again() {
    let keyring = Keyring::published();
    let written = json!({"plugins": {"vault": {"key": "k"}}, "upstream": {"tls": {"client_key": "---key"}}});
    let mut value = written.clone();
    seal(Kind::Route, &mut value, &catalog(), &keyring);
    assert_ne!(value["plugins"]["vault"]["key"], "k");
    assert_ne!(value["upstream"]["tls"]["client_key"], "---key");
    open(Kind::Route, &mut value, &catalog(), &keyring);
    assert_eq!(value, written);
}

#[test]
fn a_key_that_is_a_reference_is_stored_as_written() {
    let mut value = json!({"key": "$secret://vault/1/tls/key"});
    seal(Kind::Ssl, &mut value, &catalog(), &Keyring::published());
    assert_eq!(value, json!({"key": "$secret://vault/1/tls/key"}));
}

#[test]
fn what_secret_managers_are_asked_with_is_secret() {
    for (written, expected) in [
        (json!({"uri": "u", "prefix": "p", "token": "t"}), json!({"uri": "u", "prefix": "p", "token": "<t>"})),
        (
            json!({"access_key_id": "a", "secret_access_key": "s", "session_token": "t"}),
            json!({"access_key_id": "a", "secret_access_key": "<s>", "session_token": "<t>"}),
        ),
        (
            json!({"auth_config": {"client_email": "e", "private_key": "k"}}),
            json!({"auth_config": {"client_email": "e", "private_key": "<k>"}}),
        ),
    ] {
        assert_eq!(marked(Kind::Secret, written), expected);
    }
}
