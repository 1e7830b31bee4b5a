//! The plugin contract: the life of a request as a trait with one method per phase, each with a default that
//! does nothing. A plugin is compiled once, when the plan is built, and shared by all workers; whatever belongs
//! to one request lives in the [`Exchange`].
//!
//! Order of a request: `rewrite` of every plugin, then (if a consumer was attached) `rewrite` of the plugins the
//! consumer brings, then `access`, `before_proxy`, the dispatch, `response_head`, body filters, `log`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use config::catalog::{Catalog, PluginInfo};
use serde_json::Value;

use crate::answer::{Answer, ResponseHead};
use crate::error_response::ErrorResponse;
use crate::exchange::Exchange;
use crate::services::Services;
use crate::settlement::Outcome;
use crate::variables::reads::{reads_body, reads_headers};

/// What a request phase decided.
pub enum Step<'a> {
    /// Go on with the next plugin.
    Next,
    /// The request ends here with this answer; the response phases still run.
    Answer(Answer),
    /// The decision needs waiting. Only this costs an allocation.
    Wait(Pin<Box<dyn Future<Output = Verdict> + 'a>>),
}

/// What a phase that had to wait decided.
pub enum Verdict {
    Next,
    Answer(Answer),
}

/// Which phases a plugin takes part in. The plan builds one list per phase, so a request never visits a plugin
/// that has nothing to do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phases(u8);

impl Phases {
    pub const REWRITE: Phases = Phases(1);
    pub const ACCESS: Phases = Phases(1 << 1);
    pub const BEFORE_PROXY: Phases = Phases(1 << 2);
    pub const RESPONSE_HEAD: Phases = Phases(1 << 3);
    pub const RESPONSE_BODY: Phases = Phases(1 << 4);
    pub const LOG: Phases = Phases(1 << 5);

    /// Both sets.
    pub const fn and(self, other: Phases) -> Phases {
        Phases(self.0 | other.0)
    }

    /// `true` if every phase of `other` is in `self`.
    pub const fn has(self, other: Phases) -> bool {
        self.0 & other.0 == other.0
    }

    /// `true` if a phase is among them that runs when the request's headers may have gone to the upstream.
    pub const fn are_behind_dispatch(self) -> bool {
        self.has(Phases::RESPONSE_HEAD) || self.has(Phases::RESPONSE_BODY) || self.has(Phases::LOG)
    }
}

/// What a plugin wants kept for it beyond the dispatch. Zero means "not needed", so that nobody pays.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// Keep up to this many bytes of the request body ([`Exchange::captured_request`]).
    pub request_body_bytes: usize,
    /// Keep up to this many bytes of the response body ([`Exchange::captured_response`]).
    pub response_body_bytes: usize,
    /// Keep the request's headers, which otherwise go to the upstream, and the response's until the log phase.
    pub headers: bool,
    /// Expressions of the plugin read the request body (`post_arg.*`), so it is read before `rewrite` and kept.
    pub body_before_rewrite: bool,
}

impl Needs {
    /// What must be kept so that `variables` have their values in every phase.
    pub fn of_variables<'v>(variables: impl IntoIterator<Item = &'v str>) -> Needs {
        variables.into_iter().fold(Needs::default(), |needs, name| Needs {
            headers: needs.headers || reads_headers(name),
            body_before_rewrite: needs.body_before_rewrite || reads_body(name),
            ..needs
        })
    }

    /// The larger of both in every respect.
    pub fn merge(self, other: Needs) -> Needs {
        Needs {
            request_body_bytes: self.request_body_bytes.max(other.request_body_bytes),
            response_body_bytes: self.response_body_bytes.max(other.response_body_bytes),
            headers: self.headers || other.headers,
            body_before_rewrite: self.body_before_rewrite || other.body_before_rewrite,
        }
    }
}

/// A compiled plugin. Methods of phases that [`Plugin::phases`] does not name are never called.
pub trait Plugin: Send + Sync + 'static {
    /// Where this plugin takes part.
    fn phases(&self) -> Phases;

    /// What must be kept for it.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// First phase: authentication, request changes, early answers.
    fn rewrite<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let _ = exchange;
        Step::Next
    }

    /// Of a plugin that authenticates: `true` if [`Plugin::rewrite`] will refuse this request for want of a credential.
    /// Asked before the body is read, so that strangers' bodies take no memory.
    fn refuses_unread(&self, exchange: &Exchange) -> bool {
        let _ = exchange;
        false
    }

    /// `true` if [`Plugin::rewrite`] changes nothing in which a client shows its credential.
    fn leaves_credentials_alone(&self) -> bool {
        false
    }

    /// Second phase, with the consumer known: limits, restrictions, choice of the backend.
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let _ = exchange;
        Step::Next
    }

    /// Right before the upstream is called; runs again before each retry.
    fn before_proxy(&self, exchange: &mut Exchange) -> Option<Answer> {
        let _ = exchange;
        None
    }

    /// The response's status and headers, whoever made it, before they go to the client.
    fn response_head(&self, exchange: &mut Exchange, head: &mut ResponseHead) {
        let _ = (exchange, head);
    }

    /// A filter for this response's body, or `None` to let the bytes pass untouched. Called after
    /// [`Plugin::response_head`] of all plugins.
    fn body_filter(&self, exchange: &Exchange, head: &ResponseHead) -> Option<Box<dyn BodyFilter>> {
        let _ = (exchange, head);
        None
    }

    /// The end of the request, on every path, exactly once: success, error, disconnect, panic. Must not block:
    /// hand work that waits to [`Services::side`].
    fn log(&self, exchange: &Exchange) {
        let _ = exchange;
    }
}

/// Changes a response body as it passes.
pub trait BodyFilter {
    /// One chunk as it arrived; what is returned goes on (empty: nothing goes on yet).
    fn chunk(&mut self, chunk: Bytes) -> Bytes;

    /// The body has ended; what is returned is sent last.
    fn end(&mut self) -> Bytes {
        Bytes::new()
    }

    /// Asked after each call: set if the body cannot be passed on, because it is not what its head said. The response
    /// then breaks off with this outcome.
    fn fault(&self) -> Option<Outcome> {
        None
    }
}

/// What a plugin may hold on to when it is compiled.
pub struct CompileContext<'a> {
    /// The object that carries the configuration, such as `/apisix/routes/1`: part of the identity of counters.
    pub owner: &'a str,
    /// Process-wide parts: limiters, clock, side runtime, metrics.
    pub services: &'a Arc<Services>,
    /// The plugin's own metadata (`/plugin_metadata/{name}`), if any.
    pub metadata: Option<&'a Value>,
    /// `_meta.error_response`. The plan puts it in the place of what the plugin itself answers; a plugin needs it for
    /// what others answer in its name.
    pub error_response: Option<&'a ErrorResponse>,
}

/// Compiles one plugin configuration (validated, defaults filled, secrets resolved, `_meta` removed).
pub type Compile = fn(&Value, &CompileContext<'_>) -> Result<Arc<dyn Plugin>, String>;

/// How a plugin is registered.
pub struct PluginDef {
    pub info: PluginInfo,
    pub compile: Compile,
    /// APISIX's run policy `prefer_route`: a global rule's copy is skipped where the route has its own.
    pub prefer_route: bool,
}

/// What sees every request as a plugin of a global rule does, though no resource configures it: its settings are the
/// process's.
pub struct StandingDef {
    pub name: &'static str,
    pub compile: CompileStanding,
}

/// `None` if the settings do not ask for it. Called once for a process.
pub type CompileStanding = fn(&Services) -> Result<Option<Arc<dyn Plugin>>, String>;

/// The table of all plugins; the only place where a name becomes code.
pub struct Registry {
    defs: std::collections::HashMap<&'static str, PluginDef>,
    catalog: Arc<Catalog>,
    standing: Vec<StandingDef>,
}

impl Registry {
    /// A registry of `defs`, of which `enabled` (all if `None`) may be used; `unsupported` as in
    /// [`Catalog::new`].
    pub fn new(defs: Vec<PluginDef>, enabled: Option<&[String]>, unsupported: &[&'static str]) -> Self {
        let catalog = Catalog::new(defs.iter().map(|def| def.info.clone()), unsupported);
        catalog.enable(enabled);
        let defs = defs.into_iter().map(|def| (def.info.name, def)).collect();
        Self { defs, catalog: Arc::new(catalog), standing: Vec::new() }
    }

    /// With what sees every request.
    #[must_use]
    pub fn with_standing(mut self, standing: Vec<StandingDef>) -> Self {
        self.standing = standing;
        self
    }

    /// What sees every request.
    pub fn standing(&self) -> &[StandingDef] {
        &self.standing
    }

    /// What validation needs to know.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// An enabled plugin.
    pub fn get(&self, name: &str) -> Option<&PluginDef> {
        self.catalog.get(name).and_then(|_| self.defs.get(name))
    }
}
