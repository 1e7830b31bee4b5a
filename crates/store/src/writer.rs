//! The one thread that changes anything. It takes waiting commands in groups, so that many writers share
//! one disk flush, and it deletes items when their time has come.
//!
//! Invariant: commit, then publish, then acknowledge. Started by [`Store`](crate::Store).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{oneshot, watch};

use crate::clock::Clock;
use crate::database::{Database, Loaded};
use crate::stage::Stage;
use crate::write::Change;
use crate::{Snapshot, StoreError, WriteOutcome};

/// The most commands that share one transaction: bounds how long the first of them waits.
const LARGEST_GROUP: usize = 256;
/// The longest sleep while something is due later: the wall clock may be set forward meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// How long to wait after expired items could not be deleted (a full disk) before trying again.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Work for the writer, and where its answer goes.
pub(crate) struct Command {
    pub task: Task,
    pub reply: oneshot::Sender<Result<Answer, StoreError>>,
}

pub(crate) enum Task {
    Write(Vec<Change>),
    NextId,
    PutMeta {
        key: String,
        value: String,
    },
    /// Nothing but what every group does first.
    ExpireDue,
}

pub(crate) struct Answer {
    pub revision: u64,
    /// One per write; empty for other tasks.
    pub outcomes: Vec<WriteOutcome>,
}

/// What readers see.
pub(crate) struct Published {
    snapshot: watch::Sender<Arc<Snapshot>>,
    meta: RwLock<BTreeMap<String, String>>,
}

impl Published {
    pub fn new(loaded: Loaded) -> Self {
        Self { snapshot: watch::Sender::new(Arc::new(loaded.snapshot)), meta: RwLock::new(loaded.meta) }
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    pub fn meta(&self, key: &str) -> Option<String> {
        self.meta.read().get(key).cloned()
    }

    fn publish(&self, base: &Snapshot, stage: &Stage<'_>) {
        if !stage.meta().is_empty() {
            self.meta.write().extend(stage.meta().iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        let items_changed = !stage.changes().is_empty();
        let mut items = Arc::clone(&base.items);
        if items_changed {
            let items = Arc::make_mut(&mut items);
            for (key, staged) in stage.changes() {
                match staged {
                    Some(staged) => items.insert(Arc::clone(key), Arc::clone(&staged.item)),
                    None => items.remove(key),
                };
            }
        }
        let snapshot = Arc::new(Snapshot { revision: stage.revision(), items });
        self.snapshot.send_if_modified(|current| {
            *current = snapshot;
            items_changed
        });
    }
}

pub(crate) struct Writer {
    database: Database,
    clock: Arc<dyn Clock>,
    published: Arc<Published>,
    /// When items expire (seconds since the Unix epoch), soonest first.
    deadlines: BTreeSet<(u64, Arc<str>)>,
}

impl Writer {
    pub fn new(database: Database, clock: Arc<dyn Clock>, published: Arc<Published>) -> Self {
        let deadlines = published
            .snapshot()
            .items
            .values()
            .filter_map(|item| Some((item.expires_at?, Arc::clone(&item.key))))
            .collect();
        Self { database, clock, published, deadlines }
    }

    /// Works until the last [`Store`](crate::Store) handle is gone and the queue is empty.
    pub fn run(&mut self, queue: &Receiver<Command>) {
        let mut retry = false;
        loop {
            match self.wait(queue, retry) {
                Ok(first) => {
                    let mut group = vec![first];
                    group.extend(queue.try_iter().take(LARGEST_GROUP - 1));
                    self.serve(group);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let result = self.expire_due();
                    if let Err(error) = &result {
                        tracing::error!(%error, "expired items could not be deleted");
                    }
                    retry = result.is_err();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Sleeps until there is a command, or until the next item expires (`Timeout`).
    fn wait(&self, queue: &Receiver<Command>, retry: bool) -> Result<Command, RecvTimeoutError> {
        let Some((deadline, _)) = self.deadlines.first() else {
            return queue.recv().map_err(|_| RecvTimeoutError::Disconnected);
        };
        let left = Duration::from_secs(*deadline).saturating_sub(self.clock.now());
        let pause = if retry { RETRY_PAUSE } else { Duration::ZERO };
        queue.recv_timeout(left.clamp(pause, LONGEST_SLEEP))
    }

    /// Deletes what has expired.
    pub fn expire_due(&mut self) -> Result<(), StoreError> {
        self.commit(&[]).map(|_| ())
    }

    fn serve(&mut self, group: Vec<Command>) {
        match self.commit(&group) {
            Ok(answers) => {
                for (command, answer) in group.into_iter().zip(answers) {
                    command.answer(answer);
                }
            }
            Err(error) if group.len() == 1 => {
                for command in group {
                    command.answer(Err(error.clone()));
                }
            }
            // One command must not fail because of its neighbour.
            Err(_) => group.into_iter().for_each(|command| self.serve(vec![command])),
        }
    }

    /// Expires what is due and does the group's tasks in one transaction, then publishes. The outer
    /// error means that nothing at all was written; an inner one refuses only that command.
    fn commit(&mut self, group: &[Command]) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        let base = self.published.snapshot();
        let now = self.clock.now();
        let mut stage = Stage::on(&base, now);
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now.as_secs());
        stage.expire(due.map(|(_, key)| Arc::clone(key)));
        let answers = group.iter().map(|command| plan(&mut stage, &command.task)).collect();
        if !stage.is_empty() {
            self.database.apply(&stage)?;
            self.note_deadlines(&base, &stage);
            self.published.publish(&base, &stage);
        }
        Ok(answers)
    }

    fn note_deadlines(&mut self, base: &Snapshot, stage: &Stage<'_>) {
        for (key, staged) in stage.changes() {
            if let Some(at) = base.get(key).and_then(|item| item.expires_at) {
                self.deadlines.remove(&(at, Arc::clone(key)));
            }
            if let Some(at) = staged.as_ref().and_then(|staged| staged.item.expires_at) {
                self.deadlines.insert((at, Arc::clone(key)));
            }
        }
    }
}

fn plan(stage: &mut Stage<'_>, task: &Task) -> Result<Answer, StoreError> {
    let mut outcomes = Vec::new();
    match task {
        Task::Write(batch) => outcomes = stage.batch(batch)?,
        Task::NextId => stage.next_id(),
        Task::PutMeta { key, value } => stage.put_meta(key, value),
        Task::ExpireDue => {}
    }
    Ok(Answer { revision: stage.revision(), outcomes })
}

impl Command {
    /// A caller who no longer waits is no error: the write stands.
    fn answer(self, answer: Result<Answer, StoreError>) {
        let _ = self.reply.send(answer);
    }
}
