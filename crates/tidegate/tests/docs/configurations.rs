//! Every configuration on the pages is loaded by the code that loads it in earnest. A comment before the fence says
//! what a block is: nothing for a `config.yaml` or any JSON, `resource: COLLECTION[/ID]` for a resource, `script` for a
//! script of the simulator; `refused: TEXT` before either means that it is refused with a message that holds TEXT,
//! `warns: TEXT` that a warning holds it.

use config::check::Checker;
use config::resource::Kind;
use config::settings::{Settings, SettingsError};
use serde_json::Value;

use crate::pages::{self, Block, Page};

/// Keys are set; variables that the pages give a default are not.
fn environment(name: &str) -> Option<String> {
    name.ends_with("_KEY").then(|| "0123456789abcdef".to_owned())
}

fn load(text: &str) -> Result<(Settings, Vec<String>), SettingsError> {
    Settings::load(text, "config.yaml", &environment)
}

fn each(language: &str, check: impl Fn(&Page, &Block)) {
    let mut count = 0;
    for page in pages::all() {
        for block in page.blocks().iter().filter(|block| block.language == language) {
            check(&page, block);
            count += 1;
        }
    }
    assert!(count > 0, "the pages have no {language}");
}

#[test]
fn every_config_yaml_is_loaded() {
    each("yaml", |page, block| {
        let place = format!("docs/{}:{}", page.name(), block.line);
        match (load(&block.text), block.marked("refused"), block.marked("warns")) {
            (Err(error), Some(text), _) => assert!(error.to_string().contains(text), "{place}: {error}"),
            (Ok((_, warnings)), None, Some(text)) => {
                assert!(warnings.iter().any(|warning| warning.contains(text)), "{place}: {warnings:?}");
            }
            (Ok((_, warnings)), None, None) => assert!(warnings.is_empty(), "{place}: {warnings:?}"),
            (Ok(_), Some(text), _) => panic!("{place}: is accepted, and not refused with {text:?}"),
            (Err(error), None, _) => panic!("{place}: {error}"),
        }
    });
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let blocks = pages::named("configuration").blocks();
    let all = blocks.iter().find(|block| block.mark.as_deref() == Some("defaults")).unwrap();
    let (written, warnings) = load(&all.text).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let (mut written, mut default) = (written, load("").unwrap().0);
    // Text of what was written, kept for plugins to read.
    written.plugin_attr.raw.clear();
    default.plugin_attr.raw.clear();
    assert_eq!(format!("{written:#?}"), format!("{default:#?}"));
}

#[test]
fn what_is_said_to_have_no_effect_has_none() {
    let blocks = pages::named("configuration").blocks();
    let list = blocks.iter().find(|block| block.mark.as_deref() == Some("without effect")).unwrap();
    for line in list.text.lines().filter(|line| !line.is_empty()) {
        let (section, keys) = line.split_once(':').unwrap();
        for key in keys.split_whitespace() {
            let path = if section == "(top)" { key.to_owned() } else { format!("{section}.{key}") };
            let parts: Vec<&str> = path.split('.').collect();
            let text = parts.iter().rev().fold("{}".to_owned(), |inner, part| format!("{{{part}: {inner}}}"));
            let (_, warnings) = load(&text).unwrap();
            let told = warnings.iter().any(|warning| warning.contains(&format!("{path} has no effect")));
            assert!(told, "{path}: {warnings:?}");
        }
    }
}

#[test]
fn every_json_is_checked() {
    let registry = plugins::registry(None);
    let checker = Checker::without_references(registry.catalog());
    each("json", |page, block| {
        let place = format!("docs/{}:{}", page.name(), block.line);
        let value: Value = serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{place}: {error}"));
        if block.mark.as_deref() == Some("script") {
            simulator::script::Script::parse(block.text.as_bytes()).unwrap_or_else(|error| panic!("{place}: {error}"));
        }
        let Some(resource) = block.marked("resource") else { return };
        let (resource, refused) = match resource.split_once("refused:") {
            Some((resource, text)) => (resource.trim(), Some(text.trim())),
            None => (resource, None),
        };
        match (check_resource(&checker, resource, &value), refused) {
            (Err(message), Some(text)) => assert!(message.contains(text), "{place}: {message}"),
            (Ok(()), None) => {}
            (Ok(()), Some(text)) => panic!("{place}: is accepted, and not refused with {text:?}"),
            (Err(message), None) => panic!("{place}: {message}"),
        }
    });
}

/// `resource` is `COLLECTION` or `COLLECTION/ID`, as in the Admin API's paths.
fn check_resource(checker: &Checker<'_>, resource: &str, value: &Value) -> Result<(), String> {
    let (collection, id) = resource.split_once('/').unwrap_or((resource, "1"));
    let kind = match Kind::from_collection(collection).ok_or_else(|| format!("{collection} is no collection"))? {
        Kind::Consumer if id.contains("/credentials/") => Kind::Credential,
        kind => kind,
    };
    checker.check(kind, id, value).map_err(|rejection| rejection.message)
}

/// Resources that are sent by curl: `…/COLLECTION/ID … -d 'JSON'`. What a worked example sends is checked when it runs;
/// this also holds for commands that are only shown.
#[test]
fn every_resource_in_a_command_is_checked() {
    let registry = plugins::registry(None);
    let checker = Checker::without_references(registry.catalog());
    each("sh", |page, block| {
        for command in block.text.replace("\\\n", " ").split("curl ").skip(1) {
            let Some((resource, body)) = sent(command).filter(|_| command.contains("-X PUT")) else { continue };
            let place = format!("docs/{}:{}: {resource}", page.name(), block.line);
            let value: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{place}: {error}"));
            check_resource(&checker, &resource, &value).unwrap_or_else(|message| panic!("{place}: {message}"));
        }
    });
}

/// The resource that a command writes, and its body.
fn sent(command: &str) -> Option<(String, String)> {
    let path = command.split_whitespace().find_map(|word| word.trim_matches('"').strip_prefix("$ADMIN/"))?;
    let (_, body) = command.split_once("-d '")?;
    Some((path.to_owned(), body.split_once('\'')?.0.to_owned()))
}
