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

/// The release of APISIX whose APIs and configuration these are; clients derive features from it.
pub const APISIX_VERSION: &str = "3.18.0";

/// How a server of that release names itself.
pub const APISIX_SERVER: &str = "APISIX/3.18.0";
