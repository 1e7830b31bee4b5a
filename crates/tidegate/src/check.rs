//! `tidegate check`: holds `config.yaml` and what is stored against the rules, and prints every problem. It starts
//! nothing, locks nothing and changes nothing, so it can look at the data of a process that runs.

use std::path::Path;

use config::check::Checker;
use config::encrypt;
use config::resource::Kind;
use store::{Snapshot, Store};

use crate::bootstrap::keyring;
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::{sealed, surroundings, unset_variables};

/// Prints what is wrong, and what has no effect.
///
/// # Errors
/// If anything is wrong.
pub fn run(config: Option<&Path>) -> Result<(), Failure> {
    let configuration = Configuration::load(config)?;
    for warning in &configuration.warnings {
        println!("warning: {warning}");
    }
    let settings = &configuration.settings;
    let registry = plugins::registry(settings.plugins.as_deref());
    for sentence in registry.catalog().strangers(settings.plugins.as_deref().unwrap_or_default()) {
        println!("warning: {sentence}");
    }
    let outside = surroundings::problems(settings, &configuration.name());
    for problem in &outside {
        println!("{problem}");
    }
    let keyring = keyring::read(settings)?;
    let data = &settings.tidegate.data_dir;
    let snapshot = Store::read(data).map_err(Failure::configuration)?;
    let stored = Stored { snapshot: &snapshot, catalog: registry.catalog(), keyring: &keyring };
    for sentence in stored.unset_variables() {
        println!("warning: {sentence}");
    }
    let mut problems = stored.problems();
    let unreadable = sealed::unreadable(&snapshot, registry.catalog(), &keyring);
    problems.extend(unreadable.into_iter().map(|line| format!("{line} is encrypted with a key that is not there")));
    for problem in &problems {
        println!("{problem}");
    }
    let file = configuration.file.as_deref().map_or_else(|| "defaults".to_owned(), |file| file.display().to_string());
    match (outside.len(), problems.len()) {
        (0, 0) => {
            println!("ok: configuration ({file}) and {} resources in {}", snapshot.len(), data.display());
            Ok(())
        }
        (outside, 0) => Err(Failure::configuration(format!("{outside} things that {file} names cannot be used"))),
        (_, problems) => {
            Err(Failure::configuration(format!("{problems} of the resources in {} are wrong", data.display())))
        }
    }
}

/// What is stored, to be checked.
struct Stored<'a> {
    snapshot: &'a Snapshot,
    catalog: &'a config::catalog::Catalog,
    keyring: &'a config::keyring::Keyring,
}

impl Stored<'_> {
    /// One line per problem, in the order of keys within each kind.
    fn problems(&self) -> Vec<String> {
        let checker = Checker::new(self.catalog, self);
        let mut problems = Vec::new();
        for kind in Kind::ALL {
            self.visit(kind, &mut |key, id, value| {
                if let Err(rejection) = checker.check(kind, id, value) {
                    problems.push(format!("{key}: {rejection}"));
                }
            });
        }
        problems
    }

    fn unset_variables(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for kind in Kind::ALL {
            self.visit(kind, &mut |key, _, value| sentences.extend(unset_variables::told(key, value)));
        }
        sentences
    }

    /// Every resource of `kind`: key, id, and value with secrets in clear.
    fn visit(&self, kind: Kind, each: &mut dyn FnMut(&str, &str, &serde_json::Value)) {
        for (id, item) in sealed::members(self.snapshot, kind) {
            each(&item.key, id, &self.opened(kind, &item.value));
        }
    }

    fn opened(&self, kind: Kind, value: &serde_json::Value) -> serde_json::Value {
        let mut value = value.clone();
        encrypt::open(kind, &mut value, self.catalog, self.keyring);
        value
    }
}

impl config::check::References for Stored<'_> {
    fn exists(&self, kind: Kind, id: &str) -> bool {
        self.snapshot.get(&format!("/apisix/{}/{id}", kind.collection())).is_some()
    }

    fn get(&self, kind: Kind, id: &str) -> Option<std::sync::Arc<serde_json::Value>> {
        let item = self.snapshot.get(&format!("/apisix/{}/{id}", kind.collection()))?;
        Some(std::sync::Arc::new(self.opened(kind, &item.value)))
    }

    fn each(&self, kind: Kind, each: &mut dyn FnMut(&str, &serde_json::Value)) {
        self.visit(kind, &mut |_, id, value| each(id, value));
    }
}
