//! The `tidegate` section: what APISIX does not have.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::SettingsError;
use super::reader::Reader;

/// The `tidegate` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tidegate {
    /// Holds the embedded store and what was generated at the first start.
    pub data_dir: PathBuf,
    /// Holds the files of `$secret://file/NAME`; `None` resolves none.
    pub secrets_dir: Option<PathBuf>,
    /// How long streams in flight may take after SIGTERM.
    pub drain_timeout: Duration,
    /// Serve the built-in provider simulator; `None` decides by whether any provider key was found.
    pub simulator: Option<bool>,
    /// Data plane workers; `None` leaves it to `nginx_config.worker_processes`.
    pub workers: Option<NonZeroUsize>,
    /// Bytes of a request head; beyond it: 431.
    pub max_header_bytes: usize,
    /// Bytes of all request bodies together that are read before their plugins have run;
    /// beyond it: 503. 0 sets no bound.
    pub max_early_body_bytes: u64,
    /// Nesting of a JSON body that is still read.
    pub max_json_depth: usize,
}

impl Default for Tidegate {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            secrets_dir: None,
            drain_timeout: Duration::from_secs(30),
            simulator: None,
            workers: None,
            max_header_bytes: 64 << 10,
            max_early_body_bytes: 256 << 20,
            max_json_depth: 128,
        }
    }
}

impl Tidegate {
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let default = Self::default();
        let mut simulator = from.section("simulator")?;
        let enable = simulator.entry("enable").map(|entry| entry.flag()).transpose()?;
        simulator.finish();
        let workers = match from.entry("workers") {
            None => None,
            Some(entry) if entry.value == "auto" => None,
            Some(entry) => NonZeroUsize::new(size(entry.integer(1..=1024)?)),
        };
        let header = from.integer("max_header_bytes", 1024..=1_048_576, default.max_header_bytes as u64)?;
        let early = from.integer("max_early_body_bytes", 0..=1 << 40, default.max_early_body_bytes)?;
        let depth = from.integer("max_json_depth", 1..=128, default.max_json_depth as u64)?;
        let read = Self {
            data_dir: from.text("data_dir")?.map_or(default.data_dir, PathBuf::from),
            secrets_dir: from.text("secrets_dir")?.map(PathBuf::from),
            drain_timeout: from.duration("drain_timeout", default.drain_timeout)?,
            simulator: enable,
            workers,
            max_header_bytes: size(header),
            max_early_body_bytes: early,
            max_json_depth: size(depth),
        };
        from.finish();
        Ok(read)
    }
}

/// A number that was held against a range far below `usize::MAX`.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
