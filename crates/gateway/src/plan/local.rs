//! References into a plan that are counted on one thread. Workers share a plan but not its reference counts: with
//! several workers a shared count is a cache line that all of them fight over, several times for each request.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use super::chain::Chain;
use super::route::{Route, UpstreamChoice};
use super::upstream::Upstream;
use super::{Plan, PlanHandle};

/// A plan as one worker holds it: its own count around the shared one.
#[derive(Clone)]
#[allow(clippy::redundant_allocation, reason = "the inner count is shared by threads, the outer is not")]
pub struct LocalPlan(Rc<Arc<Plan>>);

impl From<Arc<Plan>> for LocalPlan {
    fn from(plan: Arc<Plan>) -> Self {
        Self(Rc::new(plan))
    }
}

impl Deref for LocalPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

/// One worker's view of the plan in force.
pub struct CurrentPlan {
    handle: PlanHandle,
    seen: RefCell<LocalPlan>,
}

impl CurrentPlan {
    /// Follows `handle`.
    pub fn new(handle: PlanHandle) -> Self {
        let seen = RefCell::new(handle.load_full().into());
        Self { handle, seen }
    }

    /// The plan in force.
    pub fn get(&self) -> LocalPlan {
        let latest = self.handle.load();
        let mut seen = self.seen.borrow_mut();
        if !Arc::ptr_eq(&latest, &seen.0) {
            *seen = Arc::clone(&latest).into();
        }
        seen.clone()
    }
}

/// A route of a plan.
#[derive(Clone)]
pub struct RouteRef {
    plan: LocalPlan,
    at: usize,
}

impl RouteRef {
    /// The route at `at` of `plan`.
    pub(super) fn new(plan: &LocalPlan, at: usize) -> Self {
        Self { plan: plan.clone(), at }
    }
}

impl Deref for RouteRef {
    type Target = Route;

    fn deref(&self) -> &Route {
        &self.plan.routes[self.at]
    }
}

/// The plugins that run for a request.
#[derive(Clone)]
pub enum ChainRef {
    /// None, as long as no route has matched.
    Empty(LocalPlan),
    /// The route's.
    Route(RouteRef),
    /// The route's with a consumer's over them.
    Merged(Arc<Chain>),
}

impl Deref for ChainRef {
    type Target = Chain;

    fn deref(&self) -> &Chain {
        match self {
            ChainRef::Empty(plan) => plan.empty_chain(),
            ChainRef::Route(route) => &route.chain,
            ChainRef::Merged(chain) => chain,
        }
    }
}

/// The upstream of a request: its route's, or one that a plugin chose.
#[derive(Clone)]
pub enum UpstreamRef {
    Route(RouteRef),
    Chosen(Arc<Upstream>),
}

impl UpstreamRef {
    /// The route's upstream, if it has one.
    pub fn of_route(route: &RouteRef) -> Option<Self> {
        matches!(route.upstream, UpstreamChoice::Ready(_)).then(|| UpstreamRef::Route(route.clone()))
    }
}

impl Deref for UpstreamRef {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        match self {
            UpstreamRef::Chosen(upstream) => upstream,
            UpstreamRef::Route(route) => match &route.upstream {
                UpstreamChoice::Ready(upstream) => upstream,
                UpstreamChoice::Missing | UpstreamChoice::None => unreachable!("only a ready upstream is referred to"),
            },
        }
    }
}
