//! The files behind `$secret://file/NAME`. Each is read when a plan first asks for it, and again when a later plan
//! begins: one that has changed gives the secrets a new revision, so that what was compiled with the old text is
//! compiled anew. Called by the planner only.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use config::secret::Secret;

/// No secret is longer; a file that is, was put there by mistake.
const MAX_BYTES: u64 = 1 << 20;

/// One folder of secrets.
pub(super) struct SecretFiles {
    folder: Option<PathBuf>,
    /// By name, all that were ever asked for; `None`: it could not be read.
    known: Mutex<BTreeMap<String, Option<Secret>>>,
}

impl SecretFiles {
    /// The files in `folder`; without one there are none.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, known: Mutex::default() }
    }

    /// The text of the file `name`, which must not lead out of the folder.
    pub fn text(&self, name: &str) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let text = known.entry(name.to_owned()).or_insert_with(|| self.read(name));
        text.as_ref().map(|text| text.expose().to_owned())
    }

    /// Reads again what was asked for; `true` if anything has changed.
    pub fn renew(&self) -> bool {
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut changed = false;
        for (name, text) in &mut *known {
            let now = self.read(name);
            changed |= *text != now;
            *text = now;
        }
        changed
    }

    fn read(&self, name: &str) -> Option<Secret> {
        let Some(folder) = &self.folder else {
            tracing::error!(name, "a secret's file is not read: tidegate.secrets_dir is not set");
            return None;
        };
        match read(&folder.join(name)) {
            Ok(text) => Some(Secret::from(text)),
            Err(error) => {
                tracing::error!(file = %folder.join(name).display(), %error, "a secret cannot be read");
                None
            }
        }
    }
}

/// Anything but a file could keep the planner waiting for ever.
fn read(path: &Path) -> std::io::Result<String> {
    let facts = std::fs::metadata(path)?;
    if !facts.is_file() || facts.len() > MAX_BYTES {
        return Err(Error::new(ErrorKind::InvalidInput, format!("it must be a file of at most {MAX_BYTES} bytes")));
    }
    std::fs::read_to_string(path)
}
