//! Routes as tables of examples; `reference` holds the router against a plain linear search.

mod examples;
mod reference;

use std::collections::HashMap;
use std::net::IpAddr;

use config::vars::{Var, Vars};

use super::{Lookup, Match, MethodSet, RouteEntry, Router, RouterBuilder, RouterMode};

/// Variables from a map.
#[derive(Default)]
struct TestVars(HashMap<&'static str, &'static str>);

impl Vars for TestVars {
    fn var(&self, name: &str) -> Var<'_> {
        self.0.get(name).map_or(Var::Nil, |text| Var::Text((*text).into()))
    }
}

/// A route for `uri` that asks for nothing else.
fn route(target: usize, uri: &str) -> RouteEntry {
    RouteEntry {
        target,
        uris: vec![uri.to_owned()],
        hosts: Vec::new(),
        methods: MethodSet::ANY,
        remote_addrs: Vec::new(),
        vars: None,
        priority: 0,
        order: target,
    }
}

fn router(mode: RouterMode, routes: impl IntoIterator<Item = RouteEntry>) -> Router {
    routes.into_iter().fold(RouterBuilder::new(mode), RouterBuilder::add).build().expect("routes compile")
}

/// A GET from 127.0.0.1.
fn get<'r>(router: &'r Router, host: &str, path: &str) -> Option<Match<'r>> {
    find(router, &http::Method::GET, host, path, &TestVars::default())
}

fn find<'r>(
    router: &'r Router,
    method: &http::Method,
    authority: &str,
    path: &str,
    vars: &TestVars,
) -> Option<Match<'r>> {
    let host = authority.split(':').next().unwrap_or_default();
    let remote_addr = IpAddr::from([127, 0, 0, 1]);
    router.find(&Lookup { host, host_with_port: authority, path, method, remote_addr }, vars)
}
