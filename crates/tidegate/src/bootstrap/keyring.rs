//! The key that secrets in the store are encrypted with. APISIX's default is a key that everyone knows; here a key
//! of this installation's own is made instead, and the known ones only decrypt what was imported. Invariant: whatever
//! the data folder's file holds decrypts for good, also beside keys that were configured later.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use config::keyring::{Keyring, PUBLISHED_KEYS};
use config::secret::Secret;
use config::settings::Settings;

use crate::failure::Failure;
use crate::random;

/// In the data folder. Who has this file and the store can read the store's secrets.
const FILE: &str = "keyring";

/// Makes the key fit AES-256.
const LENGTH: usize = 32;

/// The keyring in use: the configured one, unless it begins with a key that everyone knows, else with the data folder's
/// own key before it; that is made if there is none, and comes then with the file that it was written to.
/// The data folder must exist.
///
/// # Errors
/// If the file cannot be read or written, or holds no key.
pub fn open(settings: &Settings) -> Result<(Keyring, Option<PathBuf>), Failure> {
    let mut made = None;
    let keyring = read_or(settings, |path| {
        let key = random::letters(LENGTH)?;
        write_new(path, &key).map_err(|error| Failure::runtime(format!("{}: {error}", path.display())))?;
        made = Some(path.to_owned());
        Ok(Some(key))
    })?;
    Ok((keyring, made))
}

/// As [`open`], without making a file.
///
/// # Errors
/// If the file is there and cannot be used.
pub fn read(settings: &Settings) -> Result<Keyring, Failure> {
    read_or(settings, |_| Ok(None))
}

fn read_or(
    settings: &Settings,
    otherwise: impl FnOnce(&Path) -> Result<Option<String>, Failure>,
) -> Result<Keyring, Failure> {
    let configured = &settings.apisix.data_encryption.keyring;
    let path = settings.tidegate.data_dir.join(FILE);
    let own = match fs::read_to_string(&path) {
        Ok(text) if configured.is_published() && text.trim().is_empty() => return Err(holds_no_key(&path)),
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound && !configured.is_published() => None,
        Err(error) if error.kind() == ErrorKind::NotFound => otherwise(&path)?,
        Err(error) => return Err(Failure::runtime(format!("{}: {error}", path.display()))),
    };
    let own = own.iter().flat_map(|text| text.split_whitespace()).map(Secret::from);
    let keyring = match configured.is_published() {
        true => Keyring::new(own).and_then(|keyring| {
            let known = PUBLISHED_KEYS.into_iter().map(Secret::from);
            keyring.with_past(configured.keys().cloned().chain(known))
        }),
        false => configured.clone().with_past(own),
    };
    keyring.map_err(|error| Failure::configuration(format!("{}: {error}", path.display())))
}

/// Without a key secrets would be stored as they are.
fn holds_no_key(path: &Path) -> Failure {
    Failure::configuration(format!(
        "{}: the file holds no key: put the key back that was in it, or, if no secrets are stored yet, delete the file, \
         so that a key is made",
        path.display()
    ))
}

/// Writes a file that only this user can read, in one step: a crash leaves no half key behind.
fn write_new(path: &Path, key: &str) -> std::io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    writeln!(file, "{key}")?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}
