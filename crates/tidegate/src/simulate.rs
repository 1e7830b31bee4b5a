//! `tidegate simulate`: the provider simulator alone.

use crate::failure::Failure;
use crate::signals;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// If the address cannot be bound or the script cannot be read.
pub fn run(options: simulator::Options) -> Result<(), Failure> {
    let address = options.listen;
    let running = simulator::spawn(options).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidInput => Failure::configuration(error),
        _ => Failure::runtime(format!("cannot listen on {address} (--listen): {error}")),
    })?;
    println!("The provider simulator listens on http://{}", running.addr);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::runtime)?;
    runtime.block_on(signals::wait_for_end()).map_err(Failure::runtime)?;
    running.stop();
    Ok(())
}
