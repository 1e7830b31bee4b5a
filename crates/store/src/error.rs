//! The ways the store can fail, by what the caller can do about them. Messages are shown to operators
//! as they are, so each names the path and what would help.

use std::path::PathBuf;

/// Why the store could not be opened, read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// An [`Expect`](crate::Expect) did not hold. Nothing of the batch was written.
    /// Read again and retry, or tell the client.
    #[error("{key} was changed meanwhile: {}", describe_found(.found))]
    Conflict {
        /// The first key of the batch whose expectation failed.
        key: String,
        /// The modified revision that stands under the key; `None` if there is no such item.
        found: Option<u64>,
    },

    /// Another process works on this data folder.
    #[error(
        "the data folder {} is in use by another Tidegate process; stop that one, or give this one \
         its own data folder", .path.display()
    )]
    Locked { path: PathBuf },

    /// The data folder or its file cannot be created, opened or written.
    #[error(
        "cannot use {}: {detail}; the data folder must be a folder in which this user may create and \
         write files", .path.display()
    )]
    Unusable { path: PathBuf, detail: String },

    /// The file is not a database, or its contents contradict themselves. It was left untouched.
    #[error(
        "{} is damaged ({detail}); it was left as it is: restore it from a backup, or move it away to \
         start with an empty store", .path.display()
    )]
    Corrupt { path: PathBuf, detail: String },

    /// A valid SQLite database which some other program made.
    #[error(
        "{} is a database of another program; give Tidegate a data folder of its own", .path.display()
    )]
    Foreign { path: PathBuf },

    /// The file was written by a later version whose layout this one does not know.
    #[error(
        "{} has layout {found}, this version knows layouts up to {known}; run the version that wrote \
         it, or a later one", .path.display()
    )]
    TooNew { path: PathBuf, found: i64, known: i64 },

    /// SQLite refused the write (disk full, I/O error). Nothing of the batch was written.
    #[error("the write was not stored in {}: {detail}", .path.display())]
    NotWritten { path: PathBuf, detail: String },

    /// The writer thread has ended; no more writes are possible in this process.
    #[error("the store is closed: its writer thread has ended")]
    Closed,
}

fn describe_found(found: &Option<u64>) -> String {
    match found {
        Some(revision) => format!("it now stands at revision {revision}"),
        None => "it does not exist".to_owned(),
    }
}
