//! Batches: log entries are collected and sent together, by a task on the side runtime. Invariants: handing an entry
//! over never waits; at most `max_pending_entries` wait, of a bounded length in all, and newer ones are dropped then;
//! an entry that was taken is sent or, after the last retry, dropped with a line in the error log. When the logger is
//! gone, what is left is sent; so it is when the process ends, as far as there is time, and what was not is counted in
//! the error log.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use gateway::last_call::{LastCall, Listening};
use gateway::metrics::{FamilyOf, Gauge, Held, Metrics};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

/// No entry is added to so many bytes that wait. An entry is taken whole, however long it is.
const MAX_PENDING_BYTES: usize = 64 << 20;

/// A batch of so many bytes is sent, however few its entries are: while they gather, others could find no room.
const FULL_BATCH_BYTES: usize = 8 << 20;

/// Entries that may wait where the metadata says nothing.
pub(super) const DEFAULT_MAX_PENDING: usize = 8_192;

/// The options of every logger that sends batches.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BatchOptions {
    /// How the batch is called in metrics and in the error log; the plugin's name if it is not set.
    pub name: Option<String>,
    /// Entries that are sent at once.
    #[schemars(range(min = 1))]
    pub batch_max_size: usize,
    /// Seconds without a new entry after which a batch is sent.
    #[schemars(range(min = 1))]
    pub inactive_timeout: u32,
    /// Seconds after which the oldest entry is sent.
    #[schemars(range(min = 1))]
    pub buffer_duration: u32,
    /// Tries after the first one.
    #[schemars(range(min = 0))]
    pub max_retry_count: u32,
    /// Seconds between two tries.
    #[schemars(range(min = 0))]
    pub retry_delay: u32,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            name: None,
            batch_max_size: 1_000,
            inactive_timeout: 5,
            buffer_duration: 60,
            max_retry_count: 0,
            retry_delay: 1,
        }
    }
}

/// When a batch is sent, and how often it is tried.
#[derive(Debug, Clone)]
pub(super) struct BatchRules {
    pub name: String,
    pub max_entries: usize,
    pub inactive: Duration,
    pub oldest: Duration,
    pub retries: u32,
    pub retry_delay: Duration,
    pub max_pending: usize,
}

impl BatchRules {
    pub fn new(options: &BatchOptions, plugin: &str, max_pending: usize) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Self {
            name: options.name.clone().unwrap_or_else(|| plugin.to_owned()),
            max_entries: options.batch_max_size.max(1),
            inactive: seconds(options.inactive_timeout),
            oldest: seconds(options.buffer_duration),
            retries: options.max_retry_count,
            retry_delay: seconds(options.retry_delay),
            max_pending: max_pending.clamp(1, Semaphore::MAX_PERMITS),
        }
    }
}

/// Where batches go.
pub(super) trait Receiver: Send + Sync + 'static {
    /// Sends `entries`, one JSON text each.
    ///
    /// # Errors
    /// What went wrong; the batch is tried again if it may be.
    fn receive(&self, entries: &[Bytes]) -> impl Future<Output = Result<(), String>> + Send;
}

/// The collecting end.
pub(super) struct Batch {
    queue: mpsc::Sender<Entry>,
    pending: FamilyOf<Gauge>,
    /// Bound to the labels of the first entry.
    gauge: OnceLock<Option<Gauge>>,
    dropped: AtomicU64,
    name: String,
    waiting: Arc<AtomicUsize>,
}

/// Bytes that wait, until this is dropped.
struct Waiting {
    bytes: usize,
    of_all: Arc<AtomicUsize>,
}

struct Entry {
    text: Bytes,
    _waiting: Waiting,
    /// Counts it as pending until it is sent or dropped.
    _pending: Option<Held>,
}

impl Batch {
    /// Starts the task that sends to `receiver`, on `side`.
    pub fn start(
        rules: BatchRules,
        receiver: impl Receiver,
        metrics: &Metrics,
        last_call: &LastCall,
        side: &tokio::runtime::Handle,
    ) -> Self {
        let (queue, entries) = mpsc::channel(rules.max_pending);
        let labels = &["name", "route_id", "server_addr"];
        let batch = Self {
            queue,
            pending: metrics.gauge("batch_process_entries", "batch process remaining entries", labels),
            gauge: OnceLock::new(),
            dropped: AtomicU64::new(0),
            name: rules.name.clone(),
            waiting: Arc::default(),
        };
        side.spawn(Sending { rules, receiver, entries, last_call: last_call.listen() }.run());
        batch
    }

    /// Hands an entry over; `labels` give the route's id and the server's address for the metric.
    pub fn push(&self, text: Bytes, labels: impl FnOnce() -> (String, String)) {
        let gauge = self.gauge.get_or_init(|| {
            let (route_id, server_addr) = labels();
            self.pending.with(&[&self.name, &route_id, &server_addr])
        });
        let has_room = self.waiting.load(Ordering::Relaxed) < MAX_PENDING_BYTES;
        let entry = || {
            let waiting = Waiting::new(text.len(), &self.waiting);
            Entry { text, _waiting: waiting, _pending: gauge.as_ref().map(Gauge::hold) }
        };
        if !has_room || self.queue.try_send(entry()).is_err() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            // At powers of two: a receiver that is down must not fill the error log.
            if dropped.is_power_of_two() {
                tracing::warn!(batch = self.name, dropped, "log entries are dropped: too many are waiting");
            }
        }
    }
}

impl Waiting {
    fn new(bytes: usize, of_all: &Arc<AtomicUsize>) -> Self {
        of_all.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes, of_all: of_all.clone() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.of_all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The task behind a [`Batch`].
struct Sending<R> {
    rules: BatchRules,
    receiver: R,
    entries: mpsc::Receiver<Entry>,
    last_call: Listening,
}

impl<R: Receiver> Sending<R> {
    /// Sends until the logger is gone or the process ends, and nothing is left.
    async fn run(mut self) {
        let mut undelivered = 0;
        while let Some(first) = self.next().await {
            let batch = self.collect(first).await;
            let texts: Vec<Bytes> = batch.iter().map(|entry| entry.text.clone()).collect();
            let delivered = self.send(&texts).await;
            if !delivered && self.last_call.is_called() {
                undelivered += texts.len();
            }
        }
        if undelivered > 0 {
            tracing::error!(batch = self.rules.name, undelivered, "log entries are lost: the process ends");
        }
    }

    /// The next entry. Once the process is about to end no more are taken, and those that wait come at once.
    async fn next(&mut self) -> Option<Entry> {
        tokio::select! {
            entry = self.entries.recv() => return entry,
            () = self.last_call.called() => self.entries.close(),
        }
        self.entries.recv().await
    }

    /// Waits until the batch is full or long, nothing more comes, or the oldest entry is old enough.
    async fn collect(&mut self, first: Entry) -> Vec<Entry> {
        let too_old = Instant::now() + self.rules.oldest;
        let mut bytes = first.text.len();
        let mut batch = vec![first];
        while batch.len() < self.rules.max_entries && bytes < FULL_BATCH_BYTES {
            let idle = Instant::now() + self.rules.inactive;
            match tokio::time::timeout_at(idle.min(too_old), self.next()).await {
                Ok(Some(entry)) => {
                    bytes += entry.text.len();
                    batch.push(entry);
                }
                Ok(None) | Err(_) => break,
            }
        }
        batch
    }

    /// Sends a batch; tries again as often as is configured, or once and at once when the process ends. `true` if it
    /// was taken.
    async fn send(&mut self, texts: &[Bytes]) -> bool {
        for attempt in 0..=self.rules.retries {
            if attempt > 0 {
                tokio::select! {
                    () = tokio::time::sleep(self.rules.retry_delay) => {}
                    () = self.last_call.called() => {}
                }
            }
            let is_last = self.last_call.is_called();
            let taken = tokio::select! {
                taken = self.receiver.receive(texts) => taken,
                () = self.last_call.over() => Err("there is no time left".to_owned()),
            };
            match taken {
                Ok(()) => return true,
                Err(error) => {
                    tracing::error!(batch = self.rules.name, attempt, error, "a batch of log entries was not taken");
                }
            }
            if is_last {
                break;
            }
        }
        tracing::error!(batch = self.rules.name, entries = texts.len(), "log entries are dropped after the last try");
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use parking_lot::Mutex;

    use super::*;

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Tells every batch it was given, and fails as often as it was told to.
    struct Collector {
        batches: mpsc::UnboundedSender<Vec<Bytes>>,
        failures: Mutex<VecDeque<&'static str>>,
    }

    impl Receiver for Arc<Collector> {
        async fn receive(&self, entries: &[Bytes]) -> Result<(), String> {
            self.batches.send(entries.to_vec()).map_err(|error| error.to_string())?;
            self.failures.lock().pop_front().map_or(Ok(()), |failure| Err(failure.to_owned()))
        }
    }

    struct Bench {
        metrics: Metrics,
        last_call: LastCall,
        batches: mpsc::UnboundedReceiver<Vec<Bytes>>,
        batch: Batch,
    }

    fn bench(change: impl FnOnce(&mut BatchRules), failures: &[&'static str]) -> Bench {
        let (sender, batches) = mpsc::unbounded_channel();
        let collector = Collector { batches: sender, failures: Mutex::new(failures.iter().copied().collect()) };
        let mut rules = BatchRules::new(&BatchOptions::default(), "test logger", DEFAULT_MAX_PENDING);
        rules.retry_delay = Duration::ZERO;
        change(&mut rules);
        let metrics = Metrics::default();
        let (last_call, side) = (LastCall::default(), tokio::runtime::Handle::current());
        let batch = Batch::start(rules, Arc::new(collector), &metrics, &last_call, &side);
        Bench { metrics, last_call, batches, batch }
    }

    impl Bench {
        fn push(&self, text: &'static str) {
            self.batch.push(Bytes::from_static(text.as_bytes()), || ("r1".to_owned(), "127.0.0.1".to_owned()));
        }

        async fn next(&mut self) -> Vec<Bytes> {
            tokio::time::timeout(PATIENCE, self.batches.recv()).await.expect("in time").expect("a batch")
        }
    }

    #[tokio::test]
    async fn a_full_batch_is_sent_at_once_and_the_rest_when_the_logger_goes() {
        let mut bench = bench(|rules| rules.max_entries = 2, &[]);
        ["1", "2", "3"].iter().for_each(|text| bench.push(text));
        let pending = "apisix_batch_process_entries{name=\"test logger\",route_id=\"r1\",server_addr=\"127.0.0.1\"} ";
        assert!(bench.metrics.render().contains(&format!("{pending}3\n")), "{}", bench.metrics.render());
        assert_eq!(bench.next().await, ["1", "2"]);
        let Bench { metrics, mut batches, batch, .. } = bench;
        drop(batch);
        assert_eq!(batches.recv().await.expect("the rest"), ["3"]);
        assert_eq!(batches.recv().await, None);
        assert!(metrics.render().contains(&format!("{pending}0\n")), "{}", metrics.render());
    }

    #[tokio::test]
    async fn a_batch_is_sent_when_nothing_more_comes_or_the_oldest_is_old() {
        for change in
            [(|rules: &mut BatchRules| rules.inactive = Duration::from_millis(20)) as fn(&mut BatchRules), |rules| {
                rules.oldest = Duration::from_millis(20)
            }]
        {
            let mut bench = bench(change, &[]);
            bench.push("1");
            bench.push("2");
            assert_eq!(bench.next().await, ["1", "2"]);
        }
    }

    #[tokio::test]
    async fn a_batch_is_tried_again_and_dropped_after_the_last_try() {
        let change = |rules: &mut BatchRules| (rules.max_entries, rules.retries) = (1, 1);
        let mut bench = bench(change, &["down", "still down"]);
        bench.push("lost");
        bench.push("kept");
        for expected in ["lost", "lost", "kept"] {
            assert_eq!(bench.next().await, [expected]);
        }
    }

    #[tokio::test]
    async fn entries_beyond_the_bound_are_dropped_and_not_counted_as_pending() {
        let mut bench = bench(|rules| (rules.max_pending, rules.max_entries) = (2, 2), &[]);
        ["1", "2", "too many"].iter().for_each(|text| bench.push(text));
        assert!(bench.metrics.render().contains("server_addr=\"127.0.0.1\"} 2\n"));
        assert_eq!(bench.next().await, ["1", "2"]);
        bench.push("3");
        drop(bench.batch);
        assert_eq!(bench.batches.recv().await.expect("a batch"), ["3"]);
    }

    #[tokio::test]
    async fn long_entries_that_wait_are_bounded_by_their_bytes() {
        let mut bench = bench(|rules| rules.max_entries = 2, &[]);
        let long: &'static str = "x".repeat(MAX_PENDING_BYTES).leak();
        ["1", long, "too much"].iter().for_each(|text| bench.push(text));
        assert_eq!(bench.next().await.len(), 2);
        while bench.batch.waiting.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
        bench.push("2");
        drop(bench.batch);
        assert_eq!(bench.batches.recv().await.expect("a batch"), ["2"]);
    }

    #[tokio::test]
    async fn a_long_batch_is_sent_though_it_has_few_entries() {
        let mut bench = bench(|_| {}, &[]);
        let half = || Bytes::from(vec![b'x'; FULL_BATCH_BYTES / 2]);
        (0..3).for_each(|_| bench.batch.push(half(), || ("r1".to_owned(), "127.0.0.1".to_owned())));
        assert_eq!(bench.next().await.len(), 2);
        drop(bench.batch);
        assert_eq!(bench.batches.recv().await.expect("the rest").len(), 1);
    }

    #[tokio::test]
    async fn what_waits_is_sent_when_the_process_ends() {
        let mut bench = bench(|rules| rules.max_entries = 2, &[]);
        ["1", "2", "3"].iter().for_each(|text| bench.push(text));
        assert!(bench.last_call.call(PATIENCE).await);
        assert_eq!([bench.next().await, bench.next().await], [vec!["1", "2"], vec!["3"]]);
    }

    #[tokio::test]
    async fn a_receiver_that_is_down_is_tried_once_more_and_not_waited_for() {
        let change = |rules: &mut BatchRules| {
            (rules.max_entries, rules.retries, rules.retry_delay) = (1, 9, 100 * PATIENCE);
        };
        let mut bench = bench(change, &["down", "still down"]);
        bench.push("lost");
        assert_eq!(bench.next().await, ["lost"]);
        bench.push("kept");
        assert!(bench.last_call.call(PATIENCE).await);
        assert_eq!([bench.next().await, bench.next().await], [["lost"], ["kept"]]);
    }
}
