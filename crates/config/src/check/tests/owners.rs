//! Consumers and credentials.

use super::*;

fn consumer(username: &str, key: &str) -> Value {
    json!({"username": username, "plugins": {"key-auth": {"key": key}}})
}

fn credential(key: &str) -> Value {
    json!({"plugins": {"key-auth": {"key": key}}})
}

fn store() -> Store {
    Store::default()
        .with(Kind::Consumer, "bob", consumer("bob", "bobs"))
        .with(Kind::Consumer, "jack", consumer("jack", "jacks"))
        .with(Kind::Credential, "jack/credentials/c1", credential("second"))
}

#[test]
fn consumers_are_refused_in_the_words_of_apisix() {
    let table = [
        (json!({}), "400 invalid configuration: property \"username\" is required"),
        (
            json!({"username": "a b"}),
            "400 invalid configuration: property \"username\" validation failed: failed to \
             match pattern \"^[a-zA-Z0-9_\\\\-]+$\" with \"a b\"",
        ),
        (
            json!({"username": "a", "plugins": {"key-auth": {}}}),
            "400 invalid plugins configuration: failed to check \
             the configuration of plugin key-auth err: property \"key\" is required",
        ),
        (
            json!({"username": "a", "plugins": {"nothing": {}}}),
            "400 invalid plugins configuration: unknown plugin \
             [nothing]",
        ),
        (
            json!({"username": "a", "group_id": "g"}),
            "400 failed to fetch consumer group info by consumer group id \
             [g], response code: 404",
        ),
        (consumer("a", "bobs"), "400 duplicate key of plugin key-auth found with consumer: bob"),
        (consumer("a", "second"), "400 duplicate key of plugin key-auth found with credential: c1 of consumer: jack"),
    ];
    for (value, text) in table {
        assert_eq!(refusal(&store(), Kind::Consumer, "a", value), text);
    }
}

#[test]
fn a_consumer_may_repeat_its_own_keys_and_references() {
    accepts(&store(), Kind::Consumer, "jack", consumer("jack", "jacks"));
    accepts(&store(), Kind::Consumer, "jack", consumer("jack", "second"));
    let shared = Store::default().with(Kind::Consumer, "bob", consumer("bob", "$env://KEY"));
    accepts(&shared, Kind::Consumer, "a", consumer("a", "$env://KEY"));
}

#[test]
fn other_plugins_of_a_consumer_are_held_against_their_usual_schema() {
    accepts(&store(), Kind::Consumer, "a", json!({"username": "a", "plugins": {"echo": {"body": "x"}}}));
}

#[test]
fn credentials_are_refused_in_the_words_of_apisix() {
    let table = [
        (
            "jack",
            json!({"plugins": {"key-auth": {"key": "k"}, "echo": {}}}),
            "400 invalid configuration: property \
             \"plugins\" validation failed: expect object to have at most 1 properties",
        ),
        ("jack", json!({"plugins": {"echo": {}}}), "400 only supports auth type plugins in consumer credential"),
        (
            "jack",
            json!({"plugins": {"key-auth": {}}}),
            "400 invalid plugins configuration: failed to check the \
             configuration of plugin key-auth err: property \"key\" is required",
        ),
        ("nobody", credential("k"), "404 consumer not found"),
        ("jack", credential("jacks"), "400 duplicate key of plugin key-auth found with consumer: jack"),
        (
            "bob",
            credential("second"),
            "400 duplicate key of plugin key-auth found with credential: c1 of consumer: jack",
        ),
    ];
    for (owner, value, text) in table {
        let id = format!("{owner}/credentials/new");
        assert_eq!(refusal(&store(), Kind::Credential, &id, value), text);
    }
    accepts(&store(), Kind::Credential, "jack/credentials/c1", credential("second"));
}
