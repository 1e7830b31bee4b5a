//! Numbers that many threads add to at once. Every thread adds to its own shard, in its own cache lines, so that
//! counting never makes two workers wait for each other; reading sums the shards up.

use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// More shards would cost memory and save little.
const MOST_SHARDS: usize = 16;

/// A power of two; fixed when the first number is made.
static SHARDS: LazyLock<usize> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    threads.next_power_of_two().min(MOST_SHARDS)
});

static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Which shard this thread adds to.
    static THREAD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The room of one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; 8]);

/// A row of sums, sharded.
#[derive(Debug)]
pub(super) struct Cells {
    lines: Box<[Line]>,
    lines_per_shard: usize,
}

impl Cells {
    /// `count` sums of zero.
    pub fn new(count: usize) -> Self {
        let lines_per_shard = count.div_ceil(8).max(1);
        Self { lines: (0..lines_per_shard * *SHARDS).map(|_| Line::default()).collect(), lines_per_shard }
    }

    /// Adds to one sum. To subtract, add the two's complement: sums wrap.
    #[inline]
    pub fn add(&self, cell: usize, value: u64) {
        let line = (thread() & (*SHARDS - 1)) * self.lines_per_shard + cell / 8;
        self.lines[line].0[cell % 8].fetch_add(value, Ordering::Relaxed);
    }

    /// One sum over all shards.
    pub fn sum(&self, cell: usize) -> u64 {
        let shards = self.lines.iter().skip(cell / 8).step_by(self.lines_per_shard);
        shards.fold(0_u64, |sum, line| sum.wrapping_add(line.0[cell % 8].load(Ordering::Relaxed)))
    }
}

#[inline]
fn thread() -> usize {
    THREAD.with(|thread| match thread.get() {
        Some(number) => number,
        None => {
            let number = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
            thread.set(Some(number));
            number
        }
    })
}
