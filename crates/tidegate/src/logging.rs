//! The process's own log, on standard error. Its level can change while the process runs. `TIDEGATE_LOG` adds
//! directives to the configured level; what it does not name stays at that level.

use std::io::IsTerminal;

use config::settings::Settings;
use tracing_subscriber::filter::{Directive, EnvFilter, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// Overrides the configured level.
const VARIABLE: &str = "TIDEGATE_LOG";

/// What the crates of this workspace are called without `tidegate_`, with which their log targets begin.
const CRATES: [&str; 8] = ["admin", "config", "gateway", "limits", "llm", "plugins", "simulator", "store"];

/// The handle by which the level changes.
#[derive(Debug, Clone)]
pub struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Log {
    /// Begins to log. Called once per process.
    pub fn start(settings: &Settings) -> Self {
        let Filter { filter, refused } = Filter::of(settings);
        let (filter, handle) = reload::Layer::new(filter);
        let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
        tracing_subscriber::registry().with(filter).with(lines).init();
        for directive in refused {
            tracing::warn!(
                "{VARIABLE}: {directive:?} is no log filter and is ignored; write `info` or `gateway=debug`"
            );
        }
        Self { filter: handle }
    }

    /// Takes the level from `settings`.
    pub fn set_level(&self, settings: &Settings) {
        if let Err(error) = self.filter.reload(Filter::of(settings).filter) {
            tracing::warn!(%error, "the log level cannot be changed");
        }
    }
}

/// Which lines are logged.
struct Filter {
    filter: EnvFilter,
    /// What the variable holds beside directives.
    refused: Vec<String>,
}

impl Filter {
    fn of(settings: &Settings) -> Self {
        let level = settings.nginx_config.error_log_level.as_tracing().parse().unwrap_or(LevelFilter::WARN);
        Self::with(level, &std::env::var(VARIABLE).unwrap_or_default())
    }

    /// `level`, and over it the directives in `text`.
    fn with(level: LevelFilter, text: &str) -> Self {
        let mut read = Self { filter: EnvFilter::default().add_directive(level.into()), refused: Vec::new() };
        for text in text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match full_name(text).parse::<Directive>() {
                Ok(directive) => read.filter = read.filter.add_directive(directive),
                Err(_) => read.refused.push(text.to_owned()),
            }
        }
        read
    }
}

/// A directive with the name that its target really has: `gateway=debug` means `tidegate_gateway=debug`.
fn full_name(directive: &str) -> String {
    let name = directive.split(['=', ':', '[']).next().unwrap_or(directive);
    match CRATES.contains(&name) {
        true => format!("tidegate_{directive}"),
        false => directive.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_named_with_and_without_their_prefix() {
        for text in ["gateway=debug", "tidegate_gateway=debug", " gateway=debug , "] {
            let Filter { filter, refused } = Filter::with(LevelFilter::WARN, text);
            assert_eq!((filter.to_string(), refused.len()), ("tidegate_gateway=debug,warn".to_owned(), 0), "{text}");
        }
        assert_eq!(full_name("gateway::plan=trace"), "tidegate_gateway::plan=trace");
        assert_eq!(full_name("gatewayish=trace"), "gatewayish=trace");
    }

    #[test]
    fn what_is_not_named_stays_at_the_configured_level() {
        assert_eq!(Filter::with(LevelFilter::WARN, "").filter.to_string(), "warn");
        assert_eq!(Filter::with(LevelFilter::WARN, "debug").filter.to_string(), "debug");
        let Filter { filter, refused } = Filter::with(LevelFilter::WARN, "gateway=loud,store=info");
        assert_eq!(filter.to_string(), "tidegate_store=info,warn");
        assert_eq!(refused, ["gateway=loud"]);
    }
}
