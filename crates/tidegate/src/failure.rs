//! The ways a command can fail, by what a script does about them.

use std::fmt::Display;

use store::StoreError;

/// Why a command ends without success. The text names the file and the field, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was configured cannot be used; trying again without a change does not help.
    #[error("{0}")]
    Configuration(String),
    /// The configuration is fine, and something else is in the way: a port in use, a full disk.
    #[error("{0}")]
    Runtime(String),
}

impl Failure {
    pub fn configuration(text: impl Display) -> Self {
        Self::Configuration(text.to_string())
    }

    pub fn runtime(text: impl Display) -> Self {
        Self::Runtime(text.to_string())
    }

    /// Why the store of the configuration `name` cannot be opened.
    pub fn of_store(name: &str, error: &StoreError) -> Self {
        let text = format!("{name}: tidegate.data_dir: {error}");
        match error {
            StoreError::Corrupt { .. } | StoreError::Foreign { .. } | StoreError::TooNew { .. } => {
                Self::configuration(text)
            }
            StoreError::Locked { .. }
            | StoreError::Unusable { .. }
            | StoreError::Conflict { .. }
            | StoreError::NotWritten { .. }
            | StoreError::Closed => Self::runtime(text),
        }
    }

    /// What the process exits with; the command line's own errors are 2 as well.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Runtime(_) => 1,
            Failure::Configuration(_) => 2,
        }
    }
}
