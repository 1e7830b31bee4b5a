//! Finds the route of a request: host, path, method, address and variables.
//!
//! A [`Router`] is compiled once from all routes and never changes; the plan holds it and every worker asks it
//! once per request. Its invariant: [`Router::find`] allocates nothing, takes no lock and runs no regular
//! expression unless a route's own `vars` need one. What the order of preference is, is said in [`table`]
//! (paths) and [`hosts`] (hosts).

mod conditions;
mod hosts;
mod methods;
mod pattern;
mod table;
mod trie;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use config::expr::Expr;
use config::vars::Vars;
use ipnet::IpNet;

use conditions::{Conditions, Subject};
use hosts::HostIndex;
use table::{PathTable, TableBuilder};

use crate::path::port_of;

pub use methods::MethodSet;
pub use pattern::PathPattern;

/// APISIX's `apisix.router.http`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouterMode {
    /// `radixtree_host_uri`: the host is decided before the path.
    #[default]
    HostUri,
    /// `radixtree_uri`: the path decides, the host is one more condition.
    Uri,
    /// `radixtree_uri_with_parameter`: as [`RouterMode::Uri`], and `:name` segments are parameters.
    UriWithParameter,
}

/// One route, as the router needs to know it.
#[derive(Debug, Clone)]
pub struct RouteEntry {
    /// What [`Match::target`] gives back; the plan's index of the route.
    pub target: usize,
    /// Path patterns, at least one.
    pub uris: Vec<String>,
    /// Host patterns; empty means any host.
    pub hosts: Vec<String>,
    pub methods: MethodSet,
    /// Client networks; empty means any client.
    pub remote_addrs: Vec<IpNet>,
    pub vars: Option<Expr>,
    /// Higher wins among routes of one path.
    pub priority: i64,
    /// Position in the list of routes; lower wins when everything else is equal.
    pub order: usize,
}

/// What the router asks about a request.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a> {
    /// Lower-cased, without port.
    pub host: &'a str,
    /// The Host header as sent, lower-cased.
    pub host_with_port: &'a str,
    /// Normalised path, without query.
    pub path: &'a str,
    pub method: &'a http::Method,
    /// The client's address, after any real-IP rewriting.
    pub remote_addr: IpAddr,
}

/// Names a compiled pattern within its [`Router`]; a request can keep it without borrowing or counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatternId(u32);

/// The route that answers.
#[derive(Debug, Clone, Copy)]
pub struct Match<'r> {
    pub target: usize,
    /// The path pattern that matched; gives captures on demand by [`PathPattern::param`].
    pub pattern: &'r PathPattern,
    pub pattern_id: PatternId,
    /// The host pattern that matched; `None` when the route asks for no host.
    pub host_pattern: Option<&'r Arc<str>>,
}

/// A route that may answer a request whose body is unread.
#[derive(Debug, Clone, Copy)]
pub enum Possible<'r> {
    /// Its conditions look into the body.
    ByBody(Match<'r>),
    /// Whatever the body says.
    AnyBody(Match<'r>),
}

/// A route that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouterError {
    #[error("route at position {order} has no uri")]
    NoUri { order: usize },
    #[error("route at position {order} has an empty host; name a host, or leave `hosts` away for any")]
    EmptyHost { order: usize },
}

/// Collects routes.
#[derive(Debug)]
pub struct RouterBuilder {
    mode: RouterMode,
    routes: Vec<RouteEntry>,
}

/// All routes, compiled.
#[derive(Debug)]
pub struct Router {
    mode: RouterMode,
    conditions: Box<[Conditions]>,
    patterns: Box<[PathPattern]>,
    /// Tables of routes that ask for a host; only in [`RouterMode::HostUri`].
    by_host: HostIndex,
    /// Routes without host; in the other modes, all routes.
    any_host: PathTable,
}

// === impl RouteEntry ===

impl RouteEntry {
    /// Whether a router can be made of it.
    ///
    /// # Errors
    /// If it has no path, or an empty host.
    pub fn check(&self) -> Result<(), RouterError> {
        let order = self.order;
        if self.uris.is_empty() {
            return Err(RouterError::NoUri { order });
        }
        if self.hosts.iter().any(String::is_empty) {
            return Err(RouterError::EmptyHost { order });
        }
        Ok(())
    }
}

// === impl RouterBuilder ===

impl RouterBuilder {
    pub fn new(mode: RouterMode) -> Self {
        Self { mode, routes: Vec::new() }
    }

    /// The order of calls does not matter; [`RouteEntry::order`] does.
    #[expect(clippy::should_implement_trait, reason = "a builder's word; nothing is summed here")]
    pub fn add(mut self, route: RouteEntry) -> Self {
        self.routes.push(route);
        self
    }

    /// Compiles all routes.
    ///
    /// # Errors
    /// The first route without a path or with an empty host.
    pub fn build(mut self) -> Result<Router, RouterError> {
        self.routes.sort_by_key(|route| route.order);
        let mut conditions = Vec::with_capacity(self.routes.len());
        let mut any_host = TableBuilder::default();
        let mut by_host = hosts::HostIndexBuilder::default();
        let mut patterns = Vec::new();
        for route in self.routes {
            route.check()?;
            let rule = conditions.len();
            for uri in &route.uris {
                let pattern = patterns.len();
                patterns.push(PathPattern::compile(uri, self.mode));
                let seat = table::Seat { rule, pattern, priority: route.priority };
                if self.mode == RouterMode::HostUri && !route.hosts.is_empty() {
                    for host in &route.hosts {
                        by_host.table_of(host).add(&patterns[pattern], seat);
                    }
                } else {
                    any_host.add(&patterns[pattern], seat);
                }
            }
            conditions.push(Conditions::compile(route, self.mode));
        }
        Ok(Router {
            mode: self.mode,
            conditions: conditions.into(),
            patterns: patterns.into(),
            by_host: by_host.build(),
            any_host: any_host.build(),
        })
    }
}

// === impl Router ===

impl Router {
    /// The route that answers, or `None` for a 404.
    pub fn find(&self, query: &Lookup<'_>, vars: &dyn Vars) -> Option<Match<'_>> {
        let subject = Subject { query, vars, method: MethodSet::of(query.method) };
        if self.mode == RouterMode::HostUri {
            for (host_pattern, table) in self.by_host.tables(query.host, port_of(query.host_with_port)) {
                if let Some(found) = self.find_in(table, &subject) {
                    return Some(Match { host_pattern: Some(host_pattern), ..found });
                }
            }
        }
        self.find_in(&self.any_host, &subject)
    }

    /// Calls `each` with every route that may answer while the body is unread, best first, until it breaks. The last
    /// one does not look into the body, if there is such a one.
    pub fn each_possible<'r>(
        &'r self,
        query: &Lookup<'_>,
        vars: &dyn Vars,
        mut each: impl FnMut(Possible<'r>) -> ControlFlow<()>,
    ) {
        let subject = Subject { query, vars, method: MethodSet::of(query.method) };
        let tables = self.by_host.tables(query.host, port_of(query.host_with_port));
        let tables = tables.map(|(host_pattern, table)| (Some(host_pattern), table));
        for (host, table) in tables.chain([(None, &self.any_host)]) {
            for seat in table.candidates(query.path) {
                let conditions = &self.conditions[seat.rule as usize];
                let pattern = &self.patterns[seat.pattern as usize];
                let Some(verdict) = conditions.may_hold(&subject).filter(|_| pattern.fits(query.path)) else {
                    continue;
                };
                let (target, pattern_id) = (conditions.target, PatternId(seat.pattern));
                let found = Match { target, pattern, pattern_id, host_pattern: host.or(verdict.named()) };
                let possible = if conditions.reads_body { Possible::ByBody(found) } else { Possible::AnyBody(found) };
                if each(possible).is_break() || !conditions.reads_body {
                    return;
                }
            }
        }
    }

    /// The pattern that an earlier [`Match::pattern_id`] of this router names.
    ///
    /// # Panics
    /// If the id comes from another router.
    pub fn pattern(&self, id: PatternId) -> &PathPattern {
        &self.patterns[id.0 as usize]
    }

    fn find_in(&self, table: &PathTable, subject: &Subject<'_>) -> Option<Match<'_>> {
        table.candidates(subject.query.path).find_map(|seat| {
            let conditions = &self.conditions[seat.rule as usize];
            let host_pattern = conditions.hold(subject)?;
            let pattern = &self.patterns[seat.pattern as usize];
            pattern.fits(subject.query.path).then_some(Match {
                target: conditions.target,
                pattern,
                pattern_id: PatternId(seat.pattern),
                host_pattern: host_pattern.named(),
            })
        })
    }
}
