//! The plan: a snapshot of all resources, compiled. Immutable; a request loads one pointer and merges nothing.
//! A new snapshot compiles into a new plan beside the old one, and requests in flight keep the one they began with.

mod build;
pub(crate) mod caught;
pub mod chain;
mod compile;
mod complaints;
pub mod consumers;
mod local;
mod named_origin;
pub mod route;
mod secret_files;
pub mod upstream;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderValue;

pub use build::Planner;
use chain::{Chain, Foreseen};
use consumers::{Consumer, CredentialIndex};
pub use local::{ChainRef, CurrentPlan, LocalPlan, RouteRef, UpstreamRef};
use route::{Route, RouteMatch};
use upstream::Upstream;

use crate::exchange::Exchange;
use crate::router::{Lookup, Match, Possible, Router};
use crate::tls::server::Certificates;
use crate::variables::reads::BodyReads;

/// Routes that are asked whether they refuse a request unread: a token may be verified for each.
const MOST_ASKED: usize = 8;

/// What can be said of a request's route before its body is read.
pub enum Unread {
    /// The body plays no part in it.
    Decided,
    /// The body decides.
    Open,
    /// The body decides, but whichever route it may be refuses the request for want of a credential: this one does.
    Refused(RouteMatch),
}

/// Everything a request can meet, ready for use.
pub struct Plan {
    /// The store revision it was compiled from.
    pub revision: u64,
    router: Router,
    routes: Vec<Arc<Route>>,
    global: Arc<Chain>,
    broken: bool,
    empty: Arc<Chain>,
    consumers: HashMap<Arc<str>, Arc<Consumer>>,
    credentials: HashMap<&'static str, CredentialIndex>,
    no_credentials: CredentialIndex,
    upstreams: HashMap<Arc<str>, Arc<Upstream>>,
    certificates: Certificates,
    reads_bodies: BodyReads,
    server: HeaderValue,
}

/// Where the current plan is found.
pub type PlanHandle = Arc<ArcSwap<Plan>>;

impl Plan {
    /// The route for `exchange`'s request, if one matches.
    pub fn route(exchange: &Exchange) -> Option<RouteMatch> {
        let host = exchange.request.host();
        let found = exchange.plan.router.find(&lookup(exchange, &host), exchange)?;
        Some(route_match(exchange, found))
    }

    /// What can be said of the route of a request whose body is unread, though conditions may look into it.
    pub fn route_unread(exchange: &Exchange) -> Unread {
        let plan = &exchange.plan;
        let host = exchange.request.host();
        let (mut first, mut depends, mut all_refuse, mut asked) = (None, false, true, 0);
        plan.router.each_possible(&lookup(exchange, &host), exchange, |possible| {
            asked += 1;
            depends |= matches!(possible, Possible::ByBody(_));
            let (Possible::ByBody(found) | Possible::AnyBody(found)) = possible;
            first.get_or_insert(found);
            all_refuse &=
                asked <= MOST_ASKED && depends && plan.refuses_unread(exchange, &plan.routes[found.target].chain);
            if all_refuse { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        match first.filter(|_| depends) {
            Some(found) if all_refuse => Unread::Refused(route_match(exchange, found)),
            Some(_) => Unread::Open,
            None => Unread::Decided,
        }
    }

    /// `true` if the global rules or, behind them, `chain` will refuse the request for want of a credential.
    pub fn refuses_unread(&self, exchange: &Exchange, chain: &Chain) -> bool {
        match self.global.foresee(exchange) {
            Foreseen::Refused => true,
            Foreseen::Unknown => false,
            Foreseen::NothingYet => chain.foresee(exchange) == Foreseen::Refused,
        }
    }

    /// The path pattern of a matched request, as configured.
    pub fn pattern(&self, matched: &RouteMatch) -> &str {
        self.router.pattern(matched.pattern_id).as_str()
    }

    /// A path parameter of a matched request.
    pub fn path_param<'p>(&self, matched: &RouteMatch, path: &'p str, name: &str) -> Option<&'p str> {
        self.router.pattern(matched.pattern_id).param(path, name)
    }

    /// All routes that are on.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The global rules' plugins.
    pub fn global_chain(&self) -> &Arc<Chain> {
        &self.global
    }

    /// `true` if a global rule cannot be used: it may be the one that keeps strangers out, so no request is served.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// The `Server` header of responses.
    pub fn server_header(&self) -> &HeaderValue {
        &self.server
    }

    /// A chain of no plugins.
    pub fn empty_chain(&self) -> &Arc<Chain> {
        &self.empty
    }

    /// A consumer by its username.
    pub fn consumer(&self, username: &str) -> Option<&Arc<Consumer>> {
        self.consumers.get(username)
    }

    /// The credentials of an authentication plugin.
    pub fn credentials(&self, plugin: &str) -> &CredentialIndex {
        self.credentials.get(plugin).unwrap_or(&self.no_credentials)
    }

    /// Every upstream, by the key of the object that carries it.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.values()
    }

    /// An upstream resource by its id.
    pub fn upstream(&self, id: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.get(format!("/apisix/upstreams/{id}").as_str())
    }

    /// What the routes' `vars` look for in request bodies.
    pub fn reads_bodies(&self) -> BodyReads {
        self.reads_bodies
    }

    /// The certificates to show to clients.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }
}

fn lookup<'a>(exchange: &'a Exchange, host: &'a str) -> Lookup<'a> {
    let request = &exchange.request;
    Lookup {
        host,
        host_with_port: request.host_with_port(),
        path: request.routed_path(),
        method: &request.method,
        remote_addr: exchange.remote_addr,
    }
}

fn route_match(exchange: &Exchange, found: Match<'_>) -> RouteMatch {
    RouteMatch {
        route: RouteRef::new(&exchange.plan, found.target),
        pattern_id: found.pattern_id,
        host: found.host_pattern.cloned(),
    }
}
