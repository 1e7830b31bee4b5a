//! Resources as types: parsing, defaults, validation, schemas, merging and the expression language. Pure: no
//! I/O but reading `config.yaml` text that it is given, no async.

pub mod catalog;
pub mod check;
pub mod encrypt;
pub mod expr;
pub mod json_path;
pub mod keyring;
pub mod merge;
pub mod meta;
pub mod pattern;
pub mod resource;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod template;
pub mod vars;
