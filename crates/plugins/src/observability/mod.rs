//! Plugins that tell others what happened: metrics and logs. They run in the log phase, which no request escapes, and
//! hand everything that waits to threads and tasks of their own.

pub(crate) mod access_log;
mod batch;
mod entry;
pub(crate) mod file_logger;
#[cfg(test)]
mod fixture;
pub(crate) mod http_logger;
mod json;
mod log_file;
mod log_format;
pub(crate) mod prometheus;

pub use log_file::{flush as flush_log_files, reopen as reopen_log_files};

#[cfg(test)]
mod tests;
