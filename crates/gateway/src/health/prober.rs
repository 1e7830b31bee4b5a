//! Runs the active probes: one task per checked resource, on the side runtime, never on a worker.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use super::checker::Checker;

/// Starts probes.
#[derive(Debug, Clone)]
pub struct Prober {
    runtime: Handle,
    tls: ProbeTls,
}

/// How `https` probes look at certificates.
#[derive(Debug, Clone)]
pub struct ProbeTls {
    /// With `https_verify_certificate: true`.
    pub verifying: Arc<rustls::ClientConfig>,
    /// With `https_verify_certificate: false`.
    pub trusting: Arc<rustls::ClientConfig>,
}

/// Probes going on; dropping it ends them, also one under way.
#[derive(Debug)]
pub(super) struct Probing(AbortHandle);

impl Prober {
    pub fn new(runtime: Handle, tls: ProbeTls) -> Self {
        Self { runtime, tls }
    }

    /// `None` if the checks ask for no probes and no node has a name to be looked up.
    pub(super) fn start(&self, checker: &Arc<Checker>) -> Option<Probing> {
        let active = &checker.checks.active;
        let is_probed = active.healthy.interval.is_some() || active.unhealthy.interval.is_some();
        let checker = Arc::clone(checker);
        let task = match is_probed {
            true => self.runtime.spawn(probe_on(checker, self.tls.clone())),
            false if checker.targets.iter().any(|target| target.name().is_some()) => {
                self.runtime.spawn(async move { find_addresses(&checker).await })
            }
            false => return None,
        };
        Some(Probing(task.abort_handle()))
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn probe_on(checker: Arc<Checker>, tls: ProbeTls) {
    let active = &checker.checks.active;
    let tls = if active.https_verify_certificate { &tls.verifying } else { &tls.trusting };
    tokio::join!(
        find_addresses(&checker),
        rounds(&checker, tls, Health::Fit, active.healthy.interval),
        rounds(&checker, tls, Health::Unfit, active.unhealthy.interval),
    );
}

/// Looks up where nodes with names are, so that reports tell it before any probe does.
async fn find_addresses(checker: &Checker) {
    for target in &checker.targets {
        let Some(name) = target.name() else { continue };
        if let Ok(mut found) = tokio::net::lookup_host((name, target.identity.port)).await
            && let Some(address) = found.next()
        {
            target.reached.lock().get_or_insert(address.ip());
        }
    }
}

/// Which nodes one series of rounds looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Fit,
    Unfit,
}

/// Probes all nodes of one health, `every` so often; the first round begins at once.
async fn rounds(checker: &Checker, tls: &Arc<rustls::ClientConfig>, health: Health, every: Option<Duration>) {
    let Some(every) = every.filter(|every| !every.is_zero()) else { return };
    let active = &checker.checks.active;
    let at_once = active.concurrency.max(1) as usize;
    let mut ticks = tokio::time::interval(every);
    // A round that took longer than its interval must not be followed by a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let due = checker.targets.iter().filter(|target| target.state.is_fit() == (health == Health::Fit));
        stream::iter(due)
            .for_each_concurrent(at_once, async |target| {
                let outcome = target.request.send(tls, &target.reached).await;
                checker.report_probe(target, outcome);
            })
            .await;
    }
}
