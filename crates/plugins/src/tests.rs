//! Rules that hold for every plugin of the table.

use std::collections::BTreeSet;

use config::schema::Validator;

use super::*;

#[test]
fn every_schema_compiles_and_accepts_what_it_defaults_to() {
    for def in definitions() {
        let info = &def.info;
        for schema in
            [Some(&info.schema), info.consumer_schema.as_ref(), info.metadata_schema.as_ref()].into_iter().flatten()
        {
            let schema = schema.make();
            if let Err(error) = Validator::compile(&schema) {
                panic!("{}: {error}\n{schema:#}", info.name);
            }
        }
    }
}

#[test]
fn names_are_unique_and_none_is_both_shipped_and_not_supported() {
    let mut seen = BTreeSet::new();
    for def in definitions() {
        assert!(seen.insert(def.info.name), "{} is registered twice", def.info.name);
    }
    for name in NOT_SUPPORTED {
        assert!(seen.insert(name), "{name} is listed twice");
    }
}

#[test]
fn the_table_is_in_order_of_priority() {
    let priorities: Vec<i32> = definitions().iter().map(|def| def.info.priority).collect();
    assert!(priorities.is_sorted_by(|earlier, later| earlier >= later), "{priorities:?}");
}

#[test]
fn only_enabled_plugins_can_be_used_and_foreign_ones_are_known_by_name() {
    let registry = registry(Some(&["cors".to_owned()]));
    assert!(registry.get("cors").is_some());
    assert!(registry.get("key-auth").is_none());
    assert!(registry.catalog().is_unsupported("openid-connect"));
    assert!(!registry.catalog().is_unsupported("opne-id"));
}
