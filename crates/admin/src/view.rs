//! What the Control, metrics and status listeners may ask of the data plane. The binary implements it over the gateway;
//! they know nothing else of it. Read-only by construction.

use serde_json::Value;

/// Resources that the Control API shows as the data plane has loaded them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    Routes,
    Services,
    Upstreams,
}

/// A read-only window on the running data plane. Calls come from the admin runtime and must not block.
pub trait DataPlaneView: Send + Sync + 'static {
    /// One object per active checker: `{"name":"/apisix/routes/1","type":"http","nodes":[…]}`.
    fn healthcheck(&self) -> Vec<Value>;

    /// Loaded items with defaults applied: `{"key","value","createdIndex","modifiedIndex","has_domain"}`.
    fn loaded(&self, what: Loaded) -> Vec<Value>;

    /// The metrics in Prometheus' text format.
    fn metrics(&self) -> String;

    /// The text of nginx' stub status page.
    fn stub_status(&self) -> String;

    /// `Err` with a reason while some worker has no configuration yet, or none takes new requests any more.
    fn ready(&self) -> Result<(), String>;
}
