//! A worker: one thread, one single-threaded runtime, its own upstream connections. It serves the connections it
//! is given; nothing of a request ever leaves its thread.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::connection;
use crate::early_bodies::EarlyBodies;
use crate::plan::{CurrentPlan, PlanHandle};
use crate::services::Services;
use crate::transport::Pool;

/// How often idle upstream connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// How far the process is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// As `Serving`, but no file descriptor is left for a new connection: those that ask for nothing may go.
    Crowded,
    Serving,
    /// No new requests; those in flight may finish.
    Draining,
    /// Time is up: what is still in flight is cut, and settles.
    Ending,
}

/// What the data plane's workers share.
#[derive(Clone)]
pub struct WorkerContext {
    pub plan: PlanHandle,
    pub services: Arc<Services>,
    pub early_bodies: Arc<EarlyBodies>,
    pub life: watch::Receiver<Life>,
}

/// One worker, seen from its own thread.
pub struct Worker {
    pub plan: CurrentPlan,
    pub services: Arc<Services>,
    pub early_bodies: Arc<EarlyBodies>,
    pub pool: Rc<Pool>,
    pub life: watch::Receiver<Life>,
    load: Arc<AtomicUsize>,
}

/// A connection on its way to a worker.
pub struct Accepted {
    pub socket: std::net::TcpStream,
    pub peer: SocketAddr,
    pub tls: bool,
}

/// One worker, seen from the acceptor.
pub struct WorkerHandle {
    queue: mpsc::UnboundedSender<Accepted>,
    load: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<()>,
}

impl Worker {
    /// The longest body that is read whole where a plugin or an expression needs it, in bytes.
    pub fn max_buffered_body(&self) -> u64 {
        let configured = self.services.settings.nginx_config.http.client_max_body_size;
        match (configured, self.services.settings.apisix.max_post_args_readable_size) {
            (0, 0) => u64::MAX,
            (0, readable) => readable,
            (configured, _) => configured,
        }
    }

    /// How long the client may pause in the middle of its body.
    pub fn client_body_timeout(&self) -> Duration {
        self.services.settings.nginx_config.http.client_body_timeout
    }
}

impl Worker {
    /// Runs `task` beside the connections. It counts as one of them, so that a drain waits for it.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.load.fetch_add(1, Ordering::Relaxed);
        let departure = Departure(self.load.clone());
        tokio::task::spawn_local(async move {
            let _departure = departure;
            task.await;
        });
    }
}

impl WorkerHandle {
    /// Starts a worker's thread.
    ///
    /// # Errors
    /// If the thread or its runtime cannot be made.
    pub fn start(number: usize, context: WorkerContext) -> std::io::Result<Self> {
        let (queue, accepted) = mpsc::unbounded_channel();
        let load = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().event_interval(61).build()?;
        let thread_load = load.clone();
        let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, run(context, accepted, thread_load));
        })?;
        Ok(Self { queue, load, thread })
    }

    /// Connections it serves at the moment.
    pub fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Gives it a connection. `false` if the worker is gone.
    pub fn give(&self, accepted: Accepted) -> bool {
        self.load.fetch_add(1, Ordering::Relaxed);
        self.queue.send(accepted).is_ok()
    }

    /// Waits until it has served its last connection; the queue must be closed first.
    pub fn join(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::error!("a worker's thread panicked");
        }
    }
}

async fn run(context: WorkerContext, mut accepted: mpsc::UnboundedReceiver<Accepted>, load: Arc<AtomicUsize>) {
    let worker = Rc::new(Worker {
        plan: CurrentPlan::new(context.plan),
        services: context.services,
        early_bodies: context.early_bodies,
        pool: Rc::new(Pool::default()),
        life: context.life,
        load: load.clone(),
    });
    let mut tasks = tokio::task::JoinSet::new();
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            next = accepted.recv() => {
                let Some(next) = next else { break };
                let departure = Departure(load.clone());
                let worker = worker.clone();
                tasks.spawn_local(async move {
                    let _departure = departure;
                    serve(worker, next).await;
                });
            }
            Some(ended) = tasks.join_next() => log_panic(ended),
            _ = sweep.tick() => {
                worker.pool.sweep();
                // So that a quiet worker does not hold on to a plan of the past.
                worker.plan.get();
            }
        }
    }
    while let Some(ended) = tasks.join_next().await {
        log_panic(ended);
    }
}

async fn serve(worker: Rc<Worker>, accepted: Accepted) {
    let _open = worker.services.metrics.traffic().connection();
    let registered = accepted.socket.set_nonblocking(true).and_then(|()| TcpStream::from_std(accepted.socket));
    match registered {
        Ok(socket) => connection::serve(worker, socket, accepted.peer, accepted.tls).await,
        Err(error) => tracing::warn!(%error, "a connection could not be taken over"),
    }
}

/// A panic ends one connection; the others go on.
fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection ended in a panic");
    }
}

/// Counts a connection as gone when it is dropped.
struct Departure(Arc<AtomicUsize>);

impl Drop for Departure {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
