//! Secrets that are files.

use std::path::Path;

use config::settings::{Settings, Tidegate};
use serde_json::{Value, json};

use super::fixture::{Bench, compilations};
use crate::plan::compile::compiled;

const REFERENCE: &str = "$secret://file/jack.key";

fn reading(folder: Option<&Path>, resources: &[(&str, Value)]) -> Bench {
    let tidegate = Tidegate { secrets_dir: folder.map(Path::to_owned), ..Tidegate::default() };
    Bench::configured(Settings { tidegate, ..Settings::default() }, resources)
}

fn jack(key: &str) -> (&'static str, Value) {
    ("/apisix/consumers/jack", json!({"username": "jack", "plugins": {"guard": {"key": key}}}))
}

/// Which of `keys` finds jack.
fn that_find_jack<'k>(bench: &mut Bench, keys: &[&'k str]) -> Vec<&'k str> {
    let plan = bench.plan();
    keys.iter().filter(|key| plan.credentials("guard").find(key).is_some()).copied().collect()
}

#[test]
fn the_next_plan_sees_what_a_file_holds_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("jack.key");
    let mut bench = reading(Some(folder.path()), &[jack(REFERENCE)]);
    let keys = ["one", "two", REFERENCE];
    assert_eq!(that_find_jack(&mut bench, &keys), [""; 0], "there is no file yet");
    for (text, finds) in [("one\n", vec!["one"]), ("two\n", vec!["two"]), ("two", vec!["two"])] {
        std::fs::write(&file, text).expect("a file");
        assert_eq!(that_find_jack(&mut bench, &keys), finds);
    }
    std::fs::remove_file(&file).expect("a file");
    assert_eq!(that_find_jack(&mut bench, &keys), [""; 0], "the file is gone");
}

#[test]
fn plugins_are_compiled_anew_when_a_file_changes_and_only_then() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("provider"), r#"{"token": "one"}"#).expect("a file");
    let recorder = json!({"authorization": "Bearer $secret://file/provider/token"});
    let route = ("/apisix/routes/1", json!({"uri": "/1", "plugins": {"recorder": recorder}}));
    let mut bench = reading(Some(folder.path()), &[route]);
    bench.plan();
    bench.plan();
    assert_eq!(compilations(), 1);
    std::fs::write(folder.path().join("provider"), r#"{"token": "two"}"#).expect("a file");
    bench.plan();
    assert_eq!(compilations(), 2);
    std::fs::write(folder.path().join("unrelated"), "three").expect("a file");
    bench.plan();
    assert_eq!(compilations(), 2);
}

#[test]
fn why_a_plugin_cannot_be_used_tells_no_secret() {
    let compile = |config: &Value| match config["url"].as_str() {
        Some(url) if url.starts_with("http") => Ok(()),
        Some(url) if url.starts_with('$') && config["any"] == true => Ok(()),
        url => Err(format!("url must be one of HTTP, got {url:?}")),
    };
    let reason = |written: Value, url: &str| {
        let mut resolved = written.clone();
        resolved["url"] = json!(url);
        compiled(&written, &resolved, compile).err()
    };
    assert_eq!(reason(json!({"url": "$env://URL"}), "https://a"), None);
    assert_eq!(reason(json!({"url": "ftp"}), "ftp").as_deref(), Some("url must be one of HTTP, got Some(\"ftp\")"));
    for (any, expected) in [(true, "what a reference to a secret stands for"), (false, "$env://URL")] {
        let told = reason(json!({"url": "$env://URL", "any": any}), "confidential").unwrap_or_default();
        assert!(told.contains(expected) && !told.contains("confidential"), "{told}");
    }
}

#[test]
fn what_is_no_file_of_the_folder_finds_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).expect("a folder");
    std::fs::create_dir(inner.join("deeper")).expect("a folder");
    std::fs::write(folder.path().join("outside"), "secret").expect("a file");
    std::fs::write(inner.join("long"), vec![b'x'; (1 << 20) + 1]).expect("a file");
    std::fs::write(inner.join("binary"), [0xff, 0xfe]).expect("a file");
    for name in ["../outside", "..", ".", "deeper", "long", "binary", "missing", ""] {
        let reference = format!("$secret://file/{name}");
        let mut bench = reading(Some(&inner), &[jack(&reference)]);
        assert!(bench.plan().credentials("guard").is_empty(), "{name:?}");
    }
    let mut bench = reading(None, &[jack(REFERENCE)]);
    assert!(bench.plan().credentials("guard").is_empty(), "no folder is set");
}
