//! The ways a command can fail, by what a script does about them.

use std::fmt::Display;

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

    /// What the process exits with; the command line's own errors are 2 as well.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Runtime(_) => 1,
            Failure::Configuration(_) => 2,
        }
    }
}
