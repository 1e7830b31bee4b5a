//! The binary: command line, start-up, wiring. No logic of its own; each module starts or shows what another
//! crate does.

mod allocator;
mod banner;
mod bootstrap;
mod check;
mod cli;
mod configuration;
mod digest;
mod failure;
mod logging;
mod node_metrics;
mod plugin_list;
mod random;
mod reload;
mod sealed;
mod serve;
mod servers;
mod services;
mod signals;
mod simulate;
mod sockets;
mod surroundings;
mod unset_variables;
mod view;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        // Nothing else in this process installs one; should that ever change, the first one stays in use.
        eprintln!("tidegate: a cryptography provider was installed before start-up");
    }
    let outcome = match cli.into_command() {
        Command::Serve(options) => serve::run(options.config.as_deref()),
        Command::Check(options) => check::run(options.config.as_deref()),
        Command::Simulate(options) => simulate::run(options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tidegate: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
