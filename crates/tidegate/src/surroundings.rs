//! What `config.yaml` names outside itself: files, folders, addresses. `check` looks at all of it without changing
//! anything; `serve` meets the same when it starts.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use config::settings::Settings;
use rustix::fs::{Access, access};

use crate::failure::Failure;
use crate::{servers, services, sockets};

/// A sentence about everything that `settings` (of the file `file`) name and that cannot be used.
pub fn problems(settings: &Settings, file: &str) -> Vec<String> {
    let mut problems = sockets::clashes(settings, file);
    problems.extend(text_of(services::client_tls(settings, file)));
    problems.extend(settings.deployment.admin.tls.as_ref().and_then(|tls| text_of(servers::admin_tls(tls, file))));
    let named = |key: &str, path: &Path, reason: &dyn Display| format!("{file}: {key}: {}: {reason}", path.display());
    if let Some(folder) = settings.tidegate.secrets_dir.as_deref()
        && let Err(error) = fs::read_dir(folder)
    {
        problems.push(named("tidegate.secrets_dir", folder, &error));
    }
    let log = &settings.nginx_config.http.access_log;
    if log.enabled
        && let Err(reason) = can_be_written(Path::new(&log.path))
    {
        problems.push(named("nginx_config.http.access_log", Path::new(&log.path), &reason));
    }
    problems
}

fn text_of<T>(outcome: Result<T, Failure>) -> Option<String> {
    outcome.err().map(|failure| failure.to_string())
}

/// Whether lines can be added to the file `path`, or it and its folder can be made. Makes neither.
fn can_be_written(path: &Path) -> Result<(), String> {
    let there = path.ancestors().find(|ancestor| ancestor.as_os_str().is_empty() || ancestor.exists());
    let there = there.filter(|there| !there.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (there == path, there.is_dir()) {
        (true, true) => Err("it is a folder".to_owned()),
        (false, false) => Err(format!("{} is no folder", there.display())),
        (true, false) | (false, true) => access(there, Access::WRITE_OK)
            .map_err(|error| format!("{} cannot be written to: {error}", there.display())),
    }
}
