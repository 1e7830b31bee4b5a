//! The data plane as one thing that starts, follows the store and drains.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use store::{Snapshot, Store};
use tokio::sync::{mpsc, oneshot, watch};

use crate::early_bodies::EarlyBodies;
use crate::health;
use crate::listener::{self, Listener};
use crate::plan::caught::caught;
use crate::plan::{Plan, PlanHandle, Planner};
use crate::services::Services;
use crate::worker::{Life, WorkerContext, WorkerHandle};

#[cfg(test)]
mod tests;

/// How long cut connections may take to settle.
const CUT_LIMIT: Duration = Duration::from_secs(2);

/// The running data plane.
pub struct DataPlane {
    plan: PlanHandle,
    health: Arc<health::Registry>,
    workers: Arc<Vec<WorkerHandle>>,
    life: Arc<watch::Sender<Life>>,
    in_force: watch::Receiver<u64>,
    rebuilds: mpsc::UnboundedSender<Rebuild>,
}

/// A wish for a plan of what is there already; told when it is in force, or why it is not.
type Rebuild = oneshot::Sender<Result<(), String>>;

impl DataPlane {
    /// Compiles the store's present content, starts `workers` workers and serves `listeners`.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(
        mut planner: Planner,
        services: Arc<Services>,
        store: &Store,
        listeners: Vec<Listener>,
        workers: usize,
    ) -> std::io::Result<Self> {
        let mut changes = store.subscribe();
        let first = changes.borrow_and_update().clone();
        let health = planner.health().clone();
        let plan: PlanHandle = Arc::new(ArcSwap::from_pointee(planner.build(&first)));
        let (life, lived) = watch::channel(Life::Serving);
        let life = Arc::new(life);
        let early_bodies = Arc::new(EarlyBodies::new(services.settings.tidegate.max_early_body_bytes));
        let context =
            WorkerContext { plan: plan.clone(), services: services.clone(), early_bodies, life: lived.clone() };
        let workers: Vec<WorkerHandle> =
            (0..workers).map(|number| WorkerHandle::start(number, context.clone())).collect::<Result<_, _>>()?;
        let workers = Arc::new(workers);
        for listener in listeners {
            services.side.spawn(listener::accept(listener, workers.clone(), life.clone()));
        }
        let followed = plan.clone();
        let (reached, in_force) = watch::channel(first.revision);
        let (rebuilds, asked) = mpsc::unbounded_channel();
        std::thread::Builder::new()
            .name("planner".to_owned())
            .spawn(move || follow(&mut planner, changes, asked, &followed, &reached))?;
        Ok(Self { plan, health, workers, life, in_force, rebuilds })
    }

    /// The plan in force.
    pub fn plan(&self) -> Arc<Plan> {
        self.plan.load_full()
    }

    /// The store revision that requests are served by; the Admin API acknowledges a write when it is reached.
    pub fn in_force(&self) -> watch::Receiver<u64> {
        self.in_force.clone()
    }

    /// Compiles what is stored again, because of a change that is not in the store: which plugins are enabled.
    /// Returns when requests meet the new plan.
    ///
    /// # Errors
    /// Says why there is no new plan; the old one stays in force.
    pub async fn rebuild(&self) -> Result<(), String> {
        let gone = || "changes of the configuration are not followed any more".to_owned();
        let (done, built) = oneshot::channel();
        self.rebuilds.send(done).map_err(|_| gone())?;
        built.await.map_err(|_| gone())?
    }

    /// The health of all checked upstreams.
    pub fn health(&self) -> &Arc<health::Registry> {
        &self.health
    }

    /// Client connections being served.
    pub fn connections(&self) -> usize {
        self.workers.iter().map(WorkerHandle::load).sum()
    }

    /// `true` from the moment in which [`DataPlane::drain`] was called.
    pub fn is_draining(&self) -> bool {
        *self.life.borrow() > Life::Serving
    }

    /// Stops accepting and lets requests in flight finish, for at most `limit`; what is left is then cut, and
    /// settles. `true` if nothing had to be cut.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.life.send_replace(Life::Draining);
        if tokio::time::timeout(limit, self.gone()).await.is_ok() {
            return true;
        }
        self.cut().await;
        false
    }

    /// Cuts what is in flight at once; it settles.
    pub async fn cut(&self) {
        self.life.send_replace(Life::Ending);
        if tokio::time::timeout(CUT_LIMIT, self.gone()).await.is_err() {
            tracing::error!("some connections did not end");
        }
    }

    async fn gone(&self) {
        while self.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Builds a plan for every change of the store, and when asked, until the store is gone. Changes that come while a plan
/// is built make one plan together.
fn follow(
    planner: &mut Planner,
    mut changes: watch::Receiver<Arc<Snapshot>>,
    mut asked: mpsc::UnboundedReceiver<Rebuild>,
    plan: &PlanHandle,
    reached: &watch::Sender<u64>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "changes of the configuration cannot be followed");
            return;
        }
    };
    runtime.block_on(async {
        loop {
            let rebuild = tokio::select! {
                changed = changes.changed() => match changed {
                    Ok(()) => None,
                    Err(_) => return,
                },
                Some(rebuild) = asked.recv() => Some(rebuild),
            };
            let snapshot = changes.borrow_and_update().clone();
            let built = caught(|| planner.build(&snapshot)).map(|built| {
                plan.store(Arc::new(built));
                reached.send_replace(snapshot.revision);
                tracing::debug!(revision = snapshot.revision, "a new plan is in force");
            });
            if let Err(panic) = &built {
                tracing::error!(panic, revision = snapshot.revision, "no plan could be made; the old one stays");
            }
            if let Some(rebuild) = rebuild {
                // Whoever asked may have gone.
                let _ = rebuild.send(built);
            }
        }
    });
}
