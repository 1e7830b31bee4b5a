//! Configuration as types: resources and `config.yaml` with their defaults, schemas, checks, secrets and encryption,
//! and the expression language of conditions. Files are read by others, who pass their text in. Invariant: no I/O, no
//! async; of the process it reads the environment alone, for secrets that refer to a variable.

pub mod catalog;
pub mod check;
pub mod encrypt;
pub mod expr;
pub mod json_path;
pub mod keyring;
pub mod meta;
pub mod patch;
pub mod pattern;
pub mod resource;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod template;
pub mod vars;
