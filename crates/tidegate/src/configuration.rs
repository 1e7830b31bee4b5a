//! Finding and reading `config.yaml`.

use std::path::{Path, PathBuf};

use config::settings::Settings;

use crate::failure::Failure;

/// Where it is looked for if the command line names none.
const USUAL_PLACES: [&str; 2] = ["config.yaml", "conf/config.yaml"];

/// What messages show in the place of the file's name where there is none.
const WITHOUT_FILE: &str = "defaults (there is no config.yaml)";

/// `config.yaml`, read.
#[derive(Debug, Clone)]
pub struct Configuration {
    pub settings: Settings,
    /// Sentences about what has no effect.
    pub warnings: Vec<String>,
    /// `None`: there is no file, everything has its default.
    pub file: Option<PathBuf>,
}

impl Configuration {
    /// Reads `named`, or the file in one of the usual places.
    ///
    /// # Errors
    /// If the file cannot be read or says what cannot be done; then everything is told that it says wrong or to no
    /// effect, a line each.
    pub fn load(named: Option<&Path>) -> Result<Self, Failure> {
        let file = match named {
            Some(path) => Some(path.to_owned()),
            None => USUAL_PLACES.map(PathBuf::from).into_iter().find(|path| path.is_file()),
        };
        let (text, name) = match &file {
            Some(path) => (read(path)?, path.display().to_string()),
            None => (String::new(), WITHOUT_FILE.to_owned()),
        };
        let environment = |name: &str| std::env::var(name).ok();
        let (settings, warnings) = Settings::load(&text, &name, &environment).map_err(|_| {
            let problems = Settings::problems(&text, &name, &environment);
            let errors = problems.errors.iter().map(ToString::to_string);
            let warnings = problems.warnings.iter().map(|warning| format!("warning: {warning}"));
            Failure::Configuration(errors.chain(warnings).collect::<Vec<_>>().join("\n"))
        })?;
        Ok(Self { settings, warnings, file })
    }

    /// The file's name, as messages show it.
    pub fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| WITHOUT_FILE.to_owned(), |file| file.display().to_string())
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::configuration(format!("{}: {error}; -c must name a readable YAML file", path.display()))
    })
}
