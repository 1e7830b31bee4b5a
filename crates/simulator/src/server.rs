//! Listening: one acceptor hands connections round robin to worker threads, each with its own single-threaded runtime.
//!
//! The spread is even by construction, also with few connections, which a shared listener cannot promise.
//! Stopping is immediate: streams in flight are cut, as when a provider dies.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use crate::Options;
use crate::connection;
use crate::service::Simulator;

/// Serves on `listener` until `shutdown` resolves, then cuts what is in flight and returns.
///
/// # Errors
///
/// `InvalidInput` when the script file cannot be used; else what the operating system says about sockets and threads.
pub async fn serve(listener: TcpListener, options: Options, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    run(listener, Arc::new(Simulator::new(&options)?), shutdown).await
}

async fn run(listener: TcpListener, simulator: Arc<Simulator>, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let workers = (0..simulator.options.worker_count())
        .map(|number| Worker::start(number, Arc::clone(&simulator)))
        .collect::<io::Result<Vec<_>>>()?;
    tokio::pin!(shutdown);
    for worker in workers.iter().cycle() {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            stream = accept(&listener) => stream?,
        };
        worker.connections.send(stream).map_err(|_| io::Error::other("a simulator worker has ended"))?;
    }
    Ok(())
}

/// Serves on `options.listen` from a thread of its own.
///
/// # Errors
///
/// As [`serve`], and when the address cannot be bound.
pub fn spawn(options: Options) -> io::Result<Running> {
    // Here, not in the thread: a bad script is the caller's to hear about.
    let simulator = Arc::new(Simulator::new(&options)?);
    let listener = bind(options.listen)?;
    let addr = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("simulator".into()).spawn(move || {
        let shutdown = async {
            // An error means that `Running` is gone, which is a stop as well.
            let _ = stopped.await;
        };
        if let Err(error) = runtime.block_on(run(listener, simulator, shutdown)) {
            tracing::error!(%error, "the simulator has ended");
        }
    })?;
    Ok(Running { addr, stop: Some(stop), thread: Some(thread) })
}

/// A simulator on its own thread; it stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, with the port that was taken.
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Cuts what is in flight, and returns when the port is free again.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only if the thread has ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the simulator's thread panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    // A benchmark opens thousands of connections at once.
    socket.listen(8192)?;
    Ok(socket.into())
}

/// One connection; waits out the errors that pass (too many open files, a peer that left while queued).
async fn accept(listener: &tokio::net::TcpListener) -> io::Result<std::net::TcpStream> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                stream.set_nodelay(true)?;
                return stream.into_std();
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }
}

/// A thread that serves the connections it is handed; it ends, cutting them, when its queue is closed.
struct Worker {
    connections: mpsc::UnboundedSender<std::net::TcpStream>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start(number: usize, simulator: Arc<Simulator>) -> io::Result<Self> {
        let (connections, mut queue) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let take = async move {
            while let Some(stream) = queue.recv().await {
                match TcpStream::from_std(stream) {
                    Ok(stream) => drop(tokio::spawn(connection::serve(stream, Arc::clone(&simulator)))),
                    Err(error) => tracing::warn!(%error, "a connection could not be registered"),
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("simulator-{number}")).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = take => (),
                    _ = stopped => (),
                }
            });
        })?;
        Ok(Self { connections, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a simulator worker panicked");
        }
    }
}
