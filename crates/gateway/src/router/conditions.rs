//! What a route asks beside its path: methods, client addresses, hosts and variables, in that order.

use std::sync::Arc;

use config::expr::Expr;
use config::vars::Vars;
use ipnet::IpNet;

use super::{Lookup, MethodSet, RouteEntry, RouterMode};
use crate::path::{port_of, without_port};
use crate::variables::reads::BodyReads;

/// A request as conditions see it.
pub(super) struct Subject<'a> {
    pub query: &'a Lookup<'a>,
    pub vars: &'a dyn Vars,
    pub method: MethodSet,
}

#[derive(Debug)]
pub(super) struct Conditions {
    pub target: usize,
    methods: MethodSet,
    remote_addrs: Box<[IpNet]>,
    /// Empty when any host will do, or when the host index has decided already.
    hosts: Box<[HostPattern]>,
    vars: Option<Expr>,
    /// `vars` look for something in the body.
    pub reads_body: bool,
}

/// What is known about the host once all conditions hold.
pub(super) enum HostVerdict<'c> {
    NotAsked,
    Fits(&'c HostPattern),
}

#[derive(Debug)]
pub(super) struct HostPattern {
    text: Arc<str>,
    /// A `:` in the pattern means that the Host header's port is looked at too.
    with_port: bool,
}

impl Conditions {
    pub(super) fn compile(route: RouteEntry, mode: RouterMode) -> Self {
        let hosts = match mode {
            RouterMode::HostUri => Vec::new(),
            RouterMode::Uri | RouterMode::UriWithParameter => route.hosts,
        };
        Self {
            target: route.target,
            methods: route.methods,
            remote_addrs: route.remote_addrs.into(),
            hosts: hosts.iter().map(|host| HostPattern::compile(host)).collect(),
            reads_body: route.vars.as_ref().is_some_and(|vars| BodyReads::of(vars) != BodyReads::Nothing),
            vars: route.vars,
        }
    }

    /// `None` as soon as one condition fails.
    pub(super) fn hold(&self, subject: &Subject<'_>) -> Option<HostVerdict<'_>> {
        let verdict = self.hold_but_vars(subject)?;
        self.vars.as_ref().is_none_or(|vars| vars.eval(subject.vars)).then_some(verdict)
    }

    /// As [`Self::hold`], with a body that is not read yet: what looks into it may hold.
    pub(super) fn may_hold(&self, subject: &Subject<'_>) -> Option<HostVerdict<'_>> {
        if self.reads_body { self.hold_but_vars(subject) } else { self.hold(subject) }
    }

    fn hold_but_vars(&self, subject: &Subject<'_>) -> Option<HostVerdict<'_>> {
        let query = subject.query;
        if !self.methods.accepts(subject.method) || !self.admits(query) {
            return None;
        }
        if self.hosts.is_empty() {
            return Some(HostVerdict::NotAsked);
        }
        self.hosts.iter().find(|host| host.fits(query)).map(HostVerdict::Fits)
    }

    fn admits(&self, query: &Lookup<'_>) -> bool {
        if self.remote_addrs.is_empty() {
            return true;
        }
        // An IPv4 client on a dual-stack listener shows up as `::ffff:a.b.c.d`.
        let client = query.remote_addr.to_canonical();
        self.remote_addrs.iter().any(|net| net.contains(&client))
    }
}

impl<'c> HostVerdict<'c> {
    /// The pattern's text, if the route asked for a host.
    pub(super) fn named(self) -> Option<&'c Arc<str>> {
        match self {
            Self::NotAsked => None,
            Self::Fits(pattern) => Some(&pattern.text),
        }
    }
}

impl HostPattern {
    fn compile(text: &str) -> Self {
        Self { text: text.to_ascii_lowercase().into(), with_port: text.contains(':') }
    }

    fn fits(&self, query: &Lookup<'_>) -> bool {
        if self.with_port && port_of(query.host_with_port) != port_of(&self.text) {
            return false;
        }
        let pattern = if self.with_port { without_port(&self.text) } else { &self.text };
        match pattern.strip_prefix('*') {
            Some(suffix) => query.host.ends_with(suffix),
            None => query.host == pattern,
        }
    }
}
