//! A chain: the plugins that run for one kind of request, merged and sorted once, with one list per phase so
//! that a request visits only plugins that have something to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::expr::Expr;

use super::caught::caught;
use crate::answer::{Answer, ResponseHead};
use crate::error_response::ErrorResponse;
use crate::exchange::Exchange;
use crate::plugin::{BodyFilter, Needs, Phases, Plugin, Step, Verdict};

/// A plugin configuration, compiled, with what its `_meta` says.
pub struct Entry {
    pub name: &'static str,
    pub plugin: Arc<dyn Plugin>,
    /// The plugin's own priority, or `_meta.priority`.
    pub priority: i64,
    /// `_meta.filter`: run only where it holds.
    pub filter: Option<Expr>,
    /// `_meta.error_response`: replaces the body of the plugin's answers from 400 on.
    pub error_response: Option<ErrorResponse>,
    pub authenticates: bool,
    pub prefer_route: bool,
}

/// Plugins by name, before they are put in order. `None`: switched off (`_meta.disable`), in the layers below too.
pub type PluginSet = BTreeMap<&'static str, Option<Arc<Entry>>>;

/// `true` if both sets have the very same entries.
pub(super) fn same_plugins(a: &PluginSet, b: &PluginSet) -> bool {
    let same_entry = |a: &Option<Arc<Entry>>, b: &Option<Arc<Entry>>| match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    a.len() == b.len() && a.iter().zip(b).all(|((a, first), (b, second))| a == b && same_entry(first, second))
}

/// Plugins in order.
pub struct Chain {
    entries: Box<[Arc<Entry>]>,
    rewrite: Box<[u16]>,
    access: Box<[u16]>,
    before_proxy: Box<[u16]>,
    response_head: Box<[u16]>,
    response_body: Box<[u16]>,
    log: Box<[u16]>,
    needs: Needs,
}

/// Which set of plugins a phase runs for; decides what is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The route's plugins, with the consumer's.
    Route,
    /// The global rules': plugins that prefer the route are left out where the route has them.
    Global,
}

/// What becomes of a request in a chain, as far as it is known before the body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreseen {
    /// It is refused for want of a credential.
    Refused,
    Unknown,
    /// No plugin asks for a credential or changes one.
    NothingYet,
}

impl Chain {
    /// Puts `set` in order: higher priority first, names decide ties.
    pub fn new(set: &PluginSet) -> Self {
        let mut entries: Vec<Arc<Entry>> = set.values().flatten().cloned().collect();
        entries.sort_by_key(|entry| (std::cmp::Reverse(entry.priority), entry.name));
        let in_phase = |phase: Phases| -> Box<[u16]> {
            let takes_part = |(_, entry): &(usize, &Arc<Entry>)| entry.plugin.phases().has(phase);
            entries.iter().enumerate().filter(takes_part).map(|(at, _)| at as u16).collect()
        };
        Self {
            rewrite: in_phase(Phases::REWRITE),
            access: in_phase(Phases::ACCESS),
            before_proxy: in_phase(Phases::BEFORE_PROXY),
            response_head: in_phase(Phases::RESPONSE_HEAD),
            response_body: in_phase(Phases::RESPONSE_BODY),
            log: in_phase(Phases::LOG),
            needs: entries.iter().fold(Needs::default(), |needs, entry| needs.merge(entry.needs())),
            entries: entries.into_boxed_slice(),
        }
    }

    /// What the plugins want kept.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// `true` if a plugin of this name is in the chain.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// The entry of a plugin.
    #[cfg(test)]
    pub(super) fn entry(&self, name: &str) -> Option<Arc<Entry>> {
        self.entries.iter().find(|entry| entry.name == name).cloned()
    }

    /// `true` if some plugin filters response bodies.
    pub fn filters_bodies(&self) -> bool {
        !self.response_body.is_empty()
    }

    /// Runs `rewrite`; an answer ends the request.
    pub async fn rewrite(&self, exchange: &mut Exchange, scope: Scope) -> Option<Answer> {
        for entry in self.phase(&self.rewrite) {
            if entry.is_skipped(exchange, scope) {
                continue;
            }
            let step = entry.plugin.rewrite(exchange);
            if let Some(answer) = entry.finish(step).await {
                return Some(answer);
            }
        }
        None
    }

    /// What `rewrite` comes to before the request's body is read, as far as that can be told.
    pub fn foresee(&self, exchange: &Exchange) -> Foreseen {
        for entry in self.phase(&self.rewrite) {
            if entry.authenticates && entry.filter.is_none() && entry.plugin.refuses_unread(exchange) {
                return Foreseen::Refused;
            }
            if !entry.plugin.leaves_credentials_alone() {
                return Foreseen::Unknown;
            }
        }
        Foreseen::NothingYet
    }

    /// Runs `rewrite` of the plugins that `before` does not have: those that a consumer brought along.
    pub async fn rewrite_added(&self, exchange: &mut Exchange, before: &Chain) -> Option<Answer> {
        for entry in self.phase(&self.rewrite) {
            if entry.authenticates || before.contains(entry.name) || entry.is_skipped(exchange, Scope::Route) {
                continue;
            }
            let step = entry.plugin.rewrite(exchange);
            if let Some(answer) = entry.finish(step).await {
                return Some(answer);
            }
        }
        None
    }

    /// Runs `access`; an answer ends the request.
    pub async fn access(&self, exchange: &mut Exchange, scope: Scope) -> Option<Answer> {
        for entry in self.phase(&self.access) {
            if entry.is_skipped(exchange, scope) {
                continue;
            }
            let step = entry.plugin.access(exchange);
            if let Some(answer) = entry.finish(step).await {
                return Some(answer);
            }
        }
        None
    }

    /// Runs `before_proxy`; an answer ends the request.
    pub fn before_proxy(&self, exchange: &mut Exchange, scope: Scope) -> Option<Answer> {
        for entry in self.phase(&self.before_proxy) {
            if entry.is_skipped(exchange, scope) {
                continue;
            }
            if let Some(answer) = entry.plugin.before_proxy(exchange) {
                return Some(entry.dress(answer));
            }
        }
        None
    }

    /// Shows the response head to every plugin.
    pub fn response_head(&self, exchange: &mut Exchange, head: &mut ResponseHead, scope: Scope) {
        for entry in self.phase(&self.response_head) {
            if !entry.is_skipped(exchange, scope) {
                entry.plugin.response_head(exchange, head);
            }
        }
    }

    /// Adds the body filters of this response to `filters`, in order.
    pub fn body_filters(
        &self,
        exchange: &mut Exchange,
        head: &ResponseHead,
        scope: Scope,
        filters: &mut Vec<Box<dyn BodyFilter>>,
    ) {
        for entry in self.phase(&self.response_body) {
            if !entry.is_skipped(exchange, scope) {
                filters.extend(entry.plugin.body_filter(exchange, head));
            }
        }
    }

    /// Runs `log` of every plugin, also where another one panics: this runs inside of a `Drop`, out of which a panic
    /// would end the process.
    pub fn log(&self, exchange: &mut Exchange, scope: Scope) {
        for entry in self.phase(&self.log) {
            let logged = caught(|| {
                if !entry.is_skipped(exchange, scope) {
                    entry.plugin.log(exchange);
                }
            });
            if let Err(panic) = logged {
                tracing::error!(plugin = entry.name, panic, "a log phase panicked");
            }
        }
    }

    fn phase<'a>(&'a self, list: &'a [u16]) -> impl Iterator<Item = &'a Entry> {
        list.iter().map(|at| &*self.entries[usize::from(*at)])
    }
}

impl Entry {
    /// `plugin`, which no resource configures; runs after all others.
    pub(super) fn standing(name: &'static str, plugin: Arc<dyn Plugin>) -> Self {
        Self {
            name,
            plugin,
            priority: i64::MIN,
            filter: None,
            error_response: None,
            authenticates: false,
            prefer_route: false,
        }
    }

    /// What the plugin wants kept, and its filter.
    fn needs(&self) -> Needs {
        let filter = Needs::of_variables(self.filter.iter().flat_map(Expr::variables));
        // It is evaluated once, in the first phase of the plugin that the request comes to: one before the dispatch, if
        // the plugin has none behind it.
        let headers = filter.headers && self.plugin.phases().are_behind_dispatch();
        self.plugin.needs().merge(Needs { headers, ..filter })
    }

    fn is_skipped(&self, exchange: &mut Exchange, scope: Scope) -> bool {
        if scope == Scope::Global && self.prefer_route && exchange.chain.contains(self.name) {
            return true;
        }
        match &self.filter {
            None => false,
            Some(filter) => !exchange.remembered_filter(std::ptr::from_ref(self) as usize, filter),
        }
    }

    async fn finish(&self, step: Step<'_>) -> Option<Answer> {
        let answer = match step {
            Step::Next => return None,
            Step::Answer(answer) => answer,
            Step::Wait(future) => match future.await {
                Verdict::Next => return None,
                Verdict::Answer(answer) => answer,
            },
        };
        Some(self.dress(answer))
    }

    /// `_meta.error_response` in the place of the plugin's own body.
    pub fn dress(&self, answer: Answer) -> Answer {
        match &self.error_response {
            Some(error_response) => error_response.dress(answer),
            None => answer,
        }
    }
}
