//! The load generator of `bench/run`, and the backend that it measures against.
//!
//! Each kind of load is one command that ends by itself and prints one line of JSON. All of it goes to the loopback
//! interface: any other address is refused.

mod args;
mod closed;
mod hold;
mod latency;
mod paced;
mod streams;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Command, Program};

fn main() -> ExitCode {
    match run(Program::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidegate-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        Command::Backend(options) => {
            let listener = std::net::TcpListener::bind(options.listen)?;
            runtime.block_on(simulator::serve(listener, options, std::future::pending()))
        }
        Command::Closed(args) => report(&runtime.block_on(closed::run(&args))?),
        Command::Paced(args) => report(&runtime.block_on(paced::run(&args))?),
        Command::Streams(args) => report(&runtime.block_on(streams::run(&args))?),
        Command::Hold(args) => runtime.block_on(hold::run(&args)),
    }
}

fn report(result: &impl serde::Serialize) -> io::Result<()> {
    println!("{}", serde_json::to_string(result)?);
    Ok(())
}
