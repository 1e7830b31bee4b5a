//! The handle that everyone holds: snapshots without waiting, writes through the writer thread.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use tokio::sync::{oneshot, watch};

use crate::clock::{Clock, SystemClock};
use crate::database::Database;
use crate::folder::{DATABASE_FILE, DataFolder};
use crate::write::Change;
use crate::writer::{Answer, Command, Published, Task, Writer};
use crate::{Snapshot, StoreError, Write, WriteOutcome};

/// An open store. Clones share it; when the last one is dropped, the file is closed and the data
/// folder released.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    published: Arc<Published>,
    /// `None` only while the last handle is being dropped.
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Shared {
    /// Waits for the writer to finish what was queued, so that the folder can be opened again at once.
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer thread panicked");
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.snapshot()).finish()
    }
}

impl Store {
    /// Opens the store in the folder `dir`, which is created if needed (file `tidegate.db`, mode 0600).
    /// Checks the whole file first and never overwrites one that it cannot read.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with_clock(dir, Arc::new(SystemClock))
    }

    /// As [`Store::open`], with a clock of the caller's choice for items that expire.
    pub fn open_with_clock(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let folder = DataFolder::claim(dir)?;
        let database = Database::open(&folder.database)?;
        Self::start(database, clock, Some(folder))
    }

    /// A store that forgets everything when dropped; all else is the same. For tests and dry runs.
    pub fn in_memory() -> Self {
        Self::in_memory_with_clock(Arc::new(SystemClock))
    }

    /// As [`Store::in_memory`], with a clock of the caller's choice.
    pub fn in_memory_with_clock(clock: Arc<dyn Clock>) -> Self {
        Database::in_memory()
            .and_then(|database| Self::start(database, clock, None))
            .expect("an empty database in memory needs nothing that could be missing")
    }

    /// What is stored in `dir`, without locking or changing it: for looking at the data of a process
    /// that runs. A folder without a database reads as empty.
    pub fn read(dir: &Path) -> Result<Snapshot, StoreError> {
        let path = dir.join(DATABASE_FILE);
        if !path.exists() {
            return Ok(Snapshot::default());
        }
        Ok(Database::read(&path)?.snapshot)
    }

    fn start(database: Database, clock: Arc<dyn Clock>, folder: Option<DataFolder>) -> Result<Self, StoreError> {
        let loaded = database.load()?;
        let published = Arc::new(Published::new(loaded));
        let (commands, queue) = mpsc::channel();
        let mut writer = Writer::new(database, clock, Arc::clone(&published));
        // What expired while no process ran must not be seen by the first reader.
        writer.expire_due()?;
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                writer.run(&queue);
                drop(writer);
                drop(folder);
            })
            .map_err(|_| StoreError::Closed)?;
        let shared = Shared { published, commands: Some(commands), thread: Some(thread) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Everything stored, as of the last acknowledged write. Does not wait.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.published.snapshot()
    }

    /// Tells of every change of items. The newest snapshot is always there; intermediate ones may be
    /// skipped. An id from [`Store::next_id`] alone does not wake subscribers.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.shared.published.subscribe()
    }

    /// Applies `batch` in order as one transaction, all or nothing, under one new revision. When this
    /// returns `Ok`, the batch is durable and visible; there is one outcome per write, in order.
    /// Dropping the future does not take the write back.
    pub async fn write(&self, batch: Vec<Write>) -> Result<Vec<WriteOutcome>, StoreError> {
        let batch = batch.into_iter().map(Change::from).collect();
        Ok(self.ask(Task::Write(batch)).await?.outcomes)
    }

    /// A number that was never given before and never will be again: the revision that this very call
    /// makes.
    pub async fn next_id(&self) -> Result<u64, StoreError> {
        Ok(self.ask(Task::NextId).await?.revision)
    }

    /// A value that the binary keeps beside the resources. Not part of snapshots or revisions.
    pub fn get_meta(&self, key: &str) -> Option<String> {
        self.shared.published.meta(key)
    }

    /// Keeps `value` under `key`; durable when this returns `Ok`.
    pub async fn put_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.ask(Task::PutMeta { key, value }).await.map(|_| ())
    }

    /// Deletes what has expired by the store's clock. The writer does this by itself when the next
    /// deadline comes; only who moves a [`ManualClock`](crate::ManualClock) must say so.
    pub async fn expire_due(&self) -> Result<(), StoreError> {
        self.ask(Task::ExpireDue).await.map(|_| ())
    }

    async fn ask(&self, task: Task) -> Result<Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let commands = self.shared.commands.as_ref().ok_or(StoreError::Closed)?;
        commands.send(Command { task, reply }).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
