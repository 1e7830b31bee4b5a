//! Credentials against token servers on this machine. Variables are each test's own.

mod aws;
mod entra;
mod federation;
mod fetch;
mod google;
mod profile;
mod server;
mod sigv4;
mod token_cache;

use std::sync::Arc;

use super::fetch::World;
use crate::side::SideClient;
use crate::tls::client::ClientConfigs;

/// A world in which only `variables` are set.
fn world(variables: &[(&str, &str)]) -> World {
    let client = SideClient::new(&ClientConfigs::new(None).expect("system roots"));
    World::with_variables(Arc::new(client), variables)
}
