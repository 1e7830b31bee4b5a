//! Plugins as users configure them: through the Admin API, seen by clients and upstreams of the real binary.

mod auth;
mod observability;
mod precedence;
mod rewriting;
mod traffic;

use serde_json::{Value, json};

use crate::harness::{Gateway, Upstream, ok, upstream};

/// A gateway with one route for everything, whose upstream tells what it was asked.
struct Fixture {
    gateway: Gateway,
    upstream: Upstream,
}

impl Fixture {
    fn new() -> Self {
        let upstream = Upstream::answering(|seen| ok(&format!("{} {}", seen.method, seen.target)));
        Self { gateway: Gateway::start(), upstream }
    }

    /// A fixture whose route has these plugins.
    fn with(plugins: Value) -> Self {
        let fixture = Self::new();
        fixture.route(json!({"plugins": plugins}));
        fixture
    }

    /// Writes the route, with these fields beside its upstream.
    fn route(&self, fields: Value) {
        let mut route = json!({"uri": "/*", "upstream": upstream(self.upstream.addr)});
        route.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.gateway.put("/routes/1", &route);
    }

    fn consumer(&self, name: &str, plugins: Value) {
        self.gateway.put(&format!("/consumers/{name}"), &json!({"username": name, "plugins": plugins}));
    }
}
