//! The command line. What each option means is said here and nowhere else: `--help` is made of these comments.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

const AFTER_HELP: &str = "\
Exit codes:
  0  done; for serve: stopped by SIGTERM or SIGINT, after draining
  1  failed at run time (a port is in use, the data folder cannot be written, …)
  2  wrong command line, config.yaml or stored resources

Signals of a serving process:
  SIGTERM, SIGINT  stop accepting, let streams finish for up to tidegate.drain_timeout, exit;
                   a second one cuts what is left
  SIGHUP           read config.yaml again
  SIGUSR1          open log files again, after they were rotated

Environment:
  TIDEGATE_ADMIN_KEY  the Admin API's key, instead of a generated one, unless config.yaml gives one
  TIDEGATE_KEY        the first consumer's key, instead of a generated one; taken at the first start over a data
                      folder, and stored in it
  TIDEGATE_LOG        log filter such as `info` or `gateway=debug`, instead of nginx_config.error_log_level
  OPENAI_API_KEY, ANTHROPIC_API_KEY, …  providers to route to; without any, the built-in simulator";

/// An AI gateway and API gateway in one binary, with Apache APISIX's Admin API and plugin configuration.
///
/// Without a command it serves. Nothing needs to be configured first: it makes a data folder, an admin key and a
/// consumer key, and routes to the providers whose keys it finds in the environment, or to a simulated one.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Serve (the default)
    Serve(ConfigFile),
    /// Validate config.yaml and the stored resources; starts and changes nothing
    Check(ConfigFile),
    /// Run the provider simulator alone
    Simulate(simulator::Options),
}

/// Which configuration.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigFile {
    /// config.yaml; without it ./config.yaml or ./conf/config.yaml if there is one, else the defaults
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Cli {
    /// The command, `serve` if none is given. `-c` may stand before it or behind it.
    pub fn into_command(self) -> Command {
        let before = self.config;
        match self.command {
            None => Command::Serve(before),
            Some(Command::Serve(behind)) => Command::Serve(behind.or(before)),
            Some(Command::Check(behind)) => Command::Check(behind.or(before)),
            Some(Command::Simulate(options)) => {
                if before.config.is_some() {
                    Cli::command().error(ErrorKind::ArgumentConflict, "simulate reads no config.yaml").exit();
                }
                Command::Simulate(options)
            }
        }
    }
}

impl ConfigFile {
    fn or(self, other: Self) -> Self {
        Self { config: self.config.or(other.config) }
    }
}
