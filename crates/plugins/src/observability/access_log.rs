//! The access log of `nginx_config.http`: one line for each request, in nginx's format. No resource configures it; it
//! stands in the plan of every process whose `config.yaml` asks for one. Lines go the way of `file-logger`'s: a request
//! pays for a short copy, a thread writes, `SIGUSR1` opens the file anew.

mod format;

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use gateway::exchange::Exchange;
use gateway::plugin::{Needs, Phases, Plugin, StandingDef};
use gateway::services::Services;

use super::log_file::LogFile;
use format::LineFormat;

/// Most lines are shorter, in bytes.
const USUAL_LINE: usize = 512;

/// Bytes of a request body that a line can show.
const SHOWN_BODY: usize = 64 << 10;

pub(crate) fn standing() -> StandingDef {
    StandingDef { name: "access-log", compile }
}

struct AccessLog {
    format: LineFormat,
    file: Arc<LogFile>,
}

fn compile(services: &Services) -> Result<Option<Arc<dyn Plugin>>, String> {
    let settings = &services.settings.nginx_config.http.access_log;
    if !settings.enabled {
        return Ok(None);
    }
    let path = Path::new(&settings.path);
    let failed = |error: std::io::Error| format!("{}: {error}", settings.path);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = LogFile::open(path).map_err(failed)?;
    Ok(Some(Arc::new(AccessLog { format: LineFormat::new(&settings.format, settings.escape), file })))
}

impl Plugin for AccessLog {
    fn phases(&self) -> Phases {
        Phases::LOG
    }

    fn needs(&self) -> Needs {
        let needs = Needs::of_variables(self.format.variables());
        Needs { request_body_bytes: if needs.body_before_rewrite { SHOWN_BODY } else { 0 }, ..needs }
    }

    fn log(&self, exchange: &Exchange) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.format.write(exchange, line);
            line.push(b'\n');
            self.file.push(line);
        });
    }
}

thread_local! {
    /// Where this worker writes its lines, one after the other.
    static LINE: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(USUAL_LINE));
}
