//! `tidegate serve`: starts every part in an order in which nothing is half done when a later part fails, waits for
//! signals, and ends the parts in the opposite order.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use admin::ServerInfo;
use config::settings::Settings;
use gateway::data_plane::DataPlane;
use gateway::plan::Planner;
use gateway::services::Services;
use store::Store;
use tokio::runtime::Runtime;

use crate::banner::Banner;
use crate::bootstrap::{Bootstrap, admin_key, instance, keyring};
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::logging::Log;
use crate::plugin_list::PluginList;
use crate::servers::{self, Parts, Servers, Shared};
use crate::signals::{Signal, Signals};
use crate::sockets::Sockets;
use crate::view::View;
use crate::{node_metrics, plugin_list, reload, sealed, services};

/// Threads for everything that is not the data plane's own work.
const SIDE_THREADS: usize = 2;

/// How long the listeners beside the data plane may take to stop, also where draining took all the time there was.
const SERVERS_LIMIT: Duration = Duration::from_secs(1);

/// How long delivering the last log entries to servers may take: what draining has left, within these bounds.
const LAST_CALL_LIMITS: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(10);

/// How long writing the last lines into log files may take.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// How long the side runtime may take to end.
const SIDE_LIMIT: Duration = Duration::from_secs(1);

/// How long each of the last steps may take once a second signal has come.
const HURRIED_LIMIT: Duration = Duration::from_millis(500);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// If something cannot be started. What was started is ended before this returns.
pub fn run(config: Option<&Path>) -> Result<(), Failure> {
    let configuration = Configuration::load(config)?;
    let log = Log::start(&configuration.settings);
    for warning in &configuration.warnings {
        tracing::warn!("{warning}");
    }
    raise_open_files_limit();
    let side = side_runtime()?;
    let mut process = Process::start(configuration, log, &side)?;
    side.block_on(process.serve())?;
    side.block_on(process.end());
    // The store's file is closed with the last task. A thread may be blocked for longer, as
    // by a name that is looked up.
    side.shutdown_timeout(SIDE_LIMIT);
    Ok(())
}

fn side_runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SIDE_THREADS)
        .thread_name("side")
        .enable_all()
        .build()
        .map_err(|error| Failure::runtime(format!("the side runtime cannot be started: {error}")))
}

/// `made` is the key's file, if it was made at this start; `unreadable` are the secrets that are stored and that no key
/// opens.
fn warn_of_lost_key(made: Option<&Path>, unreadable: &[String]) {
    let Some(first) = unreadable.first() else { return };
    let what = match made {
        Some(file) => format!("{} was not there and has been made anew, but ", file.display()),
        None => String::new(),
    };
    tracing::error!(
        "{what}{} secrets are stored that no key opens, such as {first}: put the lost key back, or write these resources \
         again",
        unreadable.len()
    );
}

/// Each connection is an open file, and each request may hold two. The usual soft limit of 1024 is there for programs
/// that still use `select`.
fn raise_open_files_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, ?limit, "the limit of open files stays");
    }
}

/// Everything that runs.
struct Process<'r> {
    side: &'r Runtime,
    signals: Signals,
    log: Log,
    configuration: Configuration,
    store: Store,
    data_plane: Arc<DataPlane>,
    services: Arc<Services>,
    plugin_list: Arc<PluginList>,
    servers: Servers,
    /// Serves as a provider while it lives.
    _simulated: Option<crate::bootstrap::Simulated>,
}

impl<'r> Process<'r> {
    fn start(configuration: Configuration, log: Log, side: &'r Runtime) -> Result<Self, Failure> {
        let booted = SystemTime::now();
        let _context = side.enter();
        let signals = Signals::listen().map_err(Failure::runtime)?;
        let name = configuration.name();
        let settings = Arc::new(configuration.settings.clone());
        let admin_tls = settings.deployment.admin.tls.as_ref().map(|tls| servers::admin_tls(tls, &name)).transpose()?;
        let services = services::start(&settings, &name, side.handle().clone())?;
        let sockets = Sockets::open(&settings, &name)?;
        let listening = sockets.listening()?;
        let (traffic, side_sockets) = sockets.split();

        let store = Store::open(&settings.tidegate.data_dir).map_err(|error| Failure::of_store(&name, &error))?;
        let (keyring, made) = keyring::open(&settings)?;
        let keyring = Arc::new(keyring);
        let registry = Arc::new(plugins::registry(settings.plugins.as_deref()));
        let catalog = registry.catalog().clone();
        warn_of_lost_key(made.as_deref(), &sealed::unreadable(&store.snapshot(), &catalog, &keyring));
        plugin_list::warn_of_strangers(&catalog, settings.plugins.as_deref());
        let admin_key::Completed { settings: admin, generated, origins } =
            admin_key::complete(&settings, &store, &environment)?;
        let bootstrap =
            Bootstrap { settings: &settings, store: &store, catalog: &catalog, keyring: &keyring, env: &environment };
        let first = side.block_on(bootstrap.run())?;

        let planner = Planner::new(registry, services.clone(), keyring.clone());
        let data_plane = DataPlane::start(planner, services.clone(), &store, traffic, worker_count(&settings))
            .map_err(|error| Failure::runtime(format!("the data plane cannot be started: {error}")))?;
        let data_plane = Arc::new(data_plane);
        node_metrics::register(&services.metrics, &services.hostname, &store, &data_plane);
        let info = ServerInfo {
            hostname: services.hostname.to_string(),
            id: side.block_on(instance::id(&settings, &store))?,
            booted,
        };
        let file = configuration.file.clone();
        let plugin_list = Arc::new(PluginList { file, catalog: catalog.clone(), data_plane: data_plane.clone() });
        let view = Arc::new(View {
            data_plane: data_plane.clone(),
            services: services.clone(),
            store: store.clone(),
            catalog: catalog.clone(),
        });
        let in_force = data_plane.in_force();
        let process = Shared { store: store.clone(), catalog, plugin_list: plugin_list.clone() };
        let parts = Parts { view, shared: process, info, keyring, admin, admin_tls, in_force };
        let servers = Servers::start(side_sockets, parts, &settings, side.handle())?;
        side.block_on(admin_key::keep(&generated, &store))?;
        let (file, stored) = (configuration.file.as_deref(), store.snapshot());
        show(Banner {
            settings: &settings,
            file,
            listening: &listening,
            made: &generated,
            origins: &origins,
            first: &first,
            stored: &stored,
        });
        Ok(Self {
            side,
            signals,
            log,
            configuration,
            store,
            data_plane,
            services,
            plugin_list,
            servers,
            _simulated: first.simulated,
        })
    }

    /// Obeys signals until one asks for the end.
    async fn serve(&mut self) -> Result<(), Failure> {
        loop {
            match self.signals.next().await {
                Signal::End => return Ok(()),
                Signal::Reload => self.reload().await,
                Signal::ReopenLogs => {
                    plugins::observability::reopen_log_files();
                    tracing::info!("log files are opened again");
                }
            }
        }
    }

    /// Takes over what may change. A file that is wrong changes nothing.
    async fn reload(&mut self) {
        let outcome = match Configuration::load(self.configuration.file.as_deref()) {
            Ok(read) => self.take_over(read).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = outcome {
            tracing::error!("config.yaml was not taken over, the settings stay as they are: {failure}");
        }
    }

    async fn take_over(&mut self, read: Configuration) -> Result<(), Failure> {
        for warning in &read.warnings {
            tracing::warn!("{warning}");
        }
        let running = &self.configuration.settings;
        for section in reload::needing_restart(running, &read.settings) {
            tracing::warn!("{}: {section} has changed, which takes effect at the next start", read.name());
        }
        let merged = reload::merged(running, &read.settings);
        let admin_key::Completed { settings: admin, generated, .. } =
            admin_key::complete(&merged, &self.store, &environment)?;
        admin_key::keep(&generated, &self.store).await?;
        self.servers.set_admin(admin, self.side.handle())?;
        self.log.set_level(&merged);
        if let Err(error) = self.plugin_list.put_in_force(merged.plugins.as_deref()).await {
            tracing::error!(error, "the list of plugins is not in force");
        }
        for admin_key::Generated { name, key } in generated {
            show(format_args!("{name} key for the Admin API, made now and shown only this once: {}", key.expose()));
        }
        self.configuration = Configuration { settings: merged, ..read };
        tracing::info!("config.yaml was read again");
        Ok(())
    }

    /// Drains and stops. A second signal to end cuts what is left, whatever is being waited for.
    async fn end(self) {
        let Self { mut signals, data_plane, services, servers, configuration, .. } = self;
        let limit = configuration.settings.tidegate.drain_timeout;
        tokio::select! {
            () = end_gently(&data_plane, &services, servers, limit) => {}
            () = signals.end() => {
                tracing::warn!("a second signal came; the connections that were left have been cut");
                data_plane.cut().await;
                deliver(&services, HURRIED_LIMIT).await;
                flush(HURRIED_LIMIT).await;
            }
        }
    }
}

async fn end_gently(data_plane: &DataPlane, services: &Services, servers: Servers, limit: Duration) {
    let began = Instant::now();
    if !data_plane.drain(limit).await {
        tracing::warn!(?limit, "tidegate.drain_timeout is over; the connections that were left have been cut");
    }
    let left = limit.saturating_sub(began.elapsed());
    let last_call = left.clamp(*LAST_CALL_LIMITS.start(), *LAST_CALL_LIMITS.end());
    tokio::join!(deliver(services, last_call), servers.stop(left.max(SERVERS_LIMIT)));
    flush(FLUSH_LIMIT).await;
}

/// Lets log entries be delivered to servers.
async fn deliver(services: &Services, limit: Duration) {
    if !services.last_call.call(limit).await {
        tracing::warn!("log entries could not all be delivered");
    }
}

/// Lets the last lines be written into log files.
async fn flush(limit: Duration) {
    let flushing = tokio::task::spawn_blocking(move || plugins::observability::flush_log_files(limit));
    if !flushing.await.unwrap_or_default() {
        tracing::warn!(?limit, "log files could not be written to their end");
    }
}

/// Prints for whoever watches; that nobody does is no reason to end.
fn show(text: impl Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{text}") {
        tracing::warn!(%error, "standard output is closed");
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// As configured, else one per core that this process may use.
fn worker_count(settings: &Settings) -> usize {
    settings.workers().or_else(|| std::thread::available_parallelism().ok()).map_or(1, usize::from)
}
