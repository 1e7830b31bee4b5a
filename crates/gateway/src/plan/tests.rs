//! Plans made of stored resources, with plugins that do what a test asks for.

mod certificates;
mod complaints;
mod fails_closed;
pub(crate) mod fixture;
mod layers;
mod needs;
mod secrets;
mod settlement;
mod speed;
mod takeover;
mod upstreams;
