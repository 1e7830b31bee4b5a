//! `tidegate simulate`: the provider simulator alone.

use crate::failure::Failure;
use crate::signals::Signals;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// If the address cannot be bound or the script cannot be read.
pub fn run(options: simulator::Options) -> Result<(), Failure> {
    let address = options.listen;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::runtime)?;
    // Before anybody can see that it serves, or a signal that comes right then would end the process by itself.
    let mut signals = runtime.block_on(async { Signals::listen() }).map_err(Failure::runtime)?;
    let running = simulator::spawn(options).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidInput => Failure::configuration(error),
        _ => Failure::runtime(format!("cannot listen on {address} (--listen): {error}")),
    })?;
    println!("The provider simulator listens on http://{}", running.addr);
    runtime.block_on(signals.end());
    running.stop();
    Ok(())
}
