//! Four times as much work takes about four times as much, not sixteen times: at bodies of 10 MB, at streams of 100,000
//! events, and whatever a client or a provider thinks up to send.
//!
//! What is compared is the thread's processor time and the bytes it allocates, so that a busy machine fails nothing.

mod answers;
mod bodies;
mod hostile;
mod requests;
mod streams;

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tidegate_llm::Dialect;

/// More than this for four times the work is more than noise: what is quadratic takes sixteen times as much.
const MOST: u32 = 6;

/// The same of allocated bytes: a buffer that grows by doubling may have doubled once more.
const MOST_BYTES: u64 = 8;

/// A time that was disturbed is taken again, so often.
const ATTEMPTS: usize = 10;

/// Of how many pieces the work of a pair of dialects is. All 36 are tried, and their readers
/// and writers at the full size.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// Each dialect to the next, so that every reader and every writer has its turn.
    next: usize,
    /// Each dialect to all others and to itself.
    others: usize,
}

/// As many pieces as a request or an answer may have.
const HUNDRED_THOUSAND: Sizes = Sizes { next: 100_000, others: 2_000 };

/// Of shapes that nobody sends in earnest, each piece of which costs several events or bytes by the hundred.
const TEN_THOUSAND: Sizes = Sizes { next: 10_000, others: 2_000 };

/// As many bytes as a body may have.
const TEN_MB: Sizes = Sizes { next: 10_000_000, others: 1_000_000 };

/// Of what long texts are made.
const LINE: &str = "A line of what somebody says, with a \"word\" that must be escaped, and a few more behind it.\n";

/// The dialect behind `dialect`, in a ring.
fn next(dialect: Dialect) -> Dialect {
    let mut ring = Dialect::ALL.into_iter().cycle().skip_while(|other| *other != dialect).skip(1);
    ring.next().unwrap_or(dialect)
}

/// What some work has cost.
struct Cost {
    time: Duration,
    bytes: u64,
}

/// The processor time that this thread has used so far.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

fn cost(work: &dyn Fn()) -> Cost {
    let mut time = Duration::ZERO;
    let allocated = allocation_counter::measure(|| {
        let start = thread_time();
        work();
        time = thread_time() - start;
    });
    Cost { time, bytes: allocated.bytes_total }
}

/// What is worked on, and a quarter of it.
struct Input<T> {
    quarter: T,
    whole: T,
}

impl<T> Input<T> {
    fn made(size: usize, made: impl Fn(usize) -> T) -> Self {
        Self { quarter: made(size / 4), whole: made(size) }
    }

    /// Asks that `work` costs no more than in proportion what it costs on a quarter.
    fn assert_in_proportion<R>(&self, name: &str, work: impl Fn(&T) -> R) {
        let mut times = Vec::new();
        for _ in 0..ATTEMPTS {
            let [one, four] =
                [&self.quarter, &self.whole].map(|input| cost(&|| drop(black_box(work(black_box(input))))));
            let most_bytes = (one.bytes + 4096) * MOST_BYTES;
            assert!(four.bytes <= most_bytes, "{name}: {} and {} bytes", one.bytes, four.bytes);
            if four.time < one.time * MOST {
                return;
            }
            times.push((one.time, four.time));
        }
        panic!("{name}: {times:?}");
    }
}

/// Asks that `work` on what is `made` of `size` pieces costs no more than in proportion what it costs on a quarter.
fn assert_in_proportion<T, R>(name: &str, size: usize, made: impl Fn(usize) -> T, work: impl Fn(&T) -> R) {
    Input::made(size, made).assert_in_proportion(name, work);
}

/// Asks that `work`, from one dialect to another, is in proportion for every pair, on what is `made` of the one.
fn assert_every_pair<T, R>(
    name: &str,
    sizes: Sizes,
    made: impl Fn(Dialect, usize) -> T,
    work: impl Fn((Dialect, Dialect), &T) -> R,
) {
    for from in Dialect::ALL {
        let full = Input::made(sizes.next, |size| made(from, size));
        let smaller = (sizes.others < sizes.next).then(|| Input::made(sizes.others, |size| made(from, size)));
        for to in Dialect::ALL {
            let input = if to == next(from) { &full } else { smaller.as_ref().unwrap_or(&full) };
            input.assert_in_proportion(&format!("{name}, {from} to {to}"), |input| work((from, to), input));
        }
    }
}
