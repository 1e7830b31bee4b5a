//! Four times as much work takes about four times as much, not sixteen times: at bodies of 10 MB, at streams of 100,000
//! events, and whatever a client or a provider thinks up to send.
//!
//! What is compared is the thread's processor time and the bytes it allocates, so that a busy machine fails nothing.

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

/// A time that was disturbed is taken again, so often.
const ATTEMPTS: usize = 6;

/// Each dialect with the next, so that every reader and every writer has its turn.
fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    Dialect::ALL.into_iter().zip(Dialect::ALL.into_iter().cycle().skip(1))
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

/// Asks that `work` on what is `made` of `size` pieces costs no more than in proportion what it costs on a quarter.
fn assert_in_proportion<T, R>(name: &str, size: usize, made: impl Fn(usize) -> T, work: impl Fn(&T) -> R) {
    let (quarter, whole) = (made(size / 4), made(size));
    let mut times = Vec::new();
    for _ in 0..ATTEMPTS {
        let [one, four] = [&quarter, &whole].map(|input| cost(&|| drop(black_box(work(black_box(input))))));
        assert!(four.bytes <= (one.bytes + 4096) * u64::from(MOST), "{name}: {} and {} bytes", one.bytes, four.bytes);
        if four.time < one.time * MOST {
            return;
        }
        times.push((one.time, four.time));
    }
    panic!("{name}: {times:?}");
}
