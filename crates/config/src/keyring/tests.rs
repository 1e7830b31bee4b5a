#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

const LONG_KEY: &str = "0123456789abcdef0123456789abcdef";

fn keyring(keys: &[&str]) -> Keyring {
    Keyring::new(keys.iter().map(|key| Secret::from(*key))).unwrap()
}

/// Made with `openssl enc -aes-128-cbc` and `-aes-256-cbc`.
const VECTORS: [(&str, &str); 3] = [
    (PUBLISHED_KEYS[0], "t2n4JAuZlIwTEwy3gtCUMw=="),
    (PUBLISHED_KEYS[1], "4Ur3UDqxFngqh2wqfwJ0Ug=="),
    (LONG_KEY, "peW3Ru2uXFvo5C++nRfr4A=="),
];

#[test]
fn the_form_is_openssl_s() {
    for (key, sealed) in VECTORS {
        assert_eq!(keyring(&[key]).encrypt("sk-key-1"), sealed, "{key}");
        assert_eq!(keyring(&[key]).decrypt(sealed), "sk-key-1", "{key}");
    }
}

#[test]
fn the_first_key_encrypts_and_every_key_decrypts() {
    let all = keyring(&[LONG_KEY, PUBLISHED_KEYS[0], PUBLISHED_KEYS[1]]);
    assert_eq!(all.encrypt("sk-key-1"), VECTORS[2].1);
    for (_, sealed) in VECTORS {
        assert_eq!(all.decrypt(sealed), "sk-key-1");
    }
}

#[test]
fn what_does_not_decrypt_is_kept() {
    let keyring = keyring(&[LONG_KEY]);
    for stored in ["plain text", "", "sk-abc", "bm90IGEgY2lwaGVy", VECTORS[0].1, "$env://KEY"] {
        assert_eq!(keyring.decrypt(stored), stored);
    }
}

#[test]
fn without_keys_texts_stay_as_they_are() {
    let empty = Keyring::default();
    assert!(empty.is_empty());
    assert_eq!(empty.encrypt("sk"), "sk");
    assert_eq!(empty.decrypt(VECTORS[0].1), VECTORS[0].1);
}

#[test]
fn keys_of_other_lengths_are_refused() {
    let error = Keyring::new([Secret::from(LONG_KEY), Secret::from("short")]).unwrap_err();
    assert_eq!(error.to_string(), "key 2 of the keyring must be 16 or 32 bytes long, got 5");
}

#[test]
fn published_keys_are_recognised() {
    assert!(Keyring::published().is_published());
    assert!(!keyring(&[LONG_KEY, PUBLISHED_KEYS[0]]).is_published());
    assert!(!Keyring::default().is_published());
}

#[test]
fn a_keyring_is_not_printed() {
    assert_eq!(format!("{:?}", Keyring::published()), "Keyring(2 keys)");
}

#[test]
fn fields_are_encrypted_and_decrypted_by_path() {
    let keyring = Keyring::published();
    let sealed = VECTORS[0].1;
    let fields = ["key", "auth.password", "brokers.sasl.password", "headers", "list", "absent.too", "count"];
    let open = json!({
        "key": "sk-key-1",
        "auth": {"password": "sk-key-1", "user": "me"},
        "brokers": [{"sasl": {"password": "sk-key-1"}}, {"host": "b"}],
        "headers": {"Authorization": "sk-key-1"},
        "list": ["sk-key-1", 7],
        "count": 3,
    });
    let closed = json!({
        "key": sealed,
        "auth": {"password": sealed, "user": "me"},
        "brokers": [{"sasl": {"password": sealed}}, {"host": "b"}],
        "headers": {"Authorization": sealed},
        "list": [sealed, 7],
        "count": 3,
    });
    let mut conf = open.clone();
    keyring.encrypt_fields(&mut conf, &fields);
    assert_eq!(conf, closed);
    keyring.decrypt_fields(&mut conf, &fields);
    assert_eq!(conf, open);
}

proptest! {
    #[test]
    fn every_text_comes_back(text in ".{0,64}") {
        for key in [PUBLISHED_KEYS[0], LONG_KEY] {
            let keyring = keyring(&[key]);
            let sealed = keyring.encrypt(&text);
            prop_assert_ne!(&sealed, &text);
            prop_assert_eq!(keyring.decrypt(&sealed), text.clone());
        }
    }
}

#[test]
fn keys_of_the_past_decrypt_and_do_not_encrypt() {
    let (past, present) = ("0123456789abcdef", "fedcba9876543210");
    let sealed = keyring(&[past]).encrypt("secret");
    for keys in [&[present][..], &[]] {
        let rotated = keyring(keys).with_past([Secret::from(past)]).expect("keys that fit");
        assert_eq!(rotated.decrypt(&sealed), "secret", "{keys:?}");
        assert_eq!(rotated.encrypt("secret"), keyring(keys).encrypt("secret"), "{keys:?}");
    }
}
