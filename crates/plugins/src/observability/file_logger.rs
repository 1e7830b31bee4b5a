//! `file-logger`: one line of JSON for each request, appended to a file.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use config::catalog::Side;
use config::expr::Expr;
use gateway::exchange::Exchange;
use gateway::plugin::{CompileContext, Needs, Phases, Plugin, PluginDef};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::entry::{self, EntryWriter, FormatDefaults, LogOptions};
use super::log_file::LogFile;
use crate::definition::{self, Declare as _};

/// Most entries are shorter, in bytes.
const USUAL_ENTRY: usize = 1_024;

/// Where to log, and which requests.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The file; the metadata's if it is not set.
    pub path: Option<String>,
    /// Expressions: only requests for which one of them holds are logged.
    #[serde(rename = "match")]
    #[schemars(length(max = 20))]
    pub matches: Option<Vec<Vec<Value>>>,
    #[serde(flatten)]
    pub log: LogOptions,
}

/// What applies where the configuration says nothing.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Metadata {
    /// The file.
    pub path: Option<String>,
    #[serde(flatten)]
    pub format: FormatDefaults,
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin::<Config>("file-logger", 399, compile)
        .with_metadata::<Metadata>()
        .shared_with_metadata("path")
        .checked(check)
}

fn check(config: &Value, side: Side) -> Result<(), String> {
    match side {
        Side::Route => check_own(config),
        Side::Metadata => entry::check_defaults(&definition::read::<Metadata>(config)?.format),
        Side::Consumer => Ok(()),
    }
}

fn check_own(config: &Value) -> Result<(), String> {
    let config: Config = definition::read(config)?;
    conditions(&config)?;
    entry::check(&config.log)
}

fn conditions(config: &Config) -> Result<Option<Vec<Expr>>, String> {
    let Some(rules) = &config.matches else { return Ok(None) };
    let parse = |rule: &Vec<Value>| Expr::parse(&Value::Array(rule.clone()));
    let parsed: Result<Vec<Expr>, _> = rules.iter().map(parse).collect();
    parsed.map(Some).map_err(|error| format!("failed to validate the 'match' expression: {error}"))
}

struct FileLogger {
    file: Arc<LogFile>,
    /// Log where one of them holds; `None`: always.
    conditions: Option<Vec<Expr>>,
    entry: EntryWriter,
}

fn compile(config: &Value, context: &CompileContext<'_>) -> Result<Arc<dyn Plugin>, String> {
    let config: Config = definition::read(config)?;
    let metadata = context.metadata.map(definition::read::<Metadata>).transpose()?.unwrap_or_default();
    let path = config.path.as_ref().or(metadata.path.as_ref());
    let path = path.ok_or("property \"path\" is not set in either the plugin conf or the metadata")?;
    Ok(Arc::new(FileLogger {
        conditions: conditions(&config)?,
        entry: EntryWriter::new(&config.log, &metadata.format, &context.services.hostname)?,
        file: LogFile::open(Path::new(path)).map_err(|error| format!("{path}: {error}"))?,
    }))
}

impl Plugin for FileLogger {
    fn phases(&self) -> Phases {
        Phases::LOG
    }

    fn needs(&self) -> Needs {
        let conditions = self.conditions.iter().flatten();
        self.entry.needs().merge(Needs::of_variables(conditions.flat_map(Expr::variables)))
    }

    fn log(&self, exchange: &Exchange) {
        let holds = |conditions: &Vec<Expr>| conditions.iter().any(|condition| condition.eval(exchange));
        if !self.conditions.as_ref().is_none_or(holds) {
            return;
        }
        LINE.with_borrow_mut(|line| {
            // Of an entry whose writing panicked.
            line.clear();
            self.entry.write(exchange, line);
            line.push(b'\n');
            self.file.push(line);
            line.clear();
            line.shrink_to(MOST_KEPT);
        });
    }
}

/// Room that a thread keeps for its next line, in bytes.
const MOST_KEPT: usize = 64 << 10;

thread_local! {
    /// Where this worker writes its lines, one after the other.
    static LINE: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(USUAL_ENTRY));
}
