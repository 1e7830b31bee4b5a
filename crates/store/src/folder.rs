//! The data folder on disk: making it, locking it against a second process, and making the creation
//! itself durable. Called once per [`Store::open`](crate::Store::open).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::StoreError;

pub(crate) const DATABASE_FILE: &str = "tidegate.db";
const LOCK_FILE: &str = "tidegate.lock";

/// A data folder which this process alone works on, until the value is dropped.
pub(crate) struct DataFolder {
    pub database: PathBuf,
    /// The operating system releases the lock with the file, also when the process is killed.
    _lock: File,
}

impl DataFolder {
    /// Makes `dir` if needed, takes its lock, and makes an empty private database file if there is none.
    pub fn claim(dir: &Path) -> Result<Self, StoreError> {
        make_durable_folder(dir).map_err(|error| unusable(dir, &error))?;
        let lock_path = dir.join(LOCK_FILE);
        let lock = private_file(&lock_path).map_err(|error| unusable(&lock_path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { path: dir.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(&lock_path, &error)),
        }
        let database = dir.join(DATABASE_FILE);
        // SQLite gives its -wal and -shm files the mode of the database file.
        private_file(&database)
            .and_then(|file| file.sync_all())
            .and_then(|()| sync_folder(dir))
            .map_err(|error| unusable(&database, &error))?;
        Ok(Self { database, _lock: lock })
    }
}

pub(crate) fn unusable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), detail: error.to_string() }
}

/// Creates `dir` and its missing parents, and makes each new name survive a power cut.
fn make_durable_folder(dir: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|folder| !is_here(folder)).collect();
    fs::create_dir_all(dir)?;
    for folder in missing {
        if let Some(parent) = folder.parent() {
            sync_folder(parent)?;
        }
    }
    Ok(())
}

/// `""` is the parent of a bare relative name: the current folder, which exists.
fn is_here(folder: &Path) -> bool {
    folder.as_os_str().is_empty() || folder.exists()
}

fn sync_folder(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

/// Opens or creates a file that only its owner may read: resources carry credentials.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}
